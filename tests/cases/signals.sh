#!/bin/bash
# QEMU gets signals while snapshots of it are being taken: those that it takes no harm from do it none then
# either, SIGTERM ends it as ever, and a QEMU that somebody stopped stays so until it is continued.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"

TAKES=60
ROUNDS=8
expected_complaints='WARNING.* (vm|victim[0-9]*)/' # requests that fail are told
signals=(ALRM IO CHLD WINCH URG CONT)

state_of() {
  awk '/^State/ { print $2 }' "/proc/$1/status"
}

is_stopped() {
  [ "$(state_of "${guest_pid[vm]}")" = T ]
}

signal_all() {
  local i
  while [ ! -e "$tmp/enough" ]; do
    for ((i = 0; i < 50; i++)); do
      kill -s "${signals[RANDOM % ${#signals[@]}]}" "${guest_pid[vm]}"
    done
    echo >>"$tmp/sent"
  done
}

start_guest vm
mount_guest vm
before=$(qemu_facts)
well() {
  wait_for 10 is_intact || fail "QEMU is not as it was: $(diff <(echo "$before") <(echo "$facts"))"
  is_running vm || fail "the guest stands still"
  guest_run vm true
}

# --- all sorts, all the time

signal_all &
sender=$!
taken=0
for ((i = 0; i < TAKES; i++)); do
  ! mkdir "$mnt/vm/s" 2>>"$tmp/said" || { taken=$((taken + 1)) && rmdir "$mnt/vm/s"; }
done
touch "$tmp/enough"
wait $sender
well
[ $taken -ge $((TAKES / 2)) ] || fail "only $taken of $TAKES are taken: $(cat "$tmp/said")"
[ "$(wc -l <"$tmp/sent")" -gt 10 ] || fail "hardly a signal was sent"

# --- stopped by somebody before: refused, and left so

kill -STOP "${guest_pid[vm]}"
wait_for 5 is_stopped
expect_error 1 . dacsa snapshot vm stopped
is_stopped || fail "somebody else's stop is lifted"
kill -CONT "${guest_pid[vm]}"
well

# --- stopped by somebody in the middle, at any moment: no harm, once it is continued

for ((i = 0; i < ROUNDS; i++)); do
  mkdir "$mnt/vm/s" 2>>"$tmp/said" &
  request=$!
  sleep "0.0$((RANDOM % 2))$((RANDOM % 10))" # not to wait for something: a random moment
  kill -STOP "${guest_pid[vm]}"
  # What was under way goes on as far as it can without QEMU.
  wait_for 1 dead $request || :
  kill -CONT "${guest_pid[vm]}"
  wait $request || :
  drop_shown
  well
done
dacsa snapshot vm now >/dev/null
stop_dacsa
stop_guest vm

# --- asked to end: it does, by itself

names=()
for ((i = 0; i < ROUNDS; i++)); do
  names+=("victim$i")
  start_qemu "victim$i" -m 64M
done
mount_guest "${names[@]}"
for name in "${names[@]}"; do
  (for ((j = 0; ; j++)); do mkdir "$mnt/$name/s$j" && rmdir "$mnt/$name/s$j" || break; done) 2>>"$tmp/said" &
  loop=$!
  sleep "0.$((RANDOM % 3))$((RANDOM % 10))" # a random moment
  pid=${guest_pid[$name]}
  forget_guest "$name"
  kill -TERM "$pid"
  # QEMU 7.2 may wait in monitor_cleanup for ever if a command was under way; that is its own affair.
  if ! wait_for 8 dead "$pid"; then
    grep -q '^State:.S' "/proc/$pid/status" && grep -q '^TracerPid:.0$' "/proc/$pid/status" ||
      fail "$name does not end: $(cat "/proc/$pid/status")"
    kill -KILL "$pid"
  fi
  grep -q 'terminating on signal 15' "$tmp/$name.log" || fail "$name ended otherwise: $(cat "$tmp/$name.log")"
  wait $loop
  for snapshot in "$mnt/$name"/s*/; do
    [ ! -d "$snapshot" ] || rmdir "$snapshot"
  done
done
