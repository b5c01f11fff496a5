#!/bin/bash
# A host that lacks something: no libvirtd, no /dev/fuse, not root, no QEMU in sight. Each is told in one line with
# the remedy, and nothing is mounted.
. "$(dirname "$0")/../functions.sh"

expect_error 1 libvirt "$DACSA" mount -f \
  --connect "qemu+unix:///system?socket=$tmp/no-libvirtd" "$mnt"
expect_error 1 . "$DACSA" mount -f --connect "no://such uri" "$mnt"

# In a mount namespace of its own /dev is empty but for what any program needs.
# shellcheck disable=SC2016 # expanded by the inner shell
expect_error 1 /dev/fuse unshare -m sh -c '
  mkdir "$2/dev" && mount -t tmpfs none "$2/dev" && cp -a /dev/null /dev/zero /dev/urandom "$2/dev" &&
    mount --move "$2/dev" /dev && exec "$0" mount -f --connect none "$1"' "$DACSA" "$mnt" "$tmp"

# A copy: the source tree may lie where only root can look.
cp "$DACSA" "$tmp/dacsa"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/dacsa")
expect_error 1 root "${nobody[@]}" mount -f --connect none "$mnt"
"${nobody[@]}" --help >/dev/null || fail "--help needs root"

# QEMU is where it has no number that dacsa could know it by.
start_qemu vm -m 64M
expect_error 1 "$tmp/vm.qmp: QEMU is in another PID namespace; run dacsa in the host's, where QEMU can be seen\$" \
  unshare --pid --fork "$DACSA" mount -f --connect none --qmp "vm=$tmp/vm.qmp" "$mnt"

not_mounted || fail "a failed mount left $(our_mounts)"
# In the background, too, a failure is the command's own.
expect_error 1 libvirt "$DACSA" mount --connect "qemu+unix:///system?socket=$tmp/no-libvirtd" "$mnt"

# Without guests there is nothing wrong: an empty mount.
start_dacsa --connect none
same "$(ls "$mnt")" "" "an empty mount and nothing"
