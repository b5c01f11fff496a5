#!/bin/bash
# `meson install` puts everything in its place, and what it installed works.
. "$(dirname "$0")/../functions.sh"

there=$tmp/there
prefix=$there/usr/local
meson install -C "$root/build" --no-rebuild --quiet --destdir "$there" >"$tmp/log" 2>&1 ||
  fail "meson install: $(cat "$tmp/log")"

same "$(cd "$prefix" && find . -type f | grep -v '/man/' | sort)" "./bin/dacsa
./lib/systemd/system/dacsa.service
./share/doc/dacsa/dacsa.conf" "what is installed beside the manual and what should be"
for page in "$root"/doc/man/*; do
  cmp "$page" "$prefix/share/man/man${page##*.}/$(basename "$page")"
done
man -M "$prefix/share/man" dacsa-tree >"$tmp/page" 2>/dev/null || :
grep -q physmem "$tmp/page" || fail "man does not find dacsa-tree(7)"

# The unit starts the very program; systemd understands it.
unit=$prefix/lib/systemd/system/dacsa.service
exec_start=$(sed -n 's/^ExecStart=//p' "$unit")
[ "${exec_start%% *}" = /usr/local/bin/dacsa ] || fail "the unit starts $exec_start"
sed "s,/usr/local/bin/,$prefix/bin/," "$unit" >"$tmp/dacsa.service"
if command -v systemd-analyze >/dev/null; then
  said=$(systemd-analyze verify --man=no "$tmp/dacsa.service" 2>&1) || fail "systemd-analyze: $said"
  same "$said" "" "what systemd-analyze says and nothing"
fi

DACSA=$prefix/bin/dacsa
[[ $("$DACSA" --version) =~ ^dacsa\ [0-9] ]] || fail "the installed program does not run"
start_dacsa --config none --connect none
stop_dacsa
