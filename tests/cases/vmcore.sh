#!/bin/bash
# vmcore is one file for crash, drgn, gdb and Volatility: an ELF core with the vCPUs' registers,
# VMCOREINFO, and all of physmem where the kernel has it; reading its holes costs the snapshot nothing.
. "$(dirname "$0")/../functions.sh"

# readelf_is_content VMCORE
readelf_is_content() {
  readelf -hlnW "$1" >"$tmp/readelf" 2>"$tmp/complaints" || fail "readelf: $(cat "$tmp/complaints" "$tmp/readelf")"
  [ ! -s "$tmp/complaints" ] || fail "readelf: $(cat "$tmp/complaints")"
  grep -q 'CORE (Core file)' "$tmp/readelf" || fail "readelf sees no core file: $(cat "$tmp/readelf")"
}

# address SNAPSHOT SYMBOL
address() {
  awk -v name="$2" '$3 == name { print $1; exit }' "$1/kernel/kallsyms"
}

# rss GUEST: of the snapshot's process, in kB.
rss() {
  awk '/^Rss:/ { print $2 }' "/proc/$(parked "$1")/smaps_rollup"
}

# check_core GUEST: the file itself; $tmp/GUEST.stretches is then where it has memory.
check_core() {
  local now=$mnt/$1/now before
  readelf_is_content "$now/vmcore"
  before=$(rss "$1")
  "$root/tests/check-vmcore" "$now/vmcore" "$now/physmem" >"$tmp/$1.stretches" || fail "$1: not as it should be"
  same "$(rss "$1")" "$before" "$1: the snapshot's size before and after its vmcore was read"
}

# check_notes GUEST VCPUS
check_notes() {
  same "$(grep -c 'NT_PRSTATUS' "$tmp/readelf")" "$2" "registers of vCPUs"
  same "$(grep -c '^ *QEMU ' "$tmp/readelf")" "$2" "QEMU's registers of vCPUs"
  "$root/tests/elf-notes" "$mnt/$1/now/vmcore" VMCOREINFO >"$tmp/vmcoreinfo"
  grep -qx "OSRELEASE=$(sed -n 's/^kernel: //p' "$mnt/$1/now/info")" "$tmp/vmcoreinfo" ||
    fail "$1: VMCOREINFO is not that of its kernel: $(cat "$tmp/vmcoreinfo")"
}

# check_drgn GUEST: drgn takes it for a kernel and reads at its addresses, mapped in any way.
check_drgn() {
  local now=$mnt/$1/now
  /usr/bin/python3 - "$now" "0x$(address "$now" linux_banner)" "0x$(address "$now" page_offset_base)" \
    "0x$(awk '$4 == "[dummy]" { print $1; exit }' "$now/kernel/kallsyms")" <<'PYTHON' || fail "drgn on $1"
import sys
import drgn

now, banner, base, module = sys.argv[1], *(int(a, 16) for a in sys.argv[2:])
prog = drgn.Program()
prog.set_core_dump(now + "/vmcore")
assert prog.flags & drgn.ProgramFlags.IS_LINUX_KERNEL, prog.flags
release = prog["UTS_RELEASE"].string_().decode()
text = open(now + "/kernel/banner", "rb").read()
assert f"kernel: {release}\n" in open(now + "/info").read(), release
assert prog.read(banner, len(text)) == text
direct = prog.read_u64(base)
with open(now + "/physmem", "rb") as phys:
    for gpa in range(1 << 20, 400 << 20, 7 << 20):
        phys.seek(gpa)
        page = phys.read(4096)
        assert prog.read(gpa, 4096, True) == page, hex(gpa)
        assert prog.read(direct + gpa, 4096) == page, hex(gpa)
assert len(prog.read(module, 16)) == 16
PYTHON
}

# check_gdb GUEST
check_gdb() {
  local now=$mnt/$1/now
  gdb -nx -batch -core "$now/vmcore" -ex "x/s 0x$(address "$now" linux_banner)" \
    -ex "x/20i 0x$(address "$now" schedule)" -ex 'info threads' -ex 'p/x $rip' -ex 'p/x $rsp' \
    -ex 'thread 2' -ex 'p/x $rip' >"$tmp/gdb" 2>&1 || fail "gdb: $(cat "$tmp/gdb")"
  grep -qF "\"$(head -c 100 "$now/kernel/banner")" "$tmp/gdb" || fail "gdb sees no banner: $(cat "$tmp/gdb")"
  same "$(grep -cE '^ +0x[0-9a-f]+:	(\(bad\)|[a-z])' "$tmp/gdb")" 20 "instructions"
  ! grep -qE '\(bad\)|[Ee]rror|Cannot|warning|terminated' "$tmp/gdb" || fail "gdb complains: $(cat "$tmp/gdb")"
  same "$(grep -cE '^\*? +[12] ' "$tmp/gdb")" 2 "threads"
  same "$(sed -n 's/^\$[0-9]* = 0x//p' "$tmp/gdb")" \
    "$(sed -n 's/^RIP=\([0-9a-f]*\) .*/\1/p; s/.* RSP=\([0-9a-f]*\).*/\1/p' "$now/cpus" |
      awk 'NR == 1 { rsp = $0 } NR == 2 { print; print rsp } NR == 4' | sed 's/^0*//')" "registers in gdb"
}

# in_kernel GUEST GPA: where the kernel has that address.
in_kernel() {
  awk -v gpa="$2" '$1 == gpa { print $2 }' "$tmp/$1.stretches"
}

start_guest vm
start_in_guest vm ROLE=idle idle >/dev/null
guest_run vm 'modprobe dummy'
kernel_args="nokaslr" start_guest large -m 5G -cpu max,la57=off
start_qemu bare -m 64M
mount_guest vm large bare
for name in vm large bare; do
  dacsa snapshot $name now >/dev/null
done
same "$(find "$mnt/vm/now" -maxdepth 1 -name vmcore)" "" "what a listing shows of vmcore"

check_core vm
check_notes vm 2
check_drgn vm
check_gdb vm
same "$(grep -c ' ffffffff' "$tmp/vm.stretches")" 4 "parts of the kernel's image"

check_core large
check_notes large 2
check_gdb large
same "$(in_kernel large 1000000)" "$(address "$mnt/large/now" _text)" "the image's place"
same "$(in_kernel large 0)" ffff888000000000 "the direct map's beginning"
same "$(in_kernel large 100000000)" ffff888100000000 "where memory above 4 GiB is"
same "$(in_kernel large fffc0000)" 0 "where the firmware is not"

# A guest whose system nobody knows: all of its memory, and nothing invented.
check_core bare
! grep -q VMCOREINFO "$tmp/readelf" || fail "a guest without a kernel has VMCOREINFO"
same "$(awk '$2 != 0' "$tmp/bare.stretches")" "" "addresses in no kernel"
for name in vm large; do
  same "$(cat "$mnt/$name/now/errors")" "" "errors of $name"
done
