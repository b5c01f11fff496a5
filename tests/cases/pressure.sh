#!/bin/bash
# Where memory runs short the snapshot dies, not the VM: dacsa gives it up when QEMU's cgroup is nearly full,
# and if the kernel is faster, its OOM killer takes the snapshot. QEMU runs on, and the tree says what happened.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/cgroup.sh
. "$root/tests/cgroup.sh"

expected_complaints="WARNING.* vm/[a-z]*: memory runs short: QEMU's cgroup has"

costs() {
  [ "$(sed -n 's/^cow_bytes: //p' "$mnt/vm/status")" -ge $(($1 << 20)) ] 2>/dev/null
}

# oom_kills: how many processes of the cgroup the kernel has killed.
oom_kills() {
  { cat "$cgroup"{,/vm}/memory.{oom_control,events} 2>/dev/null || :; } | awk '/^oom_kill / { n += $2 } END { print n + 0 }'
}

# rewrite: the writer writes all of its memory anew, once at least, and rests.
rewrite() {
  local passes='until [ $(cat /run/counter) -gt $((pass + 1)) ]; do :; done'
  guest_run vm "pass=\$(cat /run/counter); kill -CONT $writer; $passes; kill -STOP $writer"
}

guest_works() {
  check_guest vm
  is_running vm || fail "the guest is stopped"
  guest_run vm 'echo works' >/dev/null || fail "the guest does not answer"
}

make_memory_cgroup
echo $BASHPID >"$cgroup/vm/cgroup.procs"
start_guest vm
echo $BASHPID >"$home/cgroup.procs"
writer=$(start_in_guest vm ROLE='counter 100' writer)
guest_run vm "kill -STOP $writer"
mount_guest vm

# --- the cgroup is nearly full: the oldest goes, and that is enough

for name in old new; do
  dacsa snapshot vm $name >/dev/null
  rewrite
done
wait_for 30 costs 150 || fail "two snapshots do not cost what was written: $(cat "$mnt/vm/status")"
! dropped vm/old || fail "dropped though there is no limit: $(cat "$mnt/vm/old/info")"
leave 12
wait_for 60 dropped vm/old || fail "near the cgroup's limit, and still there: $(cat "$mnt/vm/status")"
grep -qE "^why: memory runs short: QEMU's cgroup has [0-9]+ MiB left below .*memory\..*, and snapshots cost" \
  "$mnt/vm/old/info" || fail "$(cat "$mnt/vm/old/info")"
! dropped vm/new || fail "both went, though one was enough: $(cat "$mnt/vm/new/info")"
same "$(oom_kills)" 0 "processes killed by the kernel and none"
guest_works
echo "$none" >"$limit"
dacsa drop vm/new
dacsa drop vm/old

# --- the kernel is faster

dacsa snapshot vm doomed >/dev/null
child=$(parked vm)
same "$(cat "/proc/$child/oom_score_adj")" 1000 "oom_score_adj of the snapshot and the highest"
mkfifo "$tmp/to-reader"
"$root/tests/check-tombstone" "$mnt/vm/doomed" "$writer" <"$tmp/to-reader" >"$tmp/reader" 2>&1 &
reader=$!
exec 3>"$tmp/to-reader"
wait_for 60 grep -q ready "$tmp/reader" || fail "reader: $(cat "$tmp/reader")"
kill -STOP "$dacsa_pid" # it would be in time
cleanup_fn kill -CONT "$dacsa_pid"
leave 24
guest_run vm "kill -CONT $writer"
wait_for 60 none_parked vm || fail "the snapshot is still there: $(cat "$limit" "$usage"), $(oom_kills) killed"
same "$(oom_kills)" 1 "processes killed by the kernel and one"
guest_works
kill -CONT "$dacsa_pid"
wait_for 30 dropped vm/doomed || fail "the tree does not say so: $(cat "$mnt/vm/doomed/info")"
grep -q '^why: its child process was killed' "$mnt/vm/doomed/info"
grep -q 'vm/doomed: its child process was killed' "$tmp/dacsa.log" || fail "the log does not say so"
echo >&3
wait $reader || fail "reader: $(cat "$tmp/reader")"
cat "$tmp/reader"
[ ! -e "$mnt/vm/latest" ] || fail "latest leads to what is gone"
dacsa drop vm/doomed
echo "$none" >"$limit"
dacsa snapshot vm after >/dev/null
guest_works
