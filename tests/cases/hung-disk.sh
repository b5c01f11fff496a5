#!/bin/bash
# A disk that does not answer: QEMU's `stop` waits for it, and the VM with it. The snapshot is given up
# at a deadline, the reason is told, and the VM runs on as soon as QEMU lets it.
. "$(dirname "$0")/../functions.sh"

DISK_SECONDS=14 # longer than the deadline, 10 s
expected_complaints='WARNING.* vm/'

# A block job that copies from the slow disk has a read under way all the time.
start_qemu vm -m 64M \
  -blockdev "driver=null-co,node-name=slow,size=1048576,latency-ns=${DISK_SECONDS}000000000" \
  -blockdev driver=null-co,node-name=sink,size=1048576
mount_guest vm
qmp vm blockdev-backup '{"job-id": "copy", "device": "slow", "target": "sink", "sync": "full"}' >/dev/null

expect_error 1 'did not answer in time' dacsa snapshot vm now
same "$(ls "$mnt/vm")" status "names in the VM's directory and those expected"
same "$(parked vm)" "" "snapshots and none"
wait_for 60 is_running vm || fail "the VM has not been resumed"
