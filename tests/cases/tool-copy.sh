#!/bin/bash
# Tools that count and copy files, on the tree: find, du, sha256sum, tar -S, cp --sparse, rsync -S. A
# copy is the same as what it was made of, and as sparse.
. "$(dirname "$0")/../functions.sh"

start_guest vm -m 256M
pids=()
for role in zoo threads 'sparse 256' 'touch 8' memfd-exec; do
  pids+=("$(start_in_guest vm "ROLE=$role" "is-${role%% *}")")
done
mount_guest vm
dacsa snapshot vm now >/dev/null
snapshot=$mnt/vm/now

# quiet CMD...: CMD succeeds and complains of nothing; its output is in $tmp/out.
quiet() {
  timeout 120 "$@" >"$tmp/out" 2>"$tmp/complaints" || fail "$1 ends with $?: $(cat "$tmp/complaints")"
  [ ! -s "$tmp/complaints" ] || fail "$1 complains: $(cat "$tmp/complaints")"
}

# --- counting: no file twice, no loop, and sizes that add up.

quiet find "$mnt" -printf '%i\n'
same "$(sort "$tmp/out" | uniq -d)" "" "inode numbers that come twice and none"
quiet find -L "$mnt" -type l # `latest` leads somewhere, and in no circle
same "$(cat "$tmp/out")" "" "links that lead nowhere and none"
quiet find "$mnt" -type f -links +1
same "$(cat "$tmp/out")" "" "files with several links and none"
quiet du -s -B1 --apparent-size "$snapshot"
same "$(cut -f 1 "$tmp/out")" "$(find "$snapshot" -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f", n }')" \
  "du's sum of sizes and that of find"
quiet du -s -B1 "$snapshot"
same "$(cut -f 1 "$tmp/out")" "$(find "$snapshot" -printf '%b\n' | awk '{ n += $1 * 512 } END { printf "%.0f", n }')" \
  "du's sum of blocks and that of find"

# --- sha256sum: of executables what the guest itself says, and of all the same when asked again.

guest_run vm "cd /proc; sha256sum 1/exe ${pids[*]/%//exe}" | sort >"$tmp/told"
same "$(cd "$snapshot/processes" && sha256sum 1/exe "${pids[@]/%//exe}" | sort)" "$(cat "$tmp/told")" \
  "the executables and what the guest says of them"

# Not of physmem: to hash holes takes long. Not of what may change: what errors there were, what the
# snapshot costs.
(cd "$mnt/vm" && find now -type f ! -name info ! -name errors ! -name physmem -exec sha256sum {} +) >"$tmp/sums"
(cd "$mnt/vm" && sha256sum --quiet -c "$tmp/sums") || fail "a second look finds something else"

# --- copies

# attributes DIRECTORY: of what is in it and no directory: size, type, mode, time.
attributes() {
  (cd "$1" && find . ! -type d ! -name info ! -name errors ! -name physmem -printf '%P %s %y %m %Ts\n' | sort)
}

# check_copy DIRECTORY WHAT: it is the snapshot once more.
check_copy() {
  same "$(attributes "$1")" "$(attributes "$snapshot")" "the files of $2 and the tree's"
  (cd "$1" && sed 's,  now/,  ,' "$tmp/sums" | sha256sum --quiet -c) || fail "$2: files differ"
  rm -rf "$1"
}

# same_data A B: two sparse files are the same, as cmp would say, which reads holes: where either has
# data, both have the same.
same_data() {
  python3 - "$@" <<'PYTHON'
import os, sys

a, b = (os.open(path, os.O_RDONLY) for path in sys.argv[1:])
size = os.fstat(a).st_size
assert os.fstat(b).st_size == size
for file in (a, b):
    at = 0
    while at < size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(file, at, os.SEEK_HOLE)
        while at < end:
            length = min(1 << 20, end - at)
            piece = os.pread(a, length, at)
            assert len(piece) == length and piece == os.pread(b, length, at), hex(at)
            at += length
PYTHON
}

# check_sparse DIRECTORY WHAT: so is the file with most holes.
check_sparse() {
  local allocated
  same_data "$1/physmem" "$snapshot/physmem" || fail "$2: physmem differs"
  allocated=$(du -s -B1 "$1/physmem" | cut -f 1)
  [ "$allocated" -lt $((256 << 20)) ] && [ "$allocated" -lt "$(stat -c %s "$1/physmem")" ] ||
    fail "$2: physmem takes $allocated bytes"
}

mkdir "$tmp/tar"
quiet tar -C "$mnt/vm" -S -cf "$tmp/archive" now
[ "$(stat -c %s "$tmp/archive")" -lt $((400 << 20)) ] || fail "the archive has $(stat -c %s "$tmp/archive") bytes"
quiet tar -C "$tmp/tar" -xf "$tmp/archive"
rm "$tmp/archive"
check_sparse "$tmp/tar/now" "tar -S"
check_copy "$tmp/tar/now" "tar -S"

quiet cp -a -r --sparse=always "$mnt/vm" "$tmp/copy"
same "$(readlink "$tmp/copy/latest")" now "the link latest and its copy"
check_sparse "$tmp/copy/now" "cp -a --sparse=always"
check_copy "$tmp/copy/now" "cp -a --sparse=always"

# rsync looks at every byte of a hole, so without physmem. The second time there is nothing to do.
without=(--exclude=/info --exclude=/errors --exclude=/physmem)
quiet rsync -aS "${without[@]}" "$snapshot/" "$tmp/rsync"
quiet rsync -aSi "${without[@]}" "$snapshot/" "$tmp/rsync"
same "$(cat "$tmp/out")" "" "what a second rsync copies and nothing"
quiet rsync -aSic "${without[@]}" "$snapshot/" "$tmp/rsync"
same "$(cat "$tmp/out")" "" "what differs for rsync by checksum and nothing"
check_copy "$tmp/rsync" "rsync -aS"

regions=$snapshot/processes/${pids[2]}/regions
quiet rsync -aS "$regions/" "$tmp/rsync"
quiet rsync -aSi "$regions/" "$tmp/rsync"
same "$(cat "$tmp/out")" "" "what a second rsync of regions copies and nothing"
same "$(attributes "$tmp/rsync")" "$(attributes "$regions")" "the regions that rsync copies and the tree's"
[ "$(du -sm "$tmp/rsync" | cut -f 1)" -lt 16 ] && [ "$(du -sm --apparent-size "$tmp/rsync" | cut -f 1)" -gt 500 ] ||
  fail "the copies of sparse regions have $(du -sm "$tmp/rsync") MiB"
