#!/bin/bash
# A snapshot is one instant of a running guest: a buffer that a process rewrites in ascending order,
# pass after pass, is a prefix of n + 1 and a suffix of n, whenever it is taken. The guest goes on,
# and the snapshot does not change.
. "$(dirname "$0")/../functions.sh"

SNAPSHOTS=5

# counted: how many passes the guest has made.
counted() {
  guest_run vm 'cat /run/counter'
}

counted_more_than() {
  [ "$(counted)" -gt "$1" ]
}

# uncached_sum FILE: of what dacsa serves, not of what the page cache still has.
uncached_sum() {
  dd if="$1" iflag=nocache count=0 status=none
  cksum <"$1"
}

start_guest vm -m 256M
pid=$(start_in_guest vm ROLE='counter 32' counter)
mount_guest vm

in_midst=0
before=$(counted)
for ((i = 0; i < SNAPSHOTS; i++)); do
  dacsa snapshot vm "s$i" >/dev/null
  after=$(counted)
  checked=$("$root/tests/check-instant" "$mnt/vm/s$i/processes/$pid/memory") || fail "s$i is not one instant"
  read -r pass percent <<<"$checked"
  # The pass number is written down after each pass, so that the one under way is one more.
  [ "$pass" -ge "$before" ] && [ "$pass" -le $((after + 1)) ] ||
    fail "the snapshot is of pass $pass, but it was taken between $before and $after"
  [ "$percent" = 100 ] || in_midst=$((in_midst + 1))
  wait_for 30 counted_more_than "$after" || fail "the guest does not count any more"
  before=$(counted)
done
[ $in_midst -gt 0 ] || fail "no snapshot was taken in the midst of a pass: this proved nothing"

for file in physmem "processes/$pid/memory" "processes/$pid/maps" cpus; do
  first=$(uncached_sum "$mnt/vm/s0/$file")
  wait_for 30 counted_more_than "$(counted)" || fail "the guest does not count any more"
  same "$first" "$(uncached_sum "$mnt/vm/s0/$file")" "checksums of $file at two times"
done
