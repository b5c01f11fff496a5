#!/bin/bash
# A viewer that hangs is noticed: it is killed, and followed by another as one that crashed. Who waited for what
# hung gets EIO, all else goes on. One that is stopped, or that waits for the keeper, does not hang.
. "$(dirname "$0")/../functions.sh"

DACSA=$(dirname "$DACSA")/tests/hang/dacsa-impatient # after three seconds
DISK_SECONDS=12                                       # see hung-disk.sh; the deadline is ten
expected_complaints='the viewer hung, and was killed: .*; another one is started|WARNING.* vm/'

# evidence: what a snapshot's files say, and their numbers.
evidence() {
  cat "$mnt"/vm/now/{cpus,modules,netconns} "$mnt"/vm/now/processes/*/{maps,fds,status} | cksum
  find "$mnt/vm/now" -printf '%i %p %s\n' | sed -E 's,(/info|/errors) .*,\1,' | sort
}

# next_piece: of the file that stays open; the viewer is asked for it.
next_piece() {
  dd bs=1M count=1 iflag=direct status=none <&"$open" | cksum
}

# hang HOW BYTES CMD...: the viewer hangs (see tests/hang/hang-viewer) by what CMD asks for, which goes on as
# $reader.
hang() {
  local hanger
  viewer=$(viewer)
  : >"$tmp/hanger"
  "$root/tests/hang/hang-viewer" "$viewer" "$1" "$2" >"$tmp/hanger" 2>&1 &
  hanger=$!
  wait_for 20 grep -q ready "$tmp/hanger" || fail "the viewer cannot be traced: $(cat "$tmp/hanger")"
  "${@:3}" >"$tmp/read" 2>&1 &
  reader=$!
  wait_for 20 dead "$hanger" || fail "$3 asks for nothing"
  wait "$hanger" || fail "the viewer cannot be made to hang: $(cat "$tmp/hanger")"
}

# is_replaced HOW NUMBER: what hung is an error, the others' world is as it was. It is that viewer's number.
is_replaced() {
  wait_for 60 dead "$reader" || fail "who waits for a viewer that hangs, $1, waits on"
  ! wait "$reader" || fail "there is an answer: $(cat "$tmp/read")"
  grep -q 'Input/output error' "$tmp/read" || fail "not EIO: $(cat "$tmp/read")"
  wait_for 20 viewer_answers || fail "no other viewer answers"
  [ "$(viewer)" != "$viewer" ] || fail "the viewer that hangs is still there"
  grep 'the viewer' "$tmp/dacsa.log" >"$tmp/told"
  same "$(wc -l <"$tmp/told")" "$2" "lines that tell of viewers and viewers that hung"
  tail -n 1 "$tmp/told" | grep -qE "hung, and was killed: it has been at one thing for [0-9]+ s, $1; another" ||
    fail "it is not told: $(cat "$tmp/told")"
  same "$(next_piece)" "$(dd if="$mnt/vm/now/physmem" bs=1M skip="$2" count=1 status=none | cksum)" \
    "an open file and one that is opened anew"
  same "$(evidence)" "$before" "a snapshot before and after"
}

# use_slow_disk JOB: the VM cannot be stopped until the disk has answered.
use_slow_disk() {
  qmp vm blockdev-backup "{\"job-id\": \"$1\", \"device\": \"slow\", \"target\": \"sink\", \"sync\": \"full\"}" >/dev/null
}

is_taken() {
  [ -n "$(find "$(our_state)" -name '*.taking')" ]
}

refused() {
  grep -q "vm/$1: .*did not answer in time" "$tmp/dacsa.log"
}

start_guest vm \
  -blockdev "driver=null-co,node-name=slow,size=1048576,latency-ns=${DISK_SECONDS}000000000" \
  -blockdev driver=null-co,node-name=sink,size=1048576
start_in_guest vm ROLE='crowd 60' crowd >/dev/null
pid=$(start_in_guest vm ROLE='counter 8' counter)
mount_guest vm
dacsa snapshot vm now >/dev/null
file=$mnt/vm/now/processes/$pid/memory
before=$(evidence)
bytes=$(cksum <"$file")
exec {open}<"$mnt/vm/now/physmem"
next_piece >/dev/null

# It computes; meanwhile others are served by the same viewer.
hang spin 1000 ls "$mnt/vm/now/processes"
same "$(cat "$mnt/vm/now/processes/$pid/comm")" counter "a file, while another request hangs"
same "$(viewer)" "$viewer" "the viewer and the one that hangs"
is_replaced computing 1

# It sleeps: read past the page cache, which would ask again.
hang sleep 65536 dd if="$file" of=/dev/null bs=1M count=1 iflag=direct
is_replaced asleep 2

# It no longer listens to the keeper. What that was asked for is done, though nobody hears of it.
hang sleep message dacsa snapshot vm other
is_replaced asleep 3
wait_for 20 test -d "$mnt/vm/other" || fail "the snapshot does not appear"
dacsa drop vm/other
exec {open}<&-

# A snapshot takes longer than the viewer may: but it is the keeper that it waits for.
viewer=$(viewer)
use_slow_disk first
expect_error 1 'did not answer in time' dacsa snapshot vm late
same "$(viewer)" "$viewer" "the viewer and the one that was asked for a snapshot"
wait_for 60 is_running vm || fail "the VM has not been resumed"

# It is stopped, for longer than it may compute or sleep, and then answers.
use_slow_disk second
dacsa snapshot vm later >"$tmp/later" 2>&1 &
taker=$!
wait_for 20 is_taken || fail "nobody takes the snapshot"
hang stop 65536 dd if="$file" of="$tmp/direct" bs=1M count=1 iflag=direct
wait_for 60 refused later || fail "the snapshot is not refused"
alive "$viewer" || fail "a viewer that was stopped has been killed"
kill -CONT "$viewer"
wait_for 20 dead "$reader" && wait "$reader" || fail "who reads of a stopped viewer fails: $(cat "$tmp/read")"
cmp -n "$(stat -c %s "$tmp/direct")" "$tmp/direct" "$file" || fail "other bytes"
wait_for 60 dead "$taker" || fail "who asked a stopped viewer waits on"
grep -q 'did not answer in time' "$tmp/later" || fail "not the reason: $(cat "$tmp/later")"
same "$(viewer)" "$viewer" "the viewer and the one that was stopped"

wait_for 60 is_running vm || fail "the VM has not been resumed"
same "$(cksum <"$file")" "$bytes" "a file before and after"
dacsa drop vm/now
