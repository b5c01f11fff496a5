#!/bin/bash
# QEMU is killed while snapshots of it are being taken: each request ends, with a snapshot or with an
# error, nothing hangs, and dacsa and the other guest are none the worse for it.
. "$(dirname "$0")/../functions.sh"

ROUNDS=10
expected_complaints='WARNING.* victim[0-9]*/' # requests that fail are told

# take_and_drop NAME: until the guest is gone; fails if a request takes longer than a deadline.
take_and_drop() {
  local i status
  for ((i = 0; ; i++)); do
    status=0
    timeout 30 "$DACSA" snapshot --mount "$mnt" "$1" "s$i" >/dev/null 2>"$tmp/$1.error" || status=$?
    [ $status -ne 124 ] || fail "a request hangs"
    [ $status -eq 0 ] || break
    touch "$tmp/$1.taken"
    rmdir "$mnt/$1/s$i"
  done
  [ "$(grep -c '^dacsa: ' "$tmp/$1.error")" = 1 ] || fail "no clear error: $(cat "$tmp/$1.error")"
}

names=()
for ((round = 0; round < ROUNDS; round++)); do
  names+=("victim$round")
done
for name in "${names[@]}" bystander; do
  start_qemu "$name" -m 64M # no operating system: only QEMU matters here
done
mount_guest "${names[@]}" bystander

for name in "${names[@]}"; do
  take_and_drop "$name" &
  loop=$!
  wait_for 10 test -e "$tmp/$name.taken" || fail "no snapshot of $name is taken"
  sleep "0.0$((RANDOM % 10))$((RANDOM % 10))" # not to wait for something: a random moment
  pid=${guest_pid[$name]}
  forget_guest "$name"
  kill -KILL "$pid"
  wait "$loop"
  [ ! -d "$mnt/$name" ] || for snapshot in "$mnt/$name"/s*/; do
    [ ! -d "$snapshot" ] || rmdir "$snapshot"
  done
  wait_for 10 lacks "$name" || fail "$name is gone but still listed: $(cat "$mnt/$name/status")"
done

dacsa snapshot bystander now >/dev/null
is_running bystander || fail "the other guest is stopped"
