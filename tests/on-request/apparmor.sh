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

# denied REGEX: the kernel has said so.
denied() {
  in_guest "journalctl -k -q --no-pager | grep apparmor=.DENIED" | grep -qE "$1"
}

# libvirt's own abstraction, in a profile as virt-aa-helper makes them, and what this QEMU lies in.
qemu_profile='abi <abi/3.0>,
#include <tunables/global>
profile libvirt-web flags=(attach_disconnected) {
  #include <abstractions/libvirt-qemu>
  /opt/disk/** mr,
  owner /run/web/qmp rw,
  deny /** w,
}'

# dacsa_profile MORE: all but what concerns other processes, and MORE.
dacsa_profile() {
  echo "abi <abi/3.0>,
#include <tunables/global>
profile dacsa flags=(attach_disconnected) {
  file, capability, network, unix, mount, umount, dbus,
  signal peer=dacsa,
  ptrace peer=dacsa,
  $1
}"
}

# restart_dacsa PROFILE: the service, in that profile.
restart_dacsa() {
  in_guest "printf '[Service]\nAppArmorProfile=%s\n' $1 >/run/systemd/system/dacsa.service.d/apparmor.conf"
  in_guest 'systemctl daemon-reload && systemctl restart dacsa && ls /dacsa/web/status'
}

start_service_guest
in_guest 'grep -q apparmor /sys/kernel/security/lsm' || fail "the guest's kernel has no AppArmor"
in_guest 'cp -r /opt/disk/apparmor.d /etc && mkdir -p /etc/apparmor.d/local/abstractions /run/systemd/system/dacsa.service.d'
write_file /etc/apparmor.d/qemu "$qemu_profile"
load qemu
start_web -p AppArmorProfile=libvirt-web
same "$(in_guest 'cat /proc/$(systemctl show --value -p MainPID web)/attr/current')" "libvirt-web (enforce)" "QEMU's profile"

echo "--- unconfined"
guest_run vm 'systemctl start dacsa; dacsa check; dacsa snapshot web now; dacsa list; cat /proc/$(pgrep -x qemu-system-x86 | tail -1)/attr/current; dacsa drop web/now; dacsa list; journalctl -k -q --no-pager | grep DENIED | tail' || :
in_guest 'systemctl stop web; systemctl reset-failed web || :'
write_file /etc/apparmor.d/dacsa "$(dacsa_profile '')"
load dacsa
start_web -p AppArmorProfile=libvirt-web
restart_dacsa dacsa
echo "--- confined, no rules"
guest_run vm 'cat /proc/$(systemctl show --value -p MainPID dacsa)/attr/current; dacsa check; dacsa snapshot web now; grep . /dacsa/web/status; journalctl -k -q --no-pager | grep DENIED | tail -n 4' || :
write_file /etc/apparmor.d/dacsa "$(dacsa_profile 'ptrace (read, trace) peer=libvirt-*, signal (send) peer=libvirt-*,')"
load dacsa
echo "--- confined, rules in dacsa"
restart_dacsa dacsa
guest_run vm 'dacsa check; dacsa snapshot web now; dacsa list; timeout 5 dacsa drop web/now; dacsa list; journalctl -k -q --no-pager | grep DENIED | tail -n 4' || :
