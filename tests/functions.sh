# tests/functions.sh: what a test case is made of. A case sources it first:
#
#   . "$(dirname "$0")/../functions.sh"
#
# It then has a directory of its own, $tmp, a mountpoint in it, $mnt, and the functions below. When
# the case ends, however it ends, what it started is stopped again; if then anything of it is still
# there, a process, a mount, a parked snapshot, the case has failed. doc/testing.md has an example.
# shellcheck shell=bash

set -Eeuo pipefail
export LC_ALL=C
# A case that ends because a command failed says which.
trap 'echo "${BASH_SOURCE[0]##*/}: $LINENO: failed ($?): $BASH_COMMAND" >&2' ERR

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DACSA=$(realpath -m "${DACSA:-$root/build/dacsa}")
guest_images=$(realpath -m "${GUEST_IMAGES:-$root/build-guest}") # build-guest/5.10: another kernel
[ -e "$root/build-guest/accelerator" ] || {
  echo "there is no test guest yet: run tests/setup first" >&2
  exit 1
}

# For hosts that are slow: all deadlines are so many times as long, and it is asked as seldom whether they are over.
SLOW=${SLOW:-1}
nap=$(printf '%d.%03d' $((SLOW * 20 / 1000)) $((SLOW * 20 % 1000)))

tmp=$(mktemp -d "${TMPDIR:-/tmp}/dacsa-XXXXXX")
chmod 711 "$tmp" # libvirt's QEMU, another user, has sockets in it
mnt=$tmp/mnt
mkdir "$mnt"

# Every process of this case can be told by it: it inherits this, or has $tmp or $tag in its arguments.
tag=$(basename "$tmp")
export DACSA_CASE=$tmp

# --- ending -----------------------------------------------------------------------------------------

cleanups=()

# cleanup_fn CMD...: runs CMD when the case ends, once; the last one registered runs first.
cleanup_fn() {
  local command registered
  command=$(printf '%q ' "$@")
  for registered in "${cleanups[@]}"; do
    [ "$registered" != "$command" ] || return 0
  done
  cleanups+=("$command")
}

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

skip() {
  echo "skipped: $*"
  exit 77
}

# requires CMD...: skips the case unless CMD succeeds.
requires() {
  "$@" >/dev/null 2>&1 || skip "this does not work here: $*"
}

our_processes() {
  local paths path
  # In two steps: the second one's helpers would otherwise be found by the first.
  paths=$(grep -lzF "DACSA_CASE=$tmp" /proc/[0-9]*/environ 2>/dev/null || :
    grep -lzF "$tag" /proc/[0-9]*/cmdline 2>/dev/null || :)
  for path in $paths; do
    echo "${path//[^0-9]/}"
  done | sort -nu
}

our_mounts() {
  awk -v tmp="$tmp" 'index($5, tmp) == 1 { print $5 }' /proc/self/mountinfo
}

our_state() {
  find /run/dacsa -maxdepth 1 -name "*$tag*" 2>/dev/null || :
}

nothing_left() {
  [ -z "$(our_processes)$(our_mounts)$(our_state)" ]
}

describe_leftovers() {
  local pid
  for pid in $(our_processes); do
    echo "still running: $pid ($(cat "/proc/$pid/comm" 2>/dev/null), parent" \
      "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status" 2>/dev/null)):" \
      "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-100)"
  done
  our_mounts | sed 's/^/still mounted: /'
  our_state | sed 's/^/still there: /'
}

remove_leftovers() {
  local pid path
  for pid in $(our_processes); do
    kill -KILL "$pid" 2>/dev/null || :
  done
  for path in $(our_mounts); do
    umount -l "$path" || :
  done
  for path in $(our_state); do
    rm -rf "$path"
  done
}

