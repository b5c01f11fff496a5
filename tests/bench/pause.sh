#!/bin/bash
# How long a guest stands still for a snapshot: as dacsa says, as the monitor's events say, as the
# guest's clock and those it talks to see; beside a bare fork() of a process of the same size and page sizes, and beside
# QEMU's dump-guest-memory.
. "$(dirname "$0")/bench.sh"

snapshots=${2:-24}
window=0.25 # seconds before and after each snapshot that the guest watches its clock, too

# --- the monitor's events -------------------------------------------------------------------------

stops=0

# paused_us: the latest standstill. There has to have been one more since this was last asked.
paused_us() {
  wait_for 10 resumed || fail "there is no pause to be seen: $(tail -n 3 "$tmp/events")"
  standstills | tail -n 1
}

resumed() {
  [ "$(grep -c '"event": "STOP"' "$tmp/events")" = $stops ] &&
    [ "$(grep -c '"event": "RESUME"' "$tmp/events")" = $stops ]
}

# --- the guest's clock ---------------------------------------------------------------------------

# guest_gap: the largest gap in the guest's clock since it was last asked.
guest_gap() {
  guest_run vm "rm -f /run/gap; kill -USR1 $gap_pid; until [ -e /run/gap ]; do usleep 1000; done; cat /run/gap"
}

# --- the guest's voice -----------------------------------------------------------------------------

# It writes to its second serial port without end. Not while anything else is measured: it keeps a
# virtual CPU and QEMU busy.
start_talking() {
  voice_pid=$(guest_run vm 'yes >/dev/ttyS1 & echo $!')
}

stop_talking() {
  guest_run vm "kill $voice_pid" >"$tmp/ignored"
}

# measure_silence NAME CMD...: how long the guest is not to be heard while CMD runs.
measure_silence() {
  local name=$1 listener
  shift
  "$BENCH/silence" "$tmp/vm.voice" 600 >"$tmp/silence" &
  listener=$!
  sleep $window
  "$@"
  wait $listener || fail "the guest says nothing"
  cat "$tmp/silence" >>"$figures/$name"
}

# --- what is measured ----------------------------------------------------------------------------

# One snapshot, dropped again; and the guest's clock in as long a time without one.
measure_snapshot() {
  local name
  guest_gap >"$tmp/ignored"
  sleep $window
  mkdir "$mnt/vm/s"
  sleep $window
  measure gap guest_gap
  sleep $window
  sleep $window
  measure gap-without guest_gap

  stops=$((stops + 1))
  measure monitor paused_us
  for name in pause_us quiesce_us fork_us; do
    measure $name info $name
  done
  rmdir "$mnt/vm/s"
}

# The yardstick, with as much memory and as many huge pages as QEMU has at this moment.
measure_fork() {
  measure fork "$BENCH/forks" "$(smaps "${guest_pid[vm]}" Anonymous)" \
    "$(smaps "${guest_pid[vm]}" AnonHugePages)"
}

measure_silences() {
  local i
  start_talking
  for ((i = 0; i < snapshots; i++)); do
    measure_silence silence mkdir "$mnt/vm/s"
    rmdir "$mnt/vm/s"
    measure_silence silence-without true
  done
  stop_talking
  stops=$((stops + snapshots))
}

measure_dump() {
  qmp vm dump-guest-memory "{\"paging\":false,\"protocol\":\"file:$2\"}" >/dev/null ||
    fail "dump-guest-memory"
  stops=$((stops + 1))
  measure "$1" paused_us
}

# How many of the snapshots' pauses were no longer than 2x the bare fork beside it plus 2 ms.
within_aim() {
  paste "$figures/pause_us" "$figures/fork" | awk '$1 <= 2 * $2 + 2000 { n++ } END { printf "%d", n }'
}

measure_all() {
  local i resident huge
  for ((i = 0; i < snapshots; i++)); do
    resident=$(smaps "${guest_pid[vm]}" Anonymous)
    huge=$(smaps "${guest_pid[vm]}" AnonHugePages)
    echo "$((huge * 100 / resident))" >>"$figures/huge"
    measure_fork
    measure_snapshot
    if ((i % 8 == 1)); then
      measure fork-small "$BENCH/forks" "$resident" 0
      measure fork-huge "$BENCH/forks" "$resident" "$resident"
      measure_dump dump "$tmp/dump"
      rm "$tmp/dump"
      measure_dump dump-null /dev/null
    fi
  done
}

print_all() {
  local pause fork
  header ms
  row "pause_us, as dacsa reports it" pause_us 1000
  row "  of that quiesce_us" quiesce_us 1000
  row "  of that fork_us" fork_us 1000
  row "STOP to RESUME, the monitor's events" monitor 1000
  row "largest gap of the guest's clock" gap 1000
  row "  the same without a snapshot" gap-without 1000
  row "longest silence of a guest that talks" silence 1000
  row "  the same without a snapshot" silence-without 1000
  row "bare fork(), huge pages as QEMU's" fork 1000
  row "bare fork(), 4 KiB pages only" fork-small 1000
  row "bare fork(), huge pages only" fork-huge 1000
  row "dump-guest-memory to a file: STOP to RESUME" dump 1000
  row "dump-guest-memory to /dev/null" dump-null 1000
  header %
  row "QEMU's memory that is in huge pages" huge 1

  pause=$(quantile pause_us median)
  fork=$(quantile fork median)
  printf '\nratios of medians\n'
  ratio "pause_us / (2 x fork + 2 ms)" "$(calculate 'p / (2 * f + 2000)' "p=$pause" "f=$fork")" "<= 1"
  ratio "STOP to RESUME / (2 x fork + 2 ms)" \
    "$(calculate 'p / (2 * f + 2000)' "p=$(quantile monitor median)" "f=$fork")" "<= 1"
  ratio "silence / (2 x fork + 2 ms)" \
    "$(calculate 'p / (2 * f + 2000)' "p=$(quantile silence median)" "f=$fork")" "<= 1"
  ratio "dump-guest-memory / pause_us" \
    "$(calculate 'd / p' "d=$(quantile dump median)" "p=$pause")" ">= 200"
  echo "$(within_aim) of $snapshots pauses are within 2 x the fork beside them + 2 ms"
}

start_touched_guest "${events[@]}" \
  -chardev "socket,id=voice,path=$tmp/vm.voice,server=on,wait=off" -serial chardev:voice
gap_pid=$(start_in_guest vm gap gap)
watch_events
mount_guest vm
host
echo "guest of $ram_mib MiB, $touch_mib MiB of it touched by a process; $snapshots snapshots," \
  "each dropped before the next"
measure_all
measure_silences
print_all
