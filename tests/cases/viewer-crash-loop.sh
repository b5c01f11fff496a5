#!/bin/bash
# Viewers that crash as soon as they serve are an end of the mount, with a message, and not of its snapshots:
# they wait for the next one. Nobody who waits for an answer is left waiting.
. "$(dirname "$0")/../functions.sh"

# The next viewer is there, or there will be none.
crashed() {
  dead "$dacsa_pid" || [[ $(viewer) != "${viewer:-}" && -n $(viewer) ]]
}

start_guest vm
keep=1 mount_guest vm
dacsa snapshot vm now >/dev/null
before=$(cksum <"$mnt/vm/now/physmem")

# Thirty in a minute are borne, not more.
exec {open}<"$mnt/vm/now/physmem"
for n in {1..60}; do
  viewer=$(viewer) || break
  kill -SEGV "$viewer"
  wait_for 20 crashed || fail "neither another viewer nor an end"
  alive "$dacsa_pid" || break
done
dead "$dacsa_pid" || fail "dacsa mount bears $n crashes"
[ "$n" = 31 ] || fail "dacsa mount ends at crash $n, not 31"
! timeout 10 dd bs=1M skip=7 count=1 status=none <&"$open" >/dev/null 2>&1 || fail "a dead mount is read"
exec {open}<&-
wait_for 10 not_mounted || fail "the mount is still there"
grep -q "dacsa: the viewer of $mnt was killed or crashed too often; mount again: its snapshots wait" \
  "$tmp/dacsa.log" || fail "the end is not told: $(cat "$tmp/dacsa.log")"
dacsa_pid=

same "$(parked vm | wc -l)" 1 "number of snapshots that live on and of those taken"
: >"$tmp/dacsa.log"
mount_guest vm
same "$(cksum <"$mnt/vm/now/physmem")" "$before" "a snapshot before and after"
dacsa drop vm/now
is_running vm || fail "the guest is stopped"
