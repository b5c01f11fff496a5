#!/bin/bash
# A guest that has lost its VMCOREINFO, the text kernels keep for crash dumps, is shown like any other:
# its kernel is found without, and its vmcore has a text that says the same.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/vmcoreinfo.sh
. "$root/tests/vmcoreinfo.sh"

# check_view GUEST PID: the snapshot shows the running kernel, and that process.
check_view() {
  local now=$mnt/$1/now
  same "$(sed -n 's/^kernel: //p' "$now/info")" "$(guest_run "$1" 'uname -r')" "kernels"
  grep -qE '^build_id: [0-9a-f]{40}$' "$now/info" || fail "there is no build id"
  same "$(cat "$now/processes/$2/maps")" "$(guest_run "$1" "cat /proc/$2/maps")" "maps"
  same "$(cat "$now/errors")" "" "errors"
}

# check_text GUEST: what the text that was made says is what the lost one said: the same lines in the
# same order. Lines that this kernel does not write may be there besides.
check_text() {
  "$root/tests/elf-notes" "$mnt/$1/before/vmcore" VMCOREINFO >"$tmp/own"
  "$root/tests/elf-notes" "$mnt/$1/now/vmcore" VMCOREINFO >"$tmp/made"
  [ -s "$tmp/own" ] || fail "$1: there is no VMCOREINFO in its vmcore"
  diff <(cat "$tmp/own") <(grep -Ff <(sed 's/=.*/=/' "$tmp/own") "$tmp/made") ||
    fail "$1: the text made for its vmcore differs from its own"
  echo "$1: $(wc -l <"$tmp/own") lines; besides: $(grep -vFf "$tmp/own" "$tmp/made" | tr '\n' ' ')"
}

# check_kernel GUEST
check_kernel() {
  local pid
  start_guest "$1" -m 512M
  pid=$(start_in_guest "$1" ROLE=idle idle)
  mount_guest "$1"
  dacsa snapshot "$1" before >/dev/null
  wipe_vmcoreinfo "$1" before
  dacsa snapshot "$1" now >/dev/null
  [ -z "$(vmcoreinfo_pages "$mnt/$1/now")" ] || fail "$1: VMCOREINFO is still there"
  check_view "$1" "$pid"
  check_text "$1"
  dacsa drop "$1/before" "$1/now"
  stop_dacsa
  stop_guest "$1"
}

check_kernel vm
for kernel in 5.10 6.12 newest; do
  [ -e "$root/build-guest/$kernel/initramfs.gz" ] || continue # there is a case that says so
  use_kernel "$kernel"
  check_kernel "vm-$kernel"
done
