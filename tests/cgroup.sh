# tests/cgroup.sh: control groups for cases, of version 1 or 2, whichever this host has. A case sources it
# after functions.sh. What is made here goes when the case ends.
# shellcheck shell=bash disable=SC2154

# cgroup_of CONTROLLER: this shell's directory in it, of version 1 or 2; false: none.
cgroup_of() {
  local path mount
  path=$(sed -n "s/^[0-9]*:\([^:]*,\)*$1\(,[^:]*\)*:\(.*\)/\3/p" /proc/self/cgroup)
  mount=$(awk -v c="$1" '$9 == "cgroup" || $10 == "cgroup" { n = split($NF, o, ",");
    for (i = 1; i <= n; i++) if (o[i] == c) { print $5; exit } }' /proc/self/mountinfo)
  if [ -z "$mount" ]; then
    path=$(sed -n 's/^0:://p' /proc/self/cgroup)
    mount=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
  fi
  [ -n "$mount" ] && [ -d "$mount$path" ] && echo "$mount$path"
}

# giving CONTROLLER DIRECTORY: the nearest that gives it to those below. In version 2 none does that has
# processes, as a session's scope and a service have.
giving() {
  local directory=$2 file=cgroup.subtree_control
  while [ -e "$directory/$file" ] && ! grep -qw "$1" "$directory/$file"; do
    directory=${directory%/*}
  done
  echo "$directory"
}

# make_cgroup CONTROLLER FILE...: two below each other, $cgroup/vm, and $home, where this shell is; skips where
# none can be made.
make_cgroup() {
  home=$(cgroup_of "$1") || skip "no cgroup has the controller $1"
  cgroup=$(giving "$1" "$home")/$tag-$1
  mkdir -p "$cgroup/vm" || skip "$cgroup cannot be made"
  cleanup_fn remove_cgroup "$cgroup"
  shift
  local file
  for file; do
    [ ! -e "$cgroup/$file" ] || return 0
  done
  skip "$cgroup has no $*"
}

remove_cgroup() {
  wait_for 5 rmdir "$1/vm" 2>/dev/null && wait_for 5 rmdir "$1" 2>/dev/null
}

# make_memory_cgroup: $cgroup/vm again, and its $limit and $usage, files; without a limit it is $none.
make_memory_cgroup() {
  make_cgroup memory memory.limit_in_bytes memory.max
  limit=$cgroup/memory.limit_in_bytes usage=$cgroup/memory.usage_in_bytes none=-1
  [ -e "$limit" ] || limit=$cgroup/memory.max usage=$cgroup/memory.current none=max
}

# leave MIB: of memory, beside the page cache.
leave() {
  local cached
  cached=$(awk '/^total_(in)?active_file / { v1 += $2 } /^(in)?active_file / { v2 += $2 }
    END { print v1 ? v1 : v2 }' "$cgroup/memory.stat")
  echo $(($(cat "$usage") - cached + ($1 << 20))) >"$limit"
}

