#!/bin/bash
# While QEMU itself sends guest RAM away, by a migration or a background snapshot, no fork is taken of
# it: the reason is told. When it is over, mkdir works at once.
. "$(dirname "$0")/../functions.sh"

# The status of query-migrate is one of the words of $1, a pattern.
is_migration() {
  [[ $(qmp vm query-migrate) == *'"status": "'@($1)'"'* ]]
}

# start_sending: to a socket that takes some MiB a second. Of these a migration uses little. A background
# snapshot knows no bandwidth, and QEMU itself waits for pages that are not sent yet.
start_sending() {
  qmp vm migrate-set-parameters '{"max-bandwidth": 4096}' >/dev/null
  qmp vm migrate "{\"uri\": \"unix:$tmp/sink\"}" >/dev/null
  wait_for 10 is_migration active || fail "no migration: $(qmp vm query-migrate)"
}

# tells REGEX: what `dacsa check` says; it looks anew only once a second.
tells() {
  { dacsa check vm || :; } >"$tmp/said"
  grep -q "^vm: cannot be snapshotted: $1" "$tmp/said"
}

refuses() {
  wait_for 5 tells "$1 is under way (active); wait until it has finished, or cancel it\$" ||
    fail "check: $(cat "$tmp/said")"
  expect_error 1 "$1 is under way" dacsa snapshot vm refused
  same "$(parked vm)" "" "snapshots and none"
}

start_guest vm
python3 -c 'import signal, socket, sys, time
slow = True
def hurry(*_):
    global slow
    slow = False
signal.signal(signal.SIGUSR1, hurry)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(8)
while True:
    sink = listener.accept()[0]
    try:
        while sink.recv(1 << 18):
            if slow:
                time.sleep(1 / 16)
    except ConnectionError:
        pass
    sink.close()' "$tmp/sink" &
sink=$!
cleanup_fn end_process $sink 5
wait_for 10 listens "$tmp/sink" || fail "nothing listens"
mount_guest vm

start_sending
refuses "a migration"
same "$(wc -l <"$tmp/said")" 1 "reasons and one"
qmp vm migrate_cancel >/dev/null
wait_for 10 is_migration 'cancelled|failed' || fail "the migration goes on: $(qmp vm query-migrate)"
mkdir "$mnt/vm/after"
dacsa drop vm/after

qmp vm migrate-set-capabilities \
  '{"capabilities": [{"capability": "background-snapshot", "state": true}]}' >/dev/null ||
  skip "this kernel and QEMU have no background snapshots"
start_sending
refuses "a background snapshot"
grep -q 'watches guest RAM' "$tmp/said" || fail "its userfaultfd is not told of: $(cat "$tmp/said")"
# To its end: a QEMU that waits for a page itself does not survive its being cancelled.
kill -USR1 $sink
wait_for 30 is_migration 'completed' || fail "the background snapshot goes on: $(qmp vm query-migrate)"
mkdir "$mnt/vm/after"
is_running vm || fail "the VM is stopped"
guest_run vm true
