#!/bin/bash
# Limits under which a fork of QEMU fails, or takes from the VM what it needs: refused before the VM is
# touched, in all the ways that this host has. With just enough room it is taken.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/cgroup.sh
. "$root/tests/cgroup.sh"

TASKS=66 # of room, snap/preflight-limits.c
MIB=$((1 << 20))

# tells NAME REGEX: what `dacsa check` says; it looks anew only once a second.
tells() {
  { dacsa check "$1" || :; } >"$tmp/said"
  grep -qE -- "^$1: $2" "$tmp/said"
}

# refuses NAME REGEX: for that reason alone, by check and by mkdir, and there is no snapshot.
refuses() {
  wait_for 5 tells "$1" "cannot be snapshotted: $2" || fail "check of $1: $(cat "$tmp/said")"
  same "$(wc -l <"$tmp/said")" 1 "reasons and one"
  expect_error 1 "$2" dacsa snapshot "$1" refused
  expect_unsupported "$mnt/$1/refused"
  same "$(parked "$1")" "" "snapshots of $1 and none"
  is_running "$1" || fail "$1 is stopped"
}

# takes NAME: a snapshot, and drops it again.
takes() {
  dacsa snapshot "$1" taken >/dev/null
  dacsa drop "$1/taken"
}

tasks_of() {
  find "/proc/${guest_pid[$1]}/task" -mindepth 1 -maxdepth 1 | wc -l
}

# --- RLIMIT_NPROC, of a user who has no other process: root is exempt

uid=$((64100 + RANDOM % 900))
! pgrep -U $uid >/dev/null || skip "user $uid has processes"
chmod 1777 "$tmp"
qemu-system-x86_64() {
  exec setpriv --reuid $uid --regid $uid --clear-groups "$(type -P qemu-system-x86_64)" "$@"
}
# limit_user ROOM: of tasks. As that user: root may lack the capability.
limit_user() {
  setpriv --reuid $uid --regid $uid --clear-groups \
    prlimit --pid "${guest_pid[user]}" "--nproc=$(($(tasks_of user) + $1)):"
}
start_qemu user -m 64M
unset -f qemu-system-x86_64
start_qemu root -m 64M
mount_guest user root

takes user
limit_user 1
refuses user "QEMU's user $uid .*RLIMIT_NPROC"
limit_user $((TASKS + 8)) # its threads come and go
takes user
prlimit --pid "${guest_pid[root]}" --nproc=1:
takes root
stop_dacsa
stop_guest user
stop_guest root

# --- pids.max of an ancestor

make_cgroup pids pids.max
echo $BASHPID >"$cgroup/vm/cgroup.procs"
start_qemu vm -m 64M
echo $BASHPID >"$home/cgroup.procs"
mount_guest vm
takes vm
echo $(($(cat "$cgroup/pids.current") + 1)) >"$cgroup/pids.max"
refuses vm "QEMU's cgroup has .*pids\.max"
echo $(($(cat "$cgroup/pids.current") + TASKS)) >"$cgroup/pids.max"
takes vm
echo max >"$cgroup/pids.max"
stop_dacsa
stop_guest vm

# --- memory of an ancestor

make_memory_cgroup
echo $BASHPID >"$cgroup/vm/cgroup.procs"
start_guest full # so that there is something to be copied
echo $BASHPID >"$home/cgroup.procs"
mount_guest full
same "$(dacsa check full)" "full: can be snapshotted" "verdicts"
rss=$(awk '/^RssAnon/ { print $2 * 1024 }' "/proc/${guest_pid[full]}/status")
[ "$rss" -gt $((128 * MIB)) ] || fail "the guest has only $rss bytes"

leave 32
refuses full 'QEMU.s cgroup has only .* MiB of memory left .*memory\.'
# Some copies fit: taken, with a warning.
leave 112
wait_for 5 tells full "warning: QEMU's cgroup has .* MiB of memory left" || fail "check: $(cat "$tmp/said")"
grep -qx "full: can be snapshotted" "$tmp/said" || fail "check: $(cat "$tmp/said")"
grep -q '^warning: ' "$mnt/full/status" || fail "no warning in status"
takes full
if [ -e "$cgroup/memory.oom_control" ]; then
  leave 1024
  takes full
  echo 1 >"$cgroup/memory.oom_control"
  refuses full "QEMU's cgroup has the OOM killer off"
  echo 0 >"$cgroup/memory.oom_control"
fi
echo $none >"$limit"
wait_for 5 tells full 'can be snapshotted$' || fail "check: $(cat "$tmp/said")"
takes full

# Where the kernel would kill QEMU with its snapshot; version 1 has no such thing.
if [ -e "$cgroup/memory.oom.group" ]; then
  echo 1 >"$cgroup/memory.oom.group"
  refuses full 'where memory runs short the kernel would kill QEMU with its snapshot .*memory\.oom\.group is 1'
  echo 0 >"$cgroup/memory.oom.group"
  wait_for 5 tells full 'can be snapshotted$' || fail "check: $(cat "$tmp/said")"
  takes full
fi
guest_run full true
