#!/bin/bash
# Commands on a mount whose daemon has been killed, on what is no mount of dacsa's or only in one, and on a VM without
# snapshots: one clear line that says what to do.
. "$(dirname "$0")/../functions.sh"

# each_refused REGEX MOUNT: by every command.
each_refused() {
  local command
  for command in list 'list vm' check 'check vm' 'snapshot vm' 'drop vm/first'; do
    # shellcheck disable=SC2086 # words
    expect_error 1 "$1" "$DACSA" $command --mount "$2"
  done
  expect_error 2 "$1" "$DACSA" scan --mount "$2" vm/first
}

unmount() {
  ! mounted || umount -l "$mnt"
}

start_qemu vm -m 64M
each_refused "dacsa is not mounted on $mnt; start .dacsa mount $mnt., or name another" "$mnt"
each_refused "dacsa is not mounted on $tmp/none; start" "$tmp/none"

keep=1 mount_guest vm
cleanup_fn unmount
expect_error 2 'vm: write VM/NAME' dacsa drop vm
expect_error 1 'there is no snapshot vm/first; see dacsa list' dacsa drop vm/first
expect_error 2 'vm has no snapshot yet; take one with dacsa snapshot vm' dacsa scan vm
[[ $(dacsa list vm) == *'vm  '*'(running)'* ]] || fail "list: $(dacsa list vm)"
dacsa snapshot vm first >/dev/null
each_refused "$mnt/vm is in a mount of dacsa; name the mount point" "$mnt/vm"
each_refused "$mnt/vm/status is in a mount of dacsa; name the mount point" "$mnt/vm/status"

# The keeper alone, without which nothing can be taken or dropped; what there is can still be read.
ended="the daemon of $mnt has ended; start .dacsa mount $mnt. again: its snapshots wait"
viewer=$(viewer)
kill -KILL "$dacsa_pid"
wait_for 5 dead "$dacsa_pid" || fail "the keeper lives"
dacsa_pid=
[[ $(dacsa list) == *first* ]] || fail "list: $(dacsa list)"
expect_error 1 "$ended" dacsa snapshot vm second
expect_error 1 "$ended" dacsa drop vm/first

# The same error of a viewer that was cut off while its daemon lives, as the lock tells: no end is claimed.
exec {lock}<"$(our_state)"
flock -n "$lock" || fail "somebody has the lock of a daemon that was killed"
cut_off="the viewer of $mnt was ended before it could answer; look at .dacsa list --mount $mnt., and try again"
expect_error 1 "$cut_off" dacsa snapshot vm second
expect_error 1 "$cut_off" dacsa drop vm/first
exec {lock}<&-

kill -KILL "$viewer"
wait_for 5 dead "$viewer" || fail "the viewer lives"
each_refused "$ended" "$mnt"

# What they advise helps.
start_dacsa --connect none --qmp "vm=$tmp/vm.qmp"
wait_for 10 test -d "$mnt/vm/first" || fail "the snapshot is not taken up"
dacsa drop vm/first
