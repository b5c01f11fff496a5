#!/bin/bash
# `dacsa scan` finds what is hidden in every kind of place, in each process that has it, at its address,
# once, and nothing else; clean is clean, and what cannot be scanned with is an error.
. "$(dirname "$0")/../functions.sh"

export XDG_CACHE_HOME=$tmp/cache
names="anonymous antivirus first last boundary beyond deleted library module memfd-mapped memfd-held parent child"
places="anonymous edges boundary deleted library module memfds family beyond"

# write_signatures: marks.ndb and, for two of them, marks.yar.
write_signatures() {
  local name
  for name in $names; do
    echo "Marks.$name:0:*:$("$root/tests/guest/marker" "$name")"
  done >"$tmp/database/marks.ndb"
  for name in anonymous child; do
    echo "rule $name { strings: \$mark = { $("$root/tests/guest/marker" $name) } condition: \$mark }"
  done >"$tmp/marks.yar"
}

# plant: a process in the guest for each place.
plant() {
  local place pid
  for place in $places; do
    pid=$(start_in_guest vm "ROLE=mark $place" "has-$place")
    [ "$place" != deleted ] || deleted_pid=$pid
  done
  start_in_guest vm 'ROLE=mark antivirus' clamd >/dev/null
  guest_run vm 'cat /run/marks' >"$tmp/marks"
}

# Of the deleted program its hash is known, too, as the guest says it.
write_hash_signature() {
  local size hash
  size=$(guest_run vm "stat -Lc %s /proc/$deleted_pid/exe")
  hash=$(guest_run vm "sha256sum </proc/$deleted_pid/exe")
  echo "${hash%% *}:$size:Marks.hash:73" >"$tmp/database/marks.hsb"
  echo "hash exe $deleted_pid - /run/marked" >>"$tmp/marks"
}

