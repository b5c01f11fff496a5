#!/bin/bash
# Tools that count and copy files, on the tree: find, du, sha256sum, tar -S, cp --sparse, rsync -S. A
# copy is the same as what it was made of, and as sparse.
. "$(dirname "$0")/../functions.sh"

start_guest vm -m 256M
for role in zoo threads 'sparse 2048' 'touch 8' memfd-exec; do
  start_in_guest vm "ROLE=$role" "is-${role%% *}" >/dev/null
done
mount_guest vm
dacsa snapshot vm now >/dev/null
snapshot=$mnt/vm/now

# quiet CMD...: CMD succeeds and complains of nothing; its output is in $tmp/out.
quiet() {
  timeout 60 "$@" >"$tmp/out" 2>"$tmp/complaints" || fail "$1 ends with $?: $(cat "$tmp/complaints")"
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

guest_run vm 'cd /proc; for pid in [0-9]*; do
  hash=$(sha256sum <$pid/exe 2>/dev/null) && echo "${hash%% *}  $pid/exe"; done; :' |
  grep -v "^$(sha256sum </dev/null | cut -d ' ' -f 1)" | sort >"$tmp/told"
(cd "$snapshot/processes" && cut -c 67- "$tmp/told" | while read -r path; do
  [ ! -e "$path" ] || echo "$path"
done | xargs sha256sum | sort) >"$tmp/hashes"
[ "$(wc -l <"$tmp/hashes")" -ge 6 ] || fail "too few executables: $(cat "$tmp/told")"
same "$(comm -13 "$tmp/told" "$tmp/hashes")" "" "executables that the guest knows otherwise and none"

# Whatever else was to be told in errors has been told when all is hashed once; info has what the
# snapshot costs at the moment.
(cd "$mnt/vm" && find now -type f ! -name info ! -name errors -exec sha256sum {} +) >"$tmp/sums"
(cd "$mnt/vm" && sha256sum --quiet -c "$tmp/sums") || fail "a second look finds something else"

# --- copies

# check_copy DIRECTORY WHAT: it is the snapshot once more.
check_copy() {
  local allocated
  # Sizes, types, modes, times of what is no directory; then the content, sparse files by their data.
  same "$(cd "$1" && find . ! -type d ! -name info -printf '%P %s %y %m %Ts\n' | sort)" \
    "$(cd "$snapshot" && find . ! -type d ! -name info -printf '%P %s %y %m %Ts\n' | sort)" "files of $2 and the tree's"
  (cd "$(dirname "$1")" && sed "s,  now/,  ${1##*/}/," "$tmp/sums" | grep -v /physmem$ | sha256sum --quiet -c) ||
    fail "$2: files differ"
  cmp "$1/physmem" "$snapshot/physmem" || fail "$2: physmem differs"
  allocated=$(du -s -B1 "$1/physmem" | cut -f 1)
  [ "$allocated" -lt $((256 << 20)) ] && [ "$allocated" -lt "$(stat -c %s "$1/physmem")" ] ||
    fail "$2: physmem takes $allocated bytes"
  rm -rf "$1"
}

mkdir "$tmp/tar"
quiet tar -C "$mnt/vm" -S -cf "$tmp/archive" now
[ "$(stat -c %s "$tmp/archive")" -lt $((400 << 20)) ] || fail "the archive has $(stat -c %s "$tmp/archive") bytes"
quiet tar -C "$tmp/tar" -xf "$tmp/archive"
rm "$tmp/archive"
check_copy "$tmp/tar/now" "tar -S"

quiet cp -a -r --sparse=always "$mnt/vm" "$tmp/copy"
same "$(readlink "$tmp/copy/latest")" now "the link latest and its copy"
check_copy "$tmp/copy/now" "cp -a --sparse=always"

# The second time there is nothing to do but for what costs something else every moment.
quiet rsync -aS --exclude=/info --exclude=/errors "$snapshot/" "$tmp/rsync"
quiet rsync -aSi --exclude=/info --exclude=/errors "$snapshot/" "$tmp/rsync"
same "$(cat "$tmp/out")" "" "what a second rsync copies and nothing"
quiet rsync -aSic --exclude=/info --exclude=/errors --exclude=/physmem "$snapshot/" "$tmp/rsync"
same "$(cat "$tmp/out")" "" "what rsync finds to differ by checksum and nothing"
cp "$snapshot/errors" "$tmp/rsync"
touch -r "$snapshot/errors" "$tmp/rsync/errors"
chmod --reference="$snapshot/errors" "$tmp/rsync/errors"
check_copy "$tmp/rsync" "rsync -aS"
