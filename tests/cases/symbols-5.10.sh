#!/bin/bash
# The symbol table for Volatility of kernel 5.10.
KERNEL=5.10 . "$(dirname "$0")/symbols.sh"
