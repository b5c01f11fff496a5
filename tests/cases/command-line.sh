#!/bin/bash
# The subcommands, as a person or a script uses them.
. "$(dirname "$0")/../functions.sh"

"$DACSA" --help | grep -i usage >/dev/null || fail "no usage in dacsa --help"
for subcommand in mount snapshot list drop check; do
  "$DACSA" --help | grep "^ *$subcommand " >/dev/null || fail "dacsa --help does not name $subcommand"
  "$DACSA" $subcommand --help | grep -i usage >/dev/null || fail "no usage in dacsa $subcommand --help"
done
! "$DACSA" >/dev/null 2>&1 || fail "dacsa without arguments succeeds"

start_guest vm -m 256M

# In the background: the command returns once the tree can be listed, and umount ends all of it.
"$DACSA" mount --drop-on-exit --connect none --qmp "vm=$tmp/vm.qmp" "$mnt" </dev/null >"$tmp/dacsa.log" 2>&1
same "$(ls "$mnt")" vm "names in the mount and of the virtual machines"
dacsa snapshot vm >/dev/null
umount "$mnt"
only_qemu_is_left() {
  [ "$(our_processes)" = "${guest_pid[vm]}" ]
}
wait_for 20 only_qemu_is_left || fail "umount does not end dacsa mount: $(describe_leftovers)"

mount_guest vm
said=$(dacsa check)
[[ $said == *vm* ]] || fail "check does not name the machine: $said"
dacsa check vm >/dev/null

said=$(dacsa snapshot vm first)
[[ $said =~ ^"$mnt/vm/first  paused "[0-9]+(\.[0-9]+)?' ms'$ ]] || fail "snapshot says: $said"
same "$(readlink "$mnt/vm/latest")" first "latest and the newest snapshot"

# The default name is the time.
from=$(date -u +%Y%m%dT%H%M%SZ)
said=$(dacsa snapshot vm)
to=$(date -u +%Y%m%dT%H%M%SZ)
name=$(basename "${said%%  *}")
[[ $name =~ ^[0-9]{8}T[0-9]{6}Z$ && ! $name < $from && ! $name > $to ]] ||
  fail "default name $name, taken between $from and $to"
same "$(readlink "$mnt/vm/latest")" "$name" "latest and the newest snapshot"

mkdir "$mnt/vm/third"
for subject in '' vm; do
  said=$(dacsa list $subject)
  for word in first "$name" third; do
    [[ $said == *"$word"* ]] || fail "list $subject does not name $word: $said"
  done
done
[[ $(dacsa list) == *vm* ]] || fail "list does not name vm: $(dacsa list)"

info=$mnt/vm/first/info
for key in vm uuid snapshot taken method pause_us quiesce_us fork_us ram_bytes resident_bytes \
  private_bytes os kernel build_id arch paging; do
  grep -q "^$key: " "$info" || fail "info lacks $key: $(cat "$info")"
done
grep -qx 'vm: vm' "$info" && grep -qx 'snapshot: first' "$info" || fail "info: $(cat "$info")"
ram=$(sed -n 's/^ram_bytes: //p' "$info")
[ $((ram / 1024 / 1024)) = 256 ] || fail "info: $(cat "$info")" # and perhaps some firmware
[[ $(sed -n 's/^taken: //p' "$info") =~ ^[0-9-]{10}T[0-9:]{8}\.[0-9]{6}(Z|\+00:00)$ ]] ||
  fail "info: $(cat "$info")"

dacsa drop vm/first "vm/$name"
same "$(readlink "$mnt/vm/latest")" third "latest and the newest snapshot"
dacsa drop vm/third
same "$(ls "$mnt/vm")" status "names of vm and those without snapshots"
same "$(parked vm)" "" "parked snapshots and none"
