# tests/vmcoreinfo.sh: guests that lose their VMCOREINFO. Sourced after tests/functions.sh.
# shellcheck shell=bash disable=SC2154

# vmcoreinfo_pages SNAPSHOT: guest-physical addresses of the pages that begin as VMCOREINFO does. (A
# line of zeros, as long as memory, would be too long for grep.)
vmcoreinfo_pages() {
  tr '\0' '\n' <"$1/physmem" | grep -abo '^OSRELEASE=' | cut -d: -f1 | awk '$1 % 4096 == 0'
}

# wipe GUEST GPA: overwrites what is there in the running guest, as only someone on the host can.
wipe() {
  local hva
  hva=$(qmp "$1" human-monitor-command "{\"command-line\":\"gpa2hva $2\"}" |
    sed -n 's/.* is 0x\([0-9a-f]*\).*/\1/p')
  dd if=/dev/zero "of=/proc/${guest_pid[$1]}/mem" bs=1 count=16 conv=notrunc \
    seek=$((16#$hva)) status=none
}

# wipe_vmcoreinfo GUEST SNAPSHOT: all of them that the snapshot has: there may be copies.
wipe_vmcoreinfo() {
  local page pages
  pages=$(vmcoreinfo_pages "$mnt/$1/$2")
  [ -n "$pages" ] || fail "$1: there is no VMCOREINFO"
  for page in $pages; do
    wipe "$1" "$page"
  done
}
