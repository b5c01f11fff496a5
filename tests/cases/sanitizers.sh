#!/bin/bash
# The whole path once more with AddressSanitizer and UBSan watching.
set -eu
here=$(dirname "$0")
DACSA=$(realpath "$here/../../build-asan/dacsa") exec "$here/read-only.sh"
