# tests/service-guest.sh: dacsa installed in a full Debian guest, with systemd as its process 1, and a VM to take
# snapshots of: a nested QEMU, without an operating system, as the unit web.service. Sourced after functions.sh;
# needs `tests/setup service`.
# shellcheck shell=bash disable=SC2016,SC2154

# needed_libraries PROGRAM...: files of those it is linked with.
needed_libraries() {
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u
}

# make_disk: $tmp/service.img, with what is installed and all that it needs.
make_disk() {
  local stage=$tmp/stage qemu
  qemu=$(command -v qemu-system-x86_64)
  mkdir -p "$stage"/{bin,lib/x86_64-linux-gnu/qemu,firmware}
  meson install -C "$root/build" --no-rebuild --quiet --destdir "$stage/installed" >"$tmp/log" 2>&1 ||
    fail "meson install: $(cat "$tmp/log")"
  cp "$qemu" "$stage/bin"
  # Where a QEMU in /opt/disk/bin looks for its modules.
  cp -L /usr/lib/x86_64-linux-gnu/qemu/accel-tcg-*.so "$stage/lib/x86_64-linux-gnu/qemu"
  needed_libraries "$DACSA" "$qemu" | xargs -d '\n' cp -L -t "$stage/lib"
  cp -L /usr/share/seabios/bios-256k.bin /usr/share/qemu/kvmvapic.bin "$stage/firmware"
  cp -r "$guest_images/service/." "$stage"
  cp -r /etc/apparmor.d/abstractions/libvirt-* "$stage/apparmor.d/abstractions"
  truncate -s 256M "$tmp/service.img"
  mkfs.ext4 -q -O ^has_journal -d "$stage" "$tmp/service.img" || fail "mkfs.ext4"
  rm -r "$stage"
}

# in_guest COMMAND: prints what it prints; fails the case unless it succeeds.
in_guest() {
  guest_run vm "{ $1; } 2>&1" || fail "in the guest: $1"
}

# in_guest_until SECONDS COMMAND: until it succeeds.
in_guest_until() {
  guest_run vm "for i in \$(seq $((10 * $1))); do if { $2; } >/dev/null 2>&1; then break; fi; sleep 0.1; done; { $2; } >/dev/null 2>&1" ||
    fail "in the guest, after $1 s: $2; its journal: $(guest_run vm 'journalctl -n 30 --no-pager')"
}

# link_libraries DIRECTORY: the guest's own libraries are those it goes on with; what it lacks comes from there.
link_libraries() {
  in_guest "for lib in $1/*.so*; do name=/usr/lib/x86_64-linux-gnu/\${lib##*/}; [ -e \"\$name\" ] || ln -s \"\$lib\" \"\$name\"; done; ldconfig"
}

install_in_guest() {
  in_guest 'mkdir /opt/disk && mount -o ro "$(disk_called service)" /opt/disk && cp -r /opt/disk/installed/. /'
  link_libraries /opt/disk/lib
  in_guest 'export SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 SYSTEMD_PAGER=cat'
  in_guest 'cp /opt/disk/modules/fuse.ko "/usr/lib/modules/$(uname -r)"; depmod 2>/dev/null; systemctl daemon-reload'
}

# start_web [SYSTEMD-RUN ARGS]: as libvirt starts one: sandboxed, not root, in a control group of its own.
start_web() {
  in_guest "systemd-run --quiet --unit=web -p User=daemon -p RuntimeDirectory=web $* /opt/disk/bin/qemu-system-x86_64 \
-name web -accel tcg -m 64M -L /opt/disk/firmware -nodefaults -no-user-config -display none \
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -qmp unix:/run/web/qmp,server=on,wait=off"
  in_guest_until 20 'test -S /run/web/qmp'
  in_guest 'printf "[mount]\nconnect=none\nqmp=web=/run/web/qmp\n" >/etc/dacsa.conf'
}

start_service_guest() {
  [ -e "$guest_images/debian.img" ] && [ -d "$guest_images/service" ] || skip "there is no such guest: tests/setup service"
  make_disk
  start_debian vm -drive "if=none,id=service,format=raw,read-only=on,file=$tmp/service.img" \
    -device virtio-blk-pci,drive=service,serial=service
  install_in_guest
}
