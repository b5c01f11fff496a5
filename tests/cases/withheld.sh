#!/bin/bash
# A snapshot has the guest's memory, and of QEMU's own only a stack: not its heap, with the keys that are in it, nor
# mappings of devices. What QEMU has stays with it, as often as it is snapshotted.
. "$(dirname "$0")/../functions.sh"

secret="DACSA-$RANDOM$RANDOM-not-the-guest's"

# has_secret PID: anywhere in its memory. Ends the case where that cannot be told.
has_secret() {
  local status=0
  python3 - "$1" "$secret" <<'EOF' || status=$?
import re, sys, traceback
pid, secret = sys.argv[1], sys.argv[2].encode()
CHUNK = 1 << 24
sys.excepthook = lambda *what: (traceback.print_exception(*what), sys.exit(2))
found = False
with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
    for line in maps:
        start, end, permissions = re.match(r'(\S+)-(\S+) (\S+)', line).groups()
        at, end, last = int(start, 16), int(end, 16), b''
        while permissions[0] == 'r' and at < min(end, 1 << 63):
            memory.seek(at)
            try:
                data = memory.read(min(end - at, CHUNK))
            except OSError:  # [vvar], and what lies behind a file's end
                break
            found = found or secret in last + data
            last = data[-len(secret):]
            at += len(data)
sys.exit(0 if found else 1)
EOF
  [ $status -le 1 ] || fail "the memory of $1 cannot be looked at"
  return $status
}

# strange_mappings PID: neither guest RAM, nor what the child runs on: a C library's code, a stack (QEMU's main
# thread may just be on a coroutine's: 100 KiB of one mapping); nor the kernel's; nor what QEMU, whose threads come
# and go, did not have before, in the file before.
strange_mappings() {
  python3 - "$1" "$tmp/before" $ram <<'EOF'
import re, sys
before = {line.split()[0] for line in open(sys.argv[2])}
stacks = 0
for line in open(f'/proc/{sys.argv[1]}/maps'):
    where, permissions, *_, path = (line.rstrip('\n') + ' ').split(' ', 5)
    path = path.strip()
    start, end = (int(x, 16) for x in where.split('-'))
    if where in sys.argv[3:] or re.fullmatch(r'\[(stack|vvar.*|vsyscall)\]', path):
        continue
    is_new = not path and where not in before and (end - start > 100 << 10 or permissions != 'rw-p')
    if permissions == 'r-xp' and '/libc.so' in path or is_new:
        continue
    stacks += not path
    if path or stacks > 2 or end - start > 100 << 10:
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
[ -n "$ram" ] || fail "QEMU keeps nothing out of forks"
mount_guest vm
cp "/proc/${guest_pid[vm]}/maps" "$tmp/before"
for i in 1 2 3; do
  mkdir "$mnt/vm/s$i"
done
for child in $(parked vm); do
  ! has_secret "$child" || fail "the secret is in a snapshot"
  strange_mappings "$child" >"$tmp/strange"
  same "$(cat "$tmp/strange")" "" "what else a snapshot has, and nothing"
done
same "$(parked vm | wc -l)" 3 "snapshots"
guest_run vm true
has_secret "${guest_pid[vm]}" || fail "QEMU has lost its secret"
grep -qw dc <(flags | grep -vF "$(echo "$ram" | tr ' ' '\n')") && fail "MADV_DONTFORK is left on QEMU's memory"
cmp "$mnt/vm/s1/processes/1/comm" - <<<"$(guest_run vm 'cat /proc/1/comm')"
