#!/bin/bash
# A kernel is found however it was booted: with KASLR and without, with page-table isolation, five
# levels of page tables, several NUMA nodes and memory above 4 GiB, and even after it lost its
# VMCOREINFO.
. "$(dirname "$0")/../functions.sh"

command_line="console=ttyS0 quiet loglevel=0"

# levels: of the guest's page tables: the kernel hides what it does not use.
levels() {
  if guest_run vm 'grep -qw la57 /proc/cpuinfo'; then
    echo 5
  else
    echo 4
  fi
}

# check_view PID: what the snapshot shows is the running kernel, and that process.
check_view() {
  local now=$mnt/vm/now maps
  same "$(grep -E '^(kernel|paging):' "$now/info")" "kernel: $(guest_run vm 'uname -r')
paging: $(levels)-level" "kernels"
  maps=$(guest_run vm "cat /proc/$1/maps")
  same "$(cat "$now/processes/$1/maps")" "$maps" "maps"
  same "$(cat "$now/errors")" "" "errors"
}

# boot BOOT-OPTIONS [QEMU ARGS]: a guest, and a snapshot of it that shows it.
boot() {
  local options=$1 pid
  shift
  start_guest vm -append "$command_line $options" "$@"
  pid=$(start_in_guest vm ROLE=idle idle)
  mount_guest vm
  dacsa snapshot vm now >/dev/null
  check_view "$pid"
}

unboot() {
  dacsa drop vm/now
  stop_dacsa
  stop_guest vm
}

# vmcoreinfo_pages: guest-physical addresses of the pages that begin as VMCOREINFO does. (A line of
# zeros, as long as memory, would be too long for grep.)
vmcoreinfo_pages() {
  tr '\0' '\n' <"$mnt/vm/now/physmem" | grep -abo '^OSRELEASE=' | cut -d: -f1 | awk '$1 % 4096 == 0'
}

# wipe GPA: overwrites what is there in the running guest, as only someone on the host can.
wipe() {
  local hva
  hva=$(qmp vm human-monitor-command "{\"command-line\":\"gpa2hva $1\"}" |
    sed -n 's/.* is 0x\([0-9a-f]*\).*/\1/p')
  dd if=/dev/zero "of=/proc/${guest_pid[vm]}/mem" bs=1 count=16 conv=notrunc \
    seek=$((16#$hva)) status=none
}

boot nokaslr -cpu max,la57=off
[ "$(levels)" = 4 ] || fail "the guest has five levels of page tables"
unboot
boot pti=on -cpu max,la57=off
[[ $(guest_run vm 'cat /proc/cpuinfo') == *" pti"* ]] || fail "the guest does not isolate its page tables"
unboot
boot pti=on -cpu max,la57=on -m 5G
[[ $(guest_run vm 'cat /proc/iomem') == *$'\n'1????????-*"System RAM"* ]] ||
  fail "the guest has no memory above 4 GiB"
unboot
boot "" -m 512M -object memory-backend-ram,id=a,size=256M -object memory-backend-ram,id=b,size=256M \
  -numa node,memdev=a,cpus=0 -numa node,memdev=b,cpus=1
guest_run vm 'test -d /sys/devices/system/node/node1' || fail "there are not two nodes"

# The page may be there more than once: none may be left.
pages=$(vmcoreinfo_pages)
[ -n "$pages" ] || fail "there is no VMCOREINFO"
dacsa drop vm/now
for page in $pages; do
  wipe "$page"
done
dacsa snapshot vm now >/dev/null
[ -z "$(vmcoreinfo_pages)" ] || fail "VMCOREINFO is still there"
check_view "$(guest_run vm 'pidof idle')"
