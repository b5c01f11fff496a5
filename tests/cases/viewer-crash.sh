#!/bin/bash
# A viewer that crashes is followed by another: the same connection, the same numbers, all snapshots. What
# was asked of the dead one fails with EIO; nobody reads a wrong byte, nobody waits for ever.
. "$(dirname "$0")/../functions.sh"

expected_complaints='the viewer was killed by signal (9|11) .*; another one is started'

# numbers SNAPSHOT: every path below it and its number, as the viewer lists them.
numbers() {
  python3 - "$1" <<'PYTHON'
import os, sys
todo = [sys.argv[1]]
while todo:
    for entry in os.scandir(todo.pop()):
        print(entry.path, entry.inode())
        if entry.is_dir(follow_symlinks=False):
            todo.append(entry.path)
PYTHON
}

# evidence SNAPSHOT: what its small files say.
evidence() {
  cat "$1/cpus" "$1/modules" "$1/netconns" "$1"/json/*.jsonl "$1"/processes/*/{maps,fds,status} | cksum
  grep -v '^private_bytes:' "$1/info"
}

start_guest vm
start_in_guest vm ROLE='crowd 60' crowd >/dev/null
pid=$(start_in_guest vm ROLE='counter 8' counter)
mount_guest vm
dacsa snapshot vm first >/dev/null
dacsa snapshot vm second >/dev/null
before=$(evidence "$mnt/vm/first")
numbers "$mnt/vm" | sort >"$tmp/numbers"

# Idle, each way, with what is open in it.
for signal in SEGV KILL; do
  coproc held { "$root/tests/hold-open" "$mnt/vm/first" "$pid" 2>&1; }
  holder=$held_PID
  read -r line <&"${held[0]}" && [ "$line" = ready ] || fail "hold-open: $line"
  crash_viewer $signal
  exec {out}<&"${held[0]}"
  echo >&"${held[1]}"
  wait "$holder" || fail "after SIG$signal: $(cat <&"$out")"
  exec {out}<&-
  same "$(numbers "$mnt/vm" | sort)" "$(cat "$tmp/numbers")" "numbers of the same paths before and after"
  same "$(evidence "$mnt/vm/first")" "$before" "a snapshot before and after"
done
same "$(grep -c 'killed by signal 11 (Segmentation fault); another one is started' "$tmp/dacsa.log")" 1 \
  "lines that tell of the crash and crashes"

# While a snapshot is taken: somebody else has the monitor, so it takes as long as we like. Who waits for it
# gets EIO, and it is there all the same.
mkfifo "$tmp/hold"
: >"$tmp/held"
socat -t 0 - "UNIX-CONNECT:$tmp/vm.qmp" <"$tmp/hold" >>"$tmp/held" &
exec {hold}>"$tmp/hold"
wait_for 10 grep -q QMP "$tmp/held" || fail "the monitor greets nobody"
dacsa snapshot vm third >"$tmp/third" 2>&1 &
taker=$!
# The worker is there, and has nothing of the mount: it may outlive it.
taking() {
  worker=$(pgrep -P "$dacsa_pid" -x dacsa-keeper) && [ -z "$(find "/proc/$worker/fd" -lname /dev/fuse)" ]
}
wait_for 10 taking || fail "nobody takes the snapshot, or who does holds the mount"
crash_viewer KILL
wait_for 20 dead "$taker" || fail "who asked the dead viewer waits on"
wait "$taker" && fail "the viewer that was asked is dead, but there is an answer: $(cat "$tmp/third")"
grep -q 'Input/output error' "$tmp/third" || fail "not EIO: $(cat "$tmp/third")"
[ ! -e "$mnt/vm/third" ] || fail "the snapshot is there though nobody let it happen"
exec {hold}>&-
wait_for 30 test -d "$mnt/vm/third" || fail "the snapshot that was under way does not appear"
is_running vm || fail "the guest is stopped"

# Twenty times, one after the other, while everybody reads.
readers=()
for file in physmem "processes/$pid/memory" vmcore; do
  : >"$tmp/reader.${#readers[@]}"
  "$root/tests/read-on" "$mnt/vm/first/$file" >"$tmp/reader.${#readers[@]}" 2>&1 &
  readers+=($!)
done
for i in "${!readers[@]}"; do
  wait_for 30 grep -q ready "$tmp/reader.$i" || fail "read-on: $(cat "$tmp/reader.$i")"
done
touch "$tmp/go"
while [ -e "$tmp/go" ]; do
  find "$mnt/vm/second" -type f -size +1 2>&1 >/dev/null | grep -v ': Input/output error$' || :
done >"$tmp/find" &
finder=$!
for _ in {1..20}; do
  crash_viewer KILL
done
rm "$tmp/go"
wait_for 60 dead "$finder" || fail "find waits on"
wait "$finder"
same "$(cat "$tmp/find")" "" "what find complains of, beside EIO, and nothing"
for i in "${!readers[@]}"; do
  kill "${readers[i]}"
  wait_for 60 dead "${readers[i]}" || fail "who reads waits on"
  wait "${readers[i]}" || fail "read-on: $(cat "$tmp/reader.$i")"
  [ "$(tail -n 1 "$tmp/reader.$i" | cut -d ' ' -f 1)" -gt 0 ] || fail "nothing was read: $(cat "$tmp/reader.$i")"
done

# Nothing is lost, and it goes on.
same "$(evidence "$mnt/vm/first")" "$before" "a snapshot before and after"
grep -v "^$mnt/vm/third" "$tmp/numbers" >"$tmp/others"
same "$(numbers "$mnt/vm" | sort | grep -v "^$mnt/vm/third")" "$(cat "$tmp/others")" "numbers before and after"
dacsa snapshot vm fourth >/dev/null
dacsa drop vm/first vm/second vm/third
same "$(ls "$mnt/vm" | tr '\n' ' ')" "fourth latest status " "what is there and what should be"
same "$(cat "$mnt/vm/fourth/processes/$pid/comm")" counter "a new snapshot's file"
is_running vm || fail "the guest is stopped"

# An unmount is still an end, and no crash.
umount "$mnt"
wait "$dacsa_pid" 2>/dev/null || :
wait_for 10 dead "$dacsa_pid" || fail "dacsa mount goes on after umount"
dacsa_pid=
! grep -E 'CRITICAL|WARNING|Sanitizer|runtime error:' "$tmp/dacsa.log" | grep -vE "$expected_complaints" ||
  fail "suspicious output of dacsa mount"
