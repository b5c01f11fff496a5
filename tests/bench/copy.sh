#!/bin/bash
# How long a guest with shared RAM stands still for a snapshot by a copy, beside QEMU's dump-guest-memory of
# the same guest, which stands still for that, too.
. "$(dirname "$0")/bench.sh"

rounds=${2:-8}

# copied_mib: what was copied.
copied_mib() {
  calculate 'b / 1048576' "b=$(info private_bytes)"
}

# dump_us FILE: how long the command takes, the time of asking for it included (some ms).
dump_us() {
  local begin
  begin=$(date +%s%N)
  qmp vm dump-guest-memory "{\"paging\":false,\"protocol\":\"file:$1\"}" >/dev/null || fail "dump-guest-memory"
  echo $((($(date +%s%N) - begin) / 1000))
}

measure_round() {
  mkdir "$mnt/vm/s"
  measure pause info pause_us
  measure quiesce info quiesce_us
  measure copy info fork_us
  measure mib copied_mib
  rmdir "$mnt/vm/s"
  measure dump dump_us "$tmp/dump"
  rm "$tmp/dump"
}

start_touched_guest -object "memory-backend-memfd,id=ram,size=${ram_mib}M,share=on" \
  -machine memory-backend=ram
start_dacsa --connect none --qmp "vm=$tmp/vm.qmp" --method fork,copy
await_vms vm
host
echo "guest of $ram_mib MiB in a memfd, $touch_mib MiB of it touched by a process; $rounds snapshots by copy," \
  "each dropped before the next"
for ((i = 0; i < rounds; i++)); do
  measure_round
done
header ms
row "pause_us, as dacsa reports it" pause 1000
row "  of that quiesce_us" quiesce 1000
row "  of that fork_us, the copy" copy 1000
row "dump-guest-memory to a file" dump 1000
header MiB
row "copied" mib 1

printf '\nratios of medians\n'
gib=$(calculate 'm / 1024' "m=$(quantile mib median)")
ratio "pause_us per GiB, ms" "$(calculate 'p / 1000 / g' "p=$(quantile pause median)" "g=$gib")" "-"
ratio "dump-guest-memory / pause_us" \
  "$(calculate 'd / p' "d=$(quantile dump median)" "p=$(quantile pause median)")" ">= 3"
