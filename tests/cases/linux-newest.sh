#!/bin/bash
# Kernel newest: all that the tree says of a guest full of odd things is what that guest says itself.
. "$(dirname "$0")/../functions.sh"

use_kernel newest
start_guest vm
populate_guest vm
mount_guest vm
compare_guest vm
