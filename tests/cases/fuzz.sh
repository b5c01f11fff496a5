#!/bin/bash
# Every fuzz target goes through its corpus, then on for a fixed number of inputs: no crash, no
# hang, no memory without bound. Two of them work on a guest that is recorded here.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/fuzz/functions.sh"

# The slow ones: a whole guest is read each time.
declare -A runs=([linux]=1000 [guest]=250 [discover]=15 [types]=8000 [isf]=8000 [kallsyms]=8000 [qmp]=3000 [x86-64]=4000 [vmcoreinfo]=4000)

"$root/tests/setup" build-fuzz

start_guest vm
populate_guest vm 10
mount_guest vm
dacsa snapshot vm now >/dev/null
export FUZZ_IMAGE=$tmp/guest.image
"$root/build/tests/fuzz/record-guest" /run/dacsa/*"$tag"*/vm@now.snapshot "$FUZZ_IMAGE"
stop_dacsa
stop_guest vm

# try NAME: a fixed seed, so that a failure is the change's that is tested.
try() {
  fuzz "$1" "$tmp" -seed=1 -runs="${runs[$1]:-20000}" || touch "$tmp/$1.failed"
}
export -f try fuzz
names=$(fuzz_names)
[ "$(wc -l <<<"$names")" -ge 20 ] || fail "there are targets missing: $names"
for name in $names; do
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
    wait -n
  done
  try "$name" &
done
wait
for name in $names; do
  echo "$name: $(grep -aE 'DONE|SUMMARY' "$tmp/$name.log" | tail -n 1)"
done
for name in $names; do
  [ ! -e "$tmp/$name.failed" ] || fail "$name: $(fuzz_why "$name" "$tmp")
the input: $(for input in "$tmp/$name"-*; do echo "${input##*/}" && base64 -w 0 "$input"; done)"
done
