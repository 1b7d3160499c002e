#!/usr/bin/env bash
# Ten thousand idle connections, then connection churn for a minute: none is lost, and no descriptor is left.
set -euo pipefail
cd "$(dirname "$0")/../../benches"

cargo build --release --quiet -p foster-echo -p loadgen
target=target/release
port=$((20000 + RANDOM % 10000))
ulimit -n 20000

"$target/foster-echo" --port "$port" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    (echo > "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
sleep 0.5

descriptors() { find "/proc/$server/fd" -mindepth 1 | wc -l; }

before=$(descriptors)
echo "descriptors at the start: $before"
# The generator holds its connections until its input ends, and fails if one does not echo.
(sleep 10) | "$target/loadgen" idle --port "$port" --connections 10000 --addresses 100 --size 64 > /tmp/soak-idle.$$ &
idle=$!
sleep 8
held=$(descriptors)
wait "$idle"
cat "/tmp/soak-idle.$$"
rm -f "/tmp/soak-idle.$$"
echo "descriptors with 10,000 connections: $held"
[ "$held" -ge $((before + 10000)) ] || { echo "connections were lost"; exit 1; }

"$target/loadgen" churn --port "$port" --connections 64 --size 64 --secs 60
sleep 2
after=$(descriptors)
echo "descriptors at the end: $after"
[ "$after" -eq "$before" ] || { echo "descriptors were leaked"; exit 1; }
echo "no connection was lost, and no descriptor leaked"
