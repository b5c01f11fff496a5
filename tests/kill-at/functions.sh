# tests/kill-at/functions.sh: for cases in which the worker of a take is killed.
# shellcheck shell=bash

kill_at=$root/build/tests/kill-at/kill-at

state_dir() {
  our_state | head -n 1
}

# qemu_facts: what a take may not change: signals, descriptors, children (zombies too), which mappings
# forks leave out; and that nothing stops or traces it.
qemu_facts() {
  local pid=${guest_pid[vm]}
  awk '/^State/ { print "stopped:", $2 ~ /[tT]/ }
       /^(Sig(Blk|Ign|Cgt)|Seccomp|NoNewPrivs|TracerPid):/' "/proc/$pid/status"
  # Eventfds come and go with what QEMU's devices do.
  find "/proc/$pid/fd" -mindepth 1 -printf '%l\n' | grep -v eventfd | sed 's/^socket:.*/socket/' | sort
  echo "children: $(cat "/proc/$pid/task/$pid/children")"
  awk '/^[0-9a-f]+-[0-9a-f]+ / { range = $1 } /^VmFlags:.* dc/ { print "not forked:", range }' "/proc/$pid/smaps"
}

is_intact() {
  check_guest vm
  facts=$(qemu_facts)
  [ "$facts" = "$before" ]
}

no_journal() {
  [ -z "$(find "$(state_dir)" -name '*.taking')" ]
}

# As many snapshots are parked as the mount shows.
none_is_lost() {
  [ "$(parked vm | wc -l)" = "$(find "$mnt/vm" -mindepth 1 -maxdepth 1 -type d | wc -l)" ]
}

# check_recovered WHEN: the take that was killed has left nothing, but for a snapshot if it was complete.
check_recovered() {
  wait_for 20 no_journal || fail "$1: not recovered: $(cat "$(state_dir)"/*.taking)"
  wait_for 10 is_intact || fail "$1: QEMU is not as it was: $(diff <(echo "$before") <(echo "$facts"))"
  is_running vm || fail "$1: the guest stands still"
  wait_for 10 none_is_lost || fail "$1: parked: $(parked vm); shown: $(ls "$mnt/vm")"
}

# drop_shown: the snapshots that are shown.
drop_shown() {
  local snapshot
  for snapshot in "$mnt"/vm/*/; do
    [ ! -d "$snapshot" ] || [ -L "${snapshot%/}" ] || rmdir "$snapshot"
  done
}

# start_kill MODE NUMBER [PID-OR-COMMAND...]: kill-at; its line goes to $tmp/killed. Its command has STATE_DIR.
start_kill() {
  : >"$tmp/killed"
  STATE_DIR=$(state_dir) "$kill_at" "$dacsa_pid" "$(state_dir)" "$@" >"$tmp/killed" &
  killer=$!
  wait_for 10 grep -q ready "$tmp/killed" || fail "kill-at is not ready"
}

# check_guest_well: it answers, and a snapshot of it can be taken.
check_guest_well() {
  dacsa snapshot vm well >/dev/null
  dacsa drop vm/well
  guest_run vm true
}