end_case() {
  local status=$? i
  trap - EXIT
  trap '' INT TERM HUP # nothing interrupts the cleaning up
  set +e
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
    (eval "${cleanups[i]}") || [ $status -ne 0 ] || status=1
  done
  if ! wait_for 5 nothing_left; then
    echo "FAIL: the case left something behind:" >&2
    describe_leftovers >&2
    remove_leftovers
    [ $status -ne 0 ] || status=1
  fi
  if [ $status -ne 0 ] && [ $status -ne 77 ] && [ -s "$tmp/dacsa.log" ]; then
    echo "--- what dacsa mount said:" >&2
    tail -n 200 "$tmp/dacsa.log" >&2
  fi
  rm -rf --one-file-system "$tmp"
  exit $status
}
trap end_case EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- waiting ----------------------------------------------------------------------------------------

# wait_for SECONDS CMD...: asks CMD again and again until it succeeds; false when the time is up.
wait_for() {
  local end=$((SECONDS + $1 * SLOW))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep "$nap"
  done
}

# alive PID: neither gone nor a zombie.
alive() {
  grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null
}

dead() {
  ! alive "$1"
}

# end_process PID SECONDS: SIGTERM; false if that was ignored and it took a SIGKILL.
end_process() {
  kill -TERM "$1" 2>/dev/null || :
  wait_for "$2" dead "$1" && return
  kill -KILL "$1" 2>/dev/null || :
  return 1
}

# --- guests -----------------------------------------------------------------------------------------
#
# A guest NAME has $tmp/NAME.qmp (monitor), $tmp/NAME.serial (console) and $tmp/NAME.console, what it
# printed there as it booted.

declare -A guest_pid

# Whether KVM really works here, tests/setup has found by trying: there are machines whose /dev/kvm
# opens but cannot run a guest.
accelerator() {
  cat "$root/build-guest/accelerator"
}

# start_qemu NAME [QEMU ARGS]: QEMU as libvirt would start it, seccomp sandbox and all. Never with
# -daemonize: it forks after spawn=deny has taken effect.
start_qemu() {
  local name=$1
  shift
  qemu-system-x86_64 -name "$name" -accel "$(accelerator)" -cpu max -m 512M \
    -nodefaults -no-user-config -display none \
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
    -qmp "unix:$tmp/$name.qmp,server=on,wait=off" \
    -chardev "socket,id=console,path=$tmp/$name.serial,server=on,wait=off,logfile=$tmp/$name.console" \
    -serial chardev:console "$@" >"$tmp/$name.log" 2>&1 </dev/null &
  guest_pid[$name]=$!
  disown # the shell need not tell when it is killed
  cleanup_fn stop_guest "$name"
  wait_for 30 qemu_listens "$name" || fail "QEMU does not listen: $(cat "$tmp/$name.log")"
}

qemu_listens() {
  check_guest "$1"
  listens "$tmp/$1.qmp" && listens "$tmp/$1.serial"
}

# listens SOCKET: the file appears a moment before one can connect.
listens() {
  grep -qE " 00010000 .* $1\$" /proc/net/unix
}

# check_guest NAME: its QEMU must be alive.
check_guest() {
  alive "${guest_pid[$1]}" || fail "QEMU of $1 has ended: $(cat "$tmp/$1.log" 2>/dev/null)"
}

# use_kernel KERNEL: guests that are started from now on have another kernel (tests/guest/build).
use_kernel() {
  guest_images=$root/build-guest/$1
  [ -e "$guest_images/initramfs.gz" ] || skip "no kernel $1: tests/setup kernels could not get it"
}

