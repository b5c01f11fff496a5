#!/bin/bash
# What the tree says of the kernel (modules, symbols, BTF, mounts, CPUs, settings, log) is what it says itself.
. "$(dirname "$0")/../functions.sh"

start_guest vm
guest_run vm 'for module in dummy bridge brd; do modprobe $module; done' || fail "modules fail to load"
# File systems with options of their own, and mounts of all kinds.
for mount in '-t tmpfs -o size=1m,mode=700,gid=5,nosuid,nodev small /run/small' \
  '-t proc -o hidepid=2,gid=5 hidden /run/hidden' '-t ramfs -o mode=711 ram /run/ram' \
  '-o remount,bind,ro /run/ram' '-t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts' \
  '-t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup' '-t debugfs debugfs /sys/kernel/debug' \
  '-t tracefs -o mode=755 tracefs /sys/kernel/tracing' '-t bpf -o mode=750 bpf /sys/fs/bpf' \
  '--bind /run/small /run/again' '--make-shared /run/again'; do
  guest_run vm "mkdir -p ${mount##* }; mount $mount" || fail "mount $mount fails in the guest"
done
guest_run vm 'printf "<3>dacsa: two\nlines and \033[2J an escape\n" >/dev/kmsg'
guest_run vm 'echo dacsa-guest >/proc/sys/kernel/hostname; echo 0 >/proc/sys/kernel/kptr_restrict'

# tell WHERE: the guest's own files, into the directory WHERE of the guest. Reading some settings changes
# others, or is logged: hence the warm-up.
guest_run vm 'tell() { sysctl -a >$1/sysctl 2>/dev/null; for f in modules cmdline version cpuinfo mounts self/mountinfo; do cat /proc/$f >$1/${f##*/}; done;  dmesg >$1/dmesg; }'
guest_run vm 'cd /run; mkdir warm-up before after; tell warm-up; tell before'
guest_run vm 'cat /proc/kallsyms >before/kallsyms; sha256sum </sys/kernel/btf/vmlinux >before/btf'
mount_guest vm
dacsa snapshot vm now >/dev/null
guest_run vm 'tell after'
guest_run vm 'tar -C /run -cf - before after | gzip | base64' | base64 -d | tar -xz -C "$tmp"
now=$mnt/vm/now

compare() {
  cmp -s "$tmp/before/$1" "$2" || fail "$2 differs from what the guest says:
$(diff <(cat -A "$tmp/before/$1") <(cat -A "$2") | head -n 20)"
}
compare modules "$now/modules"
compare kallsyms "$now/kernel/kallsyms"
compare cmdline "$now/kernel/cmdline"
compare version "$now/kernel/banner"
compare cpuinfo "$now/kernel/cpuinfo"
compare mounts "$now/kernel/mounts"
same "$(sha256sum <"$now/kernel/btf")" "$(cat "$tmp/before/btf")" "types (BTF)"

# A module's memory: as large as the guest says, and it is that module's.
while read -r name size _; do
  [ "$(stat -c %s "$now/kernel/modules/$name")" = "$size" ] || fail "the module $name is not of $size bytes"
done <"$tmp/before/modules"
same "$(find "$now/kernel/modules" -type f -printf '%f\n' | sort)" "$(cut -d ' ' -f 1 "$tmp/before/modules" | sort)" \
  "kernel/modules and what is loaded"
grep -q numdummies "$now/kernel/modules/dummy" || fail "the module dummy has lost its parameter"
! grep -q numdummies "$now/kernel/modules/bridge" || fail "the module bridge has dummy's parameter"

# The log: all that was there before, in its words; but an escape character is printed as one.
sed 's/\x1b/\\x1b/' "$tmp/before/dmesg" >"$tmp/before.dmesg"
head -c "$(stat -c %s "$tmp/before.dmesg")" "$now/kernel/dmesg" | cmp - "$tmp/before.dmesg" ||
  fail "the log differs: $(diff "$tmp/before.dmesg" "$now/kernel/dmesg" | head -n 20)"
grep -qF 'lines and \x1b[2J an escape' "$now/kernel/dmesg" || fail "the log lacks what was written last"

# Settings, and all as JSON lines.
python3 - "$tmp" "$now" <<'PYTHON' || fail "settings or JSON lines are wrong"
import json
import sys

tmp, now = sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def settings(path):
    found, key = {}, None
    for line in read(path).splitlines():
        name, separator, value = line.partition(" = ")
        if separator:
            key = name
            found.setdefault(key, []).append(value)
        else:
            found[key].append(line)
    return found


before, after = (settings(f"{tmp}/{when}/sysctl") for when in ("before", "after"))
shown = settings(f"{now}/kernel/sysctl")
assert list(shown) == sorted(shown), "settings are not in order"
agree = 0
for key, value in shown.items():
    assert key in before, f"the guest has no {key}"
    if before[key] == after.get(key):
        assert value == before[key], f"{key}: guest {before[key]}, snapshot {value}"
        agree += 1
assert agree > 500, f"only {agree} settings agree"
for key in """kernel.hostname kernel.domainname kernel.osrelease kernel.version kernel.ostype
        kernel.random.boot_id kernel.randomize_va_space kernel.kptr_restrict kernel.dmesg_restrict
        kernel.modules_disabled kernel.kexec_load_disabled kernel.yama.ptrace_scope kernel.tainted
        kernel.unprivileged_bpf_disabled kernel.perf_event_paranoid kernel.panic kernel.core_pattern
        kernel.modprobe kernel.sysrq vm.overcommit_memory vm.swappiness vm.nr_hugepages
        vm.mmap_min_addr fs.suid_dumpable fs.protected_symlinks fs.protected_hardlinks fs.file-max
        net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv6.conf.all.forwarding""".split():
    assert key in shown, f"{key} is not shown"
# What is not shown is named.
errors = read(f"{now}/errors")
for key in before.keys() - shown.keys():
    assert key in errors or not before[key][0], f"{key} is neither shown nor named in errors"


def rows(name):
    return [json.loads(line) for line in read(f"{now}/json/{name}.jsonl").splitlines()]


modules = [line.split() for line in read(f"{tmp}/before/modules").splitlines()]
assert [(m["name"], str(m["size"]), str(m["references"]), m["address"]) for m in rows("modules")] == [
    (m[0], m[1], m[2], m[5]) for m in modules], "json/modules.jsonl"
mounts = {row["id"]: row for row in rows("mounts")}
for line in read(f"{tmp}/before/mountinfo").splitlines():
    words, own = (part.split() for part in line.split(" - "))
    row = mounts[int(words[0])]
    told = (str(row["parent"]), row["device"], row["root"], row["mountpoint"], row["options"],
            row["propagation"].replace("private", "").split(), row["type"], row["source"], row["super_options"])
    assert told == (*words[1:6], words[6:], *own), f"json/mounts.jsonl: guest {line}, snapshot {told}"
log = rows("dmesg")
assert [row["seq"] for row in log] == list(range(log[0]["seq"], log[0]["seq"] + len(log))), "json/dmesg.jsonl"
last = next(row for row in log if row["text"].startswith("dacsa: two"))
assert last["level"] == 3 and last["text"] == "dacsa: two\nlines and \x1b[2J an escape", last
PYTHON
