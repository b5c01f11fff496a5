#!/bin/bash
# A real guest's memory, damaged by hand and at random, is walked through: the whole tree, every
# time, without a crash, in time, in bounded memory, and what is not damaged is still shown.
. "$(dirname "$0")/../functions.sh"

"$root/tests/setup" build-asan

start_guest vm
populate_guest vm 10
mount_guest vm
dacsa snapshot vm now >/dev/null

# damage BUILD ROUNDS: over a copy of the snapshot's memory; neither it nor the guest is touched. The
# seeds are others every time, and printed: -s SEED -n 1 does one of them again.
damage() {
  echo "$1:"
  "$root/$1/tests/hostile/hostile" -t 60 -n "$2" /run/dacsa/*"$tag"*/vm@now.snapshot >"$tmp/hostile.log" 2>&1 ||
    fail "$1: $(cat "$tmp/hostile.log")"
  cat "$tmp/hostile.log"
}

damage build "${HOSTILE_ROUNDS:-60}"
damage build-asan "${HOSTILE_ROUNDS:-20}"
