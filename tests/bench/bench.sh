# tests/bench/bench.sh: what a benchmark is made of, beside all that a test case is made of
# (tests/functions.sh). Figures are collected one a line in files, $figures/<name>, and printed as rows.
# Every benchmark is called NAME.sh [MIB OF GUEST RAM [ROUNDS]]; some have further arguments.
# shellcheck shell=bash

# shellcheck source=tests/functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/../functions.sh"

BENCH=$(realpath -m "${BENCH:-$root/build/tests/bench}")
figures=$tmp/figures
mkdir "$figures"
ram_mib=${1:-1024} # the guest's

# measure NAME CMD...: appends the first word that CMD prints to the figures NAME.
measure() {
  local name=$1 output
  shift
  output=$("$@")
  echo "${output%% *}" >>"$figures/$name"
}

# quantile NAME WHICH: min, median or max of the figures NAME.
quantile() {
  sort -g "$figures/$1" | awk -v which="$2" '
    { v[NR] = $1 }
    END {
      if (which == "min") print v[1]
      else if (which == "max") print v[NR]
      else print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
    }'
}

# header UNIT
header() {
  printf '\n%-46s %9s %9s %9s %9s\n' "$1" first median min max
}

# row LABEL NAME DIVISOR: the first of the figures, and median, least and largest of the others.
row() {
  local first
  first=$(head -n 1 "$figures/$2")
  tail -n +2 "$figures/$2" >"$figures/$2.rest"
  [ -s "$figures/$2.rest" ] || cp "$figures/$2" "$figures/$2.rest"
  printf '%-46s %9s %9s %9s %9s\n' "$1" "$(in_unit "$first" "$3")" \
    "$(in_unit "$(quantile "$2.rest" median)" "$3")" "$(in_unit "$(quantile "$2.rest" min)" "$3")" \
    "$(in_unit "$(quantile "$2.rest" max)" "$3")"
}

in_unit() {
  awk -v value="$1" -v divisor="$2" 'BEGIN { printf "%.2f", value / divisor }'
}

# calculate EXPRESSION [VARIABLE=VALUE]...: two digits.
calculate() {
  local expression=$1 word args=()
  shift
  for word; do
    args+=(-v "$word")
  done
  awk "${args[@]}" "BEGIN { printf \"%.2f\", $expression }"
}

# sleep_until TIME: seconds, as EPOCHREALTIME has them; what goes on at intervals keeps to them.
sleep_until() {
  local left
  left=$(calculate 'time - now' "time=$1" "now=$EPOCHREALTIME")
  [[ $left == -* ]] || sleep "$left"
}

# ratio_of A B: of two figures' medians.
ratio_of() {
  calculate 'a / b' "a=$(quantile "$1" median)" "b=$(quantile "$2" median)"
}

# info KEY [SNAPSHOT]: what the guest vm's snapshot, s if it is not named, says of itself.
info() {
  sed -n "s/^$1: //p" "$mnt/vm/${2:-s}/info"
}

# ratio LABEL VALUE AIM: AIM is text.
ratio() {
  printf '%-46s %9s   aim: %s\n' "$1" "$2" "$3"
}

# beside LABEL VALUE PAPER: a figure, and what the paper has for it (README.md names it).
beside() {
  printf '%-46s %9s   paper: %s\n' "$1" "$2" "$3"
}

# smaps PID KEY: a figure of smaps_rollup in KiB.
smaps() {
  awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/smaps_rollup"
}

# start_touched_guest [QEMU ARGS]: the guest vm with its RAM in use: by a process, as far as its
# kernel leaves it any.
start_touched_guest() {
  touch_mib=$((ram_mib * 92 / 100 - 100))
  start_guest vm -m "${ram_mib}M" "$@"
  start_in_guest vm filler touch "$touch_mib" >/dev/null
}

# host: what the figures were taken on, and what else was going on there.
host() {
  printf '%s, %s cores, Linux %s, QEMU %s (%s), load %s\n' \
    "$(sed -n 's/^model name.*: //p;T;q' /proc/cpuinfo)" "$(nproc)" "$(uname -r | cut -d- -f1)" \
    "$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')" "$(accelerator)" \
    "$(cut -d' ' -f1 /proc/loadavg)"
}

# --- how long a guest stands still, as its monitor's events say -------------------------------------

# A second monitor, for the guest that these arguments are given to.
# shellcheck disable=SC2034 # benchmarks use it
events=(-qmp "unix:$tmp/events.qmp,server=on,wait=off")

watch_events() {
  mkfifo "$tmp/to-events"
  exec {to_events}<>"$tmp/to-events"
  echo '{"execute":"qmp_capabilities"}' >&"$to_events"
  socat - "UNIX-CONNECT:$tmp/events.qmp" <&"$to_events" >"$tmp/events" 2>/dev/null &
  cleanup_fn end_process $! 5
}

# standstills: microseconds from each STOP to the RESUME after it, by QEMU's own time stamps.
standstills() {
  sed -nE 's/.*"seconds": ([0-9]+), "microseconds": ([0-9]+)\}.*"event": "(STOP|RESUME)".*/\3 \1 \2/p' "$tmp/events" |
    awk '{ us = $2 * 1000000 + $3 } $1 == "STOP" { stop = us } $1 == "RESUME" { printf "%d\n", us - stop }'
}
