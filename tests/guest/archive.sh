# tests/guest/archive.sh: other suites of the archive that apt is configured with, without changing what
# the system's own apt knows. Sourced; $work is a directory for the lists.
# shellcheck shell=bash disable=SC2034,SC2154

apt_options=(-o APT::Sandbox::User=root)

# The archive that apt is configured with: where this release comes from, other suites lie beside it.
configured_archive() {
  # shellcheck disable=SC2016 # apt's variables
  apt-get indextargets --format '$(RELEASE) $(SITE)' 'Identifier: Packages' 'Component: main' |
    awk '$1 !~ /[-\/]/ { print $2; exit }'
}

# use_suite SUITE: an apt of our own that knows nothing but that suite. The system's stays as it is.
use_suite() {
  local archive
  archive=$(configured_archive)
  [ -n "$archive" ] || {
    echo "${0##*/}: apt is configured with no archive that could have $1" >&2
    exit 1
  }
  mkdir -p "$work"/apt/{lists,cache/archives}/partial
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $1 main" \
    >"$work/apt/sources.list"
  apt_options+=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache" -o Acquire::Languages=none)
}
