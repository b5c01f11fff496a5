#!/bin/bash
# Guest RAM that a fork would not freeze, in the ways that QEMU can be told to have it: mapped from a
# file, on hugetlbfs, shared with a virtiofs daemon, plugged in later. Each is refused with its own reason,
# and QEMU's trace shows that the VM was never stopped.
. "$(dirname "$0")/../functions.sh"

expected_complaints='WARNING.* plugged/refused' # the one that is found out as the snapshot begins

# start_traced NAME [QEMU ARGS]: with a line in $tmp/NAME.trace whenever it stops or runs again.
start_traced() {
  start_qemu "$1" -m 64M -trace vm_state_notify -D "$tmp/$1.trace" "${@:2}"
}

stops() {
  grep -c 'vm_state_notify running 0' "$tmp/$1.trace" || :
}

# refuses NAME REGEX: for that reason alone, by check and by mkdir, and the VM runs all the time.
refuses() {
  local said
  said=$(dacsa check "$1" || :)
  [[ $(wc -l <<<"$said") = 1 && $said =~ ^"$1: cannot be snapshotted: guest RAM is "$2 ]] ||
    fail "check of $1: $said"
  expect_error 1 "$2" dacsa snapshot "$1" refused
  same "$(stops "$1")" 0 "times $1 was stopped and none"
  same "$(parked "$1")" "" "snapshots of $1 and none"
}

mkdir "$tmp/exported"
/usr/lib/qemu/virtiofsd --socket-path="$tmp/fs.sock" -o source="$tmp/exported" -o sandbox=chroot \
  >"$tmp/virtiofsd.log" 2>&1 </dev/null &
virtiofsd=$! # it ends with its QEMU
cleanup_fn wait_for 5 dead $virtiofsd
wait_for 10 listens "$tmp/fs.sock" || fail "virtiofsd does not listen: $(cat "$tmp/virtiofsd.log")"
start_traced fs -object memory-backend-memfd,id=ram,size=64M,share=on -machine memory-backend=ram \
  -chardev "socket,id=fs,path=$tmp/fs.sock" -device vhost-user-fs-pci,id=fs0,chardev=fs,tag=exported

truncate -s 64M "$tmp/ram"
start_traced file -object "memory-backend-file,id=ram,size=64M,mem-path=$tmp/ram,share=off" \
  -machine memory-backend=ram

start_traced plugged -m 64M,slots=1,maxmem=1G

mount_guest fs file plugged
refuses fs 'shared memory \(/memfd:[^)]*.*with vhost-user-fs-pci "fs0"'
refuses file "mapped from a file \($tmp/ram"

# Memory that is plugged in is looked at before the next snapshot, not after it.
dacsa snapshot plugged before >/dev/null
same "$(stops plugged)" 1 "times it was stopped for a snapshot and one"
qmp plugged object-add '{"qom-type": "memory-backend-memfd", "id": "more", "size": 134217728, "share": true}' >/dev/null
qmp plugged device_add '{"driver": "pc-dimm", "id": "dimm0", "memdev": "more"}' >/dev/null
expect_unsupported "$mnt/plugged/refused"
same "$(stops plugged)" 1 "times it was stopped, and the one from before"
dacsa drop plugged/before
stop_dacsa

# Without a reservation and before its first instruction it needs no huge page of the host.
start_traced huge -S -machine memory-backend=ram \
  -object memory-backend-memfd,id=ram,size=64M,hugetlb=on,hugetlbsize=2M,share=off,reserve=off
grep -q 'VmFlags:.* ht' "/proc/${guest_pid[huge]}/smaps" || fail "the VM has no huge pages"
mount_guest huge
refuses huge "on hugetlbfs"
