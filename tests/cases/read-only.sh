#!/bin/bash
# The tree keeps what a file system promises: sizes, link counts, inode numbers, read-only, errors.
. "$(dirname "$0")/../functions.sh"

start_guest vm -m 256M
start_in_guest vm ROLE=zoo zoo >/dev/null
mount_guest vm
dacsa snapshot vm now >/dev/null
dacsa snapshot vm later >/dev/null
python3 "$root/tests/check-tree" "$mnt" vm now

# With what is otherwise there by name only.
stop_dacsa
start_dacsa --connect none --show-all --qmp "vm=$tmp/vm.qmp"
wait_for 10 test -d "$mnt/vm"
dacsa snapshot vm now >/dev/null
[ -d "$mnt/vm/now/files" ] || fail "there is no files/"
python3 "$root/tests/check-tree" "$mnt" vm now
