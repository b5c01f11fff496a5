#!/bin/bash
# dacsa.conf: its keys do what the options do, the command line wins, a mistake is told with its line.
. "$(dirname "$0")/../functions.sh"

# tell LINE...: the configuration file.
tell() {
  printf '%s\n' "[mount]" "$@" >"$tmp/dacsa.conf"
}

refused() {
  expect_error 1 "^dacsa: $tmp/dacsa.conf:$1" "$DACSA" mount --config "$tmp/dacsa.conf" "$mnt"
}

tell connect=none show_all=true
refused '3: unknown key show_all'
tell '' 'show-all=maybe'
refused '3: show-all: write true or false'
tell connect=none "qmp=vm=$tmp/vm.qmp;web"
refused '3: qmp: web: write NAME=SOCKET'
tell 'group=there is no such group'
refused '2: group: .*no such group'
tell qmp=a=/a qmp=b=/b
refused '3: qmp is in line 2 already'
echo connect=none >"$tmp/dacsa.conf"
refused '1: a key before'
expect_error 1 'no-such-file' "$DACSA" mount --config "$tmp/no-such-file" "$mnt"

# The example, with all of its keys switched on, is understood up to what this host has not.
sed 's/^#\([a-z-]*=\)/\1/; s/^connect=.*/connect=none/' "$root/examples/dacsa.conf" >"$tmp/dacsa.conf"
expect_error 1 '/nonexistent/web.qmp: No such file' \
  "$DACSA" mount --config "$tmp/dacsa.conf" --qmp web=/nonexistent/web.qmp "$mnt"

start_qemu vm -m 64M
start_qemu other -m 64M

# All by the file, of which --qmp on the command line replaces the list.
tell connect=none "qmp=vm=$tmp/vm.qmp;other=$tmp/other.qmp" show-all=true group=65534 drop-on-exit=true
keep=1 start_dacsa --config "$tmp/dacsa.conf"
listed() {
  [ "$(ls "$mnt")" = "$1" ]
}
wait_for 10 listed $'other\nvm' || fail "in the mount: $(ls "$mnt")"
same "$(stat -c %g "$mnt/vm/status")" 65534 "groups"
dacsa snapshot vm now >/dev/null
[ -n "$(find "$mnt/vm/now" -maxdepth 1 -name vmcore)" ] || fail "show-all is not heeded"
stop_dacsa
same "$(parked vm)" "" "parked snapshots and none, as drop-on-exit says"

keep=1 start_dacsa --config "$tmp/dacsa.conf" --qmp "third=$tmp/other.qmp" --group 0
wait_for 10 listed third || fail "in the mount: $(ls "$mnt")"
same "$(stat -c %g "$mnt/third/status")" 0 "groups"
stop_dacsa
