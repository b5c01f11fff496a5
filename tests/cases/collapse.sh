#!/bin/bash
# Huge pages that copy-on-write has split are put together again once the snapshot is gone, and with
# --no-collapse they are not. It costs no memory: QEMU's resident size stays what it is, and what a
# living snapshot shares with QEMU stays shared. A snapshot that is taken meanwhile ends it, and works.
. "$(dirname "$0")/../functions.sh"

CHURN=192 # MiB that the guest writes to
SPLIT=$((CHURN * 1024 * 3 / 4)) # KiB of huge pages that are split by it, at least
export G_MESSAGES_DEBUG=all # passes are told

huge() {
  awk '$1 == "AnonHugePages:" { print $2 }' "/proc/${guest_pid[vm]}/smaps_rollup"
}

resident() {
  awk '$1 == "Rss:" { print $2 }' "/proc/${guest_pid[vm]}/smaps_rollup"
}

start() {
  start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" "$@"
}

# churned N: so many times the guest has written to all of it.
churned() {
  [ "$(guest_run vm 'cat /run/churn')" -ge "$1" ]
}

# churn: all of it is written to, and then the guest is at rest.
churn() {
  local passes
  passes=$(guest_run vm "cat /run/churn; kill -CONT $pid")
  wait_for 60 churned $((passes + 2)) || fail "the guest does not write"
  guest_run vm "kill -STOP $pid"
}

# drop NAME: and waits for its memory to be free.
drop() {
  rmdir "$mnt/vm/$1"
  wait_for 10 none_parked vm || fail "the dropped snapshot is still there"
}

passes() {
  grep -c 'vm: .* put together again' "$tmp/dacsa.log" || :
}

more_passes_than() {
  [ "$(passes)" -gt "$1" ]
}

last_pass() {
  grep 'vm: .* put together again' "$tmp/dacsa.log" | tail -n 1
}

at_least() {
  [ "$("$1")" -ge "$2" ]
}

# Almost: QEMU's own memory comes and goes, too.
is_whole() {
  at_least huge $((whole * 97 / 100))
}

# check_resident WHAT: QEMU's resident size is what it was, within 3 %.
check_resident() {
  local now
  now=$(resident)
  [ "$now" -le $((resident * 103 / 100)) ] ||
    fail "QEMU's resident size grew from $resident to $now KiB, $1"
}

private_kib() {
  echo $(($(sed -n 's/^private_bytes: //p' "$mnt/vm/$1/info") / 1024))
}

requires grep -qE '\[(always|madvise)\]' /sys/kernel/mm/transparent_hugepage/enabled
start_guest vm
pid=$(start_in_guest vm ROLE="churn $CHURN,400" churn)
guest_run vm "kill -STOP $pid"
whole=$(huge)
resident=$(resident)
[ "$whole" -gt $((CHURN * 1024)) ] || skip "the kernel gives QEMU no huge pages: $whole KiB"

# --- switched off

start --no-collapse
for name in first second; do # time enough for what must not be
  dacsa snapshot vm $name >/dev/null
  churn
  drop $name
done
low=$(huge)
[ $((whole - low)) -ge $SPLIT ] || fail "copy-on-write split nothing: huge pages $whole, then $low KiB"
same "$(passes)" 0 "passes with --no-collapse and none"
stop_dacsa

# --- a living snapshot

start
dacsa snapshot vm quiet >/dev/null
awk '$1 == "pause_us:" { p = $2 } $1 == "quiesce_us:" { q = $2 } $1 == "fork_us:" { f = $2 }
     END { exit !(q > 0 && f > 0 && q + f <= p) }' "$mnt/vm/quiet/info" ||
  fail "quiesce_us and fork_us are no parts of pause_us: $(cat "$mnt/vm/quiet/info")"
wait_for 30 more_passes_than 0 || fail "no pass follows a snapshot"
[[ $(last_pass) == *' vm: 0 of 0 split '* ]] || fail "what is shared was copied: $(last_pass)"
[[ $(last_pass) =~ \ ([0-9]+)\ shared ]] && [ "${BASH_REMATCH[1]}" -ge $((SPLIT / 2048)) ] ||
  fail "what was split before is not shared now: $(last_pass)"
[ "$(private_kib quiet)" -lt 16384 ] || fail "a snapshot of a quiet guest costs $(private_kib quiet) KiB"
churn
wait_for 60 at_least huge $((low + SPLIT)) || fail "what the guest has written to stays split: $(last_pass)"
[ "$(private_kib quiet)" -lt $((CHURN * 1024 * 5 / 4)) ] ||
  fail "the guest wrote to $CHURN MiB, the snapshot costs $(private_kib quiet) KiB"
check_resident "with a snapshot"

# --- none

drop quiet
wait_for 60 is_whole || fail "huge pages were $whole, are $(huge) KiB: $(last_pass)"
check_resident "without a snapshot"

# --- a snapshot in the middle of a pass

dacsa snapshot vm again >/dev/null
churn
low=$(huge)
drop again
wait_for 60 at_least huge $((low + 8192)) || fail "no pass has begun: $(last_pass)"
dacsa snapshot vm between >/dev/null
head -c 64M "$mnt/vm/between/physmem" >"$tmp/physmem"
[ "$(stat -c %s "$tmp/physmem")" = 67108864 ] || fail "the snapshot cannot be read"
drop between
wait_for 60 is_whole || fail "huge pages were $whole, are $(huge) KiB: $(last_pass)"
check_resident "at the end"

churn
guest_run vm "kill -0 $pid"
