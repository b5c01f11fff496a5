#!/bin/bash
# A stop does not wait for ever for programs that have files open in the mount, or their working directory: after
# ten seconds they are cut off, and what is left of the mount is gone with the daemon; and no more than that.
. "$(dirname "$0")/../functions.sh"

start_qemu vm -m 64M
mount_guest vm
dacsa snapshot vm now >/dev/null
(cd "$mnt/vm/now" && exec sleep 1000) &
inside=$!
cleanup_fn end_process $inside 5
stands_in() {
  [ "$(readlink "/proc/$inside/cwd")" = "$1" ]
}
wait_for 5 stands_in "$mnt/vm/now" || fail "it is not in the snapshot"
exec 7<"$mnt/vm/now/physmem"

kill -TERM "$dacsa_pid"
wait_for 5 not_mounted || fail "who is in it keeps the mount"
wait_for 30 dead "$dacsa_pid" || fail "who is in it keeps the daemon"
grep -q 'still in use; its readers are cut off' "$tmp/dacsa.log" || fail "the log does not say why it took so long"
dacsa_pid=
! ls "/proc/$inside/cwd/" >/dev/null 2>&1 || fail "a directory can be read of which nobody knows any more"
! dd bs=1M skip=30 count=1 <&7 >/dev/null 2>&1 || fail "a file can be read of which nobody knows any more"
same "$(parked vm)" "" "snapshots that are left and none"
alive "$inside" || fail "who was in it is dead"
exec 7<&-

# A mount is possible there again, also with that program still in the old one.
mount_guest vm
dacsa snapshot vm now >/dev/null
dacsa drop vm/now

# What the mount point itself is mounted on stays, when the administrator unmounts and at the daemon's own end.
stop_dacsa
mount -t tmpfs -o size=64k below "$mnt"
cleanup_fn umount "$mnt"
touch "$mnt/mark"
mount_guest vm
umount "$mnt"
wait_for 20 dead "$dacsa_pid" || fail "an unmount does not end the daemon"
dacsa_pid=
[ -e "$mnt/mark" ] || fail "the daemon has unmounted more than its own when it was unmounted"
mount_guest vm
end_process "$dacsa_pid" 20 || fail "dacsa mount ignores SIGTERM"
dacsa_pid=
[ -e "$mnt/mark" ] || fail "the daemon has unmounted more than its own when it was stopped"
