#!/bin/bash
# The process list, and each process's comm, cmdline and maps, are what the guest itself says.
. "$(dirname "$0")/../functions.sh"

start_guest vm

# One of everything that is worth seeing in a process list (guest.c tells what each role does).
start_in_guest vm ROLE=zoo zoo >/dev/null
start_in_guest vm ROLE=idle idle --empty '' '' --last >/dev/null
start_in_guest vm ROLE=idle no-arguments >/dev/null
start_in_guest vm ROLE=idle a-name-longer-than-15-characters '*' '$HOME' '\' $'\t' >/dev/null
start_in_guest vm ROLE=title titled some arguments >/dev/null
start_in_guest vm ROLE=long-title PADDING=00000000000000000000000000000000000000 titled x >/dev/null
for role in odd-name zombie leaderless container; do
  start_in_guest vm ROLE=$role $role >/dev/null
done
start_in_guest vm ROLE='touch 8' toucher >/dev/null
# 20 KB of arguments, over several pages.
guest_run vm 'alias_guest long; start ROLE=idle long $(seq 1 4000)' >/dev/null
# A program that was deleted, and one in a chroot.
guest_run vm 'cp /bin/guest /run/deleted; start ROLE=idle /run/deleted; rm /run/deleted' >/dev/null
guest_run vm 'mkdir -p /jail/run; mount -o bind /run /jail/run; cp /bin/guest /jail/prisoner'
guest_run vm 'start ROLE=idle chroot /jail /prisoner' >/dev/null

mount_guest vm
report=report-brief compare_guest vm --only comm,cmdline,maps
