#!/bin/bash
# The code is laid out as .clang-format says, and the scripts are clean for shellcheck.
. "$(dirname "$0")/../functions.sh"

cd "$root"
find fs snap parsers tests \( -name '*.c' -o -name '*.h' \) -print0 |
  xargs -0 clang-format --dry-run -Werror || fail "clang-format -i would lay it out"
grep -rlE '^#!/bin/(ba)?sh' tests examples .ci | grep -v '\.c$' |
  xargs shellcheck -x -P tests/cases -S warning -e SC2154 tests/functions.sh || fail "shellcheck complains"
