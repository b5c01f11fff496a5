#!/bin/bash
# How fast tar reads the memory of all processes; beside reading as many bytes from physmem the same
# way. All of it cold: each reading has a snapshot of its own.
. "$(dirname "$0")/bench.sh"

rounds=${2:-7}

now_us() {
  echo "${EPOCHREALTIME/./}"
}

# measure_bytes NAME DIRECTORY CMD...: runs CMD in DIRECTORY, a pipe behind it as behind any tar that
# goes to a compressor, and notes GB/s.
measure_bytes() {
  local name=$1 directory=$2 begin end bytes
  shift 2
  begin=$(now_us)
  bytes=$(cd "$directory" && "$@" | wc -c)
  end=$(now_us)
  echo "$(calculate "$bytes / 1000 / ($end - $begin)")" >>"$figures/$name"
  echo "$bytes" >"$tmp/bytes"
}

measure_all() {
  local i
  for ((i = 0; i < rounds; i++)); do
    mkdir "$mnt/vm/s"
    (cd "$mnt/vm/s/processes" && echo */memory | tr ' ' '\n') >"$tmp/names"
    measure_bytes tar "$mnt/vm/s/processes" tar -cf - -T "$tmp/names"
    rmdir "$mnt/vm/s"
    mkdir "$mnt/vm/s"
    measure_bytes physmem "$mnt/vm/s" head -c "$(cat "$tmp/bytes")" physmem
    rmdir "$mnt/vm/s"
  done
}

print_all() {
  header GB/s
  row "tar of processes/*/memory" tar 1
  row "as many bytes of physmem" physmem 1
  printf '\nratios of medians\n'
  ratio "tar of processes/*/memory / physmem" \
    "$(calculate 'a / b' "a=$(quantile tar median)" "b=$(quantile physmem median)")" ">= 0.8"
}

start_touched_guest
mount_guest vm
host
measure_all
echo "guest of $ram_mib MiB, $touch_mib MiB of it in one process, $(wc -l <"$tmp/names") processes;" \
  "$(($(cat "$tmp/bytes") >> 20)) MiB read; $rounds rounds"
print_all
