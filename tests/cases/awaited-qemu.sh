#!/bin/bash
# A QEMU that the configuration names need not be there: its directory and status are, with the snapshots of its
# earlier lives, and as soon as it listens it can be snapshotted; also if its socket's directory is made and removed
# with it, if it is replaced before its end is noticed, and if something else was there before.
. "$(dirname "$0")/../functions.sh"

expected_complaints='the viewer was killed by signal 9 '
# The guest is called so after its directory; the VM is `vm`.
socket=$tmp/run/web/vm.qmp

# status KEY: of the VM.
status() {
  sed -n "s/^$1: //p" "$mnt/vm/status"
}

is_in() {
  [ "$(status state)" = "$1" ]
}

runs() {
  [ "$(status pid)" = "${guest_pid[run/web/vm]}" ] && [ "$(status snapshot)" = possible ]
}

start() {
  mkdir -p "$tmp/run/web"
  start_qemu run/web/vm -m 64M
  wait_for 20 runs || fail "a QEMU that listens is not found: $(cat "$mnt/vm/status")"
}

# end_qemu SIGNAL
end_qemu() {
  local pid=${guest_pid[run/web/vm]}
  forget_guest run/web/vm
  kill "-$1" "$pid"
  wait_for 10 dead "$pid" || fail "QEMU does not end"
}

# check_absent: it is listed, cannot be snapshotted, and what is told says what to do.
check_absent() {
  wait_for 20 is_in 'not running' || fail "status: $(cat "$mnt/vm/status")"
  same "$(status reason); $(status remedy)" \
    "nothing listens at $socket; start QEMU with -qmp unix:$socket,server=on,wait=off" "reason and remedy"
  python3 -c 'import errno, os, sys
try:
    os.mkdir(sys.argv[1])
except OSError as error:
    assert error.errno == errno.EOPNOTSUPP, error
else:
    sys.exit("taken")' "$mnt/vm/refused" || fail "mkdir is refused otherwise"
  expect_error 1 "vm cannot be snapshotted: nothing listens at $socket; start QEMU" dacsa snapshot vm
  ! dacsa check >"$tmp/said" || fail "check: $(cat "$tmp/said")"
  grep -q "^vm: cannot be snapshotted: nothing listens at $socket; start" "$tmp/said" || fail "check: $(cat "$tmp/said")"
}

check_first() {
  same "$(cksum <"$mnt/vm/first/physmem")" "$content" "contents of the snapshot"
}

printf '[mount]\nconnect=none\nqmp=vm=%s\n' "$socket" >"$tmp/dacsa.conf"
keep=1 start_dacsa --config "$tmp/dacsa.conf"
same "$(ls "$mnt")" vm "names in the mount and those that the configuration names"
check_absent
[[ $(dacsa list) == *'(not running)'* ]] || fail "list: $(dacsa list)"
grep -q "vm: nothing listens at $socket; it is waited for" "$tmp/dacsa.log" || fail "the log does not say so"

start
dacsa snapshot vm first >/dev/null
content=$(cksum <"$mnt/vm/first/physmem")

end_qemu TERM
rm -r "$tmp/run"
check_absent
check_first

# The daemon begins anew while it is away.
stop_dacsa
keep=1 start_dacsa --config "$tmp/dacsa.conf"
wait_for 10 test -d "$mnt/vm/first" || fail "the snapshot is not taken up"
check_absent
check_first
start
dacsa snapshot vm second >/dev/null
check_first
dacsa drop vm/first vm/second

# One after another at the same place, of which each leaves its socket behind; also while the daemon does not look.
for ((i = 0; i < 3; i++)); do
  end_qemu KILL
  start
  kill -STOP "$dacsa_pid"
  end_qemu KILL
  start_qemu run/web/vm -m 64M
  kill -CONT "$dacsa_pid"
  wait_for 10 runs || fail "a QEMU that came in the other's place is not found: $(cat "$mnt/vm/status")"
done
end_qemu KILL
wait_for 20 is_in 'not running' || fail "status: $(cat "$mnt/vm/status")"
same "$(status reason)" "nothing listens at $socket" "reasons"

# Another viewer lists it, too.
crash_viewer KILL
same "$(ls "$mnt")" vm "names in the mount after the viewer's crash"

# Something else is there, which does not speak as QEMU does.
rm "$socket"
socat "UNIX-LISTEN:$socket,fork" SYSTEM:'echo SSH-2.0-OpenSSH; cat >/dev/null' >/dev/null 2>&1 &
other=$!
cleanup_fn kill_other
kill_other() {
  kill "$other" 2>/dev/null || :
}
wait_for 20 is_in unreachable || fail "status: $(cat "$mnt/vm/status")"
[[ $(status reason) == *'does not speak QMP'* ]] || fail "status: $(cat "$mnt/vm/status")"
kill_other
wait_for 10 dead "$other"
rm -f "$socket"
check_absent
start

# While the daemon is away the VM goes on; it is the same one afterwards, and its snapshot stays where it was.
dacsa snapshot vm first >/dev/null
content=$(cksum <"$mnt/vm/first/physmem")
stop_dacsa
start_dacsa --config "$tmp/dacsa.conf"
wait_for 20 runs || fail "status: $(cat "$mnt/vm/status")"
check_first
dacsa snapshot vm second >/dev/null
