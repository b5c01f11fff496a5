#!/bin/bash
# series.sh [MIB [ROUNDS [SECONDS [scattered]]]]: does the pause stay as short as it was? Ten snapshots
# in a row, one each SECONDS, of a guest that writes to its memory all the time; huge pages put together
# again, and left as they are. Beside each a bare fork() of a process of the same size and page sizes.
# "simulated" in front of MIB: a QEMU without a guest, whose memory is written to from outside.
. "$(dirname "$0")/bench.sh"

simulated=
[ "${1:-}" != simulated ] || { simulated=1 && shift; }
ram_mib=${1:-1024}
rounds=${2:-1}
interval=${3:-10}
order=${4:+,$4}
RATE=64 # MiB of pages a second that the guest writes to
IN_ROW=10

# --- the guest ---------------------------------------------------------------------------------

room() {
  [ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -gt $(((2 * ram_mib + RATE * interval * 2 + 1024) * 1024)) ]
}

start_writing_guest() {
  if [ -n "$simulated" ]; then
    touch_mib=$ram_mib
    start_qemu vm -m "${ram_mib}M" -mem-prealloc
    "$BENCH/scribble" "${guest_pid[vm]}" "$ram_mib" $RATE &
    writer=$!
    cleanup_fn stop_writer
  else
    touch_mib=$((ram_mib * 92 / 100 - 100))
    start_guest vm -m "${ram_mib}M"
    start_in_guest vm "ROLE=churn $touch_mib,$RATE$order" churn >/dev/null
  fi
}

# Before QEMU, whose memory it has open.
stop_writer() {
  [ -n "${writer:-}" ] || return 0
  end_process "$writer" 5
  writer=
}

# --- a series ----------------------------------------------------------------------------------

# until_due N: the interval is what is measured with, so this is a wait for no event.
until_due() {
  local left=$((begin + $1 * interval * 1000 - $(date +%s%3N)))
  [ $left -le 0 ] || sleep "$(calculate 'l / 1000' "l=$left")"
}

# snapshot VARIANT N: the N-th, and what QEMU's memory is like just before.
snapshot() {
  local name pid=${guest_pid[vm]}
  anonymous=$(smaps "$pid" Anonymous)
  huge=$(smaps "$pid" AnonHugePages)
  mkdir "$mnt/vm/s$2"
  for name in pause_us quiesce_us fork_us; do
    info $name "s$2" >>"$figures/$1.$name"
  done
  echo "$((huge * 100 / anonymous))" >>"$figures/$1.huge"
}

# drop VARIANT N: the N-th, if there is one.
drop() {
  [ -e "$mnt/vm/s$2" ] || return 0
  info private_bytes "s$2" >>"$figures/$1.private"
  rmdir "$mnt/vm/s$2"
}

# measure_fork VARIANT: of a process like QEMU just before the last snapshot; at leisure.
measure_fork() {
  measure "$1.bare" "$BENCH/forks" "$anonymous" "$huge"
}

# series VARIANT HOLD [MOUNT ARGS]: each snapshot lives for HOLD tenths of the interval.
series() {
  local variant=$1 hold=$2 i
  start_writing_guest
  start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" "${@:3}"
  begin=$(date +%s%3N)
  for ((i = 1; i <= IN_ROW; i++)); do
    until_due "$i"
    drop "$variant" $((i - 1))
    snapshot "$variant" "$i"
    if [ "$hold" -lt 10 ]; then
      sleep "$(calculate 's * h / 10' "s=$interval" "h=$hold")"
      drop "$variant" "$i"
    fi
    measure_fork "$variant"
  done
  drop "$variant" $IN_ROW
  stop_dacsa
  stop_writer
  stop_guest vm
}

# --- the table ---------------------------------------------------------------------------------

# nth NAME N: the figures of the N-th snapshots of all series.
nth() {
  awk -v n="$2" -v row=$IN_ROW '(NR - 1) % row == n - 1' "$figures/$1" >"$figures/$1.$2"
  quantile "$1.$2" median
}

deviation() {
  awk '{ n++; s += $1; q += $1 * $1 } END { printf "%.3f", sqrt(q / n - (s / n) ^ 2 > 0 ? q / n - (s / n) ^ 2 : 0) }' "$figures/$1"
}

line() {
  local name=$2 which values=()
  values=("$(nth "$name" 1)" "$(nth "$name" $IN_ROW)")
  for which in min median max; do
    values+=("$(quantile "$name" $which)")
  done
  values+=("$(deviation "$name")")
  printf '%-34s' "$1"
  for which in "${values[@]}"; do
    printf ' %9s' "$(in_unit "$which" "$3")"
  done
  echo
}

# How many pauses were no longer than 2 x the bare fork beside them + 2 ms.
within_aim() {
  paste "$figures/$1.pause_us" "$figures/$1.bare" | awk '$1 <= 2 * $2 + 2000 { n++ } END { printf "%d of %d", n, NR }'
}

print_series() {
  local v=$1
  printf '\n%s\n%-34s %9s %9s %9s %9s %9s %9s\n' "$2" "ms" first tenth min median max sd
  line "pause_us" "$v.pause_us" 1000
  line "  of that quiesce_us" "$v.quiesce_us" 1000
  line "  of that fork_us" "$v.fork_us" 1000
  line "bare fork(), huge pages as QEMU's" "$v.bare" 1000
  line "QEMU's memory in huge pages, %" "$v.huge" 1
  printf '%-34s %9s MiB\n' "private_bytes at its end, median" "$(in_unit "$(quantile "$v.private" median)" 1048576)"
  ratio "tenth pause / first" "$(calculate 't / f' "t=$(nth "$v.pause_us" $IN_ROW)" "f=$(nth "$v.pause_us" 1)")" "<= 2"
  ratio "pause / (2 x bare fork + 2 ms), medians" \
    "$(calculate 'p / (2 * f + 2000)' "p=$(quantile "$v.pause_us" median)" "f=$(quantile "$v.bare" median)")" "<= 1"
  echo "$(within_aim "$v") pauses are within 2 x the fork beside them + 2 ms"
}

room || skip "the host has no room for a guest of $ram_mib MiB and as much beside it"
for ((round = 0; round < rounds; round++)); do
  series brief 2
  series held 10
  series off 10 --no-collapse
done
host
echo "${simulated:+QEMU without a guest, }$ram_mib MiB, $touch_mib MiB of it written to${order/,/, }, $RATE MiB/s;" \
  "$IN_ROW snapshots, one each $interval s; $rounds rounds"
print_series brief "huge pages put together again; each snapshot lives for a fifth of the time"
print_series held "huge pages put together again; each is dropped when the next is due"
print_series off "--no-collapse; each is dropped when the next is due"
