#!/bin/bash
# A guest whose RAM is shared, on two NUMA nodes, is snapshotted by a copy where the operator allows that:
# every byte, of one instant, with its holes, and the guest's memory has grown by nothing. The copy outlives
# the daemon, has nothing but what was copied, and takes its memory along when it is dropped.
. "$(dirname "$0")/../functions.sh"

secret=told-to-the-daemon-alone-$$

# memfd_blocks: what the guest's RAM occupies, in blocks of 512 bytes.
memfd_blocks() {
  local fd sum=0
  for fd in "/proc/${guest_pid[vm]}/fd"/*; do
    [[ $(readlink "$fd") != /memfd:* ]] || sum=$((sum + $(stat -Lc %b "$fd")))
  done
  echo "$sum"
}

# data_bytes FILE: what is not holes.
data_bytes() {
  python3 - "$1" <<'PYTHON'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at = data = 0
while True:
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        break
    at = os.lseek(fd, start, os.SEEK_HOLE)
    data += at - start
print(data)
PYTHON
}

# has_in_memory PID TEXT
has_in_memory() {
  python3 - "$@" <<'PYTHON'
import sys
text = sys.argv[2].encode()
with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as mem:
    for line in maps:
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        tail = b""
        if end - start > 1 << 31:  # a sanitizer's, of which next to nothing is there
            continue
        while "r" in line.split()[1] and start < end and not line.rstrip().endswith("[vvar]"):
            mem.seek(start)
            try:
                piece = mem.read(min(end - start, 1 << 24))
            except OSError:
                break
            if text in tail + piece:
                sys.exit(0)
            tail, start = piece[-len(text) :], start + len(piece)
sys.exit(1)
PYTHON
}

# mount_with_copy: the daemon, with a secret in its environment and one in its arguments.
mount_with_copy() {
  SECRET=$secret-environment keep=1 start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" \
    --method fork,copy --keep "$secret-argument=1"
  await_vms vm
}

# take_up: the next daemon, which shows the snapshot that there is.
take_up() {
  mount_with_copy
  wait_for 10 test -d "$mnt/vm/still" || fail "the copy was not taken up"
}

evidence() {
  cksum <"$mnt/vm/still/physmem"
  ls "$mnt/vm/still/processes"
  grep -v '^private_bytes:' "$mnt/vm/still/info"
}

start_guest vm -m 768M -object memory-backend-memfd,id=n0,size=512M,share=on \
  -object memory-backend-memfd,id=n1,size=256M,share=on -numa node,memdev=n0 -numa node,memdev=n1
pid=$(start_in_guest vm ROLE='counter 32' counter)
mount_with_copy

# The operator is told what it costs, and why it has to be so.
grep -qx 'method: copy' "$mnt/vm/status" || fail "status: $(cat "$mnt/vm/status")"
grep -qx 'snapshot: possible' "$mnt/vm/status" || fail "status: $(cat "$mnt/vm/status")"
grep -qE '^warning: .*full copy.* [0-9]+ MiB' "$mnt/vm/status" || fail "status: $(cat "$mnt/vm/status")"
grep -qE '^warning: no snapshot by a fork: .*shared' "$mnt/vm/status" ||
  fail "status: $(cat "$mnt/vm/status")"
said=$(dacsa check vm) || fail "check refuses the guest"
[[ $said == 'vm: can be snapshotted, by a copy'* ]] || fail "check: $said"

# Running: of one instant, with its processes.
dacsa snapshot vm running >/dev/null
"$root/tests/check-instant" "$mnt/vm/running/processes/$pid/memory" >/dev/null ||
  fail "the copy is not of one instant"
same "$(tr '\0' ' ' <"$mnt/vm/running/processes/$pid/cmdline")" \
  "$(guest_run vm "tr '\\0' ' ' </proc/$pid/cmdline")" "command lines of a process"
same "$(sed -n 's/^method: //p' "$mnt/vm/running/info")" copy "methods"
pause=$(sed -n 's/^pause_us: //p' "$mnt/vm/running/info")
copied=$(sed -n 's/^fork_us: //p' "$mnt/vm/running/info")
[ "$pause" -ge "$copied" ] && [ "$copied" -gt 0 ] || fail "the pause is $pause us, the copy of it $copied us"
dacsa drop vm/running
wait_for 10 none_parked vm || fail "the dropped copy is still there"

# Standing still: byte for byte, hole for hole.
qmp vm stop >/dev/null
blocks=$(memfd_blocks)
mkdir "$mnt/vm/still"
same "$(memfd_blocks)" "$blocks" "blocks of the guest's RAM after and before"
! is_running vm || fail "the snapshot made a stopped guest run"
same "$(grep ^pause_us "$mnt/vm/still/info")" "pause_us: 0" "pauses of a stopped guest"
data=$(data_bytes "$mnt/vm/still/physmem")
same "$(memfd_blocks)" "$blocks" "blocks of the guest's RAM after and before reading the snapshot"
# 384 KiB of RAM below 1 MiB cannot be seen by the guest; the firmware adds some.
[ "$data" -ge $((blocks * 512 - (1 << 20))) ] && [ "$data" -le $((blocks * 512 + (1 << 20))) ] ||
  fail "physmem has $data bytes that are not holes, the guest $((blocks * 512))"
same_as_qemu vm "$mnt/vm/still/physmem" 0 $((640 << 10))
same_as_qemu vm "$mnt/vm/still/physmem" $((1 << 20)) $((768 << 20))
qmp vm cont >/dev/null
guest_run vm true

# A process that has the copy and nothing else.
copy=$(parked vm)
same "$(wc -l <<<"$copy")" 1 "number of parked copies and of snapshots taken"
same "$(ls "/proc/$copy/fd")" "" "descriptors of a parked copy and none"
same "$(cat "/proc/$copy/oom_score_adj")" 1000 "OOM scores"
same "$(awk '/^PPid/ { print $2 }' "/proc/$copy/status")" 1 "parents"
same "$(awk '/^Threads/ { print $2 }' "/proc/$copy/status")" 1 "threads"
same "$(cut -d ' ' -f 1 "/proc/$copy/syscall")" 34 "system calls and pause(2)"
same "$(wc -c <"/proc/$copy/environ")" 0 "sizes of its environment"
for what in environment argument; do
  has_in_memory "$dacsa_pid" "$secret-$what" || fail "the keeper's own memory has no $what"
  ! has_in_memory "$copy" "$secret-$what" || fail "the copy has the keeper's $what in its memory"
done

# It outlives the daemon.
before=$(evidence)
kill_dacsa
same "$(parked vm)" "$copy" "copies after and before a crash of the daemon"
take_up
same "$before" "$(evidence)" "snapshots before and after a crash of the daemon"
stop_dacsa
take_up
same "$before" "$(evidence)" "snapshots before and after a restart of the daemon"
dacsa drop vm/still
wait_for 10 none_parked vm || fail "the dropped copy is still there"
same "$(readlink "/proc/$copy/exe" || :)" "" "processes of a dropped copy and none"

# One that was never written down, as a worker killed at the last moment leaves it, is not kept for ever.
dacsa snapshot vm unknown >/dev/null
copy=$(parked vm)
stop_dacsa
rm /run/dacsa/*"$tag"*/vm@unknown.snapshot
mount_with_copy
wait_for 10 dead "$copy" || fail "a copy that nobody knows stays"
