#!/bin/bash
# While QEMU itself sends guest RAM away, by a migration or a background snapshot, no fork is taken of
# it: the reason is told. When it is over, mkdir works at once.
. "$(dirname "$0")/../functions.sh"

# refusals: the reasons that `dacsa check` tells, a line each.
refusals() {
  dacsa check vm | sed -n 's/^vm: cannot be snapshotted: //p'
}

# start_sending: to a socket that takes it, so slowly that it lasts as long as the case.
start_sending() {
  qmp vm migrate-set-parameters '{"max-bandwidth": 4096}' >/dev/null
  qmp vm migrate "{\"uri\": \"unix:$tmp/sink\"}" >/dev/null
  wait_for 10 sending || fail "no migration: $(qmp vm query-migrate)"
}

sending() {
  [[ $(qmp vm query-migrate) == *'"status": "active"'* ]]
}

cancelled() {
  [[ $(qmp vm query-migrate) == *'"status": "'@(cancelled|failed)'"'* ]]
}

end_sending() {
  qmp vm migrate_cancel >/dev/null
  wait_for 10 cancelled || fail "the migration goes on: $(qmp vm query-migrate)"
}

refuses() {
  refusals >"$tmp/said"
  grep -q "^$1 is under way .*; wait until it has finished, or cancel it\$" "$tmp/said" ||
    fail "check: $(cat "$tmp/said")"
  expect_error 1 "$1 is under way" dacsa snapshot vm refused
  same "$(parked vm)" "" "snapshots and none"
}

start_guest vm
socat -u "UNIX-LISTEN:$tmp/sink,fork" OPEN:/dev/null,wronly &
sink=$!
cleanup_fn end_process $sink 5
wait_for 10 listens "$tmp/sink" || fail "nothing listens"
mount_guest vm

start_sending
refuses "a migration"
same "$(wc -l <"$tmp/said")" 1 "reasons and one"
end_sending
mkdir "$mnt/vm/after"
dacsa drop vm/after

qmp vm migrate-set-capabilities \
  '{"capabilities": [{"capability": "background-snapshot", "state": true}]}' >/dev/null ||
  skip "this kernel and QEMU have no background snapshots"
start_sending
refuses "a background snapshot"
grep -q 'watches guest RAM' "$tmp/said" || fail "its userfaultfd is not told of: $(cat "$tmp/said")"
end_sending
mkdir "$mnt/vm/after"
is_running vm || fail "the VM is stopped"
guest_run vm true
