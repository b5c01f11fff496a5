#!/bin/bash
# examples/quickstart, as a newcomer runs it, names the infected process and leaves nothing.
. "$(dirname "$0")/../functions.sh"

TMPDIR=$tmp "$root/examples/quickstart" >"$tmp/said" 2>&1 </dev/null || fail "it fails: $(cat "$tmp/said")"
pid=$(sed -n 's|.*/processes/\([0-9]*\)/memory: Dacsa.Test.Marker.UNOFFICIAL FOUND$|\1|p' "$tmp/said")
[ -n "$pid" ] || fail "clamscan finds nothing: $(cat "$tmp/said")"
grep -q "^  Process $pid is infected: invoice-viewer" "$tmp/said" || fail "it does not name the process: $(cat "$tmp/said")"
grep -qE 'was paused [0-9.]+ ms' "$tmp/said" || fail "it does not tell the pause: $(cat "$tmp/said")"
! grep -q 'FAIL' "$tmp/said" || fail "$(cat "$tmp/said")"

# On Ctrl-C in its midst, too, nothing is left; that is checked as at the end of every case.
# (What a script starts in the background ignores Ctrl-C, unless told otherwise.)
TMPDIR=$tmp setsid env --default-signal=INT "$root/examples/quickstart" >"$tmp/said" 2>&1 </dev/null &
quickstart=$!
wait_for 60 mounted || fail "it does not mount: $(cat "$tmp/said")"
kill -INT -- "-$quickstart"
wait_for 30 dead "$quickstart" || fail "it does not end on Ctrl-C"
wait_for 10 nothing_left || fail "it left: $(describe_leftovers)"
