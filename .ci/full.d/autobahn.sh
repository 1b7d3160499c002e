#!/usr/bin/env bash
# The cases of the Autobahn test suite, if there is a Python 2.7 to run it.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/conformance/autobahn.sh
