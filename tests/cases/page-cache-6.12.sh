#!/bin/bash
# The page cache of kernel 6.12.
KERNEL=6.12 . "$(dirname "$0")/page-cache.sh"
