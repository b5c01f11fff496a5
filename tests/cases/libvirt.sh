#!/bin/bash
# Domains of libvirt appear and vanish in the mount as they start and stop, and are snapshotted as
# libvirt starts them: its own user, namespaces and seccomp sandbox.
. "$(dirname "$0")/../functions.sh"

vm=$tag-vm # a name that no other domain on this host has

listed() {
  [ -d "$mnt/$vm" ]
}

start_libvirtd
start_dacsa --connect qemu:///system
lacks "$vm" || fail "a domain is listed that does not exist yet"

start_domain "$vm"
wait_for 10 listed || fail "the domain was started, but does not appear"
grep -qx "pid: ${guest_pid[$vm]}" "$mnt/$vm/status" || fail "status: $(cat "$mnt/$vm/status")"
grep -q '^Seccomp:.2$' "/proc/${guest_pid[$vm]}/status" || fail "libvirt's sandbox is off"

pid=$(start_in_guest "$vm" ROLE=idle sleeper --with arguments)
dacsa snapshot "$vm" now >/dev/null
same "$(tr '\0' ' ' <"$mnt/$vm/now/processes/$pid/cmdline")" "sleeper --with arguments " "cmdlines"
same "$(cat "$mnt/$vm/now/processes/1/comm")" init "names of process 1"
guest_run "$vm" true
[ "$(virsh domstate "$vm")" = running ] || fail "the domain is $(virsh domstate "$vm")"

# A domain paused by virsh stays paused.
virsh suspend "$vm" >/dev/null
dacsa snapshot "$vm" paused >/dev/null
[ "$(virsh domstate "$vm")" = paused ] || fail "the domain was paused, now it is $(virsh domstate "$vm")"
virsh resume "$vm" >/dev/null

dacsa drop "$vm/now" "$vm/paused"
stop_domain "$vm"
wait_for 10 lacks "$vm" || fail "the domain was stopped, but does not vanish"

start_domain "$vm"
wait_for 10 listed || fail "the domain was started again, but does not appear"
dacsa snapshot "$vm" again >/dev/null
dacsa drop "$vm/again"
