#!/usr/bin/env python3
"""Servers measured side by side on 127.0.0.1, with one core for the server and one for the load.

    bench.py list
    bench.py run SCENARIO[,SCENARIO ...] [--servers a,b] [--rounds 5] [--secs 2] [--reference tokio]
             [--cores 0,1] [--add 'NAME=command with {port}'] [--json FILE]

README.md beside this file says what the scenarios are and how to read the columns. Python 3.9 or later, Linux only,
nothing but the standard library. The uvloop row needs the Python that runs this to have uvloop.
"""
import argparse
import importlib.util
import json
import os
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASE = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "target")), "release")
# Servers with workspaces of their own; Cargo.toml there says why.
WORKSPACES = {"peers-actix": "peers-extra", "peers-may": "peers-extra", "peers-ntex": "peers-ws",
              "peers-tokio-ws": "peers-ws"}
EXTRA = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "peers-extra", "target")), "release")
WEBSOCKET = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "peers-ws", "target")), "release")
REFERENCE = "tokio"


class Server:
    """A command that serves on 127.0.0.1:{port} until SIGTERM."""

    def __init__(self, command, package=None, module=None, both_cores=False, by_default=True, datagrams=False):
        self.command = command
        self.package = package  # the cargo package that builds it
        self.module = module  # the Python module it needs
        self.both_cores = both_cores
        self.by_default = by_default
        self.datagrams = datagrams  # it does not accept: it answers

    def missing(self):
        """Why it cannot run, or None."""
        if self.module and not importlib.util.find_spec(self.module):
            return f"{sys.executable} has no {self.module}"
        return missing_binary(self.argv(0)[0], self.package)

    def argv(self, port):
        return shlex.split(self.command.format(port=port, release=shlex.quote(RELEASE), extra=shlex.quote(EXTRA),
                                               websocket=shlex.quote(WEBSOCKET),
                                               here=shlex.quote(HERE), python=shlex.quote(sys.executable),
                                               certificate=CERTIFICATE))


# What every server that speaks TLS shows; the load trusts anybody.
CERTIFICATE = " ".join(f"--{name} {shlex.quote(os.path.join(HERE, '..', 'compat', 'conformance', 'certs', file))}"
                       for name, file in (("cert", "cert.pem"), ("key", "key.pem")))

ECHO = {
    "foster": Server("{release}/foster-echo --port {port}", "foster-echo"),
    "epoll": Server("{release}/peers epoll --port {port}", "peers"),
    "tokio": Server("{release}/peers tokio --port {port}", "peers"),
    "tokio-2": Server("{release}/peers tokio-2 --port {port}", "peers", both_cores=True, by_default=False),
    "uvloop": Server("{python} {here}/py/echo.py uvloop --port {port}", module="uvloop"),
    "asyncio": Server("{python} {here}/py/echo.py asyncio --port {port}"),
}

TLS = {
    "foster": Server("{release}/foster-tls --port {port} {certificate}", "foster-echo"),
    "rustls": Server("{release}/peers rustls --port {port} {certificate}", "peers"),
    "tokio": Server("{release}/peers tokio-tls --port {port} {certificate}", "peers"),
}

UDP = {
    "foster": Server("{release}/foster-udp --port {port}", "foster-echo", datagrams=True),
    "tokio": Server("{release}/peers tokio-udp --port {port}", "peers", datagrams=True),
}

LINES = {
    "foster": Server("{release}/foster-lines readline --port {port}", "foster-echo"),
    "foster-into": Server("{release}/foster-lines readline-into --port {port}", "foster-echo"),
    "tokio": Server("{release}/peers tokio-lines --port {port}", "peers"),
    "tokio-into": Server("{release}/peers tokio-lines-into --port {port}", "peers"),
}

