#!/bin/bash
# A full Debian, with systemd and services, agrees with what it says itself as the small guest does.
. "$(dirname "$0")/../functions.sh"

requires test -s "$guest_images/debian.img"
start_debian vm
guest_run vm 'systemctl is-system-running' || :
populate_guest vm 20
mount_guest vm
compare_guest vm
