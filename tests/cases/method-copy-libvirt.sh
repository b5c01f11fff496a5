#!/bin/bash
# A libvirt domain with a virtiofs share, which needs its memory shared: a copy, where that is allowed for it,
# while libvirt, the domain and its virtiofsd go on as before.
. "$(dirname "$0")/../functions.sh"

name=vm-$tag

virtiofsds() {
  pgrep -f "virtiofsd.*$tag" | sort -n
}

mkdir -m 755 "$tmp/exported"
start_libvirtd
memory_backing="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>" \
  filesystem="<filesystem type='mount'><driver type='virtiofs'/><source dir='$tmp/exported'/><target dir='share'/></filesystem>" \
  start_domain "$name"
pid=$(start_in_guest "$name" ROLE='counter 32' counter)
start_dacsa --method "$name=fork,copy"
wait_for 30 grep -qx 'snapshot: possible' "$mnt/$name/status" || fail "status: $(cat "$mnt/$name/status")"
grep -qx 'method: copy' "$mnt/$name/status" || fail "status: $(cat "$mnt/$name/status")"
grep -q '^warning: no snapshot by a fork: .*vhost-user-fs' "$mnt/$name/status" || fail "status: $(cat "$mnt/$name/status")"

before=$(virtiofsds)
[ -n "$before" ] || fail "there is no virtiofsd"
for snapshot in one two; do
  dacsa snapshot "$name" $snapshot >/dev/null
  "$root/tests/check-instant" "$mnt/$name/$snapshot/processes/$pid/memory" >/dev/null ||
    fail "$snapshot is not of one instant"
done
same "$(virtiofsds)" "$before" "virtiofsd's processes after and before"
same "$(virsh domstate "$name")" running "states"
guest_run "$name" true
dacsa drop "$name/one" "$name/two"
