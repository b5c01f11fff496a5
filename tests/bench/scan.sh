#!/bin/bash
# How long `dacsa scan` takes for a Debian with 100 processes, and with how much memory, beside `clamscan -r`
# with the same 100,000 signatures: for a first snapshot, and for a second one after the guest has worked on.
. "$(dirname "$0")/bench.sh"

rounds=${2:-3}
processes=100
export XDG_CACHE_HOME=$tmp/cache # dacsa scan's knowledge of what is clean
# clamscan is to look into all of it; physmem has the same bytes once more, which dacsa scan leaves out.
clamscan_options=(--infected --max-filesize=2047M --max-scansize=2047M --max-scantime=0 '--exclude=/physmem$')

# --- the guest --------------------------------------------------------------------------------------

# one_line COMMAND: run in the guest, whose console takes a line at a time.
one_line() {
  guest_run vm "${1//$'\n'/ }"
}

# in_guest HOW-MANY COMMAND: so many of it in the background. They read from a pipe that says nothing; what
# first prepares something tells by settled, a file in /run/settled.
in_guest() {
  one_line "for i in \$(seq $1); do $2 <&9 >/dev/null 2>&1 & done"
}

settled() {
  [ "$(guest_run vm 'ls /run/settled | wc -l')" -ge "$1" ]
}

