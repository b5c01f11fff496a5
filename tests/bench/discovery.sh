#!/bin/bash
# How long it takes to find out what runs in a guest: from opening `processes` of the first snapshot of
# a kernel that dacsa never saw to having its list of processes; in a guest whose memory is in use, in
# one whose memory is not, and in a large one; beside one sweep of 1 GiB with process_vm_readv.
. "$(dirname "$0")/bench.sh"

rounds=${2:-12}
large_mib=8192 # never touched

# measure_list GUEST: the first list, and that of a second snapshot; the difference is discovery.
measure_list() {
  local listed
  read -r _ _ listed _ < <("$BENCH/listall" "$mnt/$1" new)
  echo "$listed" >>"$figures/$1"
  read -r _ _ listed _ < <("$BENCH/listall" "$mnt/$1" next)
  echo "$listed" >>"$figures/$1-next"
  rmdir "$mnt/$1/new" "$mnt/$1/next"
}

measure_all() {
  local i guest
  for ((i = 0; i < rounds; i++)); do
    mount_guest vm sparse large
    for guest in vm sparse large; do
      measure sweep "$BENCH/sweep" "${guest_pid[vm]}" "$ram_mib"
      measure_list "$guest"
    done
    stop_dacsa
  done
}

print_all() {
  header ms
  row "list of an unknown kernel: $ram_mib MiB, in use" vm 1000
  row "  of one that is known" vm-next 1000
  row "list of an unknown kernel: $ram_mib MiB, sparse" sparse 1000
  row "  of one that is known" sparse-next 1000
  row "list of an unknown kernel: $large_mib MiB, sparse" large 1000
  row "  of one that is known" large-next 1000
  row "one sweep of $ram_mib MiB with process_vm_readv" sweep 1000
  printf '\nratios of medians\n'
  ratio "unknown kernel, $ram_mib MiB in use / sweep" "$(ratio_of vm sweep)" "<= 0.5"
  ratio "unknown kernel, $ram_mib MiB sparse / sweep" "$(ratio_of sparse sweep)" "<= 0.5"
  ratio "unknown kernel, $large_mib MiB sparse / sweep" "$(ratio_of large sweep)" "<= 0.5"
  ratio "unknown kernel, $large_mib MiB / $ram_mib MiB, sparse" \
    "$(calculate 'a / b' "a=$(quantile large median)" "b=$(quantile sparse median)")" "1"
}

start_touched_guest
start_guest sparse -m "${ram_mib}M"
start_guest large -m "${large_mib}M"
host
measure_all
echo "kernel $(guest_run vm 'uname -r'); $rounds rounds"
print_all
