#!/bin/bash
# Keeper, viewer and worker are all killed in the middle of a take: the next `dacsa mount` puts QEMU right
# as it starts, and takes up what was complete. Then the worker alone is killed at random moments.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"

expected_complaints='WARNING.* vm/s: ' # the recoveries, and the takes that failed
steps=${STEPS:-8}
rounds=${ROUNDS:-40}

# remount: after a crash: the mount that is left of it goes first.
remount() {
  umount -l "$mnt"
  keep=1 mount_guest vm
}

start_guest vm
keep=1 mount_guest vm
check_guest_well
before=$(qemu_facts)

# --- all of them, at steps spread over the take

start_kill step 100000
mkdir "$mnt/vm/s"
wait $killer
drop_shown
last=$(sed -n 's/^ended //p' "$tmp/killed")
[ "$last" -gt 100 ] || fail "a take has only $last steps: $(cat "$tmp/killed")"
stride=$((last / steps))
for ((n = RANDOM % stride + 1; n < last; n += stride)); do
  start_kill step $n "$(viewer)" "$dacsa_pid"
  mkdir "$mnt/vm/s" 2>"$tmp/said" || :
  wait $killer || fail "kill-at failed"
  killed=$(tail -n 1 "$tmp/killed")
  [[ $killed != ended* ]] || break # not every take has as many steps
  wait_for 5 dead "$dacsa_pid" || fail "$killed: the keeper lives"
  remount
  check_recovered "$killed, with all others"
  check_guest_well
  drop_shown
done

drop_shown

# --- the worker alone, at any moment

for ((i = 0; i < rounds; i++)); do
  start_kill after $((RANDOM % 12000))
  mkdir "$mnt/vm/s" 2>"$tmp/said" || :
  wait $killer || fail "kill-at failed"
  check_recovered "round $i, $(tail -n 1 "$tmp/killed")"
  drop_shown
done
check_guest_well
stop_dacsa