# start_guest NAME [QEMU ARGS]: the test guest, booted, at its prompt. kernel_args=... are for its kernel. Where
# there is $guest_images/booted (save_booted), one without arguments goes on from there. Once in some hundred times an
# emulated guest hangs as it boots: that one is started again, unless a daemon runs, which may have touched it.
start_guest() {
  local name=$1 arguments
  shift
  truncate -s 256M "$tmp/$name.truth" # sparse; the guest writes there what it says of itself
  arguments=(-smp 2 -kernel "$guest_images/vmlinuz" -initrd "$guest_images/initramfs.gz"
    -append "console=ttyS0 quiet loglevel=0 ${kernel_args:-}"
    -drive "if=none,id=truth,format=raw,file=$tmp/$name.truth"
    -device "virtio-blk-pci,drive=truth,serial=truth" "$@")
  if [ $# -eq 0 ] && [ -z "${kernel_args:-}" ] && [ -e "$guest_images/booted" ]; then
    continue_guest "$name" "${arguments[@]}"
    return
  fi
  start_qemu "$name" "${arguments[@]}"
  if [ -n "$dacsa_pid" ] && alive "$dacsa_pid"; then
    await_guest "$name"
  elif ! wait_for 60 guest_is_ready "$name"; then
    echo "the guest $name hangs as it boots: once more" >&2
    stop_guest "$name"
    start_qemu "$name" "${arguments[@]}"
    await_guest "$name"
  fi
}

# continue_guest NAME QEMU ARGS: from where save_booted left one like it.
continue_guest() {
  local state
  exec {state}<"$guest_images/booted"
  start_qemu "$@" -incoming "fd:$state"
  exec {state}<&-
  wait_for 120 is_running "$1" || fail "the guest $1 does not go on"
}

# start_debian NAME [QEMU ARGS]: the same kernel with a full Debian (tests/guest/build-debian), or the one that
# debian_image=... names. What it writes to its disk is forgotten.
start_debian() {
  kernel_args="userland=debian ${kernel_args:-}" start_guest "$1" -m 768M \
    -drive "if=none,id=debian,format=raw,file=$guest_images/${debian_image:-debian}.img,snapshot=on" \
    -device virtio-blk-pci,drive=debian,serial=debian "${@:2}"
}

# guest_truth NAME FILE [report-brief]: what the guest says of itself, into the tar archive FILE, as
# tests/guest/report.c makes it; brief is without kallsyms. It goes over a disk: a console is too slow.
guest_truth() {
  guest_run "$1" "/bin/guest ${3:-report} \$(disk_called truth)" >"$tmp/$1.told" ||
    fail "the guest $1 cannot say what it is: $(cat "$tmp/$1.told")"
  cp --sparse=always "$tmp/$1.truth" "$2"
}

# populate_guest NAME [HOW-MANY]: one of everything that is worth seeing in a Linux guest, and HOW-MANY
# idle processes, 300 without. guest.c and its fellows tell what each role is.
populate_guest() {
  local name=$1 role
  guest_run "$name" 'furnish' || fail "modules or swap fail in the guest"
  for role in zoo sparse shared huge locked swapped memfd-exec sockets listeners syn-sent threads \
    descriptors person user states container box overlaid odd-name zombie leaderless; do
    start_in_guest "$name" "ROLE=$role" "$role" "--as=$role" >/dev/null
  done
  start_in_guest "$name" "ROLE=idle" "LONG=$(printf '%03000d' 0)" "EMPTY=" no-arguments >/dev/null
  start_in_guest "$name" "ROLE=crowd ${2:-300}" crowd >/dev/null
  guest_run "$name" 'cp /bin/guest /run/deleted; start ROLE=idle /run/deleted; rm /run/deleted' >/dev/null
  guest_run "$name" 'mkdir -p /jail/run; mount -o bind /run /jail/run; cp /bin/guest /jail/prisoner' >/dev/null
  guest_run "$name" 'start ROLE=idle chroot /jail /prisoner' >/dev/null
}

# compare_guest NAME [COMPARE-TRUTH ARGS]: takes the snapshot NAME/now between two reports of the guest,
# and compares. report=report-brief is without kallsyms. What compare-truth says is printed.
compare_guest() {
  local name=$1
  shift
  guest_run "$name" '/bin/guest time-wait; /bin/guest report-brief $(disk_called truth)' # whatever that changes
  guest_truth "$name" "$tmp/$name.before" "${report:-report}"
  dacsa snapshot "$name" now >/dev/null
  guest_truth "$name" "$tmp/$name.after" report-brief
  "$root/tests/compare-truth" "$@" "$mnt/$name/now" "$tmp/$name.before" "$tmp/$name.after" ||
    fail "the snapshot of $name differs from what the guest says: $(cat "$mnt/$name/now/errors")"
}

# save_booted NAME FILE: the state of a guest of start_guest without arguments, which it is ended for.
save_booted() {
  socat -u "UNIX-LISTEN:$tmp/$1.state" "CREATE:$2" &
  wait_for 10 test -S "$tmp/$1.state"
  qmp "$1" migrate "{\"uri\":\"unix:$tmp/$1.state\"}" >/dev/null
  wait_for 60 has_status "$1" postmigrate || fail "the state of $1 cannot be saved"
  stop_guest "$1"
  wait $!
}

has_status() {
  [[ $(qmp "$1" query-status) == *"\"status\": \"$2\""* ]]
}

await_guest() {
  wait_for 120 guest_is_ready "$1" || fail "the guest $1 did not boot: $(tail -n 5 "$tmp/$1.console")"
}

guest_is_ready() {
  check_guest "$1"
  grep -qa GUEST-READY "$tmp/$1.console" 2>/dev/null
}

# stop_guest NAME: it must have lived to this moment.
stop_guest() {
  [ -n "${guest_pid[$1]:-}" ] || return 0
  check_guest "$1"
  end_process "${guest_pid[$1]}" 10 || fail "QEMU of $1 ignores SIGTERM"
  forget_guest "$1"
}

# forget_guest NAME: for cases that end a guest some other way.
forget_guest() {
  unset "guest_pid[$1]"
}

# talk SOCKET SECONDS CMD...: sends standard input to SOCKET, prints what comes back, and hangs up
# once CMD is true: QEMU forgets what it has not read yet when the other end hangs up.
talk() {
  local socket=$1 seconds=$2
  shift 2
  {
    cat
    wait_for "$seconds" "$@"
  } | socat -t 0 - "UNIX-CONNECT:$socket"
}

# guest_run NAME COMMAND: runs a line of shell in the guest and prints its output; its status is
# returned. The text of COMMAND stays in the guest's memory: no marker in it.
guest_run() {
  local name=$1 command=$2 answer=$tmp/$1.answer output
  # Not from NAME.console: QEMU writes there twice what the socket does not take at once.
  printf '%s\n' "$command" | talk "$tmp/$name.serial" 120 guest_answered "$name" >"$answer" ||
    fail "the guest $name gives no answer to: $command"
  output=$(tr -d '\0' <"$answer")
  printf '%s' "${output%GUEST-DONE *}"
  return "${output##*GUEST-DONE }"
}

guest_answered() {
  check_guest "$1"
  [[ $(tail -c 16 "$tmp/$1.answer" | tr '\0\n' '..') =~ GUEST-DONE\ [0-9]+\.$ ]]
}

# start_in_guest NAME [VARIABLE=VALUE]... COMMAND [ARG]...: a process of guest.c under the name
# COMMAND (ROLE=... says which); prints its pid in the guest once it has settled.
start_in_guest() {
  local name=$1 word command=
  shift
  for word; do
    case $word in
      [A-Z]*=*) ;;
      *) command=$word && break ;;
    esac
  done
  guest_run "$name" "alias_guest $command; start$(printf ' %s' "${@@Q}")" ||
    fail "could not start $* in the guest"
}