# check_guest_marks: the guest is what it is said to be: each marker is in its process, at its address,
# and the boundary is one. By `memory`, `memory.map` and `pagemap`, without any scanner.
check_guest_marks() {
  python3 - "$1" "$tmp/database/marks.ndb" "$tmp/marks" <<'PYTHON' || fail "the guest is not as it should be"
import struct, sys

snapshot, ndb, marks = sys.argv[1:]
markers = {}
for line in open(ndb):
    name, _, _, pattern = line.strip().split(":")
    markers[name.removeprefix("Marks.")] = bytes.fromhex(pattern)
wanted = set(markers)

def pages(pid):
    """Each run of a process's `memory`: address, length, offset."""
    for line in open(f"{snapshot}/processes/{pid}/memory.map", errors="surrogateescape"):
        offset, length, address, *_ = line.split(None, 4)
        yield int(address, 16), int(length, 16), int(offset, 16)

def offset_of(pid, address):
    for start, length, offset in pages(pid):
        if start <= address < start + length:
            return offset + address - start
    sys.exit(f"process {pid} has nothing at {address:#x}")

for line in open(marks):
    name, kind, pid, address, *note = line.split()
    wanted.discard(name)
    if kind != "memory":
        continue
    with open(f"{snapshot}/processes/{pid}/memory", "rb") as memory:
        offset = offset_of(pid, int(address, 16))
        memory.seek(offset)
        if memory.read(32) != markers[name]:
            sys.exit(f"{name} is not in process {pid} at {address}")
    if name == "beyond" and offset <= 2 << 30:
        sys.exit(f"{name} is not beyond 2 GiB of `memory`, but at {offset:#x}")
    if name == "boundary":
        with open(f"{snapshot}/processes/{pid}/pagemap", "rb") as pagemap:
            pagemap.seek(offset // 4096 * 8)
            left, right = (entry & (1 << 55) - 1 for entry in struct.unpack("<QQ", pagemap.read(16)))
        if abs(left - right) == 1 or [f"{left:#x}", f"{right:#x}"] != note[1:]:
            sys.exit(f"the pages of the boundary are frames {left:#x} and {right:#x}, {note}")
if wanted:
    sys.exit(f"not in the guest: {wanted}")
PYTHON
}

# compare_findings SNAPSHOT OUTPUT [NAME...]: `scan --json` told of just what the guest says of these
# markers, of all without any; each place once, and the paths and commands are right.
compare_findings() {
  python3 - "$tmp/marks" "$@" <<'PYTHON' || fail "scan --json is not right about $1"
import collections, json, os, re, sys

marks, snapshot, output, *names = sys.argv[1:]
vm, snapshot_name = snapshot.split("/")[-2:]

def key(name, kind, pid, address):
    return name, kind, pid, int(address, 16) if address and address != "-" else None

expected, paths = set(), {}
for line in open(marks):
    name, kind, pid, address, *note = line.split()
    if not names or name in names:
        place = key(name, kind, int(pid) if pid != "-" else None, address)
        expected.add(place)
        paths[place] = note[0] if note and kind != "memory" else ""

def command(pid):
    return open(f"{snapshot}/processes/{pid}/comm").read().rstrip("\n")

def mapped(pid, address):
    for line in open(f"{snapshot}/processes/{pid}/maps"):
        fields = line.rstrip("\n").split(None, 5)
        start, end = (int(value, 16) for value in fields[0].split("-"))
        if start <= address < end:
            return fields[5] if len(fields) > 5 else "anonymous"
    return "nowhere"

def check(finding, place):
    _, kind, pid, address = place
    if (finding["vm"], finding["snapshot"]) != (vm, snapshot_name):
        yield "vm or snapshot"
    if pid is not None and finding["command"] != command(pid):
        yield "command"
    if (finding.get("antivirus") is True) != (pid is not None and command(pid) == "clamd"):
        yield "antivirus"
    path = finding.get("path", "")
    if kind == "memory" and (path or "anonymous") != mapped(pid, address):
        yield "path: " + mapped(pid, address)
    if kind in ("exe", "file", "module") and paths[place] not in path:
        yield "path: " + paths[place]

*lines, last = [json.loads(line) for line in open(output)]
found, wrong = collections.Counter(), []
for finding in lines:
    name = re.fullmatch(r"(?:Marks|YARA)\.([\w-]+?)(?:\.UNOFFICIAL)?", finding["signature"])
    place = key(name.group(1) if name else finding["signature"], finding["kind"],
                finding.get("pid"), finding.get("address"))
    found[place] += 1
    if place in expected:
        wrong += [f"{what} of {finding}" for what in check(finding, place)]
wrong += [f"missing: {place}" for place in expected - set(found)]
wrong += [f"not there: {place}" for place in set(found) - expected]
wrong += [f"{count} times: {place}" for place, count in found.items() if count > 1]
summary = last["summary"]
infected = {pid for _, _, pid, _ in expected if pid is not None}
if summary["infected"] != len(infected):
    wrong.append(f"{len(infected)} processes are infected: {summary}")
for word in "signatures", "processes", "infected", "bytes_scanned", "bytes_skipped", "seconds":
    if word not in summary:
        wrong.append(f"no {word}: {summary}")
sys.exit("\n".join(wrong[:50]) if wrong else None)
PYTHON
}

# scan STATUS ARGS...: must end so; what it printed is in $tmp/out.
scan() {
  local wanted=$1 status=0
  shift
  dacsa scan --database "$tmp/database" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
  [ $status = "$wanted" ] || fail "scan $* ends with $status, not $wanted: $(tail -n 5 "$tmp/out" "$tmp/err")"
  [ ! -s "$tmp/err" ] || fail "scan $* complains: $(head -n 5 "$tmp/err")"
}

# summary KEY: of the last scan with --json.
summary() {
  tail -n 1 "$tmp/out" | python3 -c 'import json, sys; print(json.load(sys.stdin)["summary"][sys.argv[1]])' "$1"
}

# place_of NAME [KIND]: "PID ADDRESS" of the first such line of what the guest tells.
place_of() {
  awk -v name="$1" -v kind="${2:-memory}" '$1 == name && $2 == kind { print $3, $4; exit }' "$tmp/marks"
}

# expect_line TEXT: the last scan, in text, has this line.
expect_line() {
  grep -qxF -- "$1" "$tmp/out" || fail "there is no line '$1' in: $(cat "$tmp/out")"
}

# Once is enough for the 3 GiB: from here on without.
check_text() {
  local pid address
  scan 1 --no-cache --exclude '^has-beyond$' vm/now
  read -r pid address <<<"$(place_of anonymous)"
  expect_line "vm/now pid $pid (has-anonymous) $address anonymous: Marks.anonymous.UNOFFICIAL FOUND"
  read -r pid address <<<"$(place_of memfd-mapped)"
  expect_line "vm/now pid $pid (has-memfds) $address /memfd:marked-mapped (deleted): Marks.memfd-mapped.UNOFFICIAL FOUND"
  read -r pid address <<<"$(place_of antivirus)"
  expect_line "vm/now pid $pid (clamd) $address anonymous: Marks.antivirus.UNOFFICIAL FOUND (antivirus)"
  expect_line "vm/now pid $deleted_pid (marked) exe /run/marked (deleted): Marks.hash.UNOFFICIAL FOUND"
  read -r _ address <<<"$(place_of module module)"
  expect_line "vm/now module brd $address: Marks.module.UNOFFICIAL FOUND"
  grep -qE '^vm/now file .*/libmarked\.so: Marks\.library\.UNOFFICIAL FOUND$' "$tmp/out" || fail "$(cat "$tmp/out")"
  same "$(grep -c ' FOUND' "$tmp/out")" "$(grep -vc '^beyond ' "$tmp/marks")" "lines of findings and places"
  for word in 'Known viruses' 'Scanned processes' 'Infected processes' 'Data scanned' 'Data skipped' Time; do
    grep -q "^$word: " "$tmp/out" || fail "no '$word' in: $(cat "$tmp/out")"
  done
  same "$(grep -cx -- '----------- SCAN SUMMARY -----------' "$tmp/out")" 1 "summaries"
}

check_selection() {
  local pid
  read -r pid _ <<<"$(place_of boundary)"
  scan 1 --no-cache --json "$mnt/vm/now/processes/$pid"
  compare_findings "$mnt/vm/now" "$tmp/out" boundary
  scan 1 --no-cache --json --exclude '^clamd$|libmarked|^has-beyond$' vm/now
  # shellcheck disable=SC2046,SC2086 # one word a name
  compare_findings "$mnt/vm/now" "$tmp/out" hash $(printf '%s\n' $names | grep -vE '^(antivirus|library|beyond)$')
  scan 0 --no-cache --no-summary "$mnt/vm/now/processes/1"
  same "$(cat "$tmp/out")" "" "findings in a process without any"
}

check_rules() {
  scan 1 --no-cache --json --exclude '^has-beyond$' --rules "$tmp/marks.yar" vm/now
  grep -v '"YARA\.' "$tmp/out" >"$tmp/clamav"
  # shellcheck disable=SC2046,SC2086 # one word a name
  compare_findings "$mnt/vm/now" "$tmp/clamav" hash $(printf '%s\n' $names | grep -v '^beyond$')
  grep -E '"YARA\.|"summary"' "$tmp/out" >"$tmp/yara"
  for name in anonymous child; do
    read -r pid address <<<"$(place_of $name)"
    same "$(grep -c "\"YARA\.$name\"" "$tmp/yara")" 1 "findings of the rule $name"
    grep "\"YARA\.$name\"" "$tmp/yara" | grep -E "\"pid\" ?: ?$pid\b" | grep -q "\"$address\"" ||
      fail "the rule $name did not find $pid $address: $(cat "$tmp/yara")"
  done
}

