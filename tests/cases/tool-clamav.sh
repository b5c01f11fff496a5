#!/bin/bash
# clamscan -r and clamdscan over the whole mount name exactly the infected process, and complain of
# nothing.
. "$(dirname "$0")/../functions.sh"

ndb=$root/tests/guest/test.ndb

start_guest vm
populate_guest vm 40
start_in_guest vm ROLE='touch 24' database >/dev/null
infected=$(start_in_guest vm ROLE=plant viewer --open invoice.pdf)
mount_guest vm
dacsa snapshot vm now >/dev/null
snapshot=$mnt/vm/now
verdict="$snapshot/processes/$infected/memory: Dacsa.Test.Marker.UNOFFICIAL FOUND"

# --- clamscan: over the mount, and over all but that process.

status=0
clamscan -r -d "$ndb" "$mnt" >"$tmp/clamscan" 2>"$tmp/complaints" || status=$?
same $status 1 "clamscan's exit status and that for something found"
same "$(cat "$tmp/complaints")" "" "clamscan's complaints and none"
same "$(grep ' FOUND$' "$tmp/clamscan")" "$verdict" "clamscan's findings and the infected process"
! grep -E 'ERROR|WARNING|denied|^Total errors' "$tmp/clamscan" || fail "clamscan has errors"
# Each file once: physmem, which is too large for it, counts as one that is fine.
grep -E '^/.*: (OK|Empty file|.* FOUND|Symbolic link)$' "$tmp/clamscan" | sed 's/: [^:]*$//' | sort >"$tmp/seen"
find "$mnt" ! -type d | sort >"$tmp/all"
same "$(cat "$tmp/all")" "$(cat "$tmp/seen")" "the files there are and those that clamscan looks at"

find "$snapshot/processes" -mindepth 1 -maxdepth 1 -type d ! -name "$infected" >"$tmp/others"
[ "$(wc -l <"$tmp/others")" -gt 100 ] || fail "too few processes"
clamscan -r -d "$ndb" --infected --no-summary --file-list="$tmp/others" ||
  fail "clamscan finds something in a process that has nothing"

# --- clamdscan: one clamd, with the files' descriptors passed to it, or their names.

mkdir "$tmp/signatures"
cp "$ndb" "$tmp/signatures"
cat >"$tmp/clamd.conf" <<CONF
DatabaseDirectory $tmp/signatures
LocalSocket $tmp/clamd.sock
TemporaryDirectory $tmp
Foreground yes
User root
CONF
clamd -c "$tmp/clamd.conf" >"$tmp/clamd.log" 2>&1 </dev/null &
clamd=$!
disown
stop_clamd() {
  end_process "$clamd" 10 || fail "clamd ignores SIGTERM"
}
cleanup_fn stop_clamd
clamd_answers() {
  alive "$clamd" || fail "clamd ended: $(cat "$tmp/clamd.log")"
  clamdscan -c "$tmp/clamd.conf" --ping 1 >/dev/null 2>&1
}
wait_for 30 clamd_answers || fail "clamd does not answer: $(cat "$tmp/clamd.log")"

for way in --fdpass '--fdpass --multiscan' --allmatch; do
  status=0
  # shellcheck disable=SC2086 # two words
  clamdscan -c "$tmp/clamd.conf" $way --no-summary "$mnt" >"$tmp/clamdscan" 2>&1 || status=$?
  same $status 1 "clamdscan $way's exit status and that for something found"
  same "$(grep -v ': OK$' "$tmp/clamdscan")" "$verdict" "clamdscan $way's findings and the infected process"
done
! grep -E 'ERROR|WARNING' "$tmp/clamd.log" || fail "clamd has errors"
