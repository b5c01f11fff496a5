#!/bin/bash
# What copies a guest's memory, and who waits for it, each killed while the guest stands still for the copy:
# nothing of the copy is left, and who asked for it is told.
. "$(dirname "$0")/../functions.sh"

TRIES=20

expected_complaints='WARNING.* vm/now' # the snapshots that fail

# catch_copy: once the VM is stopped for a copy, stops the process that makes it, and prints its pid and that
# of the worker that waits for it; fails if it was too late.
catch_copy() {
  python3 - "$tmp/vm.trace" "$tag" "$dacsa_pid" 3>&1 >"$tmp/watching" <<'PYTHON'
import os, signal, sys, time
trace, tag, keeper = sys.argv[1], sys.argv[2].encode(), sys.argv[3]

def counted(what):
    with open(trace) as file:
        return file.read().count(f"vm_state_notify running {what}")

def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""

def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]

def is_copy(pid):
    words = read(pid, "cmdline").split(b"\0")
    return words[0] == b"dacsa-copy" and tag in words[1]

def is_worker(pid):
    status = read(pid, "status")
    return f"\nPPid:\t{keeper}\n".encode() in status and b"\nUid:\t0\t" in status

stops, resumes = counted(0), counted(1)
print("watching", flush=True)
deadline = time.monotonic() + 60
while counted(0) == stops:
    assert time.monotonic() < deadline, "the VM is not stopped"
copies = [pid for pid in all_pids() if is_copy(pid)]
for pid in copies:
    os.kill(pid, signal.SIGSTOP)
    while b"\nState:\tT" not in read(pid, "status") and time.monotonic() < deadline:
        pass
workers = [pid for pid in all_pids() if is_worker(pid)]
# Its threads are there as long as there is something to be copied.
in_midst = len(copies) == 1 and b"\nThreads:\t1\n" not in read(copies[0], "status")
if in_midst and len(workers) == 1 and counted(1) == resumes:
    print(copies[0], workers[0], file=os.fdopen(3, "w"))
    sys.exit(0)
for pid in copies:
    os.kill(pid, signal.SIGCONT)
sys.exit(1)
PYTHON
}

is_watching() {
  grep -q watching "$tmp/watching" 2>/dev/null
}

# begin_and_catch: a snapshot that does not get on until $copy goes on; $worker waits for it, and $client for
# the snapshot.
begin_and_catch() {
  local i catcher
  for ((i = 0; i < TRIES; i++)); do
    rm -f "$tmp/watching"
    { catch_copy >"$tmp/caught" || exit 1; } &
    catcher=$!
    wait_for 10 is_watching || fail "nobody watches the VM"
    "$DACSA" snapshot --mount "$mnt" vm now >"$tmp/snapshot" 2>&1 &
    client=$!
    if wait $catcher; then
      read -r copy worker <"$tmp/caught"
      return
    fi
    wait $client || fail "no snapshot: $(cat "$tmp/snapshot")"
    dacsa drop vm/now
    wait_for 10 none_parked vm || fail "the dropped copy is still there"
  done
  fail "the copy was never caught in its midst"
}

start_guest vm -m 768M -object memory-backend-memfd,id=ram,size=768M,share=on -machine memory-backend=ram \
  -trace vm_state_notify -D "$tmp/vm.trace"
start_in_guest vm ROLE='touch 600' toucher >/dev/null
start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" --method copy
await_vms vm

# The copy is killed, as it is when memory runs out.
begin_and_catch
kill -KILL "$copy"
! wait $client || fail "there is a snapshot without a copy"
grep -q 'the process that copies.*was killed' "$tmp/snapshot" || fail "$(cat "$tmp/snapshot")"
is_running vm || fail "the guest does not go on"
guest_run vm true
same "$(ls "$mnt/vm")" status "names of the VM and status"
same "$(parked vm)" "" "copies and none"

# Its worker is killed: nobody is left who would keep the copy. The guest stands still; who goes over what a
# killed worker left is another case's subject.
begin_and_catch
kill -KILL "$worker"
kill -CONT "$copy"
wait_for 10 dead "$copy" || fail "the copy outlives who would have kept it"
! wait $client || fail "there is a snapshot, and nobody who took it"
same "$(parked vm)" "" "copies and none"
qmp vm cont >/dev/null
guest_run vm true

# And the next one is as good as any.
dacsa snapshot vm now >/dev/null
same "$(parked vm | wc -l)" 1 "copies and one"