# Each answers GET / and /json, /users/<id> and /stream (1 MiB in 64 chunks) and POST /echo, with its date and type.
HTTP = {
    "foster": Server("{release}/foster-http --port {port} --workers 1 --max-requests 4294967295 --keep-alive 75", "foster-http"),
    "hyper": Server("{release}/peers-http hyper --port {port}", "peers-http"),
    "actix-web": Server("{extra}/peers-actix --port {port}", "peers-actix"),
    "may-minihttp": Server("{extra}/peers-may --port {port}", "peers-may"),
}

# hyper writes the answers to requests that came together one by one, unless it is told to gather them.
HTTP_TOGETHER = dict(HTTP, **{"hyper-flush": Server("{release}/peers-http hyper-flush --port {port}", "peers-http")})

# Each sends messages over WebSocket back on /ws and to everybody on /broadcast.
WS = {
    "foster": HTTP["foster"],
    "fastwebsockets": Server("{websocket}/peers-tokio-ws fastwebsockets --port {port}", "peers-tokio-ws"),
    "tungstenite": Server("{websocket}/peers-tokio-ws tungstenite --port {port}", "peers-tokio-ws"),
    "tungstenite-4k": Server("{websocket}/peers-tokio-ws tungstenite-4k --port {port}", "peers-tokio-ws"),
    "axum": Server("{websocket}/peers-tokio-ws axum --port {port}", "peers-tokio-ws"),
    "ntex": Server("{websocket}/peers-ntex --port {port}", "peers-ntex"),
    "actix-web": HTTP["actix-web"],
}

# The same with what the kernel takes.
WS_BROADCAST = dict(WS, epoll=Server("{release}/peers epoll-broadcast --port {port}", "peers"))

# With routing and extractors; the plain ones have no hooks, or middleware, before and behind each request.
APP = {
    "foster": Server("{release}/foster-app --port {port}", "foster-app"),
    "foster-plain": Server("{release}/foster-app --port {port} --plain", "foster-app"),
    "axum": Server("{extra}/peers-axum --port {port} --middleware", "peers-axum"),
    "axum-plain": Server("{extra}/peers-axum --port {port}", "peers-axum"),
    "actix-web": Server("{extra}/peers-actix --port {port} --middleware", "peers-actix"),
    "actix-web-plain": HTTP["actix-web"],
    "hyper": HTTP["hyper"],
}

# The same with 500 routes more.
APP_500 = {
    "foster": Server("{release}/foster-app --port {port} --routes 500", "foster-app"),
    "foster-one": APP["foster"],
    "axum": Server("{extra}/peers-axum --port {port} --routes 500", "peers-axum"),
}

# may-minihttp streams nothing and does not close when it is asked to.
HTTP_WHOLE = {name: server for name, server in HTTP.items() if name != "may-minihttp"}


class Scenario:
    """A load, and the servers that can bear it."""

    def __init__(self, kind, description, servers=ECHO, reference=REFERENCE, **options):
        self.kind = kind
        self.description = description
        self.servers = servers
        self.reference = reference
        self.options = options


