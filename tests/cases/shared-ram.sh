#!/bin/bash
# Guest RAM that is shared would go on changing under a fork. It is refused before the guest is
# touched, and status and check say why and what to do.
. "$(dirname "$0")/../functions.sh"

start_guest shared -object memory-backend-memfd,id=ram,size=512M,share=on -machine memory-backend=ram
start_guest private -object memory-backend-ram,id=ram,size=256M -m 256M -machine memory-backend=ram
mount_guest shared private

grep -qx 'snapshot: impossible' "$mnt/shared/status" || fail "status: $(cat "$mnt/shared/status")"
grep -q '^reason: .*share' "$mnt/shared/status" || fail "no reason: $(cat "$mnt/shared/status")"
grep -q '^remedy: .*share' "$mnt/shared/status" || fail "no remedy: $(cat "$mnt/shared/status")"
grep -qx 'snapshot: possible' "$mnt/private/status" || fail "status: $(cat "$mnt/private/status")"

dacsa check private || fail "check refuses the guest with private RAM"
for vms in shared 'private shared' ''; do
  # shellcheck disable=SC2086 # each is a word
  ! said=$(dacsa check $vms 2>&1) || fail "check $vms does not refuse the guest with shared RAM"
  [[ $said == *shared* ]] || fail "check $vms does not tell about shared: $said"
done

expect_error 1 share dacsa snapshot shared now
expect_unsupported "$mnt/shared/now"
same "$(ls "$mnt/shared")" status "names of the refused guest and those expected"
same "$(parked shared)" "" "snapshots of the refused guest and none"
for name in shared private; do
  is_running $name || fail "$name is stopped"
  guest_run $name true
done

# Its neighbour is none the worse for it.
dacsa snapshot private now >/dev/null
test -s "$mnt/private/now/physmem"
