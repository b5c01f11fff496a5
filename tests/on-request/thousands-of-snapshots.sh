#!/bin/bash
# The case many-snapshots with three thousand of them.
SNAPSHOTS=${SNAPSHOTS:-3000} exec "$(dirname "$0")/../cases/many-snapshots.sh"
