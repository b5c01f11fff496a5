#!/bin/bash
# The viewer, which parses what guests hold, has nothing but its descriptors. Whoever took it over could
# open no file and no socket, start nothing, and reach no other process: tests/call-in makes it try.
. "$(dirname "$0")/../functions.sh"

expected_complaints='the viewer was killed by signal 11 '

# status_of PID FIELD
status_of() {
  sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | tr '\t' ' '
}

# descriptors PID: what is open, a line each; a socket is a socket.
descriptors() {
  local fd
  for fd in "/proc/$1/fd"/*; do
    readlink "$fd"
  done | sed 's/^socket:.*/socket/' | sort
}

# those_of_snapshots PID...: of these parked children, and what the viewer has beside them.
those_of_snapshots() {
  local child
  printf '%s\n' /dev/null /dev/null /dev/fuse socket "$tmp/dacsa.log"
  for child; do
    printf '%s\n' "/proc/$child/mem" "/proc/$child/pagemap" "/proc/$child/smaps_rollup"
  done
}

has_descriptors() {
  [ "$(descriptors "$viewer")" = "$(those_of_snapshots "$@" | sort)" ]
}

# is_confined: the viewer is nobody, can do nothing, and get nothing back.
is_confined() {
  local line task
  for line in 'Uid 65534 65534 65534 65534' 'Gid 65534 65534 65534 65534' 'NoNewPrivs 1' 'Seccomp 2' \
    'CapInh 0000000000000000' 'CapPrm 0000000000000000' 'CapEff 0000000000000000' \
    'CapBnd 0000000000000000' 'CapAmb 0000000000000000'; do
    same "$(status_of "$viewer" "${line%% *}")" "${line#* }" "the viewer's ${line%% *} and what it should be"
  done
  same "$(status_of "$viewer" Groups | tr -d ' ')" "" "the viewer's groups and none"
  for task in "/proc/$viewer/task"/*; do
    grep -q '^Seccomp:.2$' "$task/status" || fail "a thread of the viewer has no filter: $(cat "$task/status")"
  done
}

# limits PID NAME: the soft and the hard one.
limits() {
  sed -n "s/^$2  *\\([^ ]*\\)  *\\([^ ]*\\) .*/\\1 \\2/p" "/proc/$1/limits"
}

# is_limited: its log cannot fill the host's memory; it has room for the descriptors of many snapshots.
is_limited() {
  local soft hard
  same "$(limits "$viewer" 'Max file size')" "67108864 67108864" "how large a file the viewer can write and 64 MiB"
  read -r soft hard < <(limits "$viewer" 'Max open files')
  same "$soft" "$hard" "how many files the viewer can have open and how many it might be allowed"
}

# makes PID CALL...: what system calls return that tests/call-in makes the process do.
makes() {
  "$root/tests/call-in" "$@" || fail "process $1 cannot be made to do system calls"
}

ulimit -S -n 1024 # the usual one
start_guest vm
pid=$(start_in_guest vm ROLE=idle sleeper --quiet)
mount_guest vm
dacsa snapshot vm now >/dev/null
viewer=$(viewer)

is_confined
is_limited

# Its descriptors are what it serves, no more; with the snapshot they come and go.
first=$(parked vm)
has_descriptors "$first" || fail "the viewer has other descriptors: $(descriptors "$viewer")"
dacsa snapshot vm other >/dev/null
other=$(parked vm | grep -vx "$first")
has_descriptors "$first" "$other" || fail "the viewer has other descriptors: $(descriptors "$viewer")"
dacsa drop vm/other
wait_for 10 has_descriptors "$first" || fail "a dropped snapshot's stay open: $(descriptors "$viewer")"

# One that follows a crashed one is no other: it was started when much more was open.
crash_viewer SEGV
viewer=$(viewer)
is_confined
is_limited
has_descriptors "$first" || fail "the second viewer has other descriptors: $(descriptors "$viewer")"

# Whatever it is made to try, it may not. The keeper may: so it is not the means that fails.
calls=('open /etc/passwd 0' 'open /proc/1/mem 0' 'open /proc/self/mem 2' 'openat -100 /dev/null 2'
  'memfd_create x 0' 'dup 3' 'socket 1 1 0' 'socket 2 1 0' 'kill 1 0' "kill $dacsa_pid 9"
  "kill ${guest_pid[vm]} 9" "kill $first 9" 'pidfd_open 1 0' 'fork' 'vfork' 'setuid 0' 'chdir /tmp'
  'unlink /etc/passwd' 'mmap 0 4096 5 34 -1 0' 'prctl 4 1 0 0 0')
makes "$viewer" getpid "${calls[@]}" >"$tmp/returned"
same "$(cat "$tmp/returned")" "$viewer
$(printf 'EPERM\n%.0s' "${calls[@]}")" "what the viewer can do and what it should be able to"
makes "$dacsa_pid" 'open /etc/passwd 0' 'kill 1 0' >"$tmp/returned"
[[ $(tr '\n' ' ' <"$tmp/returned") =~ ^[0-9]+\ 0\ $ ]] ||
  fail "not even the keeper can do that: $(cat "$tmp/returned")"

# It was not harmed by that, and serves.
same "$(viewer)" "$viewer" "the viewer before and after"
same "$(cat "$mnt/vm/now/processes/$pid/comm")" sleeper "a file afterwards"
dacsa snapshot vm after >/dev/null
same "$(tr '\0' ' ' <"$mnt/vm/after/processes/$pid/cmdline")" "sleeper --quiet " "a snapshot afterwards"
is_running vm || fail "the guest is stopped"
