#!/bin/bash
# Snapshots outlive the daemon, however it ended, and the virtual machine they are of; that may run again.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/survival.sh"

begin

stop_dacsa
same "$(parked vm | wc -l)" 1 "number of snapshots that live on and of those taken"
take_up

kill_dacsa
same "$(parked vm | wc -l)" 1 "number of snapshots that live on and of those taken"
take_up

# The machine ends. Its snapshot stays, and can still be dropped.
pid=${guest_pid[vm]}
forget_guest vm
kill -TERM "$pid"
wait_for 10 dead "$pid"
same "$before" "$(evidence "$mnt/vm/first")" "snapshots before and after the end of the machine"
expect_error 1 . dacsa snapshot vm third
grep -qx 'state: gone' "$mnt/vm/status" || fail "the machine has ended: $(cat "$mnt/vm/status")"

# It is started again: another life, in which more are taken. What is known of the old one's guest does not
# get into the new one's.
start_guest vm
runs_again() {
  grep -qx "pid: ${guest_pid[vm]}" "$mnt/vm/status"
}
wait_for 20 runs_again || fail "the machine runs again: $(cat "$mnt/vm/status")"
pid=$(start_in_guest vm ROLE=idle reborn)
dacsa snapshot vm third >/dev/null
same "$(cat "$mnt/vm/third/processes/$pid/comm")" reborn "a process of the new life"
same "$before" "$(evidence "$mnt/vm/first")" "snapshots before and after the second life's beginning"
stop_guest vm
dacsa drop vm/first vm/third
wait_for 10 lacks vm || fail "the machine and its snapshots are gone, but it is still listed"
stop_dacsa
