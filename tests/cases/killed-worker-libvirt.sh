#!/bin/bash
# As killed-worker, with a domain of libvirt's: the VM is resumed through libvirt, which thinks so too.
. "$(dirname "$0")/../functions.sh"
. "$root/tests/kill-at/functions.sh"

expected_complaints='WARNING.*-vm/s: '
STRIDE=83 # a take through libvirt has some five hundred

start_libvirtd
name=$tag-vm
start_domain "$name"
guest_pid[vm]=${guest_pid[$name]}
start_dacsa --connect qemu:///system
wait_for 10 test -d "$mnt/$name" || fail "the domain does not appear"
dacsa snapshot "$name" first >/dev/null
dacsa drop "$name/first"
before=$(qemu_facts)

failed=0
for ((n = RANDOM % STRIDE + 1; ; n += STRIDE)); do
  start_kill step $n
  mkdir "$mnt/$name/s" 2>"$tmp/said" || failed=$((failed + 1))
  wait $killer || fail "kill-at failed"
  killed=$(tail -n 1 "$tmp/killed")
  wait_for 30 no_journal || fail "$killed: not recovered: $(cat "$(state_dir)"/*.taking)"
  wait_for 10 is_intact || fail "$killed: QEMU is not as it was: $(diff <(echo "$before") <(echo "$facts"))"
  same "$(virsh domstate "$name")" running "states after: $killed"
  [ ! -d "$mnt/$name/s" ] || rmdir "$mnt/$name/s"
  [[ $killed != ended* ]] || break
done
[ $failed -gt 0 ] || fail "no take was killed"
dacsa snapshot "$name" last >/dev/null
dacsa drop "$name/last"
guest_run "$name" true
