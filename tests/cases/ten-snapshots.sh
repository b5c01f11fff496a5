#!/bin/bash
# Ten snapshots in a row, dropped again, leave no trace in QEMU: threads, children, descriptors,
# signal mask, and maps (guest RAM is not inherited by forks) are as before.
. "$(dirname "$0")/../functions.sh"

# qemu_state: all of it that must not change. Of the maps the large ones, which are guest RAM and
# what QEMU holds beside it: its heap grows and shrinks by itself.
qemu_state() {
  local pid=${guest_pid[vm]}
  echo "children, zombies too: $(ps --ppid "$pid" -o pid,stat,comm --no-headers)"
  (cd "/proc/$pid/fd" && for fd in *; do echo "fd $fd: $(readlink "$fd")"; done)
  grep -E '^(Sig(Blk|Ign|Cgt)|ShdPnd|Seccomp|NoNewPrivs|TracerPid):' "/proc/$pid/status"
  awk '/^[0-9a-f]+-[0-9a-f]+ / { range = $1 " " $2 }
       /^Size:/ { size = $2 }
       /^VmFlags:/ && size >= 65536 { print range, $0 }' "/proc/$pid/smaps"
}

# QEMU's own worker threads come when there is input or output, and go when there is none for ten seconds.
threads() {
  ls "/proc/${guest_pid[vm]}/task" | sort
}

no_new_threads() {
  [ -z "$(comm -13 <(echo "$threads") <(threads))" ]
}

ram_is_inherited_by_forks() {
  awk '/^Size:/ { size = $2 } /^VmFlags:/ && size >= 524288 && !/ dc/ { bad = 1 } END { exit !bad }' \
    "/proc/${guest_pid[vm]}/smaps"
}

start_guest vm
pid=$(start_in_guest vm ROLE='counter 16' counter)
before=$(qemu_state)
threads=$(threads)
! ram_is_inherited_by_forks || fail "this QEMU's RAM is inherited by forks anyway: this proves nothing"

mount_guest vm
for round in 1 2; do
  for ((i = 0; i < 10; i++)); do
    dacsa snapshot vm "r$round-$i" >/dev/null
  done
  same "$(parked vm | wc -l)" 10 "number of parked snapshots and of snapshots taken"
  ! ram_is_inherited_by_forks || fail "guest RAM is inherited by forks while snapshots live"
  for child in $(parked vm); do
    same "$(ls "/proc/$child/fd")" "" "descriptors of a parked snapshot and none"
  done
  for ((i = 0; i < 10; i++)); do
    rmdir "$mnt/vm/r$round-$i"
  done
  wait_for 5 none_parked vm || fail "dropped snapshots are still there: $(parked vm)"
done
stop_dacsa

same "$before" "$(qemu_state)" "states of QEMU before and after ten snapshots, twice,"
passes=$(guest_run vm 'cat /run/counter')
wait_for 30 counted_on vm "$passes" || fail "the guest does not go on"
guest_run vm "kill -0 $pid"
wait_for 60 no_new_threads || fail "QEMU has threads that it had not: $(threads), before: $threads"