# With what it knows to be clean, the next scan reads less and finds the same.
check_cache() {
  local first
  scan 1 --json vm/now
  compare_findings "$mnt/vm/now" "$tmp/out"
  first=$(summary bytes_scanned)
  dacsa snapshot vm later >/dev/null
  scan 1 --json vm/later
  compare_findings "$mnt/vm/later" "$tmp/out"
  [ "$(summary bytes_scanned)" -lt $((first / 2)) ] ||
    fail "the first scan scanned $first bytes, the second $(summary bytes_scanned)"
}

# infected_files: which files hold the markers of the guest's lines on standard input.
infected_files() {
  awk -v snapshot="$mnt/vm/now" '
    $2 == "memory" { print snapshot "/processes/" $3 "/memory" }
    $2 == "exe" { print snapshot "/processes/" $3 "/exe" }
    $2 == "module" { print snapshot "/kernel/modules/" $5 }' | sort -u
}

# check_clamscan: what clamscan finds is what doc/tools.md says. It gives up at a file's first match, and
# it looks into nothing over 2 GiB and into no file that is not listed.
check_clamscan() {
  local status=0 raised=(--max-filesize=2047M --max-scansize=2047M)
  clamscan -r --infected --no-summary -d "$tmp/database" "${raised[@]}" "$mnt/vm/now" >"$tmp/first" || status=$?
  same $status 1 "clamscan's exit status and that for something found"
  same "$(sed 's/: .*//' "$tmp/first" | sort)" "$(grep -v '^beyond ' "$tmp/marks" | infected_files)" "files"
  ! grep -E 'Marks\.(first|child|beyond|memfd-held)\.' "$tmp/first" || fail "clamscan finds more than is told"
  clamscan -r --infected --no-summary --allmatch -d "$tmp/database" "${raised[@]}" "$mnt/vm/now" >"$tmp/all" || :
  # shellcheck disable=SC2086 # one word a name
  same "$(sed 's/.*: Marks\.\(.*\)\.UNOFFICIAL FOUND$/\1/' "$tmp/all" | sort -u)" \
    "$(printf '%s\n' hash $names | grep -vE '^(beyond|memfd-held)$' | sort)" "markers"
}

