#!/bin/bash
# A snapshot is in its QEMU's control group; when QEMU ends it moves to dacsa's, for who ends the group of a VM that
# has ended ends all in it. In cgroup v2, and in systemd's hierarchy where v1 is beside it.
. "$(dirname "$0")/../functions.sh"

mapfile -t hierarchies < <(awk '/ - cgroup2 / || / - cgroup .*name=systemd/ { print $5 }' /proc/self/mountinfo)
[ ${#hierarchies[@]} -gt 0 ] || skip "there is no control group of version 2, nor systemd's"
for hierarchy in "${hierarchies[@]}"; do
  requires mkdir "$hierarchy/$tag"
  cleanup_fn rmdir "$hierarchy/$tag"
done

# groups PID: its control groups in these hierarchies.
groups() {
  grep -E '^(0:|[0-9]+:name=systemd):' "/proc/$1/cgroup"
}

# members: processes of the VM's control groups.
members() {
  local hierarchy
  for hierarchy in "${hierarchies[@]}"; do
    cat "$hierarchy/$tag/cgroup.procs"
  done
}

left() {
  [ -z "$(members)" ]
}

start_qemu vm -m 64M
for hierarchy in "${hierarchies[@]}"; do
  echo "${guest_pid[vm]}" >"$hierarchy/$tag/cgroup.procs"
done
mount_guest vm
dacsa snapshot vm one >/dev/null
dacsa snapshot vm two >/dev/null
for child in $(parked vm); do
  same "$(groups "$child")" "$(groups "${guest_pid[vm]}")" "control groups of a snapshot and of its QEMU"
done
content=$(cksum <"$mnt/vm/one/physmem")

qemu=${guest_pid[vm]}
forget_guest vm
kill -TERM "$qemu"
wait_for 10 dead "$qemu" || fail "QEMU ignores SIGTERM"
wait_for 10 left || fail "what is left in the control groups of a VM that has ended: $(members)"
for child in $(parked vm); do
  same "$(groups "$child")" "$(groups "$dacsa_pid")" "control groups of a snapshot and of dacsa"
done
same "$(parked vm | wc -l)" 2 "snapshots that are left and those taken"
same "$(cksum <"$mnt/vm/one/physmem")" "$content" "contents before and after QEMU's end"
dacsa drop vm/one vm/two
