#!/usr/bin/env python3
"""What 16 quick clients of an HTTP server see beside clients that mean no good, and what these cost in memory.

    http_abuse.py [--servers foster,hyper] [--rounds 3] [--secs 5] [--idle 10000] [--slow 1000] [--non-readers 100]
                  [--fast 16] [--cores 0,1] [--add 'NAME=command with {port}']

A fresh server for each run: the quick clients (GET /, one request at a time) measure alone, then again while --idle
connections wait after one request, --slow ones send a byte every second of a head that never ends, and --non-readers
ask for /stream (1 MiB) as often as the server takes it and never read. Those that the server ends come back, but for
the idle ones. README.md beside this file says how to read the columns. Linux, Python 3.9 or later, nothing but the
standard library.
"""
import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

from bench import Alarm, Failure, HTTP_WHOLE, Process, RELEASE, Server, load_argv, load_once, missing_binary

# Beside the clients' connections: the server's own, and what a pipe, an epoll set and a runtime need.
SPARE_DESCRIPTORS = 100
# After the last of them has connected, before the quick clients measure again.
SETTLE_SECS = 2
# A tenth of a quick client's weight. They still send all that they would.
ABUSE_NICENESS = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", help="names separated by commas; default: all that can stream")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=5.0, help="of each of the two measurements of a run")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=1_000)
    parser.add_argument("--non-readers", type=int, default=100)
    parser.add_argument("--fast", type=int, default=16)
    parser.add_argument("--cores", default="0,1", help="the server's core and the clients'")
    parser.add_argument("--add", action="append", default=[], metavar="NAME=COMMAND", help="a server more, with {port}")
    arguments = parser.parse_args()
    if reason := missing_binary(f"{RELEASE}/loadgen", "loadgen"):
        sys.exit(f"loadgen: {reason}")
    if arguments.idle < 1:
        sys.exit("--idle is at least 1")
    raise_descriptor_limit(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    cores = [int(core) for core in arguments.cores.split(",")]
    servers = chosen_servers(arguments)
    runs, failures = {}, {}
    for _ in range(arguments.rounds):
        for name, server in servers.items():
            if name not in failures:
                try:
                    runs.setdefault(name, []).append(run_once(name, server, cores, arguments))
                except Failure as failure:
                    failures[name] = str(failure)
    print_table(runs, failures, arguments)


def raise_descriptor_limit(arguments):
    wanted = arguments.idle + arguments.slow + arguments.non_readers + arguments.fast + SPARE_DESCRIPTORS
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit != resource.RLIM_INFINITY and limit < wanted:
        sys.exit(f"{wanted} descriptors are needed on either side, and the limit is {limit}: raise it (ulimit -Hn), or "
                 f"use --idle {max(0, arguments.idle - (wanted - limit))}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def chosen_servers(arguments):
    known = dict(HTTP_WHOLE)
    added = dict(text.split("=", 1) for text in arguments.add)
    known.update((name, Server(command)) for name, command in added.items())
    names = arguments.servers.split(",") if arguments.servers else list(known)
    names += [name for name in added if name not in names]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"unknown server {unknown[0]!r}: there are {', '.join(known)}")
    for name in names:
        if reason := known[name].missing():
            print(f"without {name}: {reason}", file=sys.stderr)
    return {name: known[name] for name in names if not known[name].missing()}


def run_once(name, server, cores, arguments):
    process = Process(name, server, cores)
    try:
        quick = dict(connections=arguments.fast, http="/")
        load_once("echo", quick, process, cores, min(0.5, arguments.secs))
        alone = load_once("echo", quick, process, cores, arguments.secs)
        alone["pss"] = process.pss()
        with Abuse(process, cores[1], arguments) as abuse:
            time.sleep(SETTLE_SECS)
            before = process.pss()
            beside = load_once("echo", quick, process, cores, arguments.secs)
            beside["pss"] = max(before, process.pss())
        return dict(alone=alone, beside=beside, **abuse.counts)
    finally:
        process.stop()


class Abuse:
    """The clients that mean no good, from when all are there until the end of the block."""

    def __init__(self, process, core, arguments):
        options = {"connections": arguments.idle, "slow": arguments.slow,
                   "non-readers": arguments.non_readers, "http": "/"}
        self.child = subprocess.Popen(load_argv("abuse", options, process.port), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      preexec_fn=lambda: give_way(core))
        self.counts = {}

    def __enter__(self):
        # Bounds the opening, and all that follows.
        self.alarm = Alarm(240, self.child)
        try:
            self.read_line()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            self.child.stdin.close()
            if kind is None:
                self.counts = self.read_line()
        finally:
            self.end()

    def read_line(self):
        if line := self.child.stdout.readline():
            return json.loads(line)
        raise Failure((self.child.stderr.read().strip().splitlines() or ["the load failed"])[-1][:200])

    def end(self):
        self.alarm.cancel()
        self.child.stdin.close()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.child.stderr.close()


def give_way(core):
    """On the core of the quick clients, but behind them: what these measure is the server, not who has the core."""
    os.sched_setaffinity(0, {core})
    os.nice(ABUSE_NICENESS)


def print_table(runs, failures, arguments):
    print(f"{arguments.fast} quick clients alone, and beside {arguments.idle:,} idle, {arguments.slow:,} slow and "
          f"{arguments.non_readers:,} that do not read ({arguments.rounds} rounds of {arguments.secs:g} s)\n")
    columns = ["p50 µs alone", "beside", "p99 µs alone", "beside", "ratio", "requests/s alone", "beside",
               "PSS alone, MiB", "beside", "quick clients' CPU %", "idle ended", "slow ended", "non-readers ended",
               "unread requests"]
    print("| server | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
    for name, results in runs.items():
        def median(get):
            return statistics.median(get(result) for result in results)

        def pair(field, scale=1.0, digits=0):
            return [f"{median(lambda result: result[side][field]) * scale:,.{digits}f}" for side in ("alone", "beside")]

        ratio = median(lambda result: result["beside"]["p99_us"] / result["alone"]["p99_us"])
        cells = [*pair("p50_us"), *pair("p99_us"), f"{ratio:.2f}", *pair("rate"), *pair("pss", 2**-20, 1),
                 f"{100 * median(lambda result: result['beside']['load_cpu']):.0f}"]
        cells += [f"{median(lambda result: result[field]):,.0f}"
                  for field in ("idle_ended", "slow_ended", "non_readers_ended", "requests_unread")]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name, reason in failures.items():
        print(f"\n{name} failed: {reason}")


if __name__ == "__main__":
    main()
