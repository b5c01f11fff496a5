#!/bin/bash
# Under systemd what happens to snapshots goes to the journal, with fields. A real journald, in a mount
# namespace of its own, so that this host's journal is left alone.
[ -n "${DACSA_JOURNAL_NAMESPACE:-}" ] || DACSA_JOURNAL_NAMESPACE=1 exec unshare -m "$0"
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"
forget_mounts
journald=/lib/systemd/systemd-journald
requires test -x $journald
requires command -v systemd-cat
requires test -s /etc/machine-id

mkdir -p "$tmp/sockets" "$tmp/log" /run/systemd/journal /run/log
mount --bind "$tmp/sockets" /run/systemd/journal
mount --bind "$tmp/log" /run/log
[ ! -d /var/log/journal ] || mount -t tmpfs none /var/log/journal
printf '[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nForwardToWall=no\n' >"$tmp/journald.conf"
mount --bind "$tmp/journald.conf" /etc/systemd/journald.conf
$journald >"$tmp/journald.log" 2>&1 &
cleanup_fn end_process $! 10
wait_for 10 test -S /run/systemd/journal/stdout || fail "journald: $(cat "$tmp/journald.log")"

# entry FIELD MATCH...: that field of the entries that match.
entry() {
  journalctl -D /run/log/journal -q --no-pager -o cat --output-fields="$1" "${@:2}" 2>/dev/null
}

there() {
  [ -n "$(entry MESSAGE "$@")" ]
}

taken=MESSAGE_ID=2fc17a151fd04f03840bf45b3668ad9c
refused=MESSAGE_ID=bfc069a6fce0445cae5f6ca3516a7af8
dropped=MESSAGE_ID=613f776f348b4f7185c842dc283f9986
lost=MESSAGE_ID=e8cc8d93f2d0485da37acf3d3428ba24
given_up=MESSAGE_ID=74a4a45e4d95400e9d09039446a65186
taken_up=MESSAGE_ID=0aeb3f75bb3442bba69cf14cbd20925d
collapsed=MESSAGE_ID=4a1a6f04e02544a6a81926754d85292a
recovered=MESSAGE_ID=18b521a3cb4544828dd05a4f3ef3f050
crashed=MESSAGE_ID=2b8a0249fa354d5c8e76a3f660801175
for id in $taken $refused $dropped $lost $given_up $taken_up $collapsed $recovered $crashed; do
  grep -q "${id#*=}" "$root/doc/man/dacsa-mount.1" || fail "dacsa-mount(1) lacks $id"
done

# Its standard error is the journal's, as a unit's is.
printf '#!/bin/sh\nexec systemd-cat -t dacsa %q "$@"\n' "$DACSA" >"$tmp/in-journal"
chmod +x "$tmp/in-journal"

start_qemu vm -m 64M
DACSA=$tmp/in-journal keep=1 G_MESSAGES_DEBUG=all start_dacsa --config none --connect none --qmp "vm=$tmp/vm.qmp"
wait_for 10 test -d "$mnt/vm"

dacsa snapshot vm now >/dev/null
wait_for 10 there $taken DACSA_VM=vm DACSA_SNAPSHOT=now || fail "a snapshot is not told: $(entry MESSAGE)"
pass_is_told() {
  there $collapsed DACSA_VM=vm || entry MESSAGE | grep -q 'stay split' # by a kernel that cannot
}
wait_for 30 pass_is_told || fail "a pass over huge pages is not told: $(entry MESSAGE)"
same "$(entry DACSA_SNAPSHOT $collapsed)" "" "the snapshot of a pass and none"
same "$(entry DACSA_PAUSE_US $taken)" "$(sed -n 's/^pause_us: //p' "$mnt/vm/now/info")" "pauses"
same "$(entry SYSLOG_IDENTIFIER $taken) $(entry PRIORITY $taken)" "dacsa 5" "identifier and priority"
[[ $(entry MESSAGE $taken) =~ ^vm/now:\ taken,\ paused\ [0-9.]+\ ms$ ]] || fail "told: $(entry MESSAGE $taken)"

