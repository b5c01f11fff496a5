#!/bin/bash
# How fast physmem is read with requests of 1 MiB, cold and from the page cache; beside a trivial
# in-memory FUSE file (memfile.c) with the same settings, and tmpfs.
. "$(dirname "$0")/bench.sh"

rounds=${2:-9}

# readahead_of DIRECTORY: the file with its mount's setting.
readahead_of() {
  echo "/sys/class/bdi/$(mountpoint -d "$1")/read_ahead_kb"
}

# A tmpfs, with the same content as physmem.
mount_tmpfs() {
  mkdir "$tmp/tmpfs"
  mount -t tmpfs -o size=$((ram_mib + 16))M none "$tmp/tmpfs"
  cleanup_fn umount "$tmp/tmpfs"
  head -c "${ram_mib}M" "$mnt/vm/s/physmem" >"$tmp/tmpfs/memory"
}

mount_memfile() {
  mkdir "$tmp/memfile"
  "$BENCH/memfile" "$tmp/memfile" "$ram_mib" &
  cleanup_fn end_process $! 5
  wait_for 30 mountpoint -q "$tmp/memfile"
  cat "$(readahead_of "$mnt")" >"$(readahead_of "$tmp/memfile")"
}

# measure_read NAME FILE [-c]
measure_read() {
  local cached speed
  # shellcheck disable=SC2086 # no option is no word
  read -r speed cached < <("$BENCH/readfile" ${3:-} "$2" "$ram_mib")
  [ -z "${3:-}" ] || [ "$cached" -le 1 ] || fail "$2: $cached % of it was still in the page cache"
  [ -n "${3:-}" ] || [ "$cached" -ge 99 ] || fail "$2: only $cached % of it was in the page cache"
  echo "$speed" >>"$figures/$1"
}

measure_all() {
  local i
  for ((i = 0; i < rounds; i++)); do
    measure_read physmem-cold "$mnt/vm/s/physmem" -c
    measure_read memfile-cold "$tmp/memfile/memory" -c
    measure_read physmem "$mnt/vm/s/physmem"
    measure_read memfile "$tmp/memfile/memory"
    measure_read tmpfs "$tmp/tmpfs/memory"
  done
}

print_all() {
  header GB/s
  row "physmem, cold" physmem-cold 1
  row "trivial FUSE file, cold" memfile-cold 1
  row "physmem, page cache" physmem 1
  row "trivial FUSE file, page cache" memfile 1
  row "tmpfs" tmpfs 1
  printf '\nratios of medians\n'
  ratio "cold: physmem / trivial FUSE file" "$(ratio_of physmem-cold memfile-cold)" ">= 0.9"
  ratio "page cache: physmem / trivial FUSE file" "$(ratio_of physmem memfile)" ">= 0.9"
  ratio "page cache: physmem / tmpfs" "$(ratio_of physmem tmpfs)" ">= 0.9"
}

start_touched_guest
mount_guest vm
mkdir "$mnt/vm/s"
mount_memfile
mount_tmpfs
host
echo "$ram_mib MiB with requests of 1 MiB, readahead of $(cat "$(readahead_of "$mnt")") KiB; $rounds rounds"
measure_all
print_all
