#!/usr/bin/env python3
"""Instructions that a message costs a server in user space, counted by valgrind: they do not depend on what else runs.

    instructions.py SCENARIO[,SCENARIO ...] [--servers foster,hyper] [--secs 3] [--add 'NAME=command with {port}']
                    [--keep FOLDER]

The scenarios are those of bench.py that load connections or open them. A server runs twice, under a short load and a
longer one; the difference of their instructions is divided by the difference of their messages, so that what starting
and connecting take is not in it. With --keep the files for callgrind_annotate stay. Needs valgrind.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from bench import RELEASE, SCENARIOS, Failure, Process, Server, chosen_servers, load_once, missing_binary

# Under valgrind all takes some fifty times as long; the server and the load still have a core each.
SHORT_SECS = 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", help="names separated by commas")
    parser.add_argument("--servers", help="names separated by commas; default: all that can run on one core")
    parser.add_argument("--secs", type=float, default=3.0, help="of the longer load")
    parser.add_argument("--add", action="append", default=[], metavar="NAME=COMMAND", help="a server more, with {port}")
    parser.add_argument("--cores", default="0,1", help="the server's core and the load's")
    parser.add_argument("--keep", metavar="FOLDER", help="where to leave the files of the longer loads")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    if reason := missing_binary(f"{RELEASE}/loadgen", "loadgen"):
        sys.exit(f"loadgen: {reason}")
    for name in arguments.scenarios.split(","):
        if name not in SCENARIOS or SCENARIOS[name].kind not in ("echo", "churn", "broadcast"):
            sys.exit(f"{name!r} is not a scenario that sends messages over connections: bench.py list names all")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    print("| scenario | server | instructions/msg |\n|---|---|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.scenarios.split(","):
            for server_name, server in chosen_servers(arguments, SCENARIOS[name]).items():
                try:
                    cost = f"{count(name, server_name, server, folder, arguments):,.0f}"
                except Failure as failure:
                    cost = f"failed: {failure}"
                print(f"| {name} | {server_name} | {cost} |", flush=True)


def count(scenario_name, name, server, folder, arguments):
    file = os.path.join(folder, "callgrind.out")
    short = run_once(scenario_name, name, server, file, SHORT_SECS, arguments)
    longer = run_once(scenario_name, name, server, file, SHORT_SECS + arguments.secs, arguments)
    if arguments.keep:
        os.makedirs(arguments.keep, exist_ok=True)
        shutil.move(file, os.path.join(arguments.keep, f"callgrind.{scenario_name}.{name}"))
    return (longer[0] - short[0]) / (longer[1] - short[1])


def run_once(scenario_name, name, server, file, secs, arguments):
    """The instructions of the server, and the messages it was sent."""
    cores = [int(core) for core in arguments.cores.split(",")]
    scenario = SCENARIOS[scenario_name]
    command = f"valgrind --quiet --tool=callgrind --callgrind-out-file={file} {server.command}"
    process = Process(name, Server(command, datagrams=server.datagrams), cores)
    try:
        n_messages = load_once(scenario.kind, scenario.options, process, cores, secs)["n_all"]
        process.child.terminate()
        # It writes its file now.
        process.child.wait(60)
    except subprocess.TimeoutExpired:
        raise Failure("valgrind did not end in time") from None
    finally:
        process.stop()
    with open(file) as lines:
        totals = next((line for line in lines if line.startswith("totals:")), None)
    if totals is None:
        raise Failure("valgrind has written no totals")
    return int(totals.split()[1]), n_messages


if __name__ == "__main__":
    main()
