#!/bin/bash
# With the guest stopped, physmem is what QEMU's own pmemsave writes, byte for byte; it is sparse
# where there is no RAM; and a guest that was stopped before a snapshot stays stopped.
. "$(dirname "$0")/../functions.sh"

KIB=1024
GIB=$((1024 * 1024 * 1024))

# stopped_snapshot NAME: stops the guest, takes a snapshot, checks that the guest is still stopped.
stopped_snapshot() {
  qmp "$1" stop >/dev/null
  mkdir "$mnt/$1/now"
  ! is_running "$1" || fail "the snapshot made a stopped guest run"
}

start_guest small -m 512M -vga std
start_guest large -m 5G
start_in_guest large ROLE='touch 48' toucher >/dev/null # the kernel fills high memory first
mount_guest small large

# 640-768 KiB is the display adapter's window, no RAM.
stopped_snapshot small
same_as_qemu small "$mnt/small/now/physmem" 0 $((640 * KIB))
same_as_qemu small "$mnt/small/now/physmem" $((768 * KIB)) $((GIB / 2))

# On this machine type a guest with more than 3.5 GiB has 3 GiB below the PCI hole, the rest above.
stopped_snapshot large
same_as_qemu large "$mnt/large/now/physmem" 0 $((3 * GIB))
same_as_qemu large "$mnt/large/now/physmem" $((4 * GIB)) $((6 * GIB))
same "$(stat -c %s "$mnt/large/now/physmem")" $((6 * GIB)) "size of physmem and end of RAM"
python3 - "$mnt/large/now/physmem" <<'PYTHON'
import os, sys
GIB = 1 << 30
ROM = 4 * GIB - (1 << 20)  # firmware ends at 4 GiB
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size

def seek(offset, whence):
    try:
        return os.lseek(fd, offset, whence)
    except OSError:
        return size  # ENXIO: no data any more

extents, at = [], 0
while (start := seek(at, os.SEEK_DATA)) < size:
    at = seek(start, os.SEEK_HOLE)
    assert at > start, f"SEEK_HOLE at {start:#x} goes to {at:#x}"
    extents.append((start, at))

assert extents[0][0] == 0 and extents[-1][1] <= size, extents
assert any(start >= 4 * GIB for start, _ in extents), extents
for start, end in extents:
    assert end <= 3 * GIB or start >= ROM, f"data in the PCI hole: {start:#x}-{end:#x}"
assert seek(3 * GIB + 12345, os.SEEK_HOLE) == 3 * GIB + 12345
assert seek(3 * GIB, os.SEEK_DATA) in range(ROM, 6 * GIB)
assert os.pread(fd, 1 << 16, 3 * GIB + 4096) == bytes(1 << 16), "the PCI hole does not read as zeros"
assert len(os.pread(fd, 8192, size - 4096)) == 4096
assert os.pread(fd, 8192, size) == b""
assert os.lseek(fd, size - 1, os.SEEK_HOLE) in (size - 1, size)
try:
    os.lseek(fd, size, os.SEEK_DATA)
    assert False, "SEEK_DATA past the end succeeds"
except OSError as error:
    assert error.errno == 6, error  # ENXIO
PYTHON

for name in small large; do
  qmp $name cont >/dev/null
  guest_run $name true || fail "$name does not go on"
done
