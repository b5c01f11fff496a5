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
guest_run vm '/bin/guest report /run/warm-up'
guest_run vm '/bin/guest report /run/before'
dacsa snapshot vm now >/dev/null
guest_run vm '/bin/guest report /run/after'

# What is the same before and after was so in between. All else may only be kernel workers.
guest_run vm 'tar -C /run -cf - before after | gzip | base64' | base64 -d | tar -xz -C "$tmp"
processes=$mnt/vm/now/processes
compared=0
for pid in $(find "$tmp/before" "$tmp/after" "$processes" -mindepth 1 -maxdepth 1 -printf '%f\n' |
  sort -nu); do
  if ! diff -r "$tmp/before/$pid" "$tmp/after/$pid" >/dev/null 2>&1; then
    comm=$(find "$tmp/before/$pid" "$tmp/after/$pid" "$processes/$pid" -name comm -exec cat {} + -quit \
      2>/dev/null || :)
    [[ $comm == kworker/* ]] || fail "process $pid, $comm, did not keep still, or is in the snapshot only"
    continue
  fi
  for file in comm cmdline maps; do
    cmp -s "$tmp/before/$pid/$file" "$processes/$pid/$file" ||
      fail "$file of process $pid, $(cat "$tmp/before/$pid/comm"), differs from what the guest says:
$(diff <(cat -A "$tmp/before/$pid/$file") <(cat -A "$processes/$pid/$file"))"
  done
  compared=$((compared + 1))
done
[ $compared -gt 40 ] || fail "only $compared processes kept still"
