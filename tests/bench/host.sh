#!/bin/bash
# host.sh [MIB [ROUNDS [INTERVAL [VMS]]]]: what snapshots cost the host, with so many VMs side by side, a snapshot of
# each every INTERVAL seconds: processor time of dacsa and of the QEMUs, and the memory that copying on write
# takes, for idle guests and with one of them that writes. Beside it QEMU's own dump-guest-memory as often.
. "$(dirname "$0")/bench.sh"

ram_mib=${1:-256}
rounds=${2:-2} # snapshots of each VM while processor time is measured
interval=${3:-10}
counts=${4:-1 5}
rate=20 # MiB that the writing guest writes a second

# --- processor time -------------------------------------------------------------------------------

# ticks PID...: processor time of these and of the children they have waited for, in clock ticks.
ticks() {
  local pid paths=()
  for pid; do
    paths+=("/proc/$pid/stat")
  done
  cat "${paths[@]}" 2>/dev/null | sed 's/.*) //' | awk '{ sum += $12 + $13 + $14 + $15 } END { print sum + 0 }'
}

# The keeper with its workers, and the viewer.
dacsa_ticks() {
  # shellcheck disable=SC2046 # a word a process
  ticks "$dacsa_pid" $(pgrep -P "$dacsa_pid")
}

# load NAME CMD...: per cent of one processor that dacsa and that the QEMUs take while CMD runs.
load() {
  local name=$1 began=$EPOCHREALTIME dacsa qemu seconds
  shift
  dacsa=$(dacsa_ticks)
  qemu=$(ticks "${guest_pid[@]}")
  "$@"
  seconds=$(calculate 'end - begin' "end=$EPOCHREALTIME" "begin=$began")
  in_per_cent $(($(dacsa_ticks) - dacsa)) "$seconds" >"$figures/$name-dacsa"
  in_per_cent $(($(ticks "${guest_pid[@]}") - qemu)) "$seconds" >"$figures/$name-qemu"
}

in_per_cent() {
  echo "$(calculate '100 * ticks / hz / seconds' "ticks=$1" "hz=$(getconf CLK_TCK)" "seconds=$2")"
}

# --- what is done meanwhile -----------------------------------------------------------------------

# each VERB: mkdir or rmdir of a snapshot of every VM.
each() {
  local vm
  for vm in "${vms[@]}"; do
    "$1" "$mnt/$vm/s"
  done
}

nothing() {
  sleep $((rounds * interval))
}

# A snapshot of each VM every interval, one after the other; each is dropped when the next is due.
periodic_snapshots() {
  local i vm due=$EPOCHREALTIME
  for ((i = 0; i < rounds; i++)); do
    for vm in "${vms[@]}"; do
      [ $i = 0 ] || rmdir "$mnt/$vm/s"
      mkdir "$mnt/$vm/s"
      due=$(calculate 'due + interval / n' "due=$due" "interval=$interval" "n=${#vms[@]}")
      sleep_until "$due"
    done
  done
  each rmdir
}

# The first VM's memory to a file, as often.
periodic_dumps() {
  local i due=$EPOCHREALTIME
  for ((i = 0; i < rounds; i++)); do
    qmp "${vms[0]}" dump-guest-memory "{\"paging\":false,\"protocol\":\"file:$tmp/dump\"}" >"$tmp/ignored" ||
      fail "dump-guest-memory"
    rm "$tmp/dump"
    due=$(calculate 'due + interval' "due=$due" "interval=$interval")
    sleep_until "$due"
  done
}

# --- memory ---------------------------------------------------------------------------------------

private_mib() {
  awk '/^private_bytes: / { sum += $2 / 1048576 } END { printf "%.1f\n", sum }' "$@"
}

# measure_memory NAME: private_bytes half an interval, one and two after a snapshot: of the first VM, and of all.
measure_memory() {
  local mark began
  each mkdir
  began=$EPOCHREALTIME
  for mark in 0.5 1 2; do
    sleep_until "$(calculate 'began + mark * interval' "began=$began" "mark=$mark" "interval=$interval")"
    private_mib "$mnt/${vms[0]}/s/info" >>"$figures/$1-first"
    private_mib "$mnt"/*/s/info >>"$figures/$1-all"
  done
  each rmdir
}

# --- the outcome ----------------------------------------------------------------------------------

# columns LABEL FIGURE...
columns() {
  printf '%-16s' "$1"
  printf ' %11s' "${@:2}"
  echo
}

print_header() {
  local half
  half=$(awk "BEGIN { print $interval / 2 }")
  printf '\nCPU: per cent of one, without and with snapshots; private: MiB of the first VM, so long after a snapshot\n'
  columns "VMs" "dacsa CPU" "with" "QEMUs CPU" "with" "private ${half}s" "${interval}s" "$((2 * interval))s" "of all VMs"
}

# print_line LABEL NAME
print_line() {
  local figure
  for figure in without-dacsa with-dacsa without-qemu with-qemu first; do
    cat "$figures/$2-$figure"
  done | {
    mapfile -t figure
    columns "$1" "${figure[@]}" "$(tail -n 1 "$figures/$2-all")"
  }
}

# --- measuring ------------------------------------------------------------------------------------

# measure LABEL NAME
measure() {
  load "$2-without" nothing
  load "$2-with" periodic_snapshots
  measure_memory "$2"
  print_line "$1" "$2"
}

start_vms() {
  local vm
  vms=()
  for ((vm = 1; vm <= $1; vm++)); do
    vms+=("vm$vm")
    if [ "$vm" = 1 ]; then
      start_guest vm1 -m "${ram_mib}M" "${events[@]}"
    else
      start_guest "vm$vm" -m "${ram_mib}M"
    fi
  done
  mount_guest "${vms[@]}"
}

stop_vms() {
  local vm
  stop_dacsa
  for vm in "${vms[@]}"; do
    stop_guest "$vm"
  done
}

# compare_dumps: with the first VM alone.
compare_dumps() {
  watch_events
  load dumps periodic_dumps
  standstills >"$figures/dump"
  load snapshots periodic_snapshots
  standstills | tail -n +$((rounds + 1)) >"$figures/snapshot"
  header "ms that the guest stands still"
  row "a snapshot" snapshot 1000
  row "dump-guest-memory to a file" dump 1000
  printf '%% of a CPU, dacsa and QEMU: %s with snapshots, %s with dumps, %s of that without either\n' \
    "$(calculate 'a + b' "a=$(cat "$figures/snapshots-dacsa")" "b=$(cat "$figures/snapshots-qemu")")" \
    "$(calculate 'a + b' "a=$(cat "$figures/dumps-dacsa")" "b=$(cat "$figures/dumps-qemu")")" \
    "$(cat "$figures/idle-1-without-qemu")"
}

host
echo "guests of $ram_mib MiB; $rounds snapshots of each, one every $interval s; the first guest idle or writing $rate MiB/s"
print_header
for count in $counts; do
  start_vms "$count"
  measure "$count idle" "idle-$count"
  start_in_guest vm1 "ROLE=writer $rate" writer >/dev/null
  measure "$count, one writes" "writing-$count"
  stop_vms
done
beside "dacsa, % of a CPU, $count idle VMs" "$(cat "$figures/idle-$count-with-dacsa")" "3 %, 1 to 15 VMs"
beside "private MiB after $((2 * interval)) s, idle" "$(tail -n 1 "$figures/idle-$count-first")" "100-300 MB a minute"
beside "private MiB after $((2 * interval)) s, writing" "$(tail -n 1 "$figures/writing-$count-first")" "100-300 MB a minute"
start_vms 1
load idle-1-without nothing
compare_dumps
