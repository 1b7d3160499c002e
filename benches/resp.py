#!/usr/bin/env python3
"""The example `resp` beside redis-server under redis-benchmark, one core for the server and one for the load.

    cargo build --release --example resp
    benches/resp.py [--rounds 7] [--requests 500000] [--pipeline 16] [--tests set,get] [--cores 0,1]

The ratio is the median over the rounds of the rate beside that of redis-server in the same round. The processor time of
a request is the server's, its share of the kernel included. Needs redis-server and redis-benchmark, and Linux.
"""
import argparse
import csv
import os
import shutil
import signal
import statistics
import subprocess
import sys

from bench import Failure, Process, Server

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "..", "target"))
SERVERS = {
    "redis-server": Server("redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no"),
    "foster": Server(os.path.join(TARGET, "release", "examples", "resp") + " --port {port}"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=500_000, help="of each kind in a round")
    parser.add_argument("--pipeline", type=int, default=16)
    parser.add_argument("--tests", default="set,get")
    parser.add_argument("--cores", default="0,1", help="the server's core and the load's")
    arguments = parser.parse_args()
    for program in ("redis-server", "redis-benchmark"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    if reason := SERVERS["foster"].missing():
        sys.exit(f"{reason}; build it with: cargo build --release --example resp")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    cores = [int(core) for core in arguments.cores.split(",")]
    tests = arguments.tests.split(",")
    rates, spent, running = {}, {}, {}
    try:
        for name, server in SERVERS.items():
            running[name] = Process(name, server, cores)
        # The first round warms up and is not kept.
        for number in range(-1, arguments.rounds):
            for test in tests:
                for name, process in running.items():
                    before = process.processor_time()[0]
                    rate = load(process.port, test, arguments, cores[1])
                    if number >= 0:
                        micros = (process.processor_time()[0] - before) * 1e6 / arguments.requests
                        rates.setdefault((test, name), []).append(rate)
                        spent.setdefault((test, name), []).append(micros)
    except Failure as failure:
        sys.exit(str(failure))
    finally:
        for process in running.values():
            process.stop()
    print(f"{arguments.rounds} rounds of {arguments.requests:,} requests, {arguments.pipeline} at a time\n")
    print("| test | server | requests/s | ratio | server µs/request |\n| --- | --- | --: | --: | --: |")
    for (test, name), values in sorted(rates.items()):
        ratio = statistics.median(a / b for a, b in zip(values, rates[test, "redis-server"]))
        print(f"| {test} | {name} | {statistics.median(values):,.0f} | {ratio:.2f} "
              f"| {statistics.median(spent[test, name]):.2f} |")


def load(port, test, arguments, core):
    argv = ["redis-benchmark", "-p", str(port), "-t", test, "-P", str(arguments.pipeline), "-n",
            str(arguments.requests), "--csv"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300,
                          preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    rows = list(csv.DictReader(done.stdout.splitlines()))
    if done.returncode or not rows:
        raise Failure((done.stderr or done.stdout or "redis-benchmark failed").strip()[-200:])
    return float(rows[0]["rps"])


if __name__ == "__main__":
    main()
