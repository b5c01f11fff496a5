#!/bin/bash
# The worker of a take is killed, and then the one that puts things right after it, at steps spread over
# both: another does it, and QEMU is as before.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"

expected_complaints='WARNING.* vm/s: ' # the recoveries, and the takes that failed
stride=${STRIDE:-151} # of the recovery's calls

start_guest vm
mount_guest vm
check_guest_well
before=$(qemu_facts)

# In the middle of the chain, and later in it.
for n in 96 112; do
  twice=0
  for ((m = RANDOM % stride + 1; ; m += stride)); do
    start_kill recovery $n $m
    mkdir "$mnt/vm/s" 2>"$tmp/said" || :
    wait $killer || fail "kill-at failed"
    killed=$(grep -v ready "$tmp/killed" | paste -sd ' ')
    [ -z "${VERBOSE:-}" ] || echo "$killed"
    check_recovered "$killed"
    drop_shown
    [[ $killed != *ended* ]] || break
    twice=$((twice + 1))
  done
  [ $twice -gt 0 ] || fail "no recovery was killed: $killed"
  check_guest_well
done
