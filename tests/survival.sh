# tests/survival.sh: for cases in which a daemon takes up what another one has left.
# shellcheck shell=bash

# evidence SNAPSHOT: what must stay the same.
evidence() {
  local pid
  for pid in "$1"/processes/*/; do
    cat "$pid/comm" "$pid/cmdline" "$pid/maps"
  done | cksum
  cksum <"$1/physmem"
  cksum <"$1/cpus"
  ls "$1/processes"
  grep -v '^private_bytes:' "$1/info" # the one line that says what is now
}

# begin [QEMU ARGS]: the guest vm, the mount, and the snapshot vm/first, whose evidence is $before.
begin() {
  start_guest vm "$@"
  start_in_guest vm ROLE='counter 8' counter >/dev/null
  keep=1 mount_guest vm
  dacsa snapshot vm first >/dev/null
  before=$(evidence "$mnt/vm/first")
}

# take_up: the next daemon, which shows vm/first as it was.
take_up() {
  keep=1 mount_guest vm
  [ -d "$mnt/vm/first" ] || fail "the snapshot was not taken up"
  same "$before" "$(evidence "$mnt/vm/first")" "snapshots before and after"
}
