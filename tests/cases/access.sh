#!/bin/bash
# Who may look: root; with --group that group, which may read all there is and change nothing; nobody else.
. "$(dirname "$0")/../functions.sh"

expected_complaints='the viewer was killed by signal 9 '

# Numbers that nobody here has; the kernel asks for no names. --group is given one.
group=operator
gid=$(getent group $group | cut -d : -f 3)
member=(setpriv --reuid 64001 --regid 64001 --groups "$gid")
primary=(setpriv --reuid 64001 --regid "$gid" --clear-groups)
other=(setpriv --reuid 64002 --regid 64002 --clear-groups)

# denied WHAT CMD...: fails for lack of permission.
denied() {
  local what=$1
  shift
  ! "$@" >/dev/null 2>"$tmp/denied" || fail "$what"
  grep -q 'Permission denied' "$tmp/denied" || fail "$what: $(cat "$tmp/denied")"
}

# shut_out SETPRIV...: who is not root, or not in the group, cannot even look in.
shut_out() {
  local path
  for path in "$mnt" "$mnt/vm" "$mnt/vm/now" "$mnt/vm/now/processes/1"; do
    denied "$path is listed for anybody" "$@" ls "$path"
  done
  for path in status now/info now/physmem now/processes/1/memory now/vmcore; do
    denied "$path is read by anybody" "$@" head -c 1 "$mnt/vm/$path"
  done
  denied "anybody takes a snapshot" "$@" mkdir "$mnt/vm/theirs"
  denied "anybody drops a snapshot" "$@" rmdir "$mnt/vm/now"
}

start_guest vm -m 256M
mount_guest vm
dacsa snapshot vm now >/dev/null

# Without --group: root alone, whatever groups one has.
shut_out "${other[@]}"
shut_out "${member[@]}"
shut_out "${primary[@]}"
stop_dacsa

start_dacsa --connect none --group $group --qmp "vm=$tmp/vm.qmp"
wait_for 10 test -d "$mnt/vm"
dacsa snapshot vm now >/dev/null
for round in first second; do
  shut_out "${other[@]}"
  for who in member primary; do
    declare -n user=$who
    same "$("${user[@]}" cat "$mnt/vm/status")" "$(cat "$mnt/vm/status")" "status as the group and root see it"
    same "$("${user[@]}" cksum "$mnt/vm/now/processes/1/memory")" "$(cksum "$mnt/vm/now/processes/1/memory")" "memory for the group and root"
    same "$("${user[@]}" ls -lR "$mnt/vm/now/processes/1")" "$(ls -lR "$mnt/vm/now/processes/1")" "a snapshot as the group and root see it"
    "${user[@]}" head -c 4096 "$mnt/vm/now/vmcore" | cmp - <(head -c 4096 "$mnt/vm/now/vmcore") || fail "vmcore"
    denied "the group takes a snapshot" "${user[@]}" mkdir "$mnt/vm/theirs"
    denied "the group drops a snapshot" "${user[@]}" rmdir "$mnt/vm/now"
    denied "the group writes" "${user[@]}" tee "$mnt/vm/now/info"
  done
  # So it is for a viewer that follows a crashed one.
  [ $round = second ] || crash_viewer KILL
done
is_running vm || fail "the guest is stopped"
expect_error 2 'no-such-group' "$DACSA" mount --config none --connect none --group no-such-group "$mnt"
