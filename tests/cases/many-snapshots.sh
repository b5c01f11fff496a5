#!/bin/bash
# After many snapshots in a row, each dropped again, the guest answers and goes on with its work, its clock
# has not lost more than the pauses, and QEMU is no larger than before, with the same threads, descriptors,
# and no children. tests/on-request/thousands-of-snapshots.sh: thousands.
. "$(dirname "$0")/../functions.sh"

snapshots=${SNAPSHOTS:-300}
SLACK_US=3000000   # of the clocks: a guest under software emulation is asked through its console
GROWTH_KIB=65536   # of QEMU: the guest goes on meanwhile, and so does its memory

# clocks: the host's, and the guest's real and monotonic one, all in microseconds.
clocks() {
  local host
  host=$(awk '{ printf "%.0f", $1 * 1000000 }' /proc/uptime)
  guest_run vm 'cut -d " " -f 1 /proc/uptime; date +%s' | tr -d '\r' |
    awk -v host="$host" 'NR == 1 { up = $1 * 1000000 } NR == 2 { date = $1 * 1000000 }
      END { printf "%s %.0f %.0f\n", host, up, date }'
}

rss_kib() {
  awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"
}

# resources: what QEMU has that must not become more.
resources() {
  find "/proc/$pid/fd" -mindepth 1 -printf '%l\n' | sed 's/^socket:.*/socket/' | sort
  echo "children: $(cat "/proc/$pid/task/$pid/children")"
  echo "mappings not forked: $(grep -c '^VmFlags:.* dc' "/proc/$pid/smaps")"
}

no_new_threads() {
  [ "$(ls "/proc/$pid/task" | wc -l)" -le "$threads" ]
}

as_before() {
  [ "$(resources)" = "$before" ]
}

start_guest vm
counter=$(start_in_guest vm ROLE='counter 16' counter)
pid=${guest_pid[vm]}
mount_guest vm
mkdir "$mnt/vm/s"
rmdir "$mnt/vm/s"
before=$(resources) threads=$(ls "/proc/$pid/task" | wc -l) rss=$(rss_kib)
passes=$(guest_run vm 'cat /run/counter')
read -r host up date <<<"$(clocks)"

pauses=0
for ((i = 0; i < snapshots; i++)); do
  mkdir "$mnt/vm/s"
  pauses=$((pauses + $(sed -n 's/^pause_us: //p' "$mnt/vm/s/info")))
  rmdir "$mnt/vm/s"
done

read -r host2 up2 date2 <<<"$(clocks)"
passed=$((host2 - host))
for behind in $((passed - (up2 - up))) $((passed - (date2 - date))); do
  [ $behind -le $((pauses + SLACK_US)) ] && [ $behind -ge -$SLACK_US ] ||
    fail "in $passed us, $pauses of them paused, a clock of the guest fell $behind us behind"
done
echo "$snapshots snapshots in $passed us, $pauses paused; uptime fell $((passed - (up2 - up))) us behind," \
  "RSS $rss KiB before, $(rss_kib) after"
wait_for 30 counted_on vm "$passes" || fail "the guest does not go on"
guest_run vm "kill -0 $counter"
wait_for 10 as_before || fail "QEMU has more than it had: $(diff <(echo "$before") <(resources))"
[ "$(rss_kib)" -le $((rss + GROWTH_KIB)) ] || fail "QEMU had $rss KiB and has $(rss_kib)"
same "$(parked vm)" "" "snapshots and none"
wait_for 60 no_new_threads || fail "QEMU had $threads threads and has $(ls "/proc/$pid/task" | wc -l)"
