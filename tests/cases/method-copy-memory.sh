#!/bin/bash
# Guest RAM of other kinds, copied: in a file and over a file that both had bytes before the guest ran, on
# hugetlbfs, private and shared, and plain memory where the operator wants copies. Each is what QEMU has,
# and none of it has grown.
. "$(dirname "$0")/../functions.sh"

MIB=$((1 << 20))

# has_huge_pages N: gives the host so many more as long as this case runs.
has_huge_pages() {
  local file=/proc/sys/vm/nr_hugepages before free
  before=$(cat $file 2>/dev/null) || return 1
  free=$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)
  cleanup_fn restore_huge_pages "$before"
  echo $((before + $1)) >$file
  [ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" -ge $((free + $1)) ]
}

restore_huge_pages() {
  echo "$1" >/proc/sys/vm/nr_hugepages
}

# size_of NAME: what its QEMU and the file of its RAM occupy.
size_of() {
  local fd
  sed -n 's/^\(RssAnon\|RssShmem\|RssFile\|HugetlbPages\|VmSwap\):[^0-9]*/\1 /p' "/proc/${guest_pid[$1]}/status" |
    grep -E 'RssShmem|HugetlbPages' || :
  for fd in "/proc/${guest_pid[$1]}/fd"/*; do
    [[ $(readlink "$fd") != */memfd:* && $(readlink "$fd") != *.ram ]] || stat -Lc %b "$fd"
  done
}

# copied NAME [WHAT]: a snapshot of it, while it stands still, is what it has.
copied() {
  local size
  qmp "$1" stop >/dev/null
  size=$(size_of "$1")
  mkdir "$mnt/$1/now" || fail "no snapshot of $1: $(cat "$mnt/$1/status")"
  same "$(sed -n 's/^method: //p' "$mnt/$1/now/info")" copy "methods of $1"
  cksum <"$mnt/$1/now/physmem" >/dev/null
  same "$(size_of "$1")" "$size" "sizes of the memory of $1 after and before"
  same_as_qemu "$1" "$mnt/$1/now/physmem" 0 $((640 << 10))
  same_as_qemu "$1" "$mnt/$1/now/physmem" $MIB $((64 * MIB))
  dacsa drop "$1/now"
  qmp "$1" cont >/dev/null
  is_running "$1" || fail "$1 does not go on"
}

names=(file over-file plain)
for name in file over-file; do
  head -c $((32 * MIB)) /dev/urandom >"$tmp/$name.ram"
  truncate -s $((64 * MIB)) "$tmp/$name.ram"
done
ram() {
  echo "memory-backend-$1,id=ram,size=64M,$2"
}
start_qemu file -m 64M -machine memory-backend=ram -object "$(ram file "mem-path=$tmp/file.ram,share=on")"
start_qemu over-file -m 64M -machine memory-backend=ram \
  -object "$(ram file "mem-path=$tmp/over-file.ram,share=off")"
start_qemu plain -m 64M
start_qemu plugged -m 64M,slots=1,maxmem=1G
if has_huge_pages 70; then
  start_qemu huge -m 64M -machine memory-backend=ram -object "$(ram memfd hugetlb=on,hugetlbsize=2M,share=off)"
  start_qemu huge-shared -m 64M -machine memory-backend=ram \
    -object "$(ram memfd hugetlb=on,hugetlbsize=2M,share=on)"
  names+=(huge huge-shared)
else
  echo "not shown: this host has no huge pages to give"
fi

args=()
for name in "${names[@]}" plugged; do
  args+=(--qmp "$name=$tmp/$name.qmp")
done
start_dacsa --connect none "${args[@]}" --method fork,copy --method plain=copy
await_vms "${names[@]}" plugged
for name in "${names[@]}"; do
  said=$(dacsa check "$name") || fail "check refuses $name"
  [[ $said == "$name: can be snapshotted, by a copy"* ]] || fail "check of $name: $said"
  copied "$name"
done

# Memory that is plugged in is looked at before the next snapshot: that one is by another method.
method_of_next() {
  mkdir "$mnt/plugged/$1"
  sed -n 's/^method: //p' "$mnt/plugged/$1/info"
}
same "$(method_of_next before)" fork "methods before memory was plugged in"
qmp plugged object-add '{"qom-type": "memory-backend-memfd", "id": "more", "size": 134217728, "share": true}' >/dev/null
qmp plugged device_add '{"driver": "pc-dimm", "id": "dimm0", "memdev": "more"}' >/dev/null
same "$(method_of_next after)" copy "methods after memory was plugged in"

# Where a fork is possible it is preferred; where only a fork is allowed, no copy is made.
stop_dacsa
start_dacsa --connect none "${args[@]}" --method fork,copy --method over-file=fork
await_vms "${names[@]}" plugged
dacsa snapshot plain now >/dev/null
same "$(sed -n 's/^method: //p' "$mnt/plain/now/info")" fork "methods of plain"
expect_error 1 'mapped from a file.*--method fork,copy' dacsa snapshot over-file now
same "$(sed -n 's/^method: //p' "$mnt/over-file/status")" none "methods of over-file"
expect_error 2 'one or more of fork, copy' "$DACSA" mount --config none --method magic "$tmp"
