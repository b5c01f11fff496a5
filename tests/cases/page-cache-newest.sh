#!/bin/bash
# The page cache of kernel newest.
KERNEL=newest . "$(dirname "$0")/page-cache.sh"
