#!/bin/bash
# The symbol table for Volatility of kernel 6.12.
KERNEL=6.12 . "$(dirname "$0")/symbols.sh"
