#!/bin/bash
# gdb opens processes/<pid>/core: threads, their stacks and registers, and memory, are what they are in
# the guest. tests/guest/debuggee.c says what that is.
. "$(dirname "$0")/../functions.sh"

# debug COMMAND...: gdb's commands on the process of the last snapshot; nothing of this host's files.
debug() {
  local command args=()
  for command; do
    args+=(-ex "$command")
  done
  gdb -nx -batch -iex 'set sysroot /nowhere' -iex 'set auto-load off' -iex 'set width 0' "${args[@]}" \
    "$process/exe" "$process/core" 2>&1 || :
}

# says COMMAND TEXT: the last line that gdb prints, without what is in front of a value, has to be that.
# In thread N: of_thread N COMMAND TEXT. All of them are asked together, by ask.
commands=()
answers=()
says() {
  commands+=("$1")
  answers+=("$2")
}

of_thread() {
  says "thread apply $1 -q $2" "$3"
}

ask() {
  local i args=()
  for i in "${!commands[@]}"; do
    args+=("echo @$i\n" "${commands[i]}")
  done
  debug "${args[@]}" >"$tmp/gdb.out"
  for i in "${!commands[@]}"; do
    same "$(sed -n "/^@$i\$/,/^@$((i + 1))\$/p" "$tmp/gdb.out" | sed '/^@/d; /^$/d' | tail -n 1 |
      sed 's/^[^:=]*[:=][[:space:]]*//')" "${answers[i]}" "gdb's ${commands[i]} and what is so"
  done
}

# backtrace N FUNCTION...: the innermost functions of a thread.
backtrace() {
  local thread=$1
  shift
  same "$(debug "thread apply $thread bt" | sed -n '/^Thread /,$ s/^#.* in \([a-z_0-9]*\) ().*/\1/p' | head -n $# | tr '\n' ' ')" \
    "$* " "the stack of thread $thread"
}

# runs_in_user_mode SNAPSHOT: the thread that runs for ever does so on a vCPU, and not in an interrupt.
runs_in_user_mode() {
  awk '/^CPU#/ { rbx = 0 } /RBX=b055b055b055b055/ { rbx = 1 } rbx && /CPL=3/ { found = 1 } END { exit !found }' \
    "$mnt/vm/$1/cpus"
}

snapshots=0
catch_running() {
  snapshots=$((snapshots + 1))
  dacsa snapshot vm "s$snapshots" >/dev/null
  runs_in_user_mode "s$snapshots" || ! dacsa drop "vm/s$snapshots"
}

start_guest vm
guest_run vm swap_on || fail "there is no swap in the guest"
pid=$(start_in_guest vm ROLE=debuggee debuggee --to look at)
# What the guest says of it: a tar archive on a disk.
tell() {
  guest_run vm "$1" >"$tmp/told" || fail "the guest cannot say what the process is: $(cat "$tmp/told")"
}
tell "cd /proc/$pid; mkdir /run/truth; cp maps cmdline status stat /run/truth; od -An -v -tx1 auxv >/run/truth/auxv.hex"
# shellcheck disable=SC2016 # expanded in the guest
tell 'for task in task/*; do mkdir -p /run/truth/$task; cp $task/status $task/stat $task/syscall /run/truth/$task; done'
# shellcheck disable=SC2016
tell 'cd /; tar -cf $(disk_called truth) -C /run truth; sync'
read -r _ sleeper runner < <(guest_run vm "echo \$(ls /proc/$pid/task | sort -n)")
mount_guest vm
wait_for 30 catch_running || fail "in $snapshots snapshots the thread did not run on a vCPU"
process=$mnt/vm/s$snapshots/processes/$pid

"$root/tests/check-core" "$process/core" "$tmp/vm.truth" 0x10002000 ||
  fail "the core differs from what the guest says: $(cat "$mnt/vm/s$snapshots/errors")"
grep -qx "processes/$pid/core: 1 pages are swapped out: in no segment" "$mnt/vm/s$snapshots/errors" ||
  fail "the page that is swapped out is not named: $(cat "$mnt/vm/s$snapshots/errors")"
readelf -hlnW "$process/core" >/dev/null 2>"$tmp/readelf.log"
[ ! -s "$tmp/readelf.log" ] || fail "readelf complains: $(cat "$tmp/readelf.log")"

# Threads and their stacks.
same "$(debug 'info threads' | sed -n 's/.*(LWP \([0-9]*\)).* in \([a-z_]*\) ().*/\1 \2/p')" \
  "$pid pause
$sleeper debuggee_sleeps
$runner debuggee_spins" "threads"
backtrace 1 pause debuggee_inner debuggee_outer debuggee
backtrace 2 debuggee_sleeps sleeper start_thread
backtrace 3 debuggee_spins runner start_thread

# Registers: of one asleep in a system call, from its kernel stack and its task; of one that runs, from
# the vCPU.
of_thread 2 'printf "%lx %lx %lx %lx %lx %ld\n", $rbx, $r12, $r13, $r14, $r15, $orig_rax' \
  'b0aab0aab0aab0aa c0aac0aac0aac0aa d0aad0aad0aad0aa e0aae0aae0aae0aa f0aaf0aaf0aaf0aa 34'
of_thread 3 'printf "%lx %lx %lx %lx %lx %ld\n", $rbx, $r12, $r13, $r14, $r15, $orig_rax' \
  'b055b055b055b055 c055c055c055c055 d055d055d055d055 e055e055e055e055 f055f055f055f055 -1'
of_thread 2 'p/x $xmm5.v2_int64' '{0x123456789abcdef, 0x1032547698badcfe}'
of_thread 3 'p/x $xmm5.v2_int64' '{0xf1e2d3c4b5a6978, 0x1e0f3c2d5a4b7869}'
for thread in 2 3; do
  of_thread $thread 'p $st0' 3.14159265358979323851
  of_thread $thread 'printf "%x %x\n", $cs, $ss' '33 2b'
done
if guest_run vm "grep -qw avx /proc/cpuinfo" >/dev/null; then
  of_thread 2 'p/x $ymm6.v4_int64' \
    '{0x123456789abcdef, 0x1032547698badcfe, 0x2301674523016745, 0x3210765432107654}'
  of_thread 3 'p/x $ymm6.v4_int64' \
    '{0xf1e2d3c4b5a6978, 0x1e0f3c2d5a4b7869, 0x2d3c0f1e69784b5a, 0x3c2d1e0f78695a4b}'
fi
# The first word of a thread's control block points to itself.
for thread in 1 2 3; do
  of_thread $thread 'p *(unsigned long *)$fs_base == $fs_base' 1
done

# Memory: touched, not touched, of a file that was not touched, and swapped out.
says 'x/s (char *)&debuggee_text' '"what a debugger reads"'
says 'x/s 0x10000000' '"a touched page"'
says 'x/gx 0x10001ff8' 0x0000000000000000
says 'x/s 0x20000000' '"a page of the cache"'
says 'x/gx 0x10002000' 'Cannot access memory at address 0x10002000'
ask

same "$(debug 'info proc mappings' | awk '/^ *0x/ && $5 == "/run/debuggee" { print $1, $2, $4 }')" \
  '0x20000000 0x20001000 0x0' "info proc mappings"
debug 'info auxv' | grep -q '^31 .*AT_EXECFN .*"/bin/debuggee"$' || fail "info auxv has no program"

# A kernel thread has none.
[ ! -e "$mnt/vm/s$snapshots/processes/2/core" ] || fail "a kernel thread has a core"
