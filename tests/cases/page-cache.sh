#!/bin/bash
# files/ is what the guest has in its page cache, by file system and path: the same bytes, with holes
# where pages are missing; and a process's executable is the program itself: it runs here.
. "$(dirname "$0")/../functions.sh"

[ -z "${KERNEL:-}" ] || use_kernel "$KERNEL"
mkdir "$tmp/content"
head -c 8M /dev/urandom >"$tmp/content/large"
truncate -s 32M "$tmp/disk"
mkfs.ext4 -q -d "$tmp/content" "$tmp/disk"
start_guest vm -drive "if=none,id=disk,format=raw,file=$tmp/disk" \
  -device virtio-blk-pci,drive=disk,serial=disk

# run LINES: several lines of shell as the one that the guest takes at a time.
run() {
  guest_run vm "${1//$'\n'/ }"
}

# Files in a tmpfs and in the initramfs; huge pages; names that are gone; a file system that is gone.
run '
  random() { dd if=/dev/urandom of="$@" 2>/dev/null; };
  some() {
    mkdir -p "$1/a/b c/100%";
    echo some text >"$1/a/small";
    mkdir "$1/linked"; echo once >"$1/linked/x"; ln "$1/linked/x" "$1/linked/y";
    : >"$1/a/empty";
    random "$1/a/b c/three" bs=1000k count=3;
    random "$1/a/b c/100%/sparse" bs=4k count=1 seek=100;
    random "$1/a/b c/100%/sparse" bs=4k count=3 seek=700 conv=notrunc;
    truncate -s 10000000 "$1/a/b c/100%/sparse";
  };
  some /run; some "";
  mkdir /huge; mount -t tmpfs -o huge=always,size=64m huge /huge; mkdir /huge/a;
  random /huge/a/five bs=1M count=5;
  mkdir /gone; mount -t tmpfs gone /gone; echo of gone >/gone/file; exec 9</gone/file; umount -l /gone;
  echo first >/run/a/lost; exec 7</run/a/lost; rm /run/a/lost;
  echo second >/run/a/lost; exec 8</run/a/lost; rm /run/a/lost'