check_errors() {
  mkdir "$tmp/empty" "$tmp/broken"
  echo 'Broken:0:*:this-is-no-hexadecimal' >"$tmp/broken/broken.ndb"
  : >"$tmp/empty.ndb"
  echo 'rule broken { condition: }' >"$tmp/broken.yar"
  expect_error 2 'missing' dacsa scan --database "$tmp/missing" vm/clean
  expect_error 2 'broken' dacsa scan --database "$tmp/broken" vm/clean
  expect_error 2 'empty' dacsa scan --database "$tmp/empty" vm/clean
  expect_error 2 'empty.ndb' dacsa scan --database "$tmp/empty.ndb" vm/clean
  expect_error 2 'broken.yar' dacsa scan --database "$tmp/database" --rules "$tmp/broken.yar" vm/clean
  expect_error 2 'nothing' dacsa scan --database "$tmp/database" vm/nothing
}

mkdir "$tmp/database"
write_signatures
# With erms the kernel clears pages byte by byte, which takes software emulation four times as long.
start_guest vm -m 4352M -cpu max,erms=off
mount_guest vm
dacsa snapshot vm clean >/dev/null
scan 0 --no-cache vm/clean
grep -qx 'Infected processes: 0' "$tmp/out" || fail "a clean guest: $(cat "$tmp/out")"
check_errors
dacsa drop vm/clean

plant
write_hash_signature
dacsa snapshot vm now >/dev/null
check_guest_marks "$mnt/vm/now"
check_clamscan
check_cache
check_text
check_selection
check_rules
