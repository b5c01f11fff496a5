#!/bin/bash
# The daemon as dacsa.service starts it: told by the unit's own lines, with its capabilities; it says
# when it is ready; a stop ends it also while somebody reads; snapshots stay; a viewer that is killed
# is replaced with the capabilities there are.
. "$(dirname "$0")/../functions.sh"

expected_complaints='the viewer was killed by signal 9 '

unit=$root/build/dacsa.service

# value KEY: all of the unit's.
value() {
  sed -n "s/^$1=//p" "$unit"
}

# The words of ExecStart, with this build and this case's mount instead of the installed ones.
read -ra command < <(value ExecStart)
command[0]=$DACSA
[ "${command[-1]}" = /dacsa ] || fail "ExecStart: ${command[*]}"
unset "command[-1]"
capabilities=-all$(value CapabilityBoundingSet | tr ' ' '\n' | sed 's/^CAP_/,+/' | tr -d '\n' | tr '[:upper:]' '[:lower:]')
same "$(value Type) $(value KillMode)" "notify process" "Type and KillMode"
# Each of these would keep it from working (doc/operating.md).
! grep -E '^(SystemCall|Restrict|Protect|Private|NoNewPrivileges|MemoryDeny|LockPersonality|ReadOnly)' "$unit" ||
  fail "the unit has what tracing or mounting forbids"

cat >"$tmp/dacsa.conf" <<CONF
[mount]
connect=none
qmp=vm=$tmp/vm.qmp
CONF

# start_service: as systemd would, with nothing in its environment but what it is given.
start_service() {
  rm -f "$tmp/notify" "$tmp/told"
  socat -u "UNIX-RECV:$tmp/notify" "OPEN:$tmp/told,creat,append" &
  cleanup_fn end_process $! 5
  wait_for 5 test -S "$tmp/notify"
  (umask "$(value UMask)" && exec env -i "DACSA_CASE=$tmp" "NOTIFY_SOCKET=$tmp/notify" \
    setpriv --bounding-set "$capabilities" --inh-caps=-all \
    "${command[@]}" --config "$tmp/dacsa.conf" "$mnt" >>"$tmp/dacsa.log" 2>&1 </dev/null) &
  dacsa_pid=$!
  cleanup_fn stop_dacsa
  wait_for 30 told READY=1 || fail "it does not say that it is ready: $(cat "$tmp/dacsa.log")"
  timeout 5 ls "$mnt"/*/status >/dev/null || fail "it is ready, but cannot be listed"
}

told() {
  alive "$dacsa_pid" || fail "dacsa mount ended: $(cat "$tmp/dacsa.log")"
  grep -qx "$1" "$tmp/told" 2>/dev/null
}

# ended: waits for it; its exit status in $status.
ended() {
  wait_for "$1" dead "$dacsa_pid" || fail "it does not end"
  status=0
  wait "$dacsa_pid" || status=$?
  dacsa_pid=
  wait_for 5 not_mounted || fail "it has ended, but is still mounted"
}

start_guest vm -m 256M
start_service
same "$(grep CapBnd "/proc/$dacsa_pid/status" | cut -f 2)" "$(grep CapEff "/proc/$dacsa_pid/status" | cut -f 2)" \
  "capabilities that it may have and has"
[ "$(grep CapEff "/proc/$dacsa_pid/status" | cut -f 2)" != "$(grep CapBnd /proc/$$/status | cut -f 2)" ] ||
  fail "its capabilities are not limited"
dacsa snapshot vm now >/dev/null
content=$(cksum <"$mnt/vm/now/processes/1/memory")

# A stop, by systemd's SIGTERM to the main process alone.
kill -TERM "$dacsa_pid"
ended 20
same "$status" 0 "exit status after a stop and success"
grep -qx STOPPING=1 "$tmp/told" || fail "it does not say that it stops"
same "$(parked vm | wc -l)" 1 "snapshots that stay and those taken"

# A viewer that is killed: the service goes on.
start_service
same "$(cksum <"$mnt/vm/now/processes/1/memory")" "$content" "contents before and after the stop"
crash_viewer KILL
grep -q 'the viewer was killed by signal 9 (Killed); another one is started' "$tmp/dacsa.log" ||
  fail "the log does not say so"
same "$(cksum <"$mnt/vm/now/processes/1/memory")" "$content" "contents before and after the crash"

# The main process killed: what is left does not keep the next start from its mount.
kill -KILL "$dacsa_pid"
wait "$dacsa_pid" 2>/dev/null || :
start_service
same "$(cksum <"$mnt/vm/now/processes/1/memory")" "$content" "contents before and after the kill"

# Somebody reads: the second signal cuts them off at once, the first after ten seconds.
# read_on MIB: a mebibyte so much further on, past what has been read ahead.
read_on() {
  dd bs=1M skip="$1" count=1 <&7 2>/dev/null | wc -c | grep -qx $((1 << 20))
}
exec 7<"$mnt/vm/now/physmem"
read_on 0 || fail "physmem cannot be read"
kill -TERM "$dacsa_pid"
wait_for 5 not_mounted || fail "a file that is open keeps the mount"
alive "$dacsa_pid" || fail "it does not wait for the reader"
read_on 100 || fail "who reads is cut off at once"
began=$SECONDS
kill -TERM "$dacsa_pid"
ended 5
same "$status" 0 "exit status after a stop with a reader and success"
[ $((SECONDS - began)) -lt 8 ] || fail "the second signal does not hurry it"
! read_on 50 || fail "a file can be read of which nobody knows any more"
exec 7<&-

# The same when the viewer crashes meanwhile: there is no other one for a mount that ends.
start_service
exec 7<"$mnt/vm/now/physmem"
read_on 0 || fail "physmem cannot be read"
crash_viewer KILL
read_on 150 || fail "physmem cannot be read after a crash"
kill -TERM "$dacsa_pid"
wait_for 5 not_mounted || fail "a file that is open keeps the mount"
read_on 250 || fail "who reads is cut off at once"
kill -KILL "$(viewer)"
ended 5
same "$status" 0 "exit status after a stop with a crash and success"
! read_on 50 || fail "a file can be read of which nobody knows any more"
exec 7<&-

echo drop-on-exit=true >>"$tmp/dacsa.conf"
start_service
kill -TERM "$dacsa_pid"
ended 20
same "$(parked vm)" "" "snapshots that stay and none, as configured"

# The same, for a QEMU that libvirt sandboxes and runs as another user.
stop_guest vm
start_libvirtd
start_domain "vm-$tag"
printf '[mount]\ndrop-on-exit=true\n' >"$tmp/dacsa.conf"
start_service
dacsa snapshot "vm-$tag" now >/dev/null
[ "$(cat "$mnt/vm-$tag/now/processes/1/comm")" = init ] || fail "$(cat "$mnt/vm-$tag/now/processes/1/comm")"
dacsa drop "vm-$tag/now"
kill -TERM "$dacsa_pid"
ended 20
! grep -E 'CRITICAL|WARNING' "$tmp/dacsa.log" | grep -v "$expected_complaints" ||
  fail "suspicious output of dacsa mount"