mkdir "$mnt/vm/now" 2>/dev/null && fail "the same name twice"
dacsa drop vm/now
wait_for 10 there $dropped DACSA_VM=vm DACSA_SNAPSHOT=now || fail "a drop is not told: $(entry MESSAGE)"
same "$(entry DACSA_PAUSE_US $dropped)" "" "the pause of a drop and none"

dacsa snapshot vm killed >/dev/null
kill -KILL "$(parked vm)"
wait_for 10 there $lost DACSA_SNAPSHOT=killed || fail "a lost snapshot is not told: $(entry MESSAGE)"

dacsa snapshot vm kept >/dev/null
stop_dacsa

# Over a limit that anything is over: given up, as a warning, with what it cost.
DACSA=$tmp/in-journal keep=1 start_dacsa --config none --connect none --qmp "vm=$tmp/vm.qmp" --cow-limit 1
wait_for 30 there $given_up DACSA_SNAPSHOT=kept || fail "a snapshot that was given up is not told: $(entry MESSAGE)"
same "$(entry PRIORITY $given_up)" 4 "priorities"
same "$(entry DACSA_PRIVATE_BYTES $given_up)" "$(sed -n 's/^private_bytes: //p' "$mnt/vm/kept/info")" "costs"
same "$(entry MESSAGE $given_up)" "vm/kept: $(sed -n 's/^why: //p' "$mnt/vm/kept/info")" "reasons"
stop_dacsa

DACSA=$tmp/in-journal keep=1 start_dacsa --config none --connect none --qmp "vm=$tmp/vm.qmp"
wait_for 10 test -d "$mnt/vm"
dacsa snapshot vm kept >/dev/null
stop_dacsa
DACSA=$tmp/in-journal start_dacsa --config none --connect none --qmp "vm=$tmp/vm.qmp"
wait_for 10 there $taken_up DACSA_SNAPSHOT=kept || fail "a snapshot taken up is not told: $(entry MESSAGE)"

start_kill step 50
! mkdir "$mnt/vm/halfway" 2>/dev/null || fail "taken by a process that was killed"
wait $killer
wait_for 10 there $recovered DACSA_VM=vm DACSA_SNAPSHOT=halfway || fail "a recovery is not told: $(entry MESSAGE)"
same "$(entry PRIORITY $recovered)" 4 "priority of a recovery"

# So is a crash of the viewer, which is no VM's.
crash_viewer SEGV
wait_for 10 there $crashed || fail "the viewer's crash is not told: $(entry MESSAGE)"
same "$(entry PRIORITY $crashed) $(entry DACSA_VM $crashed)" "4 " "its priority and VM, and a warning of none"
[[ $(entry MESSAGE $crashed) == *'killed by signal 11 (Segmentation fault); another one is started' ]] ||
  fail "told: $(entry MESSAGE $crashed)"

# The viewer, which has no socket to the journal, has its warnings there all the same, as warnings: here
# that it may not become nobody.
mkdir "$tmp/other"
setpriv --bounding-set -setuid "$tmp/in-journal" mount -f --config none --connect none "$tmp/other" &&
  fail "a viewer that stays root"
wait_for 10 there _COMM=dacsa-viewer PRIORITY=4 || fail "the viewer is not heard: $(entry MESSAGE)"
[[ $(entry MESSAGE _COMM=dacsa-viewer PRIORITY=4) == *'cannot become nobody'* ]] ||
  fail "$(entry MESSAGE _COMM=dacsa-viewer)"

# A snapshot of what has ended is told as refused.
qemu=${guest_pid[vm]}
forget_guest vm
kill -KILL "$qemu"
ended() {
  grep -q '^state: gone' "$mnt/vm/status"
}
wait_for 10 ended
! dacsa snapshot vm late >/dev/null 2>&1 || fail "a snapshot of what is gone"
wait_for 10 there $refused DACSA_VM=vm DACSA_SNAPSHOT=late || fail "a refusal is not told: $(entry MESSAGE)"
! grep . "$tmp/dacsa.log" || fail "that should be in the journal"
