#!/bin/bash
# A QEMU that idles, its guest paused, is after one snapshot and after two hundred what it was before:
# every thread's registers, signal masks and pending signals, all mappings with their flags, descriptors,
# children, threads, OOM score; and nothing of it is stopped.
. "$(dirname "$0")/../functions.sh"

MANY=200

# Without QEMU's own worker threads, which come and go: those there were at the start.
threads_of() {
  local tid
  for tid in $threads; do
    [ ! -d "/proc/$pid/task/$tid" ] || echo "$tid"
  done
}

# state DIRECTORY: a file for each kind of thing.
state() {
  local tid
  mkdir "$1"
  "$root/tests/thread-state" "$pid" | grep -wE "^($(threads_of | paste -sd '|'))" >"$1/registers"
  for tid in $(threads_of); do
    awk -v tid="$tid" '/^(Sig(Pnd|Blk|Ign|Cgt)|ShdPnd|NoNewPrivs|Seccomp|TracerPid):/ { print tid, $0 }
      /^State/ { print tid, "stopped:", $2 ~ /[tT]/ }' "/proc/$pid/task/$tid/status" &&
      echo "$tid children: $(cat "/proc/$pid/task/$tid/children")" || : # it has just ended
  done >"$1/status" 2>"$tmp/ignored"
  awk '/^[0-9a-f]+-[0-9a-f]+ / { range = $1 " " $2 " " $6 } /^VmFlags:/ { print range, $0 }' \
    "/proc/$pid/smaps" >"$1/mappings"
  find "/proc/$pid/fd" -mindepth 1 -printf '%f %l\n' | sort -n >"$1/descriptors"
  cat "/proc/$pid/oom_score_adj" >"$1/oom"
}

# What is in vector registers changes with whatever a thread does: this compares it of those threads that
# do not even run when the monitor is asked what a snapshot asks it.
switches() {
  local tid
  for tid in $threads; do
    awk -v tid="$tid" '/ctxt_switches/ { print tid, $2 }' "/proc/$pid/task/$tid/status"
  done 2>"$tmp/ignored" | sort
}

idle_threads() {
  comm -12 "$tmp/switches.0" "$tmp/switches.1" | cut -d ' ' -f 1 | uniq -d
}

# of_living FILE: the lines of threads that are still there.
of_living() {
  grep -wE "^($(threads_of | paste -sd '|'))" "$1"
}

without_vectors() {
  of_living "$1/registers" | sed 's/ xsave=.*//'
}

# check WHICH: against the state before.
check() {
  local file
  for file in mappings descriptors oom; do
    same "$(cat "$tmp/state.1/$file")" "$(cat "$tmp/state.$1/$file")" "$file before and after"
  done
  same "$(of_living "$tmp/state.1/status")" "$(of_living "$tmp/state.$1/status")" "status before and after"
  same "$(without_vectors "$tmp/state.1")" "$(without_vectors "$tmp/state.$1")" "registers before and after"
  for thread in $idle; do
    [ -d "/proc/$pid/task/$thread" ] || continue
    same "$(grep "^$thread " "$tmp/state.1/registers")" "$(grep "^$thread " "$tmp/state.$1/registers")" \
      "all registers of thread $thread before and after"
  done
}

ask() {
  qmp vm human-monitor-command '{"command-line":"info registers -a"}' >/dev/null
  qmp vm human-monitor-command '{"command-line":"info mtree -f"}' >/dev/null
  qmp vm query-status >/dev/null
}

take() {
  mkdir "$mnt/vm/s"
  rmdir "$mnt/vm/s"
}

no_new_threads() {
  [ -z "$(comm -13 <(echo "$threads") <(ls "/proc/$pid/task"))" ]
}

start_guest vm
qmp vm stop >/dev/null
pid=${guest_pid[vm]}
mount_guest vm
take # QEMU has had all that it wants of memory for these questions
ask
threads=$(ls "/proc/$pid/task")
switches >"$tmp/switches.0"
ask
switches >"$tmp/switches.1"
state "$tmp/state.1"
idle=$(idle_threads)
[ -n "$idle" ] || fail "no thread of QEMU idles"

take
wait_for 5 none_parked vm
state "$tmp/state.2"
check 2
for ((i = 0; i < MANY; i++)); do
  take
done
wait_for 5 none_parked vm
state "$tmp/state.3"
check 3
wait_for 60 no_new_threads || fail "QEMU has threads that it had not"

stop_dacsa
qmp vm cont >/dev/null
guest_run vm true
