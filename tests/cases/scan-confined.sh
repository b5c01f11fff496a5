#!/bin/bash
# `dacsa scan` works on guests' bytes in a process that has given up what it does not need; it tells how
# far it is on a terminal, and only there; a guest whose system is not known is scanned all the same.
. "$(dirname "$0")/../functions.sh"

export XDG_CACHE_HOME=$tmp/cache
ndb=$root/tests/guest/test.ndb

# The scan's own child, once it is there: what it says of itself.
child_says() {
  local child
  child=$(pgrep -P "$scan") && grep -q "^$1:[[:space:]]*$2\$" "/proc/$child/status"
}

start_guest vm
infected=$(start_in_guest vm ROLE=plant viewer)
mount_guest vm
dacsa snapshot vm now >/dev/null

# With the viewer stopped it gets no further than its first look at the snapshot, for which it has
# confined itself. It looks only once its databases are loaded: time enough to stop it.
"$DACSA" scan --mount "$mnt" --database "$ndb" vm/now >"$tmp/out" &
scan=$!
wait_for 10 pgrep -P $scan >/dev/null || fail "the scan has no child"
kill -STOP "$(viewer)"
wait_for 20 child_says Seccomp 2 || fail "the scan runs without a filter: $(cat "$tmp/out")"
child_says NoNewPrivs 1 || fail "the scan can gain privileges"
kill -CONT "$(viewer)"
status=0
wait $scan || status=$?
same $status 1 "exit status and that for something found"
grep -q "^vm/now pid $infected (viewer) 0x[0-9a-f]* .*: Dacsa.Test.Marker.UNOFFICIAL FOUND\$" "$tmp/out" ||
  fail "$(cat "$tmp/out")"

# Killed, it leaves nothing: neither its child nor what that had unpacked.
"$DACSA" scan --mount "$mnt" --no-cache --database "$ndb" vm/now >/dev/null &
scan=$!
wait_for 10 pgrep -P $scan >/dev/null
kill -TERM $scan
wait $scan || :
[ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'dacsa-scan-*' -newer "$tmp/out")" ] ||
  fail "a scan that was ended left its directory"

# On a terminal it tells how far it is.
script -qec "'$DACSA' scan --mount '$mnt' --no-cache --database '$ndb' vm/now" /dev/null >"$tmp/terminal" </dev/null || :
grep -q 'of [0-9]* processes and modules' "$tmp/terminal" || fail "no progress: $(cat -v "$tmp/terminal")"

# A machine without an operating system, with the marker in its memory.
python3 - "$ndb" "$tmp/image" <<'PYTHON'
import sys

marker = bytes.fromhex(open(sys.argv[1]).readline().strip().split(":")[3])
with open(sys.argv[2], "wb") as image:
    image.write(bytes(4090) + marker + bytes(9000))
PYTHON
start_qemu bare -device "loader,file=$tmp/image,addr=0x1000000,force-raw=on"
stop_dacsa
mount_guest vm bare
dacsa snapshot bare now >/dev/null
status=0
dacsa scan --no-cache --database "$ndb" --no-summary bare/now >"$tmp/out" || status=$?
same $status 1 "exit status and that for something found"
same "$(cat "$tmp/out")" "bare/now physmem 0x1000ffa: Dacsa.Test.Marker.UNOFFICIAL FOUND" "what was found"
