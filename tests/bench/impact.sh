#!/bin/bash
# impact.sh [MIB [ROUNDS [INTERVAL]]]: what snapshots cost a guest at work: how much it gets done, by the host's
# clock and by its own, without snapshots and with one every INTERVAL seconds, each dropped when the next is due.
# One benchmark works in registers, one copies memory; measurements without and with snapshots take turns.
. "$(dirname "$0")/bench.sh"

rounds=${2:-3}
interval=${3:-10}
in_a_row=2 # snapshots a measurement
settle=3   # seconds between measurements: copying on write goes on a little after a drop

take_snapshots() {
  local i due=$EPOCHREALTIME
  for ((i = 0; i < in_a_row; i++)); do
    mkdir "$mnt/vm/s"
    sed -n 's/^pause_us: //p' "$mnt/vm/s/info" >>"$figures/pause_us"
    due=$(calculate 'due + interval' "due=$due" "interval=$interval")
    sleep_until "$due"
    rmdir "$mnt/vm/s"
  done
}

# count NAME CMD...: units a second while CMD runs.
count() {
  local name=$1 listener here there
  shift
  sleep "$settle"
  "$BENCH/pulse" "$tmp/vm.work" $((in_a_row * interval * 1000)) >"$tmp/pulse" &
  listener=$!
  wait_for 30 grep -q begun "$tmp/pulse" || fail "the guest does not work"
  "$@"
  wait $listener || fail "the guest has stopped working"
  read -r here there < <(tail -n 1 "$tmp/pulse")
  echo "$here" >>"$figures/$name"
  echo "$there" >>"$figures/$name-guest"
}

measure_all() {
  local i role pid
  for role in bench-cpu bench-memory; do
    pid=$(start_in_guest vm "ROLE=$role /dev/ttyS1" $role)
    for ((i = 0; i < rounds; i++)); do
      count $role-without true
      count $role-with take_snapshots
    done
    guest_run vm "kill $pid" >"$tmp/ignored"
  done
}

# losses ROLE [SUFFIX]: of each round, in per cent.
losses() {
  paste "$figures/$1-without${2:-}" "$figures/$1-with${2:-}" | awk '{ print 100 * (1 - $2 / $1) }' >"$figures/$1-loss${2:-}"
}

# print_role ROLE LABEL PAPER
print_role() {
  local without with
  header "$2: units a second"
  row "by the host's clock, without snapshots" "$1-without" 1
  row "  with one every $interval s" "$1-with" 1
  row "by the guest's clock, without snapshots" "$1-without-guest" 1
  row "  with one every $interval s" "$1-with-guest" 1
  losses "$1"
  losses "$1" -guest
  header "%"
  row "loss, round by round" "$1-loss" 1
  row "  by the guest's clock" "$1-loss-guest" 1
  without=$(quantile "$1-without" median)
  with=$(quantile "$1-with" median)
  beside "$2: loss of medians, %" "$(calculate '100 * (1 - a / b)' "a=$with" "b=$without")" "$3"
  beside "$2: median of the rounds' losses, %" "$(calculate x "x=$(quantile "$1-loss" median)")" "$3"
}

start_guest vm -m "${ram_mib}M" -chardev "socket,id=work,path=$tmp/vm.work,server=on,wait=off" -serial chardev:work
touch_mib=$((ram_mib * 92 / 100 - 400)) # beside what bench-memory has, and the kernel
start_in_guest vm filler touch "$touch_mib" >/dev/null
mount_guest vm
host
echo "guest of $ram_mib MiB, $touch_mib MiB of it touched by a process; $rounds rounds, in each" \
  "$((in_a_row * interval)) s without snapshots and as long with $in_a_row"
measure_all
print_role bench-cpu "processor" "0-6 %"
print_role bench-memory "memory" "0-3 %"
header ms
row "pause_us of these snapshots" pause_us 1000
