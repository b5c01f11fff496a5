#!/bin/bash
# A full Debian, with systemd and services, agrees with what it says itself as the small guest does.
. "$(dirname "$0")/../functions.sh"

[ -e "$guest_images/debian.img" ] || skip "no full Debian: tests/setup debian could not make it"
start_debian vm
guest_run vm 'systemctl is-system-running --wait' >/dev/null || fail "its systemd has failed units"
populate_guest vm 20
mount_guest vm
compare_guest vm
