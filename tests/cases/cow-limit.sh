#!/bin/bash
# What snapshots may cost is bounded, per VM and for all: over the limit the oldest goes, the newer ones stay;
# log, info and list say why, and whoever has files of it open gets errors, never zeros.
. "$(dirname "$0")/../functions.sh"

MIB=$((1 << 20))
expected_complaints='WARNING.* (vm|other)/[a-z]*: .* cost .* more than (host-)?cow-limit allows'

value() {
  sed -n "s/^$2: *\([^ ]*\) *$/\1/p" "$1" 2>/dev/null
}

# costs VM MIB: its snapshots cost as much at least.
costs() {
  [ "$(value "$mnt/$1/status" cow_bytes)" -ge $(($2 * MIB)) ] 2>/dev/null
}

start_guest vm
start_guest other
writer=$(start_in_guest vm ROLE='counter 80' writer)
start_in_guest other ROLE='counter 80' writer >/dev/null

# --- a VM's own limit, in per cent of its RAM; another's does not matter

start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" --qmp "other=$tmp/other.qmp" \
  --cow-limit 1G --cow-limit vm=25%
wait_for 10 test -d "$mnt/vm"
dacsa snapshot vm old >/dev/null
same "$(value "$mnt/vm/status" cow_limit)" $(($(value "$mnt/vm/old/info" ram_bytes) / 100 * 25)) limits
same "$(value "$mnt/other/status" cow_limit)" $((1 << 30)) limits
wait_for 30 costs vm 70 || fail "it does not cost what is written: $(cat "$mnt/vm/status")"
[ "$(value "$mnt/vm/old/info" private_bytes)" -ge $((70 * MIB)) ] || fail "$(cat "$mnt/vm/old/info")"

mkfifo "$tmp/to-reader"
"$root/tests/check-tombstone" "$mnt/vm/old" "$writer" <"$tmp/to-reader" >"$tmp/reader" 2>&1 &
reader=$!
exec 3>"$tmp/to-reader"
wait_for 60 grep -q ready "$tmp/reader" || fail "reader: $(cat "$tmp/reader")"
dropped vm/old && fail "dropped below the limit: $(cat "$mnt/vm/old/info")"
dacsa snapshot vm new >/dev/null
wait_for 60 dropped vm/old || fail "over the limit, and still there: $(cat "$mnt/vm/status" "$mnt"/vm/*/info)"
echo >&3
wait $reader || fail "reader: $(cat "$tmp/reader")"
cat "$tmp/reader"

why=$(sed -n 's/^why: //p' "$mnt/vm/old/info")
[[ $why =~ ^the\ snapshots\ of\ this\ VM\ cost\ 1[0-9]+\ MiB,\ more\ than\ cow-limit\ allows,\ 12[78]\ MiB$ ]] ||
  fail "why: $why"
grep -qF "vm/old: $why" "$tmp/dacsa.log" || fail "the log does not say so"
dacsa list vm | grep -qF "dropped: $why" || fail "dacsa list does not say so: $(dacsa list vm)"
same "$(readlink "$mnt/vm/latest")" new latest
! dropped vm/new || fail "the newer one went, too"
same "$(parked vm | wc -l)" 1 "number of snapshots that are there and of those that stay"
same "$(cat "$mnt/vm/new/processes/$writer/comm")" writer "the name of a process in the one that stays and its"
expect_error 2 'was dropped' dacsa scan -d "$root/tests/guest/test.ndb" vm/old
dacsa drop vm/old
lacks vm/old || fail "a tombstone cannot be removed"
dacsa snapshot vm old >/dev/null # the name is free
dacsa drop vm/old
lacks vm/old || fail "what was asked to go left something"
is_running vm || fail "the guest is stopped"
stop_dacsa

# --- the limit of all together: the oldest of all goes, of whichever VM

start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" --qmp "other=$tmp/other.qmp" --host-cow-limit 130M
wait_for 10 test -d "$mnt/vm"
dacsa snapshot vm first >/dev/null
wait_for 30 costs vm 70 || fail "it does not cost what is written: $(cat "$mnt/vm/status")"
! dropped vm/first || fail "dropped below the limit: $(cat "$mnt/vm/first/info")"
dacsa snapshot other second >/dev/null
wait_for 60 dropped vm/first || fail "over the limit, and still there: $(cat "$mnt"/*/*/info)"
grep -q '^why: all snapshots cost .* MiB, more than host-cow-limit allows, 130 MiB$' "$mnt/vm/first/info"
! dropped other/second || fail "the newer one went, too"
! lacks vm/first || fail "no tombstone"
is_running vm && is_running other || fail "a guest is stopped"