# Programs as they share libraries, a server that forks its workers, one that keeps 64 MiB, shells with
# variables.
start_programs() {
  guest_run vm 'mkdir /run/settled; mkfifo /run/silence; exec 9<>/run/silence'
  in_guest 1 "perl -e '\$0 = \"keeper\"; while (length \$all < 64 << 20 and \$file = shift @ARGV) {
    open F, \$file; local \$/; \$all .= <F> } \$SIG{USR1} = sub { for (1 .. 160) {
    substr \$all, 4096 * int rand 16000, 64, sprintf \"%64s\", \$_ } mkdir \"/run/settled/again\" };
    mkdir \"/run/settled/\$\$\"; sleep 1 while 1' \$(find /usr/lib /usr/share -type f -size -2000k | head -n 4000)"
  in_guest 1 "perl -MPOSIX -MSocket -MIO::Socket -e '\$page{\$_} = \"page \$_ \" x 40 for 1 .. 12000;
    for (1 .. 12) { last unless fork } mkdir \"/run/settled/\$\$\"; \$seen{\$_} = \$\$ for 1 .. 500; <STDIN>'"
  in_guest 5 "perl -MPOSIX -MFile::Temp -e 'mkdir \"/run/settled/\$\$\"; <STDIN>'"
  in_guest 12 "bash -c 'for ((n = 0; n < 1500; n++)); do a[n]=\$RANDOM\$n\$\$; done; mkdir /run/settled/\$\$; read line'"
  in_guest 8 "sh -c 'while read line; do echo \$line; done'"
  in_guest 4 'journalctl -f'
  in_guest 3 'udevadm monitor'
  in_guest 3 'dbus-monitor --system'
  in_guest 4 'tail -f /var/log/syslog'
  in_guest 3 'ip monitor'
  in_guest 3 'top -b -d 100000'
  in_guest 2 'vmstat 100000'
  in_guest 4 'ssh-agent -D'
  for program in cat sort md5sum 'grep x' 'sed p' "awk '{ print }'" 'busctl monitor'; do
    in_guest 2 "$program"
  done
  wait_for 200 settled 31 || fail "the guest's programs do not settle"
}

# fill_up: sleepers, until there are as many processes as are wanted.
fill_up() {
  local n
  n=$(guest_run vm "ps axo vsz= | awk '\$1 > 0' | wc -l")
  in_guest $((processes - n + 3)) 'sleep 1000000' # the three that counted
}

# Files are read, the log grows, programs run and end, one in a hundred of the keeper's pages changes.
work_in_guest() {
  one_line 'rmdir /run/settled/again 2>/dev/null; pkill -USR1 keeper; find /usr/share -type f | head -n 1500 |
    xargs cat >/dev/null; for i in $(seq 60); do logger "line $i"; ls -l /usr/bin >/dev/null; done;
    pkill -n sleep; until [ -e /run/settled/again ]; do sleep 0.1; done'
  in_guest 1 'sleep 1000000'
}

# --- measuring --------------------------------------------------------------------------------------

# describe SNAPSHOT: how much there is to scan.
describe() {
  python3 - "$mnt/vm/$1" <<'PYTHON'
import array, glob, os, sys

frames, entries, size, processes = set(), 0, 0, 0
for path in glob.glob(sys.argv[1] + "/processes/*/memory"):
    if os.stat(path).st_size == 0:
        continue
    pagemap = array.array("Q", open(path[: -len("memory")] + "pagemap", "rb").read())
    frames.update(entry & (1 << 55) - 1 for entry in pagemap)
    entries += len(pagemap)
    size += os.stat(path).st_size
    processes += 1
print(f"{processes} processes with memory; {size >> 20} MiB in all their `memory` files, of "
      f"{len(frames)} frames ({len(frames) >> 8} MiB): {entries / len(frames):.2f} times each")
PYTHON
}

# measured NAME STATUS CMD...: seconds, processors' seconds and MiB at most of CMD, and MiB of the viewer
# meanwhile; what CMD prints is in $tmp/NAME.out.
measured() {
  local name=$1 wanted=$2 viewer
  shift 2
  viewer=$(viewer)
  echo 5 >"/proc/$viewer/clear_refs" # its highest so far is forgotten
  python3 - "$figures/$name" "$wanted" "$@" >"$tmp/$name.out" <<'PYTHON' || fail "$*: $(tail -n 5 "$tmp/$name.out")"
import resource, subprocess, sys, time

figure, wanted, *command = sys.argv[1:]
begin = time.monotonic()
status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
seconds = time.monotonic() - begin
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
figures = {"": seconds, "-cpu": usage.ru_utime + usage.ru_stime, "-mib": usage.ru_maxrss / 1024}
for suffix, value in figures.items():
    with open(figure + suffix, "a") as file:
        print(value, file=file)
sys.exit(status != int(wanted))
PYTHON
  awk '/^VmHWM/ { print $2 / 1024 }' "/proc/$viewer/status" >>"$figures/$name-viewer-mib"
}

# found NAME REGEX: what was measured last has found the marker there, and nothing else.
found() {
  [ "$(grep -cE 'FOUND|"signature":' "$tmp/$1.out")" = 1 ] && grep -qE "$2" "$tmp/$1.out" ||
    fail "$1 does not find just the marker: $(cat "$tmp/$1.out")"
}

# cold SNAPSHOT: takes it: nothing of it is in any cache, but its processes have been listed.
cold() {
  mkdir "$mnt/vm/$1"
  ls "$mnt/vm/$1/processes" >"$tmp/ignored"
}

with_clamscan() {
  cold s
  measured "clamscan-$1" 1 clamscan -r "${clamscan_options[@]}" -d "$tmp/database" "$mnt/vm/s"
  found "clamscan-$1" "processes/$marked/memory: Bench.marker"
  rmdir "$mnt/vm/s"
}

with_dacsa() {
  cold s
  measured "dacsa-$1" 1 "$DACSA" scan --mount "$mnt" --json --database "$tmp/database" vm/s
  found "dacsa-$1" "\"pid\" ?: ?$marked\b.*\"Bench.marker"
  tail -n 1 "$tmp/dacsa-$1.out" >"$tmp/dacsa-$1.summary"
  rmdir "$mnt/vm/s"
}

measure_all() {
  local i
  for ((i = 0; i < rounds; i++)); do
    rm -rf "$XDG_CACHE_HOME"
    with_clamscan first
    with_dacsa first
    work_in_guest
    with_clamscan second
    with_dacsa second
  done
}

# --- the outcome ------------------------------------------------------------------------------------

print_all() {
  local which who
  for which in '' -cpu -mib -viewer-mib; do
    case $which in
      '') header seconds ;;
      -cpu) header "processors' seconds" ;;
      -mib) header "MiB at most" ;;
      *) header "MiB at most, the viewer" ;;
    esac
    for who in clamscan dacsa; do
      row "$who, first snapshot" "$who-first$which" 1
      row "$who, second snapshot" "$who-second$which" 1
    done
  done
  echo "dacsa scan, first: $(cat "$tmp/dacsa-first.summary")"
  echo "dacsa scan, second: $(cat "$tmp/dacsa-second.summary")"
  printf '\nratios of medians\n'
  ratio "first snapshot: clamscan / dacsa scan" "$(ratio_of clamscan-first dacsa-first)" ">= 5"
  ratio "second snapshot: clamscan / dacsa scan" "$(ratio_of clamscan-second dacsa-second)" ">= 50"
  ratio "memory: dacsa scan / clamscan, first" "$(ratio_of dacsa-first-mib clamscan-first-mib)" "<= 1"
  ratio "memory: dacsa scan / clamscan, second" "$(ratio_of dacsa-second-mib clamscan-second-mib)" "<= 1"
}

[ -e "$guest_images/debian.img" ] || skip "no full Debian: tests/setup debian could not make it"
mkdir "$tmp/database"
"$root/tests/bench/make-signatures" "$tmp/database"
echo "Bench.marker:0:*:$("$root/tests/guest/marker" anonymous)" >"$tmp/database/marker.ndb"
start_debian vm -m "${ram_mib}M"
guest_run vm 'systemctl is-system-running --wait' >/dev/null || fail "its systemd has failed units"
marked=$(start_in_guest vm 'ROLE=mark anonymous' has-marker)
start_programs
fill_up
mount_guest vm
host
dacsa snapshot vm about >/dev/null
describe about
dacsa drop vm/about
measure_all
echo "guest of $ram_mib MiB, kernel $(guest_run vm 'uname -r'); $(wc -l <"$tmp/database/bench.ndb") patterns of" \
  "$(cat "$tmp/database"/* | wc -l) signatures; $rounds rounds"
print_all
