#!/bin/bash
# A dacsa that may not trace says so, of every VM, and all that is amiss at once; so does one whose QEMU
# somebody else traces. No VM is touched, and when what was amiss is over, mkdir works at once.
. "$(dirname "$0")/../functions.sh"

start_qemu vm -m 64M

# mount_without CAPABILITY...: dacsa without them, as a unit's CapabilityBoundingSet does it.
mount_without() {
  local plain=$DACSA DACSA=$tmp/without-$#
  printf '#!/bin/sh\nexec setpriv --bounding-set=%s --inh-caps=-all %s "$@"\n' \
    "$(printf -- ',-%s' "$@" | cut -c 2-)" "$plain" >"$DACSA"
  chmod +x "$DACSA"
  mount_guest vm
}

# refusals: the reasons that `dacsa check` tells, a line each.
refusals() {
  { dacsa check vm || :; } | sed -n 's/^vm: cannot be snapshotted: //p'
}

mount_without sys_ptrace
refusals >"$tmp/said"
same "$(wc -l <"$tmp/said")" 1 "reasons without CAP_SYS_PTRACE and one"
grep -q '^dacsa lacks CAP_SYS_PTRACE, .*; run ' "$tmp/said" || fail "check: $(cat "$tmp/said")"
grep -q '^reason: dacsa lacks CAP_SYS_PTRACE' "$mnt/vm/status" || fail "status: $(cat "$mnt/vm/status")"
expect_error 1 CAP_SYS_PTRACE dacsa snapshot vm now
stop_dacsa

# Under a seccomp filter of its own, too: no_new_privs and a filter that allows everything.
cat >"$tmp/filtered" <<'PYTHON'
#!/usr/bin/python3
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(allow)
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(buffer))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(os.environ["FILTERED"], [os.environ["FILTERED"], *sys.argv[1:]])
PYTHON
chmod +x "$tmp/filtered"
FILTERED=$DACSA
export FILTERED
DACSA=$tmp/filtered mount_guest vm
same "$(refusals | grep -c 'seccomp filter')" 1 "reasons under seccomp and one"
stop_dacsa

# Somebody traces QEMU; when that is over a snapshot is taken, without anybody looking in between.
mount_guest vm
python3 - "${guest_pid[vm]}" <<'PYTHON' &
import ctypes, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, int(sys.argv[1]), None, None):  # PTRACE_SEIZE
    sys.exit("cannot seize")
signal.pause()
PYTHON
tracer=$!
is_traced() {
  grep -q "^TracerPid:[[:space:]]*$tracer\$" "/proc/${guest_pid[vm]}/status"
}
wait_for 10 is_traced || fail "QEMU is not traced"
is_told() {
  [ "$(refusals)" = "another process (pid $tracer) traces QEMU; detach the debugger or tracer" ]
}
wait_for 5 is_told || fail "check: $(refusals)" # it looks anew only once a second
! mkdir "$mnt/vm/traced" 2>/dev/null || fail "mkdir while QEMU is traced"
end_process "$tracer" 5
mkdir "$mnt/vm/now"
test -s "$mnt/vm/now/physmem"
dacsa check vm >"$tmp/said" || fail "check afterwards: $(cat "$tmp/said")"
is_running vm || fail "the VM is stopped"
