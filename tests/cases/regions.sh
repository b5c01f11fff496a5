#!/bin/bash
# `regions/` has each mapping of a process as a file, under its addresses and name: the pages that
# `memory` has of it, holes elsewhere, and none over 1 GiB.
. "$(dirname "$0")/../functions.sh"

start_guest vm
declare -A pids
for role in zoo shared 'sparse 3072' 'touch 4'; do
  pids[$role]=$(start_in_guest vm "ROLE=$role" "is-${role%% *}")
done
mount_guest vm
dacsa snapshot vm now >/dev/null
processes=$mnt/vm/now/processes

for pid in "${pids[@]}" 1; do
  [[ $(ls "$processes/$pid") != *regions* ]] || fail "regions/ is listed without --show-all"
  same "$(find "$processes/$pid" -name '*-*')" "" "what find finds in $pid and no region"
  python3 - "$processes/$pid" <<'PY' || fail "the regions of $pid are not as they should be"
import os
import sys

GIB = 1 << 30
process = sys.argv[1]
memory = open(f"{process}/memory", "rb")


def label(path):
    """By the rule of the documentation."""
    if not path:
        return "anon"
    last = path if path.startswith("[") else path.rpartition("/")[2]
    return "".join(f"%{ord(c):02X}" if c in "/%" or ord(c) < 32 else c for c in last)


def runs():
    """Address, length and offset of what is in memory."""
    for line in open(f"{process}/memory.map", errors="surrogateescape"):
        offset, length, address, *_ = line.split()
        yield int(address, 16), int(length, 16), int(offset, 16)


def data_of(start, end):
    """Offset in the region to offset in memory, of each page that is there."""
    for address, length, offset in all_runs:
        for at in range(max(address, start), min(address + length, end), 4096):
            yield at - start, offset + at - address


def extents(file, size):
    at = 0
    while at < size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            return
        stop = os.lseek(file, at, os.SEEK_HOLE)
        yield from range(at, stop, 4096)
        at = stop


all_runs = list(runs())
expected = {}
for line in open(f"{process}/maps", errors="surrogateescape"):
    fields = line.rstrip("\n").split(None, 5)
    path = fields[5] if len(fields) > 5 else ""
    start, end = (int(address, 16) for address in fields[0].split("-"))
    for piece in range(start, end, GIB):
        stop = min(piece + GIB, end)
        if end - start <= GIB or any(data_of(piece, stop)):
            expected[f"{piece:08x}-{stop:08x}-{label(path)}"] = piece, stop

names = [os.fsdecode(name) for name in os.listdir(os.fsencode(f"{process}/regions"))]
assert len(names) == len(set(names))
assert set(names) == set(expected), sorted(set(names) ^ set(expected))[:20]
inodes, bytes_seen = set(), 0
for name, (start, end) in expected.items():
    with open(f"{process}/regions/{name}", "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        pages = dict(data_of(start, end))
        assert status.st_size == end - start <= GIB, name
        assert status.st_blocks * 512 == len(pages) * 4096, name
        assert sorted(pages) == list(extents(file.fileno(), end - start)), name
        inodes.add(status.st_ino)
        for at, offset in pages.items():
            page = os.pread(file.fileno(), 4096, at)
            assert page == os.pread(memory.fileno(), 4096, offset), f"{name} at {at:x}"
            bytes_seen += len(page)
        if end - start < 16 << 20:
            content = os.pread(file.fileno(), end - start, 0)
            assert len(content) == end - start, name
            for at in range(0, len(content), 4096):
                assert at in pages or not any(content[at : at + 4096]), f"{name}: a hole at {at:x}"
assert len(inodes) == len(names)
assert bytes_seen == os.fstat(memory.fileno()).st_size, "not all of memory is in a region"
for name in ("", ".x", "0-0-anon", names[0] + "x", names[0].upper() + "!", "0" + names[0]):
    assert name == "" or not os.path.exists(f"{process}/regions/{name}"), name
print(len(names), "regions,", bytes_seen, "bytes")
PY
done

# The names that are hard to write; and of a mapping over 1 GiB the pieces, each with what it has.
regions=$processes/${pids[zoo]}/regions
for name in 'a name\012of two lines, 100%25 odd \ '$'\xc3\xa9' 'never deleted (deleted)' anon '[heap]' '[stack]'; do
  found=$(find "$regions" -name "*-${name//[\\[]/\\&}" -print -quit)
  [ -s "$found" ] || fail "no region of $name: $(ls "$regions" | tail -n 30)"
done
[ -z "$(find "$regions" -size +1G)" ] || fail "$(find "$regions" -size +1G -ls)"
regions=$processes/${pids[sparse 3072]}/regions
same "$(find "$regions" -size 1073741824c | wc -l)" 3 "the pieces of 3 GiB and those of"
same "$(ls "$regions" | wc -l)" "$(find "$regions" -type f -links 1 | wc -l)" "what ls and find find"

# What is sparse there stays so in a copy, and a copy is the same.
cp -r --sparse=always "$regions" "$tmp/copy"
[ "$(du -sm "$tmp/copy" | cut -f 1)" -lt 20 ] || fail "the copy has $(du -sh "$tmp/copy")"
same "$(cd "$tmp/copy" && find . -type f -printf '%P %s\n' | sort)" \
  "$(cd "$regions" && find . -type f -printf '%P %s\n' | sort)" "the files of the copy and those"
large=$(find "$regions" -size 1073741824c -print -quit)
cmp "$large" "$tmp/copy/${large##*/}"
same "$(ls "$processes/2/regions")" "" "what a kernel thread has and nothing"
