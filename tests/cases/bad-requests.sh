#!/bin/bash
# What cannot be done is refused with one clear line and the right status; nothing is left of it and
# the guest runs on.
. "$(dirname "$0")/../functions.sh"

start_guest vm
start_in_guest vm ROLE='counter 4' counter >/dev/null

# A mount of something that is no monitor fails at once, and mounts nothing. A silent socket is the
# worst of them: it must not be waited for without end.
touch "$tmp/file"
socat "UNIX-LISTEN:$tmp/silent,fork" PIPE >/dev/null 2>&1 & # echoes what it is sent, never greets
silent=$!
cleanup_fn kill "$silent"
socat "UNIX-LISTEN:$tmp/other,fork" SYSTEM:'echo SSH-2.0-OpenSSH; cat >/dev/null' >/dev/null 2>&1 &
other=$!
cleanup_fn kill "$other"
wait_for 10 listens "$tmp/silent"
wait_for 10 listens "$tmp/other"

mount=("$DACSA" mount -f --connect none)
expect_error 1 "$tmp/missing" "${mount[@]}" --qmp "vm=$tmp/missing" "$mnt"
expect_error 1 "$tmp/file" "${mount[@]}" --qmp "vm=$tmp/file" "$mnt"
expect_error 1 "$tmp/other" "${mount[@]}" --qmp "vm=$tmp/other" "$mnt"
expect_error 1 "$tmp/silent" "${mount[@]}" --qmp "vm=$tmp/silent" "$mnt"
expect_error 1 "$tmp/nowhere" "${mount[@]}" --qmp "vm=$tmp/vm.qmp" "$tmp/nowhere"
expect_error 1 "$tmp/file" "${mount[@]}" --qmp "vm=$tmp/vm.qmp" "$tmp/file"
# It would wait for itself.
ln -s "$mnt" "$tmp/link"
for path in "$mnt/vm/qmp" "$mnt" "$tmp/link/vm/qmp" "$tmp/absent/../link/qmp"; do
  expect_error 1 "below the mountpoint; have QEMU make it elsewhere" "${mount[@]}" --qmp "vm=$path" "$mnt"
  printf '[mount]\nconnect=none\nqmp=vm=%s\n' "$path" >"$tmp/dacsa.conf"
  expect_error 1 "below the mountpoint" "$DACSA" mount -f --config "$tmp/dacsa.conf" "$mnt"
done
expect_error 1 "${mnt}x/qmp: No such file" "${mount[@]}" --qmp "vm=${mnt}x/qmp" "$mnt"
expect_error 2 vm "${mount[@]}" --qmp vm "$mnt"
expect_error 2 mount "${mount[@]}" --qmp "vm=$tmp/vm.qmp"
not_mounted || fail "a failed mount left $(our_mounts)"

mount_guest vm
dacsa snapshot vm taken >/dev/null

expect_error 1 nosuch dacsa snapshot nosuch
expect_error 1 'taken|exists' dacsa snapshot vm taken
expect_error 1 nosuch dacsa drop vm/nosuch
expect_error 1 nosuch dacsa drop nosuch/taken
expect_error 1 nosuch dacsa list nosuch
expect_error 1 nosuch dacsa check nosuch
expect_error 2 . dacsa snapshot
expect_error 2 . dacsa snapshot vm a b
expect_error 2 . dacsa drop
expect_error 2 nosuch "$DACSA" nosuch
expect_error 2 nosuch "$DACSA" list --nosuch
expect_error 1 "$tmp" "$DACSA" list --mount "$tmp"
for name in . .. status latest a/b "$(printf 'x%.0s' {1..300})"; do
  ! dacsa snapshot vm "$name" >/dev/null 2>&1 || fail "a snapshot was named $name"
done
# A second mount where one is already.
expect_error 1 mount "${mount[@]}" --qmp "vm=$tmp/vm.qmp" "$mnt"

same "$(ls "$mnt/vm" | sort | tr '\n' ' ')" "latest status taken " "names of vm and those before"
same "$(parked vm | wc -l)" 1 "number of parked snapshots and of snapshots taken"
is_running vm || fail "the guest is stopped"
passes=$(guest_run vm 'cat /run/counter')
wait_for 30 counted_on vm "$passes" || fail "the guest does not go on"