# qmp NAME COMMAND [JSON]: one command to the monitor; prints the answer, false if that is an error.
# The monitor serves one client at a time: while dacsa talks to it, this waits.
qmp() {
  local name=$1 answers=$tmp/$1.answers.$BASHPID
  printf '{"execute":"qmp_capabilities"}\n{"execute":"%s","arguments":%s,"id":"case"}\n' \
    "$2" "${3:-{\}}" | talk "$tmp/$name.qmp" 120 qmp_answered "$name" "$answers" >"$answers" ||
    fail "the monitor of $name gives no answer to $2: $(cat "$answers")"
  grep '"id": "case"' "$answers" | tee "$answers.last"
  ! grep -q '"error"' "$answers.last"
}

qmp_answered() {
  check_guest "$1"
  grep -q '"id": "case"' "$2"
}

# is_running NAME: the virtual CPUs are.
is_running() {
  [[ $(qmp "$1" query-status) == *'"running": true'* ]]
}

# --- libvirt ----------------------------------------------------------------------------------------

virsh() {
  timeout $((60 * SLOW)) virsh -q -c qemu:///system "$@"
}

libvirt_answers() {
  virsh version >/dev/null 2>&1
}

# start_libvirtd: the system instance. One that is there already is used, and left alone.
start_libvirtd() {
  ! libvirt_answers || return 0
  start_daemon virtlogd
  start_daemon libvirtd
  wait_for 30 libvirt_answers || fail "libvirtd does not answer"
}

