#!/bin/bash
# Open files and sockets are what the guest itself says, in every network namespace, with their owners.
. "$(dirname "$0")/../functions.sh"

start_guest vm
guest_run vm 'httpd -p 127.0.0.1:8088 -h /; nc -l -p 7777 </dev/zero >/dev/null 2>&1 &'
guest_run vm 'until grep -q :1F98 /proc/net/tcp; do usleep 10000; done'
web=$(guest_run vm 'pidof httpd')
sockets=$(start_in_guest vm ROLE=sockets sockets)
start_in_guest vm ROLE=box box >/dev/null
thread=$(start_in_guest vm ROLE=leaderless leaderless)
mount_guest vm
compare_guest vm --only fds,netconns

now=$mnt/vm/now
[[ $(head -n 1 "$now/netconns") =~ ^proto\ +local\ +remote\ +state\ +pid\ +command\  ]] ||
  fail "the header is $(head -n 1 "$now/netconns")"
head -n 1 "$now/processes/$web/fds" | grep -qE '^fd +type +mode +flags .* path$' || fail "the header of fds"

# line FILE PROTO LOCAL: the rest of that socket's line, up to the command.
line() {
  awk -v proto="$2" -v local="$3" '$1 == proto && $2 == local { print $3, $4, $5, $6 }' "$1"
}
same "$(line "$now/netconns" tcp 127.0.0.1:8088)" "0.0.0.0:0 LISTEN $web httpd" "the web server's lines"
same "$(line "$now/processes/$web/netconns" tcp 127.0.0.1:8088)" "0.0.0.0:0 LISTEN $web httpd" "its own lines"
same "$(line "$now/netconns" tcp 127.0.0.1:9999)" "0.0.0.0:0 CLOSE $sockets sockets" "bound sockets"
same "$(line "$now/netconns" unix /run/sockets/deleted)" "* UNCONN $sockets sockets" "UNIX sockets"

# A container's sockets are in its own network.
everybodys=$(guest_run vm 'readlink /proc/1/ns/net')
everybodys=${everybodys//[^0-9]/}
same "$(awk -v net="$everybodys" '$6 == "boxed" && $10 != net { print $2, $4 }' "$now/netconns" |
  grep LISTEN | sort)" "$(printf '%s LISTEN\n' 0.0.0.0:80 '[::]:443')" "the container's listeners"

# A leader that has ended has no files, kernel threads neither.
same "$(wc -l <"$now/processes/$thread/fds") $(wc -l <"$now/processes/2/fds")" "1 1" "files of nobody"

# The same as JSON lines.
for table in netconns fds; do
  python3 -c 'import json, sys
for line in sys.stdin:
    json.loads(line)' <"$now/json/$table.jsonl" || fail "json/$table.jsonl is not JSON"
done
same "$(wc -l <"$now/json/netconns.jsonl")" "$(($(wc -l <"$now/netconns") - 1))" "sockets as JSON lines"
same "$(wc -l <"$now/json/fds.jsonl")" "$(cat "$now"/processes/*/fds | grep -vc '^fd ')" "files as JSON lines"
same "$(cat "$now/errors")" "" "errors"
