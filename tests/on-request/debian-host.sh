#!/bin/bash
# Cases that depend on the host's kernel and its control groups, on what Debian 12 has: Linux 6.1, cgroup v2 and
# systemd as process 1, whatever this machine has. They run unchanged, in a full Debian guest, one after the other,
# with guests of their own in it: emulated by what is emulated. Needs `tests/setup debian-host`; tests/run -k
# debian-host does all of it. CASES='pressure unit/cgroup' runs only these.
. "$(dirname "$0")/../functions.sh"
# shellcheck source=tests/service-guest.sh
. "$root/tests/service-guest.sh"

[ -e "$guest_images/debian-host.img" ] || skip "there is no such guest: tests/setup debian-host"
CASES=${CASES:-unit/cgroup unit/collapse unit/forkmap unit/inject unit/sigchain unit/budget \
  cgroup-ends preflight-limits no-memory-for-clone withheld pressure killed-snapshot hung-disk preflight-host \
  viewer-confined method-copy-oom}
FACTOR=${FACTOR:-10} # deadlines in there
SLOW=6               # and of a case as a whole, which is one command: twelve minutes

# make_project_disk: $tmp/project.img, what a case needs of this directory and its build.
make_project_disk() {
  local stage=$tmp/stage
  mkdir -p "$stage"/{build/tests/unit,build/tests/kill-at,build-guest,lib}
  cp -r "$root/tests" "$stage"
  rm -r "$stage/tests/fuzz"
  cp "$DACSA" "$stage/build"
  cp "$root"/build/tests/unit/test-* "$stage/build/tests/unit" 2>"$tmp/directories" || :
  cp "$root/build/tests/kill-at/kill-at" "$stage/build/tests/kill-at"
  cp "$guest_images"/{vmlinuz,initramfs.gz,service/modules/fuse.ko} "$stage/build-guest"
  echo tcg >"$stage/build-guest/accelerator"
  # They need not boot in there, which takes minutes.
  (
    accelerator() { echo tcg; }
    start_guest template
    save_booted template "$stage/build-guest/booted"
  )
  needed_libraries "$DACSA" "$stage"/build/tests/unit/test-* | xargs -d '\n' cp -L -t "$stage/lib"
  truncate -s 512M "$tmp/project.img"
  mkfs.ext4 -q -O ^has_journal -d "$stage" "$tmp/project.img" || fail "mkfs.ext4"
  rm -r "$stage"
}

start_host() {
  make_project_disk
  debian_image=debian-host start_debian vm -m 6G \
    -drive "if=none,id=project,format=raw,read-only=on,file=$tmp/project.img" \
    -device virtio-blk-pci,drive=project,serial=project
  in_guest 'mkdir /opt/dacsa && mount -o ro "$(disk_called project)" /opt/dacsa'
  link_libraries /opt/dacsa/lib
  in_guest 'cp /opt/dacsa/build-guest/fuse.ko "/usr/lib/modules/$(uname -r)" && depmod 2>/dev/null; modprobe fuse'
  same "$(in_guest 'cat /proc/1/comm; stat -fc %T /sys/fs/cgroup')" "systemd
cgroup2fs" "process 1 and its control groups"
  in_guest 'uname -sr; cat /sys/kernel/mm/transparent_hugepage/enabled'
}

# path_of CASE: in the guest.
path_of() {
  case $1 in
    unit/*) echo "/opt/dacsa/build/tests/unit/test-${1#unit/}" ;;
    *) echo "/opt/dacsa/tests/cases/$1.sh" ;;
  esac
}

# run CASE: as from a shell on that host, in a scope of systemd's. Its status is returned.
run() {
  guest_run vm "SLOW=$FACTOR systemd-run --quiet --scope sh -c '$(path_of "$1"); exit \$?' >/tmp/said 2>&1 </dev/null"
}

start_host
failed=()
for case in $CASES; do
  started=$SECONDS status=0
  run "$case" || status=$?
  case $status in
    0) word=ok ;;
    77) word="skipped  $(in_guest 'sed -n "s/^skipped: //p" /tmp/said')" ;;
    *) word=FAIL && failed+=("$case") ;;
  esac
  printf '%-22s %4d s  %s\n' "$case" $((SECONDS - started)) "$word"
  [ $status -eq 0 ] || [ $status -eq 77 ] || in_guest 'tail -n 60 /tmp/said' | sed 's/^/    /'
done
[ ${#failed[@]} -eq 0 ] || fail "on Debian 12 these cases fail: ${failed[*]}"
