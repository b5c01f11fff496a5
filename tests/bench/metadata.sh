#!/bin/bash
# How long it takes to read every text file of 300 processes through the mount, cold and warm; beside
# the same facts of as many processes of the same program in the host's own /proc. And what memory the
# viewer then has.
. "$(dirname "$0")/bench.sh"

rounds=${2:-9}
processes=300
text_files=(comm cmdline environ status maps)    # the same files, to the letter
tables=(fds threads memory.map netconns)         # what is a table here, and a directory in /proc
directories=(fd/ fdinfo/ task/)                  # (there is nothing like memory.map and netconns)
CACHE_KIB=65536                                  # what fs/viewer.c lets carved content take

start_guest_processes() {
  guest_run vm "i=0; while [ \$i -lt $processes ]; do sleep 1000000 & echo \$!; i=\$((i + 1)); done" \
    >"$tmp/guest-pids"
}

start_host_processes() {
  local i
  for ((i = 0; i < processes; i++)); do
    busybox sleep 1000000 >/dev/null 2>&1 &
    echo $!
  done >"$tmp/host-pids"
  disown -a
  cleanup_fn stop_host_processes
}

stop_host_processes() {
  xargs kill <"$tmp/host-pids"
}

# measure_files NAME DIRECTORY PIDS FILE...
measure_files() {
  local name=$1 us files bytes
  shift
  read -r us files bytes < <("$BENCH/readtree" "$@") || fail "readtree $*"
  echo "$us" >>"$figures/$name"
  echo "$files files, $bytes bytes" >"$tmp/$name.what"
}

measure_all() {
  local i tree=$mnt/vm/s/processes
  for ((i = 0; i < rounds; i++)); do
    mkdir "$mnt/vm/s"
    ls "$tree" >"$tmp/ignored" # the kernel is found, the processes are listed
    measure_files cold "$tree" "$tmp/guest-pids" "${text_files[@]}"
    measure_files proc /proc "$tmp/host-pids" "${text_files[@]}"
    measure_files warm "$tree" "$tmp/guest-pids" "${text_files[@]}"
    measure_files cold-tables "$tree" "$tmp/guest-pids" "${tables[@]}"
    measure_files proc-tables /proc "$tmp/host-pids" "${directories[@]}"
    measure_files warm-tables "$tree" "$tmp/guest-pids" "${tables[@]}"
    rmdir "$mnt/vm/s"
  done
}

all_of() {
  paste "$figures/$1" "$figures/$1-tables" | awk '{ print $1 + $2 }' >"$figures/$1-all"
}

print_all() {
  local name rss
  for name in cold warm proc; do
    all_of $name
  done
  header ms
  row "cold: ${text_files[*]}" cold 1000
  row "warm" warm 1000
  row "the host's /proc: the same files" proc 1000
  row "cold: ${tables[*]}" cold-tables 1000
  row "warm" warm-tables 1000
  row "the host's /proc: ${directories[*]}" proc-tables 1000
  for name in cold proc cold-tables proc-tables; do
    echo "$name: $(cat "$tmp/$name.what")"
  done
  printf '\nratios of medians\n'
  ratio "all files, cold / the host's /proc" "$(ratio_of cold-all proc-all)" "<= 3"
  ratio "all files, warm / the host's /proc" "$(ratio_of warm-all proc-all)" "<= 1"
  ratio "the same files, cold / the host's /proc" "$(ratio_of cold proc)" "<= 3"
  ratio "the same files, warm / the host's /proc" "$(ratio_of warm proc)" "<= 1"
  rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$(viewer)/status")
  ratio "viewer: MiB at most, beside its caches' budget" "$(calculate "($rss - $CACHE_KIB) / 1024")" "<= 64"
}

start_guest vm -m "${ram_mib}M"
start_guest_processes
start_host_processes
mount_guest vm
host
echo "guest of $ram_mib MiB; $processes processes of busybox here and there; $rounds rounds"
measure_all
print_all
