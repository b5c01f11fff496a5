#!/bin/bash
# The same agreement on other machines and with other ways of paging: 5 levels of page tables and 4, kernel
# addresses randomised or not, page tables isolated or not, memory above 4 GiB, NUMA, chipsets, CPUs.
# KERNELS="5.10 6.12 newest" has it on these kernels instead.
. "$(dirname "$0")/../functions.sh"

# variant NAME CHECK KERNEL-ARGS [QEMU ARGS]: a guest of that kind, with some of everything in it. CHECK, run
# in the guest, is true if it is of that kind indeed.
variant() {
  local name=$1 check=$2
  echo "--- $name"
  kernel_args=$3 start_guest "$name" "${@:4}"
  guest_run "$name" "$check" >/dev/null || fail "the guest $name is not what it should be: $check"
  populate_guest "$name" 20
  mount_guest "$name"
  report=report-brief compare_guest "$name"
  stop_dacsa
  stop_guest "$name"
}

isolated='dmesg | grep -q "page tables isolation: enabled"'
not_random='grep -q "^ffffffff81000000 . _text" /proc/kallsyms'
high_memory='[ $(awk "/MemTotal/ { print \$2 }" /proc/meminfo) -gt 4500000 ] && [ $(nproc) = 4 ]'
nodes="-object memory-backend-ram,id=one,size=512M -object memory-backend-ram,id=two,size=256M
  -numa node,cpus=0,memdev=one -numa node,cpus=1,memdev=two"

all_variants() {
  variant "five-levels$1" "grep -q la57 /proc/cpuinfo && $isolated" pti=on -cpu max,la57=on
  variant "four-levels$1" "! grep -q la57 /proc/cpuinfo && $not_random && ! $isolated" "nokaslr pti=off" \
    -cpu max,la57=off
  variant "large$1" "$high_memory" "" -M q35 -m 5G -smp 4
  # shellcheck disable=SC2086 # several words
  variant "numa$1" "[ -d /sys/devices/system/node/node1 ] && $not_random && $isolated" "nokaslr pti=on" \
    -m 768M $nodes
}

if [ -z "${KERNELS:-}" ]; then
  all_variants ""
else
  for kernel in $KERNELS; do
    use_kernel "$kernel"
    all_variants "-$kernel"
  done
fi
