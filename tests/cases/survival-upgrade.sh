#!/bin/bash
# Another build of the daemon, an upgrade, takes up what the old one left; but no process that is not the one
# that the record is of.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/survival.sh"

begin -m 256M

# An upgrade: the old one is killed, the new one is another program in another place.
kill_dacsa
old=$DACSA
DACSA=$tmp/upgraded
strip -o "$DACSA" "$old"
! cmp -s "$old" "$DACSA" || fail "the upgrade is no other program"
take_up
dacsa snapshot vm second >/dev/null
same "$(readlink "$mnt/vm/latest")" second "the latest of two, by time"
kill_dacsa

# A record of a process that is none of ours any more, and one of a snapshot's process that is a younger one.
sleep 600 &
bystander=$!
cleanup_fn end_process $bystander 5
state=$(our_state)
forge() {
  sed "s/^name=.*/name=$1/; s/^child=.*/child=$2/; s/^child_start=.*/child_start=$3/" \
    "$state/vm@first.snapshot" >"$state/vm@$1.snapshot"
}
child=$(sed -n 's/^child=//p' "$state/vm@first.snapshot")
start=$(sed -n 's/^child_start=//p' "$state/vm@first.snapshot")
grep -qx "$child" <(parked vm) || fail "the record is not of a parked process: $child"
forge other $bystander "$start"
forge younger "$child" $((start + 1))
take_up
same "$(ls "$mnt/vm" | tr '\n' ' ')" "first latest second status " "what is taken up and what was there"
same "$(find "$state" -name '*.snapshot' -printf '%f\n' | sort | tr '\n' ' ')" \
  "vm@first.snapshot vm@second.snapshot " "records that are kept and that should be"
alive $bystander || fail "a process that is no snapshot was killed"
dacsa drop vm/second
alive $bystander || fail "a process that is no snapshot was killed"
is_running vm || fail "the guest is stopped"
dacsa drop vm/first