stop_libvirtd() {
  stop_daemon libvirtd
  stop_daemon virtlogd
}

start_daemon() {
  without_useless_kvm "$1" -d -p "$tmp/$1.pid" >"$tmp/$1.log" 2>&1 </dev/null ||
    fail "$1: $(cat "$tmp/$1.log")"
  cleanup_fn stop_daemon "$1"
}

# forget_mounts: in a mount namespace that was just made. It has copies of what other cases have mounted, and
# a file system lives as long as a copy does: their umount would end nothing.
forget_mounts() {
  local path
  awk '/ - fuse\.dacsa / { print $5 }' /proc/self/mountinfo | while read -r path; do
    umount -l "$path"
  done
}

# A /dev/kvm that is there and does not serve makes libvirtd ask QEMU for its capabilities again and
# again, for a minute. Where KVM does not work, libvirtd gets a /dev without it.
without_useless_kvm() {
  if [ "$(accelerator)" = kvm ] || [ ! -e /dev/kvm ]; then
    "$@"
  else
    mkdir -p "$tmp/dev"
    export -f forget_mounts
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare -m bash -c 'forget_mounts; mount -t tmpfs dev "$0" && cp -ax /dev/. "$0" && rm "$0/kvm" &&
      mount --bind /dev/pts "$0/pts" && mount --bind /dev/shm "$0/shm" && umount -lR /dev &&
      mount --move "$0" /dev && exec "$@"' "$tmp/dev" "$@"
  fi
}

stop_daemon() {
  local pid
  [ -s "$tmp/$1.pid" ] || return 0
  pid=$(cat "$tmp/$1.pid")
  end_process "$pid" 20 || fail "$1 ignores SIGTERM"
  rm -f "$tmp/$1.pid"
}

# start_domain NAME: the test guest as a transient libvirt domain, with libvirt's own sandbox. NAME
# has to have $tag in it: other domains may be there. memory_backing=... and filesystem=... are XML.
start_domain() {
  local name=$1
  # Copies: libvirt gives what a domain boots from to QEMU's user.
  cp -f "$guest_images/vmlinuz" "$guest_images/initramfs.gz" "$tmp"
  cat >"$tmp/$name.xml" <<XML
<domain type='$([ "$(accelerator)" = kvm ] && echo kvm || echo qemu)'>
  <name>$name</name>
  <memory unit='MiB'>512</memory>
  ${memory_backing:-}
  <vcpu>2</vcpu>
  <cpu mode='maximum'/>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>$tmp/vmlinuz</kernel>
    <initrd>$tmp/initramfs.gz</initrd>
    <cmdline>console=ttyS0 quiet loglevel=0</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <serial type='unix'>
      <source mode='bind' path='$tmp/$name.serial'/>
      <log file='$tmp/$name.console'/>
    </serial>
    ${filesystem:-}
    <memballoon model='none'/>
  </devices>
</domain>
XML
  virsh create "$tmp/$name.xml" >"$tmp/$name.log" 2>&1 || fail "virsh create: $(cat "$tmp/$name.log")"
  guest_pid[$name]=$(cat "/run/libvirt/qemu/$name.pid")
  cleanup_fn stop_domain "$name"
  await_guest "$name"
}

