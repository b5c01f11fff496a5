#!/bin/bash
# How long it takes from mkdir to having read the complete list of processes with their maps: for a
# kernel that dacsa never saw, and for the next snapshot of the same; beside one sweep of the guest's
# memory with process_vm_readv.
. "$(dirname "$0")/bench.sh"

rounds=${2:-12}
idle_processes=32 # in the guest, beside its kernel's

# measure_list NAME: a snapshot, and its list; dropped again.
measure_list() {
  local all taken listed maps
  read -r all taken listed maps processes mappings < <("$BENCH/listall" "$mnt/vm" s)
  echo "$all" >>"$figures/$1"
  echo "$taken" >>"$figures/$1-mkdir"
  echo "$listed" >>"$figures/$1-processes"
  echo "$maps" >>"$figures/$1-maps"
  rmdir "$mnt/vm/s"
}

measure_sweep() {
  measure sweep "$BENCH/sweep" "${guest_pid[vm]}" "$ram_mib"
}

measure_all() {
  local i
  for ((i = 0; i < rounds; i++)); do
    mount_guest vm
    measure_sweep
    measure_list new
    measure_sweep
    measure_list next
    stop_dacsa
  done
}

# rows LABEL NAME
rows() {
  row "$1" "$2" 1000
  row "  mkdir" "$2-mkdir" 1000
  row "  opening and reading processes/" "$2-processes" 1000
  row "  reading all maps" "$2-maps" 1000
}

print_all() {
  header ms
  rows "new kernel: mkdir to the last map" new
  rows "next snapshot: mkdir to the last map" next
  row "one sweep with process_vm_readv" sweep 1000
  printf '\nratios of medians\n'
  ratio "new kernel / sweep" "$(ratio_of new sweep)" "<= 1"
  ratio "next snapshot / sweep" "$(ratio_of next sweep)" "<= 0.1"
}

start_touched_guest
guest_run vm "alias_guest idle; for i in $(seq -s ' ' $idle_processes); do start ROLE=idle idle; done" \
  >"$tmp/ignored"
host
measure_all
echo "guest of $ram_mib MiB, $touch_mib MiB of it touched; $processes processes with $mappings mappings;" \
  "$rounds rounds"
print_all
