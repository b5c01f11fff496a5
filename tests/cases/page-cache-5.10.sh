#!/bin/bash
# The page cache of kernel 5.10.
KERNEL=5.10 . "$(dirname "$0")/page-cache.sh"
