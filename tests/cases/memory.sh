#!/bin/bash
# `memory` of a process is all of its pages that are in the guest's memory, of every kind, and only
# those, with what is in them: its own pagemap and /proc/PID/mem say the same. `pagemap` is those pages'
# frames: the guest's pagemap has the same numbers, and `physmem` has the same bytes there.
. "$(dirname "$0")/../functions.sh"

# runs SNAPSHOT-PROCESS: addresses and lengths of `memory`, without what the guest cannot tell of.
runs() {
  python3 - "$1" <<'PY'
import re
import sys

start = end = 0
for line in open(sys.argv[1] + "/memory.map", errors="surrogateescape"):
    _, length, address, *_ = line.split()
    if re.search(r"\[v(?!dso)|\[io_uring\]", line):
        continue
    if int(address, 16) != end:
        if end > start:
            print("%012x %x" % (start, end - start))
        start = end = int(address, 16)
    end += int(length, 16)
if end > start:
    print("%012x %x" % (start, end - start))
PY
}

# contents SNAPSHOT-PROCESS: the bytes of those that the process may read.
contents() {
  python3 - "$1" <<'PY'
import re
import sys

memory = open(sys.argv[1] + "/memory", "rb")
for line in open(sys.argv[1] + "/memory.map", errors="surrogateescape"):
    offset, length, _, perms, *_ = line.split()
    if perms[0] == "r" and not re.search(r"\[v(?!dso)|\[io_uring\]", line):
        memory.seek(int(offset, 16))
        sys.stdout.buffer.write(memory.read(int(length, 16)))
PY
}

# frames SNAPSHOT BEFORE AFTER PID: compares `pagemap` of a process with `memory`, with `physmem`, and
# with what the guest said of it before and after. The kernel may move a page meanwhile.
frames() {
  python3 - "$@" <<'PY'
import re
import struct
import sys

snapshot, before, after, pid = sys.argv[1:]
process = f"{snapshot}/processes/{pid}"
memory = open(f"{process}/memory", "rb").read()
pagemap = open(f"{process}/pagemap", "rb").read()
assert len(pagemap) == len(memory) // 4096 * 8, f"{len(pagemap)} bytes of pagemap, {len(memory)} of memory"
frames = struct.unpack(f"<{len(pagemap) // 8}Q", pagemap)
with open(f"{snapshot}/physmem", "rb") as physmem:
    for page, frame in enumerate(frames):
        physmem.seek(frame * 4096)
        assert physmem.read(4096) == memory[page * 4096 :][:4096], f"frame {frame:x} is not page {page}"

ours = set()
for line in open(f"{process}/memory.map", errors="surrogateescape"):
    offset, length, address, *_ = line.split()
    if not re.search(r"\[v(?!dso)|\[io_uring\]", line):
        for at in range(0, int(length, 16), 4096):
            ours.add((int(address, 16) + at, frames[(int(offset, 16) + at) // 4096]))
told = [{tuple(int(word, 16) for word in line.split()) for line in open(name)} for name in (before, after)]
steady = told[0] & told[1]
assert all(frame for _, frame in steady), "the guest does not tell its frames"
assert len(steady) > 0.9 * len(ours), f"only {len(steady)} of {len(ours)} pages kept still"
assert len(ours) == len(told[0]), f"{len(ours)} pages, the guest has {len(told[0])}"
assert steady <= ours, f"the guest has {[tuple(map(hex, page)) for page in sorted(steady - ours)[:9]]}"
PY
}

start_guest vm
guest_run vm furnish
declare -A pids
for role in zoo shared huge locked swapped sparse 'touch 8' memfd-exec; do
  pids[$role]=$(start_in_guest vm "ROLE=$role" "is-${role%% *}")
done
mount_guest vm
for role in "${!pids[@]}"; do
  guest_run vm "/bin/guest resident ${pids[$role]}" >"$tmp/$role.before"
  guest_run vm "/bin/guest frames ${pids[$role]}" >"$tmp/$role.frames-before"
done
dacsa snapshot vm now >/dev/null
for role in "${!pids[@]}"; do
  process=$mnt/vm/now/processes/${pids[$role]}
  guest_run vm "/bin/guest resident ${pids[$role]}" >"$tmp/$role.after"
  guest_run vm "/bin/guest frames ${pids[$role]}" >"$tmp/$role.frames-after"
  cmp -s "$tmp/$role.before" "$tmp/$role.after" || fail "$role did not keep still"
  runs "$process" >"$tmp/$role.runs"
  cmp -s "$tmp/$role.before" "$tmp/$role.runs" || fail "the resident pages of $role differ:
$(diff "$tmp/$role.before" "$tmp/$role.runs" | head -n 20)"
  same "$(guest_run vm "/bin/guest contents ${pids[$role]} | sha256sum")" \
    "$(contents "$process" | sha256sum)" "the contents of $role's pages"
  frames "$mnt/vm/now" "$tmp/$role.frames-before" "$tmp/$role.frames-after" "${pids[$role]}" ||
    fail "the frames of $role differ"
done