stop_domain() {
  [ -n "${guest_pid[$1]:-}" ] || return 0
  check_guest "$1"
  virsh destroy "$1" >/dev/null
  wait_for 10 dead "${guest_pid[$1]}" || fail "QEMU of $1 outlives virsh destroy"
  forget_guest "$1"
}

# --- dacsa ------------------------------------------------------------------------------------------

dacsa_pid=

# dacsa SUBCOMMAND ARGS: a command on this case's mount.
dacsa() {
  "$DACSA" "$1" --mount "$mnt" "${@:2}"
}

# start_dacsa ARGS: mounts on $mnt and waits until it can be listed. Snapshots end with the mount,
# unless the caller sets keep=1.
start_dacsa() {
  local drop=--drop-on-exit
  [ -z "${keep:-}" ] || drop=
  # shellcheck disable=SC2086 # no option is no word
  "$DACSA" mount -f --config none $drop "$@" "$mnt" >>"$tmp/dacsa.log" 2>&1 </dev/null &
  dacsa_pid=$!
  disown
  cleanup_fn stop_dacsa
  wait_for 30 dacsa_listable || fail "dacsa mount: $mnt cannot be listed"
}

dacsa_listable() {
  alive "$dacsa_pid" || fail "dacsa mount ended: $(cat "$tmp/dacsa.log")"
  mounted && timeout $((5 * SLOW)) ls "$mnt" >/dev/null 2>&1
}

mounted() {
  [ -n "$(our_mounts)" ]
}

not_mounted() {
  ! mounted
}

# mount_guest NAME...: start_dacsa for guests of start_guest.
mount_guest() {
  local name args=()
  for name; do
    args+=(--qmp "$name=$tmp/$name.qmp")
  done
  start_dacsa --connect none "${args[@]}"
  await_vms "$@"
}

# await_vms NAME...: until the mount has them.
await_vms() {
  local name
  for name; do
    wait_for 10 test -d "$mnt/$name" || fail "$name does not appear in the mount"
  done
}

# stop_dacsa: SIGTERM must end it and the mount, and it must not have complained, nor ended before. A
# case that makes it complain says of what: expected_complaints, a regular expression.
stop_dacsa() {
  [ -n "$dacsa_pid" ] || return 0
  alive "$dacsa_pid" || fail "dacsa mount has ended by itself"
  end_process "$dacsa_pid" 20 || fail "dacsa mount ignores SIGTERM"
  dacsa_pid=
  wait_for 5 not_mounted || fail "dacsa mount ended, but $mnt is still mounted"
  ! grep -E 'CRITICAL|WARNING|Sanitizer|runtime error:|[Aa]ssert' "$tmp/dacsa.log" |
    grep -vE "${expected_complaints:-^\$}" || fail "suspicious output of dacsa mount"
}

# kill_dacsa: SIGKILL to all processes of the mount at once, as in a crash. Snapshots live on.
kill_dacsa() {
  local pid pids=()
  for pid in $(our_processes); do
    [ "$(readlink "/proc/$pid/exe")" != "$DACSA" ] || is_copy "$pid" '.*' || pids+=("$pid")
  done
  kill -KILL "${pids[@]}"
  wait_for 5 dead "$dacsa_pid"
  dacsa_pid=
}

# viewer: the pid of the mount's.
viewer() {
  pgrep -P "$dacsa_pid" -x dacsa-viewer
}

# An open directory is always asked for: the answer is a living viewer's.
viewer_answers() {
  [ -n "$(viewer)" ] && timeout $((10 * SLOW)) ls "$mnt" >/dev/null 2>&1
}

