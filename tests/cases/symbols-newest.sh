#!/bin/bash
# The symbol table for Volatility of the newest kernel.
KERNEL=newest . "$(dirname "$0")/symbols.sh"
