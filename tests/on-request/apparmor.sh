#!/bin/bash
# AppArmor, in a full Debian guest: QEMU in a profile as libvirt makes it, dacsa without one; then dacsa in a profile
# of its own, without and with what doc/operating.md says. Needs `tests/setup service`; tests/run -k apparmor does all of it.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/service-guest.sh
. "$root/tests/service-guest.sh"

# write_file PATH TEXT: in the guest. The console takes a line at a time.
write_file() {
  in_guest "printf '%b' '$(printf '%s' "$2" | sed 's/\\/\\\\/g' | sed -z 's/\n/\\n/g')\\n' >$1"
}

# load PROFILE: a file of /etc/apparmor.d.
load() {
  in_guest "/opt/disk/apparmor_parser -r /etc/apparmor.d/$1"
}

# denied OPERATION MASK PROFILE: what the kernel says of it.
denied() {
  in_guest_until 10 "journalctl -k -q --no-pager | grep apparmor=.DENIED.*operation=.$1.*profile=.$3.*denied_mask=.$2"
}

nothing_denied() {
  same "$(in_guest 'journalctl -k -q --no-pager | grep apparmor=.DENIED || :')" "" "what is denied and nothing"
}

# libvirt's own abstraction, in a profile as virt-aa-helper makes them, and what this QEMU lies in.
qemu_profile='abi <abi/3.0>,
#include <tunables/global>
profile libvirt-web flags=(attach_disconnected) {
  #include <abstractions/libvirt-qemu>
  /opt/disk/** mr,
  owner /run/web/qmp rw,
}'

# dacsa_profile MORE: all but what concerns other processes, and MORE.
dacsa_profile() {
  echo "abi <abi/3.0>,
#include <tunables/global>
profile dacsa flags=(attach_disconnected) {
  #include <abstractions/base>
  file, capability, network, unix, mount, umount, dbus,
  signal peer=dacsa,
  ptrace peer=dacsa,
  $1
}"
}

# restart_dacsa PROFILE: the service, in that profile.
restart_dacsa() {
  in_guest "printf '[Service]\nAppArmorProfile=%s\n' $1 >/run/systemd/system/dacsa.service.d/apparmor.conf"
  in_guest 'systemctl daemon-reload && systemctl restart dacsa && ls /dacsa/web/status >/dev/null'
  same "$(in_guest 'cat /proc/$(systemctl show --value -p MainPID dacsa)/attr/current')" "$1 (enforce)" "dacsa's profile"
}

# takes: a snapshot is possible, and can be read.
takes() {
  same "$(in_guest 'dacsa check')" "web: can be snapshotted" "dacsa check"
  in_guest 'dacsa snapshot web now >/dev/null && head -c 1M /dacsa/web/now/physmem >/dev/null'
}

local_profile=/etc/apparmor.d/local/abstractions/libvirt-qemu

start_service_guest
in_guest 'grep -q apparmor /sys/kernel/security/lsm' || fail "the guest's kernel has no AppArmor"
in_guest 'cp -r /opt/disk/apparmor.d /etc && mkdir -p /etc/apparmor /etc/apparmor.d/local/abstractions /run/systemd/system/dacsa.service.d'
in_guest 'touch /etc/apparmor/parser.conf '"$local_profile"
write_file /etc/apparmor.d/qemu "$qemu_profile"
load qemu
start_web -p AppArmorProfile=libvirt-web
same "$(in_guest 'cat /proc/$(systemctl show --value -p MainPID web)/attr/current')" "libvirt-web (enforce)" "QEMU's profile"

# As it is installed, without a profile.
in_guest 'systemctl start dacsa'
takes
same "$(in_guest 'for pid in $(pgrep -x qemu-system-x86); do cat /proc/$pid/attr/current; done')" "libvirt-web (enforce)
libvirt-web (enforce)" "the profiles of QEMU and its snapshot"
in_guest 'dacsa drop web/now'
nothing_denied

# In a profile that does not let it trace: refused, with the reason, before QEMU is touched.
write_file /etc/apparmor.d/dacsa "$(dacsa_profile '')"
load dacsa
restart_dacsa dacsa
[[ $(in_guest '! dacsa snapshot web now') == *'dacsa is confined (dacsa (enforce)) and may not trace QEMU; '* ]] ||
  fail "the reason is not told"
denied ptrace read dacsa
same "$(in_guest 'systemctl is-active web')" active "the VM"

# In one that does, but QEMU's profile does not let it send signals there: refused, too.
write_file /etc/apparmor.d/dacsa "$(dacsa_profile 'ptrace (read, trace) peer=libvirt-*, signal (send) peer=libvirt-*,')"
load dacsa
in_guest_until 10 'dacsa check'
in_guest "sysctl -q kernel.printk_ratelimit=0"
[[ $(in_guest '! dacsa snapshot web now') == *'dacsa may not send signals to QEMU (Permission denied); '* ]] ||
  fail "the reason is not told"
denied signal receive libvirt-web
same "$(in_guest 'systemctl is-active web')" active "the VM"

# QEMU's profile has to accept it; no VM needs to be started again for that.
write_file "$local_profile" 'signal (receive) peer=dacsa,'
load qemu
in_guest_until 10 'dacsa check'
takes

# If that is taken back, a snapshot cannot be dropped, which is told and leaves it as it is.
write_file "$local_profile" ''
load qemu
[[ $(in_guest '! dacsa drop web/now') == *'Input/output error; see the log'* ]] || fail "a drop that is not possible"
in_guest 'journalctl -u dacsa -q --no-pager | grep -q "web/now: its child cannot be killed: Permission denied"'
in_guest 'cat /dacsa/web/now/info >/dev/null'
write_file "$local_profile" 'signal (receive) peer=dacsa,'
load qemu
in_guest 'dacsa drop web/now'
takes
in_guest 'dacsa drop web/now && systemctl stop dacsa'
same "$(in_guest 'systemctl is-active dacsa; systemctl is-active web')" "inactive
active" "dacsa and the VM"