SCENARIOS = {
    "echo-64": Scenario("echo", "64 connections, 64 B, one message at a time", connections=64, size=64),
    "echo-64x32": Scenario("echo", "64 connections, 64 B, 32 messages under way", connections=64, size=64, depth=32),
    "echo-16k": Scenario("echo", "32 connections, 16 KiB, one message at a time", connections=32, size=16384),
    "echo-256k": Scenario("echo", "4 connections, 256 KiB, 2 messages under way", connections=4, size=262144, depth=2),
    "churn": Scenario("churn", "64 at a time: connect, one message of 64 B, close", connections=64, size=64),
    "idle-10k": Scenario("idle", "10,000 connections that have echoed 64 B and wait", connections=10_000, size=64),
    "tls-16k": Scenario("echo", "TLS 1.3, 32 connections, 16 KiB, one message at a time", TLS, connections=32,
                        size=16384, tls=1),
    "tls-idle-5k": Scenario("idle", "5,000 connections over TLS 1.3 that have echoed 64 B and wait", TLS, "rustls",
                            connections=5_000, size=64, tls=1),
    "udp-64": Scenario("udp", "16 clients, datagrams of 64 B, 8 under way", UDP, connections=16, size=64, depth=8),
    "lines-100": Scenario("echo", "16 connections, lines of 100 B, 4 x 64 under way, one byte for 64", LINES,
                          connections=16, size=6400, depth=4, lines=64),
    "http-hello": Scenario("echo", "64 connections, GET /, one request at a time", HTTP, "hyper", connections=64,
                           http="/"),
    "http-pipe16": Scenario("echo", "64 connections, GET /, 16 requests under way", HTTP_TOGETHER, "hyper-flush",
                            connections=64, depth=16, http="/"),
    "http-users": Scenario("echo", "64 connections, GET /users/12345, one request at a time", HTTP, "hyper",
                           connections=64, http="/users/12345"),
    "http-echo-16k": Scenario("echo", "32 connections, POST /echo of 16 KiB, one request at a time", HTTP, "hyper",
                              connections=32, size=16384, http="/echo"),
    "http-stream": Scenario("echo", "8 connections, GET /stream of 1 MiB in 64 chunks", HTTP_WHOLE, "hyper",
                            connections=8, http="/stream"),
    "http-churn": Scenario("churn", "64 at a time: connect, GET / with Connection: close, read to the end", HTTP_WHOLE,
                           "hyper", connections=64, http="/"),
    "http-idle-10k": Scenario("idle", "10,000 connections that have got / and wait", HTTP, "hyper",
                              connections=10_000, http="/"),
    "app-users": Scenario("echo", "64 connections, GET /users/<int:id>, one request at a time", APP, "axum",
                          connections=64, http="/users/12345"),
    "app-json": Scenario("echo", "64 connections, GET /json, one request at a time", APP, "axum", connections=64,
                         http="/json"),
    "app-500": Scenario("echo", "64 connections, GET /users/<int:id> beside 500 other routes", APP_500, "axum",
                        connections=64, http="/users/12345"),
    "ws-64": Scenario("echo", "WebSocket, 64 connections, 64 B, one message at a time", WS, "fastwebsockets",
                      connections=64, size=64, ws="/ws"),
    "ws-pipe16": Scenario("echo", "WebSocket, 64 connections, 64 B, 16 messages under way", WS, "ntex",
                          connections=64, size=64, depth=16, ws="/ws"),
    "ws-16k": Scenario("echo", "WebSocket, 32 connections, 16 KiB, one message at a time", WS, "fastwebsockets",
                       connections=32, size=16384, ws="/ws"),
    "ws-bcast-100": Scenario("broadcast", "WebSocket, 64 B to all of 100 connections, 8 messages under way",
                             WS_BROADCAST, "tungstenite", connections=100, size=64, depth=8, ws="/broadcast"),
    "ws-bcast-500": Scenario("broadcast", "WebSocket, 64 B to all of 500 connections, 8 messages under way",
                             WS_BROADCAST, "tungstenite", connections=500, size=64, depth=8, ws="/broadcast"),
    "ws-bcast-deep": Scenario("broadcast", "WebSocket, 64 B to all of 100 connections, 64 messages under way",
                              WS_BROADCAST, "tungstenite", connections=100, size=64, depth=64, ws="/broadcast"),
    "ws-idle-10k": Scenario("idle", "10,000 connections over WebSocket that have echoed 64 B and wait", WS,
                            "fastwebsockets", connections=10_000, size=64, ws="/ws"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="scenarios and servers")
    run = commands.add_parser("run", help="measure")
    run.add_argument("scenarios", help="names separated by commas, or all")
    run.add_argument("--servers", help="names separated by commas; default: all that can run on one core")
    run.add_argument("--rounds", type=int, default=5)
    run.add_argument("--secs", type=float, default=2.0, help="measured seconds of one run")
    run.add_argument("--reference", help="default: tokio, or what the scenario says")
    run.add_argument("--cores", default="0,1", help="the server's core and the load's")
    run.add_argument("--add", action="append", default=[], metavar="NAME=COMMAND", help="a server more, with {port}")
    run.add_argument("--json", help="append every single run to this file")
    arguments = parser.parse_args()
    if arguments.command == "list":
        return print_list()
    # So that a terminated script ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    run_all(arguments)


def print_list():
    for name, scenario in SCENARIOS.items():
        print(f"{name:13} {scenario.description}")
    for title, servers in (("echo", ECHO), ("TLS", TLS), ("UDP", UDP), ("lines", LINES), ("HTTP", HTTP_TOGETHER),
                           ("WebSocket", WS_BROADCAST)):
        print(f"\n{title}:")
        for name, server in servers.items():
            print(f"{name:14} {server.missing() or 'ready'}")


def run_all(arguments):
    names = list(SCENARIOS) if arguments.scenarios == "all" else arguments.scenarios.split(",")
    if unknown := [name for name in names if name not in SCENARIOS]:
        sys.exit(f"unknown scenario {unknown[0]!r}: bench.py list names them")
    if reason := missing_binary(f"{RELEASE}/loadgen", "loadgen"):
        sys.exit(f"loadgen: {reason}")
    cores = [int(core) for core in arguments.cores.split(",")]
    # Children inherit it: 10,000 idle connections need as many descriptors on either side.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    for name in names:
        scenario = SCENARIOS[name]
        kind, options = scenario.kind, scenario.options
        servers = chosen_servers(arguments, scenario)
        measure = measure_idle if kind == "idle" else measure_load
        print(f"### {name}: {scenario.description} ({arguments.rounds} rounds", end="", flush=True)
        print(")\n" if kind == "idle" else f" of {arguments.secs:g} s)\n", flush=True)
        results, failures = measure(kind, options, servers, cores, arguments)
        print_table(kind, results, failures, arguments.reference or scenario.reference)
        if arguments.json:
            with open(arguments.json, "a") as file:
                file.write(json.dumps(dict(scenario=name, results=results, failures=failures)) + "\n")


def chosen_servers(arguments, scenario):
    known = dict(scenario.servers)
    added = dict(text.split("=", 1) for text in arguments.add)
    known.update((name, Server(command)) for name, command in added.items())
    if arguments.servers:
        everywhere = set(known).union(*(scenario.servers for scenario in SCENARIOS.values()))
        names = arguments.servers.split(",") + [name for name in added if name not in arguments.servers.split(",")]
        # One that only another scenario knows is no mistake.
        names = [name for name in names if name in known or name not in everywhere]
    else:
        names = [name for name, server in known.items() if server.by_default]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"unknown server {unknown[0]!r}: bench.py list names them")
    chosen = {}
    for name in names:
        if reason := known[name].missing():
            print(f"without {name}: {reason}", file=sys.stderr)
        else:
            chosen[name] = known[name]
    return chosen


