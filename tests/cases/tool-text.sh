#!/bin/bash
# Tools that read text and find things in files, on the tree: yara, grep, strings, less, file, readelf.
. "$(dirname "$0")/../functions.sh"

# The marker in clear, from the signature; it must not get into the guest by any way but the process.
marker=$(cut -d : -f 4 "$root/tests/guest/test.ndb" | python3 -c 'print(bytes.fromhex(input()).decode())')
gzip -dc "$guest_images/initramfs.gz" | cpio --quiet -i --to-stdout bin/guest >"$tmp/program"

start_guest vm -m 256M
zoo=$(start_in_guest vm ROLE=zoo zoo)
start_in_guest vm ROLE=threads threads >/dev/null
infected=$(start_in_guest vm ROLE=plant viewer --open invoice.pdf)
mount_guest vm
dacsa snapshot vm now >/dev/null
snapshot=$mnt/vm/now
process=$snapshot/processes/$infected

# quiet CMD...: CMD succeeds and complains of nothing; its output is in $tmp/out.
quiet() {
  timeout 60 "$@" >"$tmp/out" 2>"$tmp/complaints" || fail "$1 ends with $?: $(cat "$tmp/complaints")"
  [ ! -s "$tmp/complaints" ] || fail "$1 complains: $(cat "$tmp/complaints")"
}

# --- yara and grep find the marker in the guest's memory and in that process's, and nowhere else.

holders=$(printf '%s\n' "$snapshot/physmem" "$process/memory")
quiet grep -rlF "$marker" "$mnt"
same "$(sort "$tmp/out")" "$holders" "grep -r's findings and the files with the marker"
printf 'rule marker { strings: $a = "%s" condition: $a }\n' "$marker" >"$tmp/rule"
# -N, since yara follows symbolic links: it would look at latest/ too.
quiet yara -r -N "$tmp/rule" "$mnt"
same "$(sed 's/^marker //' "$tmp/out" | sort)" "$holders" "yara -r's findings and the files with the marker"
same "$(find "$mnt" -type f -readable | wc -l)" "$(find "$mnt" -type f | wc -l)" "what may be read and what there is"

# Where it is, all say alike.
at=$(python3 -c 'import sys; print(open(sys.argv[1], "rb").read().index(sys.argv[2].encode()))' \
  "$process/memory" "$marker")
quiet yara -s "$tmp/rule" "$process/memory"
same "$(sed -n 's/^0x\([^:]*\):.*/\1/p' "$tmp/out")" "$(printf %x "$at")" "yara's offset and the marker's"
quiet grep -obaF "$marker" "$process/memory"
same "$(cat "$tmp/out")" "$at:$marker" "grep's offset and the marker's"
quiet strings -a -t d "$process/memory"
same "$(grep -F "$marker" "$tmp/out" | sed 's/^ *//')" "$at $marker" "strings' offset and the marker's"

# --- less, in a pipe and on a terminal.

for file in "$snapshot/kernel/dmesg" "$snapshot/kernel/kallsyms" "$snapshot/processes/$zoo/maps"; do
  less "$file" </dev/null | cmp - "$file" || fail "less in a pipe shows another $file"
done
last=$(tail -n 1 "$snapshot/processes/$zoo/maps")
TERM=xterm COLUMNS=200 LESS='' timeout 30 script -qec "stty cols 200 rows 20; less '$snapshot/processes/$zoo/maps'" /dev/null \
  < <(printf 'Gq') >"$tmp/screen"
grep -qF "$last" "$tmp/screen" ||
  fail "less on a terminal does not show the last line: $(cat -v "$tmp/screen")"

# --- file: what each thing is.

find "$snapshot" -type f -print0 | xargs -0 file -N -F '' -- >"$tmp/kinds" 2>"$tmp/complaints" ||
  fail "file: $(cat "$tmp/complaints")"
! grep -iE 'cannot|error reading|no read permission' "$tmp/kinds" || fail "file cannot read everything"
same "$(wc -l <"$tmp/kinds")" "$(find "$snapshot" -type f | wc -l)" "file's answers and the files"
same "$(grep -c ' empty$' "$tmp/kinds")" "$(find "$snapshot" -type f -empty | wc -l)" "empty files"
same "$(grep -c '/exe *ELF 64-bit LSB executable, x86-64' "$tmp/kinds")" \
  "$(find "$snapshot/processes" -name exe | wc -l)" "the ELF executables and the files exe"
! grep -E '/(maps|memory.map|status|threads|fds|netconns) ' "$tmp/kinds" |
  grep -vE ' (empty|(ASCII|Unicode text, UTF-8) text.*)$' || fail "tables that are no text"

# --- readelf of an executable: the same as of the program itself.

for pid in "$zoo" "$infected"; do
  quiet readelf -aW "$snapshot/processes/$pid/exe"
  readelf -aW "$tmp/program" | cmp - "$tmp/out" || fail "readelf sees another program in $pid/exe"
  quiet readelf -x .rodata "$snapshot/processes/$pid/exe"
done
