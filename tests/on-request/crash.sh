#!/bin/bash
# crash and drgn, with the kernel's debug symbols, say of vmcore what the tree says: also of a guest that
# has lost its VMCOREINFO, with 5 levels of page tables and 4, with random addresses and without. Needs
# `tests/setup debug-symbols`; tests/run -k crash does all of it. CRASH=crash takes another crash, GUESTS='five
# four' only these guests.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/vmcoreinfo.sh
. "$root/tests/vmcoreinfo.sh"

vmlinux=$guest_images/debug/vmlinux
[ -e "$vmlinux" ] || skip "there are no debug symbols: tests/setup debug-symbols"
CRASH=${CRASH:-$guest_images/debug/crash}

# run_crash GUEST PID: what crash says is then in $tmp/said.COMMAND.
run_crash() {
  local command
  for command in sys ps mod 'bt -a' "bt $2" "files $2" "vm $2" log 'kmem -i'; do
    echo "$command > $tmp/said.${command// /}"
  done >"$tmp/commands"
  echo quit >>"$tmp/commands"
  timeout 200 "$CRASH" -s "$vmlinux" "$mnt/$1/now/vmcore" -i "$tmp/commands" </dev/null >"$tmp/said" 2>&1 ||
    fail "crash on $1: $(cat "$tmp/said")"
  # Once for itself, once in each command's own output, but for the log, which is the kernel's.
  ! grep -hE '^[a-z]+: |WARNING|failed' "$tmp/said" "$tmp"/said.{sys,ps,mod,bt*,files*,vm*,kmem*} >"$tmp/complaints" ||
    fail "crash on $1 complains: $(cat "$tmp/complaints")"
}

# threads GUEST: pids of all of them, and of the two idle ones.
threads() {
  sed 's/.*"tid":\([0-9]*\),.*/\1/' "$mnt/$1/now/json/threads.jsonl" | { cat && printf '0\n0\n'; } | sort -n
}

# log_text FILE: the log without times and indentation, which crash gives to lines of one message.
log_text() {
  sed -E 's/^\[ *[0-9.]+\]//; s/^ +//; s/ +$//' "$1"
}

# check_crash GUEST PID
check_crash() {
  local now=$mnt/$1/now said=$tmp/said
  run_crash "$1" "$2"
  same "$(sed -n 's/ *RELEASE: //p' "$said.sys")" "$(sed -n 's/^kernel: //p' "$now/info")" "kernels"
  same "$(sed -n 's/ *TASKS: //p' "$said.sys")" "$(threads "$1" | wc -l)" "numbers of tasks"
  same "$(sed -n 's/ *CPUS: //p' "$said.sys")" 2 "numbers of CPUs"
  same "$(sed -nE 's/^[> ] +([0-9]+) .*/\1/p' "$said.ps" | sort -n)" "$(threads "$1")" "ps"
  same "$(awk '/^ffff/ { print $2 }' "$said.mod" | sort)" "$(awk '{ print $1 }' "$now/modules" | sort)" "modules"
  same "$(grep -c '^PID: ' "$said.bt-a")" 2 "CPUs of bt -a"
  same "$(sed -n 's/^ *RIP: \([0-9a-f]*\) .*/\1/p' "$said.bt-a")" \
    "$(sed -n 's/^RIP=\([0-9a-f]*\) .*/\1/p' "$now/cpus")" "where the CPUs are"
  grep -qE '^ #[0-9]+ .* (cpu_startup_entry|do_idle|entry_SYSCALL_64) at ' "$said.bt-a" || fail "bt -a: $(cat "$said.bt-a")"
  grep -qE '^ #[0-9]+ .* entry_SYSCALL_64' "$said.bt$2" || fail "bt $2: $(cat "$said.bt$2")"
  same "$(awk '$1 ~ /^[0-9]+$/ { print $1, $NF }' "$said.files$2")" \
    "$(awk 'NR > 1 { print $1, $NF }' "$now/processes/$2/fds")" "open files"
  same "$(awk '$2 ~ /^[0-9a-f]+$/ && $3 ~ /^[0-9a-f]+$/ { print $2, $3 }' "$said.vm$2")" \
    "$(sed -nE '/vsyscall/!s/^0*([0-9a-f]+)-0*([0-9a-f]+) .*/\1 \2/p' "$now/processes/$2/maps")" "mappings"
  same "$(log_text "$said.log")" "$(log_text "$now/kernel/dmesg")" "log"
  grep -qE 'TOTAL MEM +[0-9]+ ' "$said.kmem-i" || fail "kmem -i: $(cat "$said.kmem-i")"
}

# check_drgn GUEST PID
check_drgn() {
  timeout 120 /usr/bin/python3 - "$mnt/$1/now" "$vmlinux" "$2" <<'PYTHON' || fail "drgn on $1"
import json
import sys
import drgn
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.pid import find_task, for_each_task

now, vmlinux, pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
prog = drgn.Program()
prog.set_core_dump(now + "/vmcore")
prog.load_debug_info([vmlinux])
threads = [json.loads(line) for line in open(now + "/json/threads.jsonl")]
tasks = {task.pid.value_(): task.value_() for task in for_each_task(prog)}
assert tasks == {t["tid"]: int(t["task"], 16) for t in threads}, tasks
modules = [m.name.string_().decode() for m in
           list_for_each_entry("struct module", prog["modules"].address_of_(), "list")]
assert modules == [line.split()[0] for line in open(now + "/modules")], modules
names = [frame.name for frame in prog.stack_trace(find_task(prog, pid))]
assert names[0] in ("context_switch", "__schedule") and "do_syscall_64" in names, names[:20]
rips = [int(line.split()[0][4:], 16) for line in open(now + "/cpus") if line.startswith("RIP=")]
for cpu, rip in enumerate(rips):
    current = per_cpu(prog["runqueues"], cpu).curr
    assert prog.stack_trace(current)[0].pc == rip, (cpu, hex(rip))
PYTHON
}

# check GUEST: with everything in it. wiped=1: without VMCOREINFO.
check() {
  local name=$1 pid
  guest_run "$name" 'modprobe -a dummy brd tun' || fail "no modules in $name"
  pid=$(start_in_guest "$name" ROLE=idle idle)
  start_in_guest "$name" ROLE=threads threads >/dev/null
  start_in_guest "$name" 'ROLE=crowd 20' crowd >/dev/null
  mount_guest "$name"
  dacsa snapshot "$name" own >/dev/null
  [ -z "${wiped:-}" ] || wipe_vmcoreinfo "$name" own
  dacsa snapshot "$name" now >/dev/null
  check_crash "$name" "$pid"
  check_drgn "$name" "$pid"
  dacsa drop "$name/own" "$name/now"
  stop_dacsa
  stop_guest "$name"
}

# The guests that GUESTS names, or all.
wanted() {
  [[ " ${GUESTS:-five wiped four wiped-four} " == *" $1 "* ]]
}

if wanted five; then
  start_guest five -m 512M -cpu max,la57=on
  check five
fi
if wanted wiped; then
  start_guest wiped -m 512M -cpu max,la57=on
  wiped=1 check wiped
fi
if wanted four; then
  kernel_args=nokaslr start_guest four -m 5G -cpu max,la57=off
  check four
fi
if wanted wiped-four; then
  kernel_args=nokaslr start_guest wiped-four -m 512M -cpu max,la57=off
  wiped=1 check wiped-four
fi
