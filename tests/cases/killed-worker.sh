#!/bin/bash
# The process that takes a snapshot is killed at every system call that it makes, at its entry and at its
# exit, from before it touches QEMU until its work is done. Each time QEMU, in its sandbox, is put right:
# it runs, with its own registers, signals, descriptors and mappings, without children; no snapshot is lost
# or half there; and the next one can be taken. STRIDE=1: at every call; else at every so many.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"

expected_complaints='WARNING.* vm/s: ' # the recoveries, and the takes that failed
stride=${STRIDE:-11}
first=${FIRST:-$((RANDOM % stride + 1))}
echo "at each $stride. call, from the $first. on"

start_guest vm
mount_guest vm
check_guest_well
before=$(qemu_facts)
failed=0 complete=0
for ((n = first; ; n += stride)); do
  start_kill step $n
  if mkdir "$mnt/vm/s" 2>"$tmp/said"; then
    complete=$((complete + 1))
  else
    failed=$((failed + 1))
  fi
  wait $killer || fail "kill-at failed"
  killed=$(tail -n 1 "$tmp/killed")
  [ -z "${VERBOSE:-}" ] || echo "$killed"
  check_recovered "$killed"
  drop_shown
  [[ $killed != ended* ]] || break
  ((n % 5)) || check_guest_well
done
check_guest_well
echo "$failed takes failed, $complete were complete when they were killed or not killed; the last: $killed"
[ $failed -gt 0 ] && [ $complete -gt 0 ] || fail "the kills were not spread over the take"
grep -q 'the process that took it was killed' "$tmp/dacsa.log" || fail "no recovery is told"
