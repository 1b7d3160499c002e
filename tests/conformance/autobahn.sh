#!/usr/bin/env bash
# The 517 cases of the Autobahn test suite against Foster's server and client, and what is different from the tables
# beside this file.
#
#     tests/conformance/autobahn.sh [server|client] [--record] [-- COMMAND ...]
#
# --record writes the tables anew. After -- comes another program to try, for one of the two: a server that prints
# `serving on HOST:PORT`, or a client that is given URLs.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$(cd "$root" && realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
suite=$target/autobahn
tables=$root/tests/conformance
N_CASES=517
# In two parts, side by side, because the suite itself takes most of the time, and the cases of compression most of that.
declare -A CASES=([1-12]='"cases": ["*"], "exclude-cases": ["13.*"]' [13]='"cases": ["13.*"]')
declare -A N_CASES_OF=([1-12]=391 [13]=126)
# What runs on Python 2.7 came to an end long ago, so the suite's dependencies are settled by its own version. This
# virtualenv is the last that makes an environment for 2.7.
VIRTUALENV=virtualenv==20.21.1
AUTOBAHN=autobahntestsuite==25.10.1

main() {
    local roles=()
    local is_recording=false
    local command=()
    while (($#)); do
        case $1 in
            server | client) roles+=("$1") ;;
            --record) is_recording=true ;;
            --)
                shift
                command=("$@")
                break
                ;;
            *) usage ;;
        esac
        shift
    done
    if ((${#command[@]})) && ((${#roles[@]} != 1)); then
        usage
    fi
    ((${#roles[@]})) || roles=(server client)

    install
    if ((! ${#command[@]})); then
        # As it is shipped: an unoptimised compressor is too slow for the time that some cases allow.
        (cd "$root" && cargo build --quiet --release --all-features --example probe --example mirror)
    fi
    local role
    local has_differences=false
    for role in "${roles[@]}"; do
        run "$role" "${command[@]}"
        if $is_recording; then
            cp "$suite/$role.txt" "$tables/autobahn-$role.txt"
            echo "recorded tests/conformance/autobahn-$role.txt"
        elif ! diff -u --new-file --label recorded "$tables/autobahn-$role.txt" --label now "$suite/$role.txt"; then
            has_differences=true
            echo "the $role differs from tests/conformance/autobahn-$role.txt; the reports are in $suite/$role." \
                "If it should: tests/conformance/autobahn.sh $role --record"
        fi
    done
    ! $has_differences
}

usage() {
    sed -n '5p' "${BASH_SOURCE[0]}" | sed 's/^# */usage: /' >&2
    exit 2
}

# Puts the suite into the target folder, once.
install() {
    local python installed="$suite/installed $AUTOBAHN"
    [[ -e $installed ]] && return
    if ! python=$(find_python); then
        echo "autobahn: left out, for there is no Python 2.7"
        exit 0
    fi
    rm -rf "$suite"
    python3 -m pip install --quiet --root-user-action ignore --target "$suite/virtualenv" "$VIRTUALENV"
    PYTHONPATH=$suite/virtualenv python3 -m virtualenv --quiet --no-download --python "$python" "$suite/python"
    "$suite/python/bin/pip" install --quiet "$AUTOBAHN" 2> >(grep -v DEPRECATION >&2)
    touch "$installed"
}

find_python() {
    local python
    for python in python2.7 ~/.pyenv/versions/2.7.*/bin/python pypy; do
        # A name alone says little: it may be a shim with nothing behind it.
        if "$python" -c 'import sys; assert sys.version_info[:2] == (2, 7)' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

# Runs all cases against one program, and leaves their table in "$suite/$role.txt".
run() {
    local role=$1
    shift
    local began=$SECONDS
    rm -rf "${suite:?}/$role" "$suite/$role.txt"
    mkdir -p "$suite/$role"
    cd "$suite/$role"
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
    "try_$role" "$@"
    trap - EXIT
    cd "$root"
    tabulate "$suite/$role"/*/index.json >"$suite/$role.txt"
    local n_cases
    n_cases=$(wc -l <"$suite/$role.txt")
    echo "autobahn: $n_cases cases of the $role in $((SECONDS - began)) s:" \
        "$(cut -d ' ' -f 2 "$suite/$role.txt" | sort | uniq -c | awk '{ printf sep $1 " " $2; sep = ", " }')"
    if ((n_cases != N_CASES)); then
        echo "autobahn: there should be $N_CASES cases; the logs are in $suite/$role"
        exit 1
    fi
}

try_server() {
    (($#)) || set -- "$target/release/examples/probe" --port 0
    "$@" >program.log 2>&1 &
    local server=$! address part parts=()
    touch program.log
    until address=$(sed -n 's/^serving on //p' program.log) && [[ -n $address ]]; do
        await "$server" program.log
    done
    for part in "${!CASES[@]}"; do
        start_suite "$part" fuzzingclient "\"servers\": [{\"agent\": \"foster\", \"url\": \"ws://$address/ws\"}]"
        parts+=($!)
    done
    finish "${parts[@]}"
    kill "$server"
}

try_client() {
    (($#)) || set -- "$target/release/examples/mirror"
    local part programs=() parts=() port urls number
    for part in "${!CASES[@]}"; do
        port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
        start_suite "$part" fuzzingserver "\"url\": \"ws://127.0.0.1:$port\""
        parts+=($!)
        until (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
            await $! "$part/wstest.log"
        done
        urls=()
        for ((number = 1; number <= N_CASES_OF[$part]; number++)); do
            urls+=("ws://127.0.0.1:$port/runCase?case=$number&agent=foster")
        done
        urls+=("ws://127.0.0.1:$port/updateReports?agent=foster&shutdownOnComplete=true")
        "$@" "${urls[@]}" >"$part/program.log" 2>&1 &
        programs+=($!)
    done
    # A suite ends once its program has asked it for the reports.
    finish "${programs[@]}" "${parts[@]}"
}

# Starts one part of the suite in a folder of its own.
start_suite() {
    local part=$1 mode=$2 peer=$3
    mkdir "$part"
    echo "{\"outdir\": \"$part\", ${CASES[$part]}, $peer}" >"$part/spec.json"
    # No case waits for long, and a run that is stuck is not to be waited for.
    timeout 3600 "$suite/python/bin/wstest" --mode "$mode" --webport 0 --spec "$part/spec.json" >"$part/wstest.log" 2>&1 &
}

# Gives a program that was started time to get ready, and ends everything if it has ended.
await() {
    if ! kill -0 "$1" 2>/dev/null; then
        cat "$2"
        exit 1
    fi
    sleep 0.1
}

finish() {
    local program
    for program in "$@"; do
        if ! wait "$program"; then
            echo "autobahn: a program has failed; its log is in $PWD"
            exit 1
        fi
    done
}

# A line for each case: its id, how it went, how its connection was closed, and the close code that the suite was sent.
tabulate() {
    python3 - "$@" <<'SCRIPT'
import json, sys

cases = {}
for path in sys.argv[1:]:
    with open(path) as file:
        for of_agent in json.load(file).values():
            cases.update(of_agent)
for id in sorted(cases, key=lambda id: [int(number) for number in id.split(".")]):
    case = cases[id]
    print(id, case["behavior"], case["behaviorClose"], case["remoteCloseCode"] or "-")
SCRIPT
}

main "$@"
