#!/bin/bash
# A snapshot has the guest's memory and nothing of QEMU's own: not its keys, its heap, its devices' mappings. What
# QEMU has stays with it, as often as it is snapshotted.
. "$(dirname "$0")/../functions.sh"

secret="DACSA-$RANDOM$RANDOM-not-the-guest's"

# has_secret PID: anywhere in its memory.
has_secret() {
  python3 - "$1" "$secret" <<'EOF'
import re, sys
pid, secret = sys.argv[1], sys.argv[2].encode()
with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
    for line in maps:
        start, end, permissions = re.match(r'(\S+)-(\S+) (\S+)', line).groups()
        at, end = int(start, 16), int(end, 16)
        while permissions[0] == 'r' and at < min(end, 1 << 63):
            try:
                memory.seek(at)
                data = memory.read(min(end - at, 1 << 24))
            except OSError:  # [vvar], and what lies behind a file's end
                break
            if secret in data:
                sys.exit(0)
            at += len(data)
sys.exit(1)
EOF
}

# strange_mappings PID: neither guest RAM, nor what the child runs on: a C library's code, a stack (QEMU's main
# thread may just be on a coroutine's: 100 KiB of that); nor the kernel's.
strange_mappings() {
  python3 - "$1" $ram <<'EOF'
import re, sys
for line in open(f'/proc/{sys.argv[1]}/maps'):
    where, permissions, *_, path = (line.rstrip('\n') + ' ').split(' ', 5)
    path = path.strip()
    start, end = (int(x, 16) for x in where.split('-'))
    if where in sys.argv[2:] or re.fullmatch(r'\[(stack|vdso|vvar.*|vsyscall)\]', path):
        continue
    if permissions == 'r-xp' and '/libc.so' in path or permissions == 'rw-p' and not path and end - start <= 100 << 10:
        continue
    print(line, end='')
EOF
}

flags() {
  awk '/^[0-9a-f]+-[0-9a-f]+ / { range = $1 } /^VmFlags:/ { print range, $0 }' "/proc/${guest_pid[vm]}/smaps"
}

echo -n "$secret" >"$tmp/secret"
start_guest vm -object "secret,id=key,file=$tmp/secret"
has_secret "${guest_pid[vm]}" || fail "the secret is not in QEMU's memory"
# Guest RAM is all that QEMU keeps out of forks.
ram=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { range = $1 } /^VmFlags:.* dc/ { print range }' \
  "/proc/${guest_pid[vm]}/smaps")
mount_guest vm
for i in 1 2 3; do
  mkdir "$mnt/vm/s$i"
done
for child in $(parked vm); do
  ! has_secret "$child" || fail "the secret is in a snapshot"
  same "$(strange_mappings "$child")" "" "what else a snapshot has, and nothing"
done
same "$(parked vm | wc -l)" 3 "snapshots"
guest_run vm true
has_secret "${guest_pid[vm]}" || fail "QEMU has lost its secret"
grep -qw dc <(flags | grep -vF "$(echo "$ram" | tr ' ' '\n')") && fail "MADV_DONTFORK is left on QEMU's memory"
cmp "$mnt/vm/s1/processes/1/comm" - <<<"$(guest_run vm 'cat /proc/1/comm')"