# ---------------------------------------------------------------- measuring


def measure_load(kind, options, servers, cores, arguments):
    """All servers run at once (those that wait cost nothing); each round loads them one after the other."""
    results, failures, running = {}, {}, {}
    try:
        for name, server in servers.items():
            try:
                running[name] = Process(name, server, cores)
            except Failure as failure:
                failures[name] = str(failure)
        # The first round warms up and is not kept.
        for number in range(-1, arguments.rounds):
            for name, process in running.items():
                if name in failures:
                    continue
                secs = arguments.secs if number >= 0 else min(0.5, arguments.secs)
                try:
                    result = load_once(kind, options, process, cores, secs)
                except Failure as failure:
                    failures[name] = str(failure)
                    results.pop(name, None)
                else:
                    if number >= 0:
                        results.setdefault(name, []).append(result)
    finally:
        for process in running.values():
            process.stop()
    return results, failures


def load_once(kind, options, process, cores, secs):
    cpu, user = process.processor_time()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    try:
        done = subprocess.run(load_argv(kind, options, process.port, secs), capture_output=True, text=True,
                              timeout=secs + 30, preexec_fn=lambda: os.sched_setaffinity(0, {cores[1]}))
    except subprocess.TimeoutExpired:
        raise Failure("the load did not end in time") from None
    elapsed = time.monotonic() - started
    if done.returncode:
        raise Failure((done.stderr.strip().splitlines() or ["the load failed"])[-1][:200])
    result = json.loads(done.stdout)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime
    cpu_after, user_after = process.processor_time()
    result["server_us"] = (cpu_after - cpu) * 1e6 / result["n_all"]
    result["server_user_us"] = (user_after - user) * 1e6 / result["n_all"]
    result["server_cpu"] = (cpu_after - cpu) / elapsed
    result["load_cpu"] = load / elapsed
    return result


