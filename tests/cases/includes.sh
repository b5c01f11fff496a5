#!/bin/bash
# The layers: fs -> parsers -> snap, never the other way.
exec "$(dirname "$0")/../check-includes"
