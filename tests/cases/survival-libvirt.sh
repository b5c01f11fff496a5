#!/bin/bash
# A domain that is destroyed, or that turns itself off, leaves its snapshots: as they were, listed until they
# are dropped. Started again under its name it is another life of the same VM.
. "$(dirname "$0")/../functions.sh"

vm=$tag-vm # a name that no other domain on this host has

# evidence SNAPSHOT: what must stay the same.
evidence() {
  cat "$mnt/$vm/$1/cpus" "$mnt/$vm/$1"/processes/*/maps | cksum
  cksum <"$mnt/$vm/$1/physmem"
  grep -v '^private_bytes:' "$mnt/$vm/$1/info"
}

status_has() {
  grep -qx "$1" "$mnt/$vm/status"
}

# is_gone: the status says so, no snapshot can be taken, those that are there stay.
is_gone() {
  wait_for 10 status_has 'state: gone' || fail "the domain has ended: $(cat "$mnt/$vm/status")"
  status_has 'snapshot: impossible' || fail "status: $(cat "$mnt/$vm/status")"
  expect_error 1 'not running|No such file' dacsa snapshot "$vm" late
}

# parked_children: how many snapshots of it are there, whoever owns them.
parked_children() {
  parked "$vm" | wc -l
}

start_libvirtd
keep=1 start_dacsa --connect qemu:///system
start_domain "$vm"
first_pid=${guest_pid[$vm]}
wait_for 10 status_has "pid: $first_pid" || fail "the domain does not appear"
dacsa snapshot "$vm" first >/dev/null
first=$(evidence first)

# Destroyed.
stop_domain "$vm"
is_gone
same "$(parked_children)" 1 "snapshots that outlive their domain and that were taken"
same "$(evidence first)" "$first" "a snapshot before and after virsh destroy"
[ -z "$(virsh list --all --name | grep -x "$vm")" ] || fail "libvirt still knows the domain"

# The next daemon shows what the domain left, and that it is gone.
kill_dacsa
keep=1 start_dacsa --connect qemu:///system
is_gone
same "$(evidence first)" "$first" "a snapshot of an ended domain before and after a crash of the daemon"

# Started again.
start_domain "$vm"
wait_for 20 status_has "pid: ${guest_pid[$vm]}" || fail "the domain does not appear again"
[ "${guest_pid[$vm]}" != "$first_pid" ] || fail "the same process"
pid=$(start_in_guest "$vm" ROLE=idle reborn)
dacsa snapshot "$vm" second >/dev/null
same "$(cat "$mnt/$vm/second/processes/$pid/comm")" reborn "a process of the new life"
same "$(evidence first)" "$first" "a snapshot of the old life before and after the new one's beginning"
second=$(evidence second)

# It turns itself off.
qemu=${guest_pid[$vm]}
forget_guest "$vm"
echo 'poweroff -f' | talk "$tmp/$vm.serial" 60 dead "$qemu" >/dev/null || fail "the guest does not turn itself off"
is_gone
same "$(parked_children)" 2 "snapshots that outlive their domain and that were taken"
same "$(evidence first)$(evidence second)" "$first$second" "snapshots before and after poweroff"

dacsa drop "$vm/first"
[ -d "$mnt/$vm/second" ] || fail "the domain vanishes with its first snapshot"
dacsa drop "$vm/second"
wait_for 10 lacks "$vm" || fail "the domain and its snapshots are gone, but it is still listed"
