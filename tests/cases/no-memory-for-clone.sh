#!/bin/bash
# The injected clone fails: there is no memory for it, or one process too many. The preflight would have
# refused; so the limits are tightened when it has let the take pass, while its worker is held up. QEMU
# goes on as if nothing had been, the request fails with a reason, and with room again the next succeeds.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"
. "$root/tests/cgroup.sh"

expected_complaints='WARNING.* vm/' # requests that fail are told
TRIES=4

# fails_and_recovers REGEX COMMAND UNDO: requests fail for that reason with the limit that COMMAND sets
# in the middle of the take, and QEMU is as before.
fails_and_recovers() {
  local i
  for ((i = 0; i < TRIES; i++)); do
    start_kill run 1 "$2"
    ! mkdir "$mnt/vm/refused" 2>"$tmp/said" || fail "it is taken all the same"
    wait $killer || fail "the limit cannot be set: $(cat "$tmp/killed")"
    grep -q '^ran 1 ' "$tmp/killed" || fail "not while it was taken: $(cat "$tmp/killed")"
    eval "$3"
    tail -n 1 "$tmp/dacsa.log" | grep -qE -- "$1" || fail "another reason: $(tail -n 1 "$tmp/dacsa.log")"
    wait_for 10 is_intact || fail "QEMU is not as it was: $(diff <(echo "$before") <(echo "$facts"))"
    is_running vm || fail "the guest stands still"
    same "$(parked vm)" "" "snapshots and none"
    no_journal || fail "a journal is left"
  done
}

takes() {
  dacsa snapshot vm taken >/dev/null
  dacsa drop vm/taken
}

# Without huge pages, whatever QEMU asks for (prctl(2), PR_SET_THP_DISABLE).
qemu-system-x86_64() {
  exec python3 -c '
import ctypes, os, sys
PR_SET_THP_DISABLE = 41
assert ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])' "$(type -P qemu-system-x86_64)" "$@"
}

# start_in CGROUP: the guest, there. All of its memory is there, in small pages: a fork of it needs a MiB of page
# tables, which is more than the kernel has put by for the group.
start_in() {
  echo $BASHPID >"$1/cgroup.procs"
  start_guest vm -machine memory-backend=ram \
    -object memory-backend-ram,id=ram,size=512M,prealloc=on
  echo $BASHPID >"$home/cgroup.procs"
  mount_guest vm
  takes
  before=$(qemu_facts)
}

finish() {
  takes
  guest_run vm true
  stop_dacsa
  stop_guest vm
}

# --- processes: none more, then one

make_cgroup pids pids.max
start_in "$cgroup/vm"
no_limit="echo max >$cgroup/pids.max"
fails_and_recovers 'could not make a process.*pids\.max' "echo 1 >$cgroup/pids.max" "$no_limit"
# QEMU's own worker threads come and go: mostly the helper can be made, and then its child cannot.
fails_and_recovers 'could not (make a process|be forked).*pids\.max' \
  "echo \$((\$(cat $cgroup/pids.current) + 1)) >$cgroup/pids.max" "$no_limit"
finish

# --- memory: none for the page tables. Nothing is killed for it, so that the clone fails: with version 1 that is
# refused, if it is known before.

make_memory_cgroup
start_in "$cgroup/vm"
# As low as can be, and a little more for QEMU's own needs: version 1 refuses less than what is used and cannot be
# reclaimed.
spare=$((256 << 10))
lower="x=\$(cat $usage); while echo \$x >$limit; do x=\$((x - 16384)); done 2>/dev/null
  echo \$((x + $spare)) >$limit"
no_limit="echo $none >$limit"
if [ -e "$cgroup/memory.oom_control" ]; then
  lower="echo 1 >$cgroup/memory.oom_control; $lower"
  no_limit="echo $none >$limit; echo 0 >$cgroup/memory.oom_control"
else
  echo -1000 >"/proc/${guest_pid[vm]}/oom_score_adj" || skip "QEMU cannot be spared by the OOM killer"
  cached=$(awk '/^(in)?active_file / { sum += $2 } END { printf "%.0f", sum }' "$cgroup/memory.stat")
  lower="echo \$((\$(cat $usage) - $cached + $spare)) >$limit"
fi
fails_and_recovers 'could not (make a process|be forked).*memory' "$lower" "$no_limit"
finish
