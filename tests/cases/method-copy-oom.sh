#!/bin/bash
# Too little memory for a copy, in dacsa's own control group: told before the VM is touched; and where that
# was not to be seen, the process that copies is what dies, the VM goes on, and who asked is told.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/../cgroup.sh"

MIB=$((1 << 20))
FILLED=200 # MiB that another process has put into the guest's memory, so that QEMU does not have them mapped

expected_complaints='WARNING.* vm/now' # the snapshot that fails

stops() {
  grep -c 'vm_state_notify running 0' "$tmp/vm.trace" || :
}

says() {
  { dacsa check vm || :; } >"$tmp/said"
  grep -qE -- "^vm: $1" "$tmp/said"
}

start_qemu vm -S -m 256M -object memory-backend-memfd,id=ram,size=256M,share=on -machine memory-backend=ram \
  -trace vm_state_notify -D "$tmp/vm.trace"
memfd=$(find "/proc/${guest_pid[vm]}/fd" -lname '/memfd:*')
head -c $((FILLED * MIB)) /dev/urandom >"$tmp/random"
dd if="$tmp/random" of="$memfd" bs=1M conv=notrunc status=none
rm "$tmp/random"
qmp vm cont >/dev/null
resident=$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/${guest_pid[vm]}/status")
[ "$resident" -lt 100 ] || fail "QEMU has mapped $resident MiB: this would prove nothing"

make_memory_cgroup
echo $BASHPID >"$cgroup/vm/cgroup.procs"
start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" --method fork,copy
await_vms vm
echo $BASHPID >"$home/cgroup.procs"

leave $((resident / 2 + 32))
wait_for 5 says "cannot be snapshotted: dacsa's cgroup has only .* MiB of memory left" || fail "$(cat "$tmp/said")"
expect_error 1 "dacsa's cgroup has only" dacsa snapshot vm now

leave $((resident + 64 + 16))
wait_for 5 says 'can be snapshotted, by a copy' || fail "$(cat "$tmp/said")"
stopped=$(stops)
expect_error 1 'the process that copies .* was killed: out of memory' dacsa snapshot vm now
same "$(parked vm)" "" "copies and none"
is_running vm || fail "the VM does not go on"
alive "$dacsa_pid" || fail "the daemon was killed"

echo "$none" >"$limit"
mkdir "$mnt/vm/now"
same "$(sed -n 's/^method: //p' "$mnt/vm/now/info")" copy methods
same "$(stops)" $((stopped + 1)) "times the VM was stopped"