# A file system on a disk: of a file a part is read, of a program what runs; then the kernel is told to
# forget what it can read again. What the process has changed of the program is its own by then.
disk=$(run 'modprobe -a overlay virtio_pci virtio_blk 2>/dev/null;
  for d in /sys/block/vd*; do [ "$(cat $d/serial)" != disk ] || echo ${d##*/}; done')
device=$(guest_run vm "cat /sys/block/$disk/dev")
run "mkdir /disk; mount -t ext4 /dev/$disk /disk; cp /bin/guest /disk/program; umount /disk;
  mount -t ext4 -o ro /dev/$disk /disk"
partial=$(guest_run vm 'start ROLE=idle /disk/program')
run 'echo 1 >/proc/sys/vm/drop_caches; dd if=/disk/large bs=4k skip=1000 count=4 of=/dev/null 2>/dev/null'

memfd=$(start_in_guest vm ROLE=memfd-exec memfd-exec)
overlaid=$(start_in_guest vm ROLE=overlaid overlaid)
start_in_guest vm ROLE=huge huge >/dev/null
deleted=$(guest_run vm 'cp /bin/guest /run/dropper; start ROLE=idle /run/dropper; rm /run/dropper')

mount_guest vm
dacsa snapshot vm now >/dev/null
files=$mnt/vm/now/files
[[ $(ls "$mnt/vm/now") != *files* ]] || fail "files/ is listed without --show-all"

# hash_of FILE
hash_of() {
  sha256sum <"$1" | cut -d ' ' -f 1
}

# top PATTERN: the one directory at the top of files/ that PATTERN matches.
top() {
  local found
  mapfile -t found < <(compgen -G "$files/$1")
  [ ${#found[@]} -eq 1 ] && [ -d "${found[0]}" ] || fail "not one directory is $1 of: $(ls "$files")"
  echo "${found[0]}"
}

# extents FILE: where it is not a hole.
extents() {
  python3 - "$1" <<'PYTHON'
import os, sys

file = os.open(sys.argv[1], os.O_RDONLY)
end, at = os.fstat(file).st_size, 0
while at < end:
    try:
        at = os.lseek(file, at, os.SEEK_DATA)
    except OSError:
        break
    stop = os.lseek(file, at, os.SEEK_HOLE)
    print(f"{at}+{stop - at}")
    at = stop
PYTHON
}

# compare DIRECTORY PATTERN PATH: below PATH, of the file system mounted on DIRECTORY, which is PATTERN
# in files/, are the files that the guest has there, and those that it has deleted.
compare() {
  local in_tree hash path
  in_tree=$(top "$2")
  guest_run vm "cd $1; find $3 -xdev -type f -size +0 -exec sha256sum {} +" >"$tmp/told"
  [ -s "$tmp/told" ] || fail "the guest has no files in $1/$3"
  while read -r hash path; do
    path=${path//%/%25}
    same "$hash" "$(hash_of "$in_tree/$path")" "the bytes of $1/$path"
  done <"$tmp/told"
  same "$(sed 's/^[^ ]* *//; s/%/%25/g' "$tmp/told" | sort)" \
    "$(cd "$in_tree" && find "$3" -type f ! -name '*(deleted)*' | sort)" "the files of $1/$3"
}

compare /run '*-tmpfs-%2Frun' a
compare / '*-rootfs-%2F' a
compare / '*-rootfs-%2F' bin
compare /huge '*-tmpfs-%2Fhuge' a

for where in '*-tmpfs-%2Frun' '*-rootfs-%2F'; do
  sparse="$(top "$where")/a/b c/100%25/sparse"
  same "$(extents "$sparse")" $'409600+4096\n2867200+12288' "the extents of a sparse file"
  same "$(stat -c %s "$sparse")" 10000000 "its size"
  same "$(cat "$(top "$where")"/linked/*)" once "a file of two names"
done

# --- what has no name any more

run=$(top '*-tmpfs-%2Frun')
same "$(cat "$run"/a/lost* | sort)" $'first\nsecond' "deleted files of one name"
[ -f "$run/a/lost (deleted)" ] || fail "$(ls "$run/a")"
same "$(cat "$files"/*-tmpfs/file)" "of gone" "a file of a file system that is mounted nowhere"
program=$(guest_run vm 'sha256sum /bin/guest' | cut -d ' ' -f 1)
same "$(hash_of "$run/dropper (deleted)")" "$program" "a deleted program"
same "$(hash_of "$(find "$files"/*-tmpfs/ -name 'memfd:payload (deleted)')")" "$program" "a memfd"
same "$(hash_of "$(find "$files"/*-tmpfs/ -path '*/lower/bin/layered')")" "$program" "a layer's program"

# Shared anonymous memory of hugetlb pages: one of two is there.
huge=$(find "$files"/*-hugetlbfs/ -type f)
same "$(extents "$huge")" 0+2097152 "a file of huge pages"
same "$(stat -c %s "$huge")" 4194304 "its size"
python3 - "$huge" <<'PYTHON' || fail "its pages are not as they were filled"
import sys

with open(sys.argv[1], "rb") as file:
    for page in range(512):
        filled = bytes([ord("T") + page % 16]) * 64
        assert file.read(4096) == filled + bytes(4096 - 64), page
PYTHON

# same_data FILE TRUTH: all of FILE that is not a hole is as in TRUTH; some is a hole.
same_data() {
  local at length size
  size=$(stat -c %s "$2")
  same "$(stat -c %s "$1")" "$size" "the size of $1"
  extents "$1" >"$tmp/extents"
  [ -s "$tmp/extents" ] && [ "$(cat "$tmp/extents")" != "0+$size" ] ||
    fail "$1 has no holes, or no data: $(cat "$tmp/extents")"
  while IFS=+ read -r at length; do
    cmp --ignore-initial="$at" --bytes="$length" "$1" "$2" || fail "$1 is not what it should be"
  done <"$tmp/extents"
}

# What was read of a disk, and what the kernel read besides.
large=$(top '*-ext4-%2Fdisk')/large
same_data "$large" "$tmp/content/large"
same "$(dd if="$large" bs=4k skip=1000 count=4 status=none | sha256sum)" \
  "$(dd if="$tmp/content/large" bs=4k skip=1000 count=4 status=none | sha256sum)" "what was read of a file"
same_data "$(top '*-bdev')/$device" "$tmp/disk"

# --- executables

for pid in 1 "$memfd" "$overlaid" "$deleted"; do
  same "$(hash_of "$mnt/vm/now/processes/$pid/exe")" \
    "$(guest_run vm "sha256sum /proc/$pid/exe" | cut -d ' ' -f 1)" "the executable of $pid"
done
install -m 755 "$mnt/vm/now/processes/$memfd/exe" "$tmp/copy"
"$tmp/copy" >"$tmp/usage" 2>&1 || [[ $? = 2 ]]
grep -q '^usage: guest ROLE' "$tmp/usage" || fail "the copy says: $(cat "$tmp/usage")"
[ ! -e "$mnt/vm/now/processes/2/exe" ] || fail "a kernel thread has an executable"


# Of the one on the disk there is what the process uses, and its own copies of pages that it changed.
original=$mnt/vm/now/processes/$deleted/exe
rebuilt=$mnt/vm/now/processes/$partial/exe
python3 - "$rebuilt" "$original" "$tmp/rebuilt" <<'PYTHON' || fail "it is not that program"
import os, sys

rebuilt, original = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])
size = os.fstat(original).st_size
assert os.fstat(rebuilt).st_size == size
pages = range(0, size, 4096)
there = [at for at in pages if os.lseek(rebuilt, at, os.SEEK_HOLE) > at]
changed = [at for at in there if os.pread(rebuilt, 4096, at) != os.pread(original, 4096, at)]
assert os.pread(rebuilt, 64, 0) == os.pread(original, 64, 0)
open(sys.argv[3], "w").write(f"{len(changed)} {len(there)} {len(pages)}\n")
PYTHON
read -r changed there pages <"$tmp/rebuilt"
errors=$(cat "$mnt/vm/now/errors")
[[ $errors =~ ^processes/$partial/exe:\ rebuilt:\ ([0-9]+)\ of\ $pages\ pages\ from\ the\ process\'s\ memory,\ ([0-9]+)\ missing\ \(holes\)$ ]] ||
  fail "errors: $errors"
[ "${BASH_REMATCH[1]}" -ge "$changed" ] && [ "$changed" -gt 0 ] && [ "${BASH_REMATCH[2]}" = $((pages - there)) ] &&
  [ "$there" -lt "$pages" ] || fail "$changed of $there of $pages pages were changed, but: $errors"

# A file whose name the kernel has forgotten, and its content not; 5.10 may forget that too.
[ "${KERNEL:-}" != 5.10 ] || exit 0
ino=$(guest_run vm 'stat -c %i /disk/large; echo 2 >/proc/sys/vm/drop_caches')
dacsa snapshot vm later >/dev/null
files=$mnt/vm/later/files
same "$(extents "$(top '*-ext4-%2Fdisk')/#$ino")" "$(extents "$large")" "the extents of the file #$ino"
