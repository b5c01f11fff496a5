#!/bin/bash
# Ordinary tools find what a guest process holds in its memory: clamscan and grep, on the tree, name
# exactly the infected process.
. "$(dirname "$0")/../functions.sh"

ndb=$root/tests/guest/test.ndb
# The marker in clear, from the signature; it must not get into the guest by any way but the process.
marker=$(cut -d : -f 4 "$ndb" | python3 -c 'print(bytes.fromhex(input()).decode())')

start_guest vm
for name in editor browser mailer; do
  start_in_guest vm ROLE=idle $name >/dev/null
done
start_in_guest vm ROLE='touch 24' database >/dev/null
infected=$(start_in_guest vm ROLE=plant viewer --open invoice.pdf)
mount_guest vm
dacsa snapshot vm now >/dev/null
snapshot=$mnt/vm/now

status=0
found=$(clamscan -r -d "$ndb" --infected --no-summary "$snapshot") || status=$?
same "$found" "$snapshot/processes/$infected/memory: Dacsa.Test.Marker.UNOFFICIAL FOUND" \
  "clamscan -r's findings and the infected process"
same $status 1 "clamscan's exit status and that for something found"

find "$snapshot/processes" -mindepth 1 -maxdepth 1 -type d ! -name "$infected" >"$tmp/others"
[ "$(wc -l <"$tmp/others")" -gt 30 ] || fail "too few processes"
clamscan -r -d "$ndb" --infected --no-summary --file-list="$tmp/others" ||
  fail "clamscan finds something in a process that has nothing"

same "$(grep -rlF "$marker" "$snapshot" | sort)" \
  "$(printf '%s\n' "$snapshot/physmem" "$snapshot/processes/$infected/memory")" \
  "grep -r's findings and the files with the marker"
