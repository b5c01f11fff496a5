#!/bin/bash
# `memory` of a process is all of its pages that are in the guest's memory, of every kind, and only
# those, with what is in them: its own pagemap and /proc/PID/mem say the same.
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

start_guest vm
guest_run vm furnish
declare -A pids
for role in zoo shared huge locked swapped sparse 'touch 8' memfd-exec; do
  pids[$role]=$(start_in_guest vm "ROLE=$role" "is-${role%% *}")
done
mount_guest vm
for role in "${!pids[@]}"; do
  guest_run vm "/bin/guest resident ${pids[$role]}" >"$tmp/$role.before"
done
dacsa snapshot vm now >/dev/null
for role in "${!pids[@]}"; do
  process=$mnt/vm/now/processes/${pids[$role]}
  guest_run vm "/bin/guest resident ${pids[$role]}" >"$tmp/$role.after"
  cmp -s "$tmp/$role.before" "$tmp/$role.after" || fail "$role did not keep still"
  runs "$process" >"$tmp/$role.runs"
  cmp -s "$tmp/$role.before" "$tmp/$role.runs" || fail "the resident pages of $role differ:
$(diff "$tmp/$role.before" "$tmp/$role.runs" | head -n 20)"
  same "$(guest_run vm "/bin/guest contents ${pids[$role]} | sha256sum")" \
    "$(contents "$process" | sha256sum)" "the contents of $role's pages"
done
