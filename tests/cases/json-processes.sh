#!/bin/bash
# json/processes.jsonl and threads.jsonl say of every process and thread what its stat, its namespaces
# and its links in the guest's own /proc say.
. "$(dirname "$0")/../functions.sh"

start_guest vm
for role in container threads odd-name zombie leaderless user; do
  start_in_guest vm ROLE=$role $role >/dev/null
done
guest_run vm 'cp /bin/guest /run/deleted; start ROLE=idle /run/deleted; rm /run/deleted' >/dev/null
guest_run vm 'mkdir -p /jail/run; mount -o bind /run /jail/run; cp /bin/guest /jail/prisoner'
guest_run vm 'start ROLE=idle chroot /jail /prisoner' >/dev/null

# facts FILE: what the guest says, a tar archive. Its console takes a line at a time; in a subshell,
# since init's own working directory is every kernel thread's.
facts() {
  guest_run vm 'collect() { for p in [0-9]*; do d=/run/facts/$p; mkdir $d; cat $p/task/*/stat >$d/threads; cat $p/stat >$d/stat; for n in pid mnt net user uts ipc cgroup; do readlink $p/ns/$n; done >$d/ns; for n in exe cwd root; do readlink $p/$n >$d/$n; done; done; }'
  guest_run vm 'rm -rf /run/facts; mkdir /run/facts; (cd /proc && collect 2>/dev/null)'
  guest_run vm 'tar -C /run -cf - facts | gzip | base64' | base64 -d | gunzip >"$1"
}

mount_guest vm
facts "$tmp/before.tar"
dacsa snapshot vm now >/dev/null
facts "$tmp/after.tar"
python3 - "$mnt/vm/now/json" "$tmp/before.tar" "$tmp/after.tar" <<'PY' || fail "JSON and /proc differ"
import json
import re
import sys
import tarfile


def facts(path):
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read().decode() for m in tar if m.isfile()}


def rows(name):
    with open(f"{sys.argv[1]}/{name}.jsonl", errors="surrogateescape") as lines:
        return [json.loads(line) for line in lines]


before, after = facts(sys.argv[2]), facts(sys.argv[3])
same = {name: text for name, text in before.items() if after.get(name) == text}
compared = wrong = moved = 0


def check(where, wanted, got):
    global compared, wrong
    compared += 1
    if wanted != got:
        wrong += 1
        print(f"{where}: guest {wanted}, snapshot {got}")


NAMESPACES = ("pid", "mnt", "net", "user", "uts", "ipc", "cgroup")
for row in rows("processes"):
    where, d = f"{row['pid']} {row['comm']!a}", f"facts/{row['pid']}"
    if d + "/stat" in same:
        stat = same[d + "/stat"]
        rest = stat[stat.rindex(")") + 2:].split()
        check(where, [rest[0]] + [int(rest[i]) for i in (1, 2, 3, 17)],
              [row["state"]] + [row.get(key, 0) for key in ("ppid", "pgid", "sid", "threads")])
        check(where + " start", int(rest[19]), int(row["start"] * 100 + 1e-6))
    if same.get(d + "/ns"):
        check(where + " namespaces", [int(i) for i in re.findall(r"\[(\d+)\]", same[d + "/ns"])],
              [row[name + "_ns"] for name in NAMESPACES if name + "_ns" in row])
    for link in ("exe", "cwd", "root"):
        if f"{d}/{link}" in same:
            check(f"{where} {link}", same[f"{d}/{link}"].rstrip("\n"), row.get(link, ""))

threads = {row["tid"]: row for row in rows("threads")}
for name, text in same.items():
    for stat in re.findall(r"^(\d+) \(.*?\) (\S(?: -?\d+){40,})$", text if name.endswith("threads") else "", re.M | re.S):
        tid, rest = int(stat[0]), stat[1].split()
        row = threads.get(tid)
        if not row:
            check(tid, "there", "absent")
            continue
        if rest[0] != "R":  # it runs now and then
            check(tid, [rest[0]] + [int(rest[i]) for i in (15, 16)],
                  [row[key] for key in ("state", "priority", "nice")])
            moved += int(rest[36]) != row["cpu"]  # there and back again: too short to be in its times
            check(tid, [int(rest[i]) for i in (11, 12)], [row["utime_ms"] // 10, row["stime_ms"] // 10])
print(f"{compared} facts, {wrong} of them differ; {moved} threads on another CPU")
sys.exit(wrong > 0 or compared < 300 or moved > 3)
PY