def measure_idle(kind, options, servers, cores, arguments):
    """A fresh server for each run: a heap that has grown does not shrink."""
    results, failures = {}, {}
    for _ in range(arguments.rounds):
        for name, server in servers.items():
            if name in failures:
                continue
            try:
                process = Process(name, server, cores)
            except Failure as failure:
                failures[name] = str(failure)
                continue
            try:
                results.setdefault(name, []).append(hold_connections(kind, options, process, cores))
            except Failure as failure:
                failures[name] = str(failure)
                results.pop(name, None)
            finally:
                process.stop()
    return results, failures


def hold_connections(kind, options, process, cores):
    before = process.pss()
    load = subprocess.Popen(load_argv(kind, options, process.port), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, {cores[1]}))
    # Opening them is bounded by this alarm, which kills the load and so ends the line it is waited for.
    alarm = Alarm(120, load)
    try:
        line = load.stdout.readline()
        if not line:
            raise Failure((load.stderr.read().strip().splitlines() or ["the load failed"])[-1][:200])
        opened = json.loads(line)
        time.sleep(0.5)
        after = process.pss()
    finally:
        alarm.cancel()
        load.stdin.close()
        try:
            load.wait(20)
        except subprocess.TimeoutExpired:
            load.kill()
            load.wait()
        load.stdout.close()
        load.stderr.close()
    return dict(rate=(after - before) / opened["open"], pss_before=before, pss_after=after, open_secs=opened["secs"])


def load_argv(kind, options, port, secs=None):
    argv = [f"{RELEASE}/loadgen", kind, "--port", str(port)]
    for name, value in options.items():
        argv += [f"--{name}", str(value)]
    return argv + (["--secs", str(secs)] if secs else [])


# ---------------------------------------------------------------- processes


class Failure(Exception):
    """A server or a load that did not do its part; the other rows go on."""


