#!/bin/bash
# dacsa.service under a real systemd as process 1, in a full Debian guest that has a VM of its own: start, stop,
# crash, snapshots that are taken up or not, the journal, a VM that comes late, a VM that ends. Needs
# `tests/setup service`; tests/run -k systemd does all of it.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/service-guest.sh
. "$root/tests/service-guest.sh"

# property NAME
property() {
  in_guest "systemctl show --value -p $1 dacsa"
}

# content: of the snapshot, as far as that is quick to read.
content() {
  in_guest 'head -c 1M /dacsa/web/now/physmem | cksum'
}

# entry MESSAGE_ID FIELD: of the newest entry in the journal with that id that is about this snapshot.
entry() {
  in_guest "journalctl -u dacsa -q -n 1 -o json MESSAGE_ID=$1 DACSA_VM=web DACSA_SNAPSHOT=now" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

# QEMUs of the unit web: itself, and its snapshots.
qemus() {
  in_guest 'grep -c . /sys/fs/cgroup/system.slice/web.service/cgroup.procs'
}

# check_stopped WHY: nothing of the service is left, and it is not a failure.
check_stopped() {
  in_guest_until 20 'systemctl show -p ActiveState dacsa | grep -q =inactive'
  same "$(property Result)" success "result after $1"
  same "$(in_guest 'pgrep -c dacsa || :')" 0 "processes of dacsa after $1 and none"
  same "$(in_guest 'grep -c dacsa /proc/mounts || :')" 0 "mounts of dacsa after $1 and none"
}

taken=2fc17a151fd04f03840bf45b3668ad9c
taken_up=0aeb3f75bb3442bba69cf14cbd20925d

start_service_guest
same "$(in_guest 'cat /proc/1/comm')" systemd "process 1"
same "$(in_guest 'systemd-analyze verify --man=no dacsa.service')" "" "what systemd-analyze says and nothing"
echo "systemd-analyze security: $(in_guest 'systemd-analyze security dacsa.service | grep -o "Overall.*[0-9]"')"

# Start: it returns when the tree can be listed, and what can be done without the unit can be done in it.
in_guest '! grep -q fuse /proc/filesystems' # the unit sees to that
start_web
in_guest 'systemctl start dacsa && ls /dacsa/web/status >/dev/null'
same "$(in_guest 'dacsa check')" "web: can be snapshotted" "dacsa check"
[[ $(in_guest 'dacsa snapshot web now 2>/dev/null') == "/dacsa/web/now  paused "* ]] || fail "no snapshot"
before=$(content)
same "$(qemus)" 2 "QEMUs, itself and a snapshot"
in_guest 'grep -qx "Seccomp:	2" /proc/$(pgrep -x dacsa-viewer)/status'
in_guest 'grep -qx "Seccomp:	0" /proc/$(systemctl show --value -p MainPID dacsa)/status'

# The journal has it, with fields.
same "$(entry $taken DACSA_PAUSE_US)" "$(in_guest 'sed -n "s/^pause_us: //p" /dacsa/web/now/info')" "pauses"
same "$(entry $taken SYSLOG_IDENTIFIER) $(entry $taken PRIORITY) $(entry $taken _SYSTEMD_UNIT)" "dacsa 5 dacsa.service" \
  "identifier, priority, unit"

# A stop leaves the snapshot, the next start has it.
in_guest 'systemctl stop dacsa'
check_stopped "a stop"
same "$(qemus)" 2 "QEMUs after a stop"
in_guest 'systemctl start dacsa'
same "$(content)" "$before" "contents before and after the stop"
same "$(entry $taken_up MESSAGE)" "web/now: taken up again" "what the journal says"

# So does a crash of the keeper; systemd starts it again.
in_guest 'systemctl kill -s KILL --kill-who=main dacsa'
in_guest_until 20 'systemctl is-active dacsa && [ "$(systemctl show --value -p NRestarts dacsa)" = 1 ] && ls /dacsa/web/now/info'
same "$(content)" "$before" "contents before and after the keeper's crash"
same "$(in_guest 'pgrep -c dacsa')" 2 "processes of dacsa"

# And one of the viewer.
in_guest 'kill -KILL $(pgrep -x dacsa-viewer)'
in_guest_until 20 'systemctl is-active dacsa && head -c 1 /dacsa/web/now/physmem'
same "$(content)" "$before" "contents before and after the viewer's crash"

# umount ends it well, and it stays ended.
in_guest 'umount /dacsa'
check_stopped "umount"
in_guest 'systemctl start dacsa'
same "$(content)" "$before" "contents before and after umount"

# A VM that ends, and with it its control group: the snapshot lives on in another.
in_guest 'systemctl stop web'
in_guest_until 20 'grep -q "^state: not running" /dacsa/web/status'
same "$(in_guest 'systemctl show --value -p Result web; systemctl is-active web || :')" "success
inactive" "the VM's unit"
same "$(content)" "$before" "contents before and after the VM's end"

# A QEMU that the configuration names and that is not there is waited for, however long; the snapshot is shown.
in_guest 'systemctl restart dacsa && grep -q "^state: not running" /dacsa/web/status'
same "$(content)" "$before" "contents before and after the restart without the VM"
in_guest '! dacsa snapshot web no 2>&1' | grep -q 'nothing listens' || fail "a VM that is not there is not refused so"
start_web
in_guest_until 30 'dacsa check'
same "$(content)" "$before" "contents before and after the VM's new start"
same "$(property NRestarts)" 0 "restarts of the service"
in_guest 'dacsa drop web/now'

# drop-on-exit: none is left.
in_guest 'echo drop-on-exit=true >>/etc/dacsa.conf && systemctl restart dacsa && dacsa snapshot web now >/dev/null'
same "$(qemus)" 2 "QEMUs, itself and a snapshot"
in_guest 'systemctl stop dacsa'
check_stopped "the last stop"
same "$(qemus)" 1 "QEMUs after a stop that drops"
same "$(in_guest 'systemctl is-active web')" active "the VM"

# The host goes down: nothing waits for snapshots, which would not outlive it.
in_guest 'sed -i /drop-on-exit/d /etc/dacsa.conf && systemctl start dacsa && dacsa snapshot web now >/dev/null'
echo 'systemctl poweroff' | talk "$tmp/vm.serial" 60 dead "${guest_pid[vm]}" >"$tmp/ignored" || :
wait_for 5 dead "${guest_pid[vm]}" || fail "the host does not go down: $(tail -n 5 "$tmp/vm.console")"
forget_guest vm
