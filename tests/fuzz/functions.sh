# tests/fuzz/functions.sh: what tests/cases/fuzz.sh and tests/fuzz/run-long share.
# shellcheck shell=bash

# What no target may need: seconds for one input, MiB in all and at once.
FUZZ_LIMITS=(-timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=0)

fuzz_names() {
  local path
  for path in "$root"/build-fuzz/tests/fuzz/fuzz-*; do
    [ ! -x "$path" ] || [ -d "$path" ] || echo "${path##*/fuzz-}"
  done
}

# fuzz NAME WORK ARGS...: runs a target with its corpus. What it finds out goes to WORK/NAME, an
# input that fails to WORK/NAME-crash-... and what it says to WORK/NAME.log.
fuzz() {
  local name=$1 work=$2
  shift 2
  mkdir -p "$work/$name"
  UBSAN_OPTIONS=print_stacktrace=1 "$root/build-fuzz/tests/fuzz/fuzz-$name" "${FUZZ_LIMITS[@]}" \
    -artifact_prefix="$work/$name-" "$@" "$work/$name" "$root/tests/fuzz/$name/corpus" \
    >"$work/$name.log" 2>&1 </dev/null
}

# fuzz_why NAME WORK: the part of its log that tells what went wrong.
fuzz_why() {
  grep -vE '^(INFO|#[0-9]+)' "$2/$1.log" | tail -n 60
}
