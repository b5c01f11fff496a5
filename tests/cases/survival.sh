#!/bin/bash
# Snapshots outlive the daemon, however it ended, and the virtual machine they are of.
. "$(dirname "$0")/../functions.sh"

# evidence SNAPSHOT: what must stay the same.
evidence() {
  local pid
  for pid in "$1"/processes/*/; do
    cat "$pid/comm" "$pid/cmdline" "$pid/maps"
  done | cksum
  cksum <"$1/physmem"
  ls "$1/processes"
  grep -v '^private_bytes:' "$1/info" # the one line that says what is now
}

take_up() {
  keep=1 mount_guest vm
  [ -d "$mnt/vm/first" ] || fail "the snapshot was not taken up"
  same "$before" "$(evidence "$mnt/vm/first")" "snapshots before and after"
}

gone() {
  [ ! -e "$mnt/vm" ]
}

start_guest vm
start_in_guest vm ROLE='counter 8' counter >/dev/null
keep=1 mount_guest vm
dacsa snapshot vm first >/dev/null
before=$(evidence "$mnt/vm/first")

stop_dacsa
same "$(parked vm | wc -l)" 1 "number of snapshots that live on and of those taken"
take_up

kill_dacsa
same "$(parked vm | wc -l)" 1 "number of snapshots that live on and of those taken"
take_up

dacsa snapshot vm second >/dev/null
dacsa drop vm/second
is_running vm || fail "the guest is stopped"

# The machine ends. Its snapshot stays, and can still be dropped.
pid=${guest_pid[vm]}
forget_guest vm
kill -TERM "$pid"
wait_for 10 dead "$pid"
same "$before" "$(evidence "$mnt/vm/first")" "snapshots before and after the end of the machine"
expect_error 1 . dacsa snapshot vm third
grep -q '^state: ' "$mnt/vm/status"
dacsa drop vm/first
wait_for 10 gone || fail "the machine and its snapshots are gone, but it is still listed"
stop_dacsa
