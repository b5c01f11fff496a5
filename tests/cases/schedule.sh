#!/bin/bash
# --every and --keep: snapshots come by themselves, the newest stay, those that somebody took are left alone;
# a restarted daemon goes on; VMs that cannot be snapshotted are named once; those that come later have it, too.
. "$(dirname "$0")/../functions.sh"

# scheduled VM: the names of its snapshots that nobody named.
scheduled() {
  find "$mnt/$1" -mindepth 1 -maxdepth 1 -type d -name '20*Z*' -printf '%f\n' | sort
}

# has VM NUMBER: of scheduled snapshots.
has() {
  [ "$(scheduled "$1" | wc -l)" = "$2" ]
}

# newer VM NAME: its latest was taken after that one.
newer() {
  [[ $(readlink "$mnt/$1/latest") > $2 ]]
}

# says VM REGEX: a line of its status.
says() {
  grep -qE "$2" "$mnt/$1/status"
}

# times FILE TEXT
times() {
  grep -cF "$2" "$1" || :
}

start_qemu vm -m 64M
start_qemu other -m 64M
start_qemu shared -object memory-backend-memfd,id=ram,size=64M,share=on -machine pc,memory-backend=ram -m 64M
mounted_vms=(--connect none --qmp "vm=$tmp/vm.qmp" --qmp "other=$tmp/other.qmp" --qmp "shared=$tmp/shared.qmp")
keep=1 start_dacsa "${mounted_vms[@]}" --every vm=1s --keep vm=3 --every shared=1s --every other=7d --keep other=1
wait_for 10 test -d "$mnt/vm"
dacsa snapshot vm mine >/dev/null
dacsa snapshot vm 20200101T000000Z >/dev/null # called like one, and is none

# --- they come, and three stay

wait_for 60 has vm 4 || fail "no snapshots: $(ls "$mnt/vm"; cat "$mnt/vm/status")"
first=$(readlink "$mnt/vm/latest")
wait_for 60 lacks "vm/$(scheduled vm | sed -n 2p)" || fail "the oldest does not go: $(ls "$mnt/vm")"
wait_for 60 newer vm "$first"
wait_for 60 has vm 4 || fail "three are to stay, and the one that is called so: $(ls "$mnt/vm")"
[ -d "$mnt/vm/mine" ] && [ -d "$mnt/vm/20200101T000000Z" ] || fail "what is not the schedule's went: $(ls "$mnt/vm")"
says vm '^next_snapshot: 20[0-9-]*T[0-9:.]*Z$' || fail "status: $(cat "$mnt/vm/status")"
! grep -rq 'state: dropped' "$mnt"/vm/*/info || fail "what the schedule drops has no tombstone"

# --- one in seven days: the first soon, the next one then

wait_for 30 has other 1 || fail "the first does not come soon: $(cat "$mnt/other/status")"
next=$(date -d "$(sed -n 's/^next_snapshot: //p' "$mnt/other/status")" +%s)
until=$((next - $(date +%s)))
[ $until -gt $((3 * 86400)) ] && [ $until -lt $((11 * 86400)) ] || fail "the next one comes in $until s"

# --- what cannot be: told once

reason='guest RAM is shared'
wait_for 30 says shared "^last_error: .*$reason" || fail "status: $(cat "$mnt/shared/status")"
seen=$(readlink "$mnt/vm/latest")
wait_for 60 newer vm "$seen" # another second or more has passed
same "$(times "$tmp/dacsa.log" "shared/scheduled: ")" 1 "times that is told and one"

# --- a VM that stands still: its memory is the same each time

qmp vm stop >/dev/null
wait_for 30 says vm '^last_error: the VM does not run \(paused\)' || fail "status: $(cat "$mnt/vm/status")"
kept=$(scheduled vm)
qmp vm cont >/dev/null
wait_for 60 newer vm "$(tail -n 1 <<<"$kept")" || fail "it does not go on: $(cat "$mnt/vm/status")"

# --- a restart goes on with what is there

kill_dacsa
kept=$(find /run/dacsa -path "*$tag*" -name 'vm@20*Z*.snapshot' | wc -l)
keep=1 start_dacsa "${mounted_vms[@]}" --every vm=1s --keep 2 --every other=7d
wait_for 10 test -d "$mnt/vm/mine" || fail "not taken up: $(ls "$mnt")"
[ "$kept" -ge 4 ] || fail "only $kept records"
next_now=$(date -d "$(sed -n 's/^next_snapshot: //p' "$mnt/other/status")" +%s)
[ $((next_now - next)) -le 2 ] && [ $((next - next_now)) -le 2 ] ||
  fail "after a restart the next one comes $((next_now - next)) s later"
has other 1 || fail "a restart took one more: $(ls "$mnt/other")"
wait_for 60 has vm 3 || fail "two are to stay now, and the one that is called so: $(ls "$mnt/vm")"
[ -d "$mnt/vm/mine" ] && [ -d "$mnt/vm/20200101T000000Z" ] || fail "what is not the schedule's went: $(ls "$mnt/vm")"

# --- a VM that ends has no schedule, one that comes has

pid=${guest_pid[vm]}
forget_guest vm
kill -TERM "$pid"
wait_for 10 dead "$pid"
wait_for 10 says vm '^state: gone' || fail "status: $(cat "$mnt/vm/status")"
! says vm '^next_snapshot' || fail "status: $(cat "$mnt/vm/status")"
last=$(readlink "$mnt/vm/latest")
rm -f "$tmp/vm.qmp"
start_qemu vm -m 64M
wait_for 60 newer vm "$last" || fail "the one that came later has none: $(cat "$mnt/vm/status")"
stop_dacsa
start_dacsa "${mounted_vms[@]}" # to drop all
wait_for 10 test -d "$mnt/vm/mine"
! says vm '^next_snapshot' || fail "a schedule without --every"
stop_dacsa

# --- a libvirt domain that starts later

domain=$tag-vm
start_libvirtd
start_dacsa --connect qemu:///system --every 1s --keep 2
start_domain "$domain"
wait_for 60 has "$domain" 2 || fail "a domain that came later has no schedule: $(cat "$mnt/$domain/status")"
stop_dacsa # also with one under way it ends, and leaves none
same "$(parked "$domain")" "" "snapshots of the domain and none"