class Process:
    """A running server, pinned to its core."""

    def __init__(self, name, server, cores):
        self.port = free_port()
        self.answers = answers if server.datagrams else accepts
        pinned = set(cores) if server.both_cores else {cores[0]}
        self.child = subprocess.Popen(server.argv(self.port), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      preexec_fn=lambda: os.sched_setaffinity(0, pinned))
        # A server that says much must not fill the pipe; what it says is wanted only if it does not start.
        os.set_blocking(self.child.stderr.fileno(), False)
        self.log = b""
        try:
            self.wait_until_it_accepts()
        except BaseException as err:
            self.stop()
            if isinstance(err, TimeoutError):
                raise Failure(f"{name} did not start: {self.log.decode(errors='replace').strip()[-300:]}") from None
            raise

    def wait_until_it_accepts(self):
        deadline = time.monotonic() + 15
        while not self.answers(self.port):
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.05)

    def stop(self):
        for end in (self.child.terminate, self.child.kill):
            end()
            try:
                self.child.wait(2)
                break
            except subprocess.TimeoutExpired:
                pass
        self.log += self.child.stderr.read() or b""
        self.child.stderr.close()

    def processor_time(self):
        """Seconds in all and in user mode, of all threads. The sum is exact to the nanosecond where the kernel has
        schedstat; the user part comes in ticks of 10 ms."""
        self.log += self.child.stderr.read() or b""
        folder = f"/proc/{self.child.pid}"
        try:
            with open(f"{folder}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            user, system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])
            try:
                exact = 0
                for thread in os.listdir(f"{folder}/task"):
                    with open(f"{folder}/task/{thread}/schedstat") as file:
                        exact += int(file.read().split()[0])
                return exact / 1e9, user
            except (FileNotFoundError, NotADirectoryError):
                return user + system, user
        except OSError as err:
            raise Failure(f"the server has ended: {err}") from None

    def pss(self):
        """Bytes of memory that are this process's, shared pages in proportion. The kernel's socket buffers are not
        in it."""
        try:
            with open(f"/proc/{self.child.pid}/smaps_rollup") as file:
                return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
        except OSError as err:
            raise Failure(f"the server has ended: {err}") from None


class Alarm:
    """Kills a child that takes too long."""

    def __init__(self, secs, child):
        signal.signal(signal.SIGALRM, lambda *_: child.kill())
        signal.alarm(secs)

    def cancel(self):
        signal.alarm(0)


def missing_binary(path, package):
    if os.access(path, os.X_OK):
        return None
    if package:
        manifest = os.path.join(HERE, WORKSPACES.get(package, ""), "Cargo.toml")
        return f"no {path}; build it with: cargo build --release --manifest-path {manifest} -p {package}"
    return None if "/" not in path else f"no {path}"


def free_port(ports=iter(range(17000, 32000))):
    """Below the range from which the kernel takes the clients' ports."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit("no free port left")


def answers(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(("127.0.0.1", port))
            probe.send(b"x")
            return probe.recv(1) == b"x"
        except OSError:
            return False


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True
    except OSError:
        return False


# ---------------------------------------------------------------- printing


def print_table(kind, results, failures, reference):
    if results and reference not in results:
        print(f"No {reference}: ratios are to {next(iter(results))}.\n")
        reference = next(iter(results))
    if kind == "idle":
        columns = ["bytes/connection", "ratio", "PSS before, MiB", "PSS after, MiB", "open, s"]
    else:
        columns = ["rate/s", "min", "max", "ratio", "MB/s", "p50 µs", "p99 µs", "server µs/msg", "of it user",
                   "CPU ratio", "server CPU %", "load CPU %"]
    print("| server | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
    for name, runs in results.items():
        def median(field):
            return statistics.median(run[field] for run in runs)

        rates = [run["rate"] for run in runs]
        ratio = statistics.median(a["rate"] / b["rate"] if b["rate"] else 0 for a, b in zip(runs, results[reference]))
        if kind == "idle":
            cells = [f"{median('rate'):,.0f}", f"{ratio:.3f}", f"{median('pss_before') / 2**20:.1f}",
                     f"{median('pss_after') / 2**20:.1f}", f"{median('open_secs'):.2f}"]
        else:
            cpu_ratio = statistics.median(b["server_us"] / a["server_us"] for a, b in zip(runs, results[reference]))
            cells = [f"{median('rate'):,.0f}", f"{min(rates):,.0f}", f"{max(rates):,.0f}", f"{ratio:.2f}",
                     f"{median('mb_s'):,.1f}", f"{median('p50_us'):,.0f}", f"{median('p99_us'):,.0f}",
                     f"{median('server_us'):.2f}", f"{median('server_user_us'):.2f}", f"{cpu_ratio:.2f}",
                     f"{100 * median('server_cpu'):.0f}", f"{100 * median('load_cpu'):.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name, reason in failures.items():
        print(f"\n{name} failed: {reason}")
    print(flush=True)


if __name__ == "__main__":
    main()
