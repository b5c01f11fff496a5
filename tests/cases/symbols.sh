#!/bin/bash
# symbols/ is what Volatility 3 takes with -s: a table of the kernel's types and symbols in its format,
# that says what BTF and kallsyms say. With nothing but that table and physmem, tests/isf-walk finds the
# kernel the way Volatility does, and lists the processes and modules that the tree shows.
. "$(dirname "$0")/../functions.sh"

[ -z "${KERNEL:-}" ] || use_kernel "$KERNEL"
start_guest vm
guest_run vm 'for module in dummy bridge; do modprobe $module; done' || fail "modules fail to load"
start_in_guest vm ROLE=idle sleeper --quiet >/dev/null
mount_guest vm
dacsa snapshot vm now >/dev/null
dacsa snapshot vm later >/dev/null
now=$mnt/vm/now

same "$(cd "$now" && find symbols)" "$(printf '%s\n' symbols symbols/linux symbols/linux/vmlinux.json)" \
  "what is in symbols/"
[[ $(ls "$now") != *symbols* ]] || fail "a listing shows symbols/"
same "$(stat -c %s "$now/symbols/linux/vmlinux.json")" "$(wc -c <"$now/symbols/linux/vmlinux.json")" \
  "the size of vmlinux.json"
cmp "$now/symbols/linux/vmlinux.json" "$mnt/vm/later/symbols/linux/vmlinux.json" ||
  fail "two snapshots of one kernel have different tables"
! grep vmlinux.json "$now/errors" || fail "something is left out of the table"

"$root/tests/check-isf" "$now" || fail "the table is not what BTF and kallsyms say"
"$root/tests/isf-walk" "$now" >"$tmp/walked" || fail "the table does not lead to processes and modules"
cat "$tmp/walked"