# crash_viewer SIGNAL: ends the viewer by it, and waits until another one answers. expected_complaints has
# to have "the viewer was killed by signal" in it.
crash_viewer() {
  local old
  old=$(viewer)
  kill "-$1" "$old"
  wait_for 20 dead "$old" || fail "the viewer survives signal $1"
  wait_for 20 viewer_answers || fail "no other viewer answers"
  [ "$(viewer)" != "$old" ] || fail "the viewer is the old one"
}

# parked NAME: the pids of the snapshots of the guest NAME: they look like its QEMU, or are copies.
parked() {
  local pid
  for pid in $(our_processes); do
    [ "$pid" = "${guest_pid[$1]:-}" ] || ! { is_qemu "$pid" "$1" || is_copy "$pid" "$1"; } || echo "$pid"
  done
}

none_parked() {
  [ -z "$(parked "$1")" ]
}

# is_copy PID NAME: whether it is a snapshot of the guest NAME by the method copy.
is_copy() {
  { tr '\0' '\n' <"/proc/$1/cmdline"; } 2>/dev/null | sed -n '1s/^dacsa-copy$/y/p; 2p' | tr '\n' ' ' |
    grep -qE "^y .*/$2@"
}

is_qemu() {
  [[ $(readlink "/proc/$1/exe") == */qemu-system-x86_64 ]] &&
    tr '\0' '\n' <"/proc/$1/cmdline" | grep -E -- "^($2|guest=$2,.*)\$" >/dev/null
}

# --- checks -----------------------------------------------------------------------------------------

# expect_error STATUS REGEX CMD...: CMD must fail with STATUS and exactly one line on standard error,
# "dacsa: ..." with a match of REGEX in it. "dacsa" as CMD is a command on this case's mount.
expect_error() {
  local wanted=$1 regex=$2 status=0
  shift 2
  [ "$1" != dacsa ] || set -- "$DACSA" "$2" --mount "$mnt" "${@:3}"
  timeout $((60 * SLOW)) "$@" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null || status=$?
  [ $status = "$wanted" ] && [ "$(wc -l <"$tmp/stderr")" = 1 ] && grep -q '^dacsa: ' "$tmp/stderr" &&
    grep -qiE -- "$regex" "$tmp/stderr" || fail "expected status $wanted and one line like /$regex/ of: $*
status $status, standard error:
$(cat "$tmp/stderr")"
}

# expect_unsupported DIRECTORY: mkdir must fail with EOPNOTSUPP, which mkdir(1) tells only in words.
expect_unsupported() {
  python3 -c 'import errno, os, sys
try:
    os.mkdir(sys.argv[1])
    sys.exit("mkdir succeeds")
except OSError as error:
    assert error.errno == errno.EOPNOTSUPP, error' "$1"
}

# lacks VM[/SNAPSHOT]: the mount does not show it.
lacks() {
  [ ! -e "$mnt/$1" ]
}

# dropped VM/SNAPSHOT: it ended unasked, and the mount says so.
dropped() {
  grep -qx 'state: dropped' "$mnt/$1/info"
}

# counted_on NAME PASSES: the guest's process of ROLE=counter is further than that.
counted_on() {
  [ "$(guest_run "$1" 'cat /run/counter')" -gt "$2" ]
}

# same A B WHAT
same() {
  [ "$1" = "$2" ] || fail "$3 differ:
$(diff <(echo "$1") <(echo "$2"))"
}

# same_as_qemu NAME FILE START END: what the file has there is what the guest's memory has, which stands
# still. In pieces, so that little is kept on disk.
same_as_qemu() {
  local at size piece=$tmp/pmemsave
  for ((at = $3; at < $4; at += size)); do
    size=$(($4 - at < (1 << 28) ? $4 - at : 1 << 28))
    qmp "$1" pmemsave "{\"val\":$at,\"size\":$size,\"filename\":\"$piece\"}" >/dev/null
    cmp --bytes="$size" --ignore-initial="0:$at" "$piece" "$2" ||
      fail "physmem of $1 differs from pmemsave in the $size bytes at $at"
    rm "$piece"
  done
}
