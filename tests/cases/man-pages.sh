#!/bin/bash
# The manual: a page for every command, and in it every option; nothing troff would complain about.
. "$(dirname "$0")/../functions.sh"
requires man --version

man_dir=$root/doc/man

# page NAME.SECTION: its text.
page() {
  MANWIDTH=200 man -l "$man_dir/$1" | col -b
}

# options COMMAND: the options of its --help, a line each: -x or --long.
options() {
  "$DACSA" "$1" --help | sed -n '/Options:$/,$p' | awk '/^  -/ { print $1; if ($1 ~ /,$/) print $2 }' |
    sed 's/[,=].*//'
}

for file in "$man_dir"/*; do
  said=$(man -l --warnings "$file" 2>&1 >/dev/null)
  same "$said" "" "what man says of $(basename "$file") and nothing"
  grep -q "^.TH $(basename "${file%.*}" | tr '[:lower:]' '[:upper:]') ${file##*.} " "$file" ||
    fail "$file: its first line does not say what it is"
  grep -qF "doc/man/$(basename "$file")" "$root/meson.build" || fail "$file is not installed"
done

commands=$("$DACSA" --help | awk '/^  [a-z]+ +[a-z]/ && $1 != "dacsa" { print $1 }')
[ "$(wc -w <<<"$commands")" -ge 6 ] || fail "commands: $commands"
page dacsa.1 >"$tmp/overview"
for command in $commands; do
  grep -q "dacsa-$command(1)" "$tmp/overview" || fail "dacsa(1) does not name dacsa-$command(1)"
  page "dacsa-$command.1" >"$tmp/page"
  options "$command" >"$tmp/options"
  [ -s "$tmp/options" ] || fail "dacsa $command --help has no options"
  while read -r option; do
    grep -qE -- "^ +(-.*, )?$option([ ,]|\$)" "$tmp/page" || fail "dacsa-$command(1) lacks $option"
  done <"$tmp/options"
  # And no other.
  sed -n '/^OPTIONS/,/^[A-Z]* [A-Z]*$\|^EXIT/p' "$tmp/page" | grep -oE '^ +-[^ ]+(, --[a-z-]+)?' |
    tr -d ' ' | tr , '\n' >"$tmp/told"
  while read -r option; do
    grep -qx -- "$option" "$tmp/options" || fail "dacsa-$command(1) has $option, which is no option"
  done <"$tmp/told"
done

# The keys of dacsa.conf are the options of mount that are not about how it is started.
page dacsa.conf.5 >"$tmp/page"
options mount | sed -n 's/^--//p' | grep -vxE 'config|foreground|help' >"$tmp/keys"
while read -r key; do
  grep -q "^ *$key=" "$tmp/page" || fail "dacsa.conf(5) lacks $key"
  grep -q "^#$key=" "$root/examples/dacsa.conf" || fail "examples/dacsa.conf lacks $key"
done <"$tmp/keys"
same "$(grep -c '^#[a-z-]*=' "$root/examples/dacsa.conf")" "$(wc -l <"$tmp/keys")" "numbers of keys"

# Every name in the tree.
page dacsa-tree.7 >"$tmp/page"
grep -oE '(DIRECTORY|GENERATED|RUNS|SYSTEM_TEXT|PROCESS_TEXT)\("[a-z.]+"|\{"[a-z.]+", DACSA_ROW' "$root/fs/nodes.c" |
  cut -d '"' -f 2 | sort -u >"$tmp/names"
[ "$(wc -l <"$tmp/names")" -gt 40 ] || fail "names in the table of nodes: $(cat "$tmp/names")"
while read -r name; do
  grep -qwF -- "$name" "$tmp/page" || fail "dacsa-tree(7) lacks $name"
done <"$tmp/names"
