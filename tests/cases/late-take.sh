#!/bin/bash
# A daemon with --drop-on-exit ends while a take is held up, longer than the daemon waits for it. Whenever the take
# comes to its end, its snapshot is dropped, too, and the state directory with it; the VM runs all the time.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"

is_stopped() {
  grep -q '^State:.T' "/proc/$worker/status"
}

let_go() {
  kill -CONT "$worker" 2>/dev/null || :
}

nothing_of_it() {
  [ -z "$(parked vm)" ] && [ -z "$(our_state)" ]
}

start_guest vm -m 256M
mount_guest vm
before=$(qemu_facts)

# Its worker is stopped just after it has resumed the VM: the snapshot is there, its record is not.
# shellcheck disable=SC2016 # expanded by the shell that kill-at starts
start_kill resumed 1 'kill -STOP "$(sed -n s/^worker=//p "$STATE_DIR"/*.taking)"'
mkdir "$mnt/vm/late" 2>"$tmp/said" &
request=$!
wait_for 20 grep -q '^ran' "$tmp/killed" || fail "the take does not get that far: $(cat "$tmp/killed")"
worker=$(sed -n s/^worker=//p "$(state_dir)"/*.taking)
cleanup_fn let_go
wait_for 5 is_stopped || fail "the worker is not held up"
[ -n "$(parked vm)" ] || fail "no snapshot is there yet"

end_process "$dacsa_pid" 60 || fail "a take that is held up keeps the daemon"
dacsa_pid=
wait $request && fail "a request succeeds whose daemon has ended"
guest_run vm true # its monitor is the worker's as yet
[ -n "$(parked vm)" ] || fail "the take was not held up: $(tail "$tmp/dacsa.log")"

let_go
wait_for 30 dead "$worker" || fail "the worker does not end"
wait_for 10 nothing_of_it || fail "left: $(parked vm) $(our_state)"
grep -q 'vm/late: it came too late, and was dropped' "$tmp/dacsa.log" || fail "the log does not say so"
is_intact || fail "QEMU is not as it was: $(diff <(echo "$before") <(echo "$facts"))"
is_running vm || fail "the VM stands still"
