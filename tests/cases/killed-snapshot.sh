#!/bin/bash
# A snapshot whose process somebody kills leaves a directory that says so, until it is removed; so many of them
# are remembered, also of a VM that has ended. One that is dropped, as asked, leaves nothing.
. "$(dirname "$0")/../functions.sh"

REMEMBERED=16 # snap/shelf.c

# kill_snapshot VM NAME: takes one, and kills it.
kill_snapshot() {
  dacsa snapshot "$1" "$2" >/dev/null
  kill -KILL "$(parked "$1")"
  wait_for 10 dropped "$1/$2" || fail "$2 was killed, but the tree does not say so: $(ls "$mnt/$1/$2")"
}

start_qemu vm -m 64M
keep=1 mount_guest vm

for ((i = 1; i <= REMEMBERED; i++)); do
  kill_snapshot vm "s$i"
done
same "$(find "$mnt/vm" -mindepth 1 -maxdepth 1 -type d | wc -l)" $REMEMBERED "numbers of directories"
same "$(find "$mnt/vm/s1" -mindepth 1)" "$mnt/vm/s1/info" "what is left and info"
lacks vm/latest || fail "latest leads to what is gone"
kill_snapshot vm one-more
wait_for 10 lacks vm/s1 || fail "more than $REMEMBERED are remembered"
! lacks vm/s2 || fail "fewer than $REMEMBERED are remembered"
same "$(dacsa list vm | grep -c 'dropped: its child process was killed')" $REMEMBERED "numbers listed"
expect_error 1 'is there already' dacsa snapshot vm s2

# The name is free when it has been removed, once.
dacsa drop vm/s2
lacks vm/s2 || fail "it cannot be removed"
expect_error 1 'no snapshot' dacsa drop vm/s2
dacsa snapshot vm s2 >/dev/null
same "$(readlink "$mnt/vm/latest")" s2 latest
same "$(stat -c %s "$mnt/vm/s2/physmem")" "$(wc -c <"$mnt/vm/s2/physmem")" "sizes"
dacsa drop vm/s2
lacks vm/s2 || fail "one that was dropped as asked is remembered"

# They stay when the VM ends, and the VM is listed as long as there are any.
pid=${guest_pid[vm]}
forget_guest vm
kill -TERM "$pid"
wait_for 10 dead "$pid"
wait_for 10 grep -q '^state: gone' "$mnt/vm/status" || fail "status: $(cat "$mnt/vm/status")"
dropped vm/s3 || fail "the VM's end takes them with it"
for name in "$mnt"/vm/*/; do
  dacsa drop "vm/$(basename "$name")"
done
wait_for 10 lacks vm || fail "a VM that is gone, and of which nothing is left, is listed"

# A restarted daemon knows of none.
rm -f "$tmp/vm.qmp"
start_qemu vm -m 64M
wait_for 30 grep -qs '^snapshot: possible' "$mnt/vm/status" || fail "status: $(cat "$mnt/vm/status")"
kill_snapshot vm again
stop_dacsa
mount_guest vm
lacks vm/again || fail "a restarted daemon shows what is gone"
dacsa snapshot vm again >/dev/null
