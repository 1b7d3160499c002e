#!/usr/bin/env python3
"""Reference driver: runs one scenario on CPython's asyncio, or on uvloop (--loop uvloop).

It speaks the driver protocol of SCENARIOS.md: one JSON line on stdin, ADDR/READY and trace lines on stdout, ends at end of input.
--defer callbacks|all imitates an implementation which cannot call pause_writing() while the protocol is borrowed
(after the rest of the protocol callback / after the rest of any action list); it shows what --relaxed accepts.
"""
import argparse, asyncio, gc, json, logging, os, re, resource, signal, socket, ssl, sys, threading, time, warnings

warnings.simplefilter("ignore")
SHORT = 48
EXC = {"RuntimeError": RuntimeError, "OSError": OSError, "ConnectionResetError": ConnectionResetError,
       "ValueError": ValueError, "TimeoutError": TimeoutError}
EXTRA = {"TransportSocket": "socket", "PseudoSocket": "socket", "socket": "socket", "SSLContext": "sslcontext", "SSLObject": "ssl_object",
         "UnixReadPipeTransport": "pipe", "FileIO": "file", "BufferedReader": "file", "Popen": "process"}
MISSING = object()


def show(b):
    b = bytes(b)
    return repr(b)[1:] if len(b) <= SHORT else "<%d>" % len(b)


def excname(e):
    if e is None:
        return "None"
    if isinstance(e, ssl.SSLError) and not isinstance(e, ssl.SSLCertVerificationError):
        return "SSLError"
    return type(e).__name__


def raised(e):
    msg = re.sub(r"<[^<>]*\bat 0x[^<>]*>|<Server [^<>]*>|<uvloop[^<>]*>", "<S>", str(e))
    msg = re.sub(r"('(?:127\.0\.0\.1|::1)', )\d+", r"\1PORT", msg)
    return "raised " + excname(e) + (": " + msg if msg else "")


class Runtime:
    """One scenario: the interpreter of the action language; `p` is the object that acts (protocol, stream pair) or None."""

    def __init__(self, sc, params, loop, defer):
        self.sc, self.params, self.loop, self.defer = sc, params, loop, defer
        self.lock, self.on, self.trace = threading.Lock(), True, []
        self.names, self.gone, self.transports, self.servers = {}, set(), [], []
        self.stop, self.base, self.hold, self.fds = asyncio.Event(), loop.time(), [], 0

    # ---- output and input
    def control(self, line):
        with self.lock:
            if self.on:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def emit(self, line):
        with self.lock:
            if self.on:
                self.trace.append(line)
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def go(self, name):
        self.gone.add(name)
        f = self.names.pop("go " + name, None)
        if f and not f.done():
            f.set_result(None)

    def addr(self, a, name=""):
        head = "ADDR " + (name + " " if name else "")
        self.control(head + ("unix " + a if isinstance(a, str) else "%s %d" % tuple(a[:2])))

    # ---- protocols
    def protocol(self, spec, name):
        p = KINDS[spec.get("proto", "stream")]()
        p.setup(self, spec, name)
        self.names[name] = p
        return p

    def factory(self):
        """The factory of the simple kinds: protocol A, and B waiting for set_protocol."""
        self.emit("factory")
        sc = self.sc
        if sc.get("factory_raises"):
            raise EXC[sc["factory_raises"]]("factory")
        proto = sc.get("proto", "dgram" if sc["kind"].startswith("udp") else "stream")
        p = self.protocol({**sc, "on": sc.get("on", {}), "proto": proto}, "A")
        if "on2" in sc:
            p.other = self.protocol({**sc, "on": sc["on2"], "proto": sc.get("proto2", "stream")}, "B")
            p.other.other = p
        return p

    def named_factory(self, name):
        spec = self.sc["protocols"][name]
        count = [0]

        def make():
            count[0] += 1
            if spec.get("numbered"):
                self.emit("factory %d" % count[0])
            elif not spec.get("quiet"):
                self.emit("factory")
            if spec.get("factory_raises"):
                raise EXC[spec["factory_raises"]]("factory")
            p = self.protocol(spec, name)
            if spec.get("numbered"):
                p.name = str(count[0])
                self.names[p.name] = p
            return p
        return make

    # ---- actions that never wait
    def run(self, acts, p=None):
        for a in acts or []:
            self.act(a, p)

    def entry(self, acts, p=None):
        """An action list that the loop calls."""
        if self.defer == "all" and isinstance(p, Base):
            with p.borrow():
                self.run(acts, p)
        else:
            self.run(acts, p)

    def keep(self, a, i, value):
        if len(a) > i:
            self.names[a[i]] = value

    def act(self, a, p=None):
        op, t, loop, names = a[0], getattr(p, "t", None), self.loop, self.names
        say = p.say if p else self.emit
        if op == "write": t.write(a[1].encode())
        elif op == "write_n": t.write(b"x" * a[1])
        elif op == "writelines": t.writelines([x.encode() for x in a[1]])
        elif op == "writelines_n": t.writelines([b"x" * a[2]] * a[1])
        elif op == "write_eof": t.write_eof()
        elif op == "close": t.close()
        elif op == "abort": t.abort()
        elif op == "pause": t.pause_reading()
        elif op == "resume": t.resume_reading()
        elif op == "limits": t.set_write_buffer_limits(high=a[1], low=a[2])
        elif op == "fill":
            n = 0
            while t.get_write_buffer_size() == 0 and n < 4000:
                t.write(b"f" * 16384)
                n += 1
        elif op == "fill_to":
            need = a[1] - t.get_write_buffer_size()
            assert need > 0, need
            t.write(b"g" * need)
        elif op == "set_protocol":
            p.other.t = t
            t.set_protocol(p.other)
        elif op == "sendto":
            t.sendto(a[1].encode(), *([p.addr] if len(a) < 3 else [tuple(a[2]) if a[2] else None]))
        elif op == "sendto_n":
            t.sendto(b"u" * a[1], *([p.addr] if len(a) < 3 else [tuple(a[2]) if a[2] else None]))
        elif op == "raise": raise EXC[a[1]](*a[2:3])
        elif op == "mark": say("mark " + a[1])
        elif op == "once":
            if a[1] not in p.once:
                p.once.add(a[1])
                self.run(a[2], p)
        elif op in ("try", "try_type"):
            try:
                self.act(a[1], p)
            except Exception as e:
                say(raised(e) if op == "try" else "raised " + excname(e))
        elif op == "log":
            value = {"is_closing": lambda: t.is_closing(), "is_reading": lambda: t.is_reading(),
                     "buffer_size": lambda: t.get_write_buffer_size(), "buffered": lambda: t.get_write_buffer_size() > 0,
                     "limits": lambda: t.get_write_buffer_limits(), "can_write_eof": lambda: t.can_write_eof(),
                     "same_protocol": lambda: t.get_protocol() is p, "returncode": lambda: t.get_returncode()}[a[1]]()
            say("%s=%s" % (a[1], value))
        elif op == "extra":
            v = t.get_extra_info(a[1], MISSING)
            kind = "<default>" if v is MISSING else "None" if v is None else EXTRA.get(type(v).__name__, type(v).__name__)
            say("extra %s: %s" % (a[1], kind))
        elif op == "sockopt": say("sockopt %s=%d" % (a[1], sockopt(t.get_extra_info("socket"), a[1])))
        # -- loop
        elif op == "call_soon": self.keep(a, 2, loop.call_soon(self.entry, a[1], p))
        elif op == "call_later": self.keep(a, 3, loop.call_later(a[1] / 1000, self.entry, a[2], p))
        elif op == "call_at": self.keep(a, 3, loop.call_at(self.base + a[1] / 1000, self.entry, a[2], p))
        elif op == "create_task":
            self._task = loop.create_task(self.arun(a[1], p))
            self.keep(a, 2, self._task)
        elif op == "future": names[a[1]] = loop.create_future()
        elif op == "set_result": names[a[1]].set_result(None)
        elif op == "set_exception": names[a[1]].set_exception(EXC[a[2]](*a[3:4]))
        elif op == "add_done_callback":
            acts = a[2]
            names[a[1]].add_done_callback(lambda f: self.entry(acts, p))
        elif op == "cancel": names[a[1]].cancel()
        elif op == "cancelled": say("%s cancelled=%s" % (a[1], names[a[1]].cancelled()))
        elif op == "done": say("%s done=%s" % (a[1], names[a[1]].done()))
        elif op == "when": say("%s when=+%d" % (a[1], round((names[a[1]].when() - self.base) * 1000)))
        elif op == "drop":
            names.pop(a[1])
            self._task = None
            gc.collect()
        elif op == "block": time.sleep(a[1] / 1000)
        elif op == "threadsafe":
            def post():
                for acts in a[1]:
                    loop.call_soon_threadsafe(self.entry, acts, p)
            threading.Thread(target=post).start()
        elif op == "handler":
            acts = a[1]

            def handler(loop, ctx):
                self.handler(loop, ctx)
                self.run(acts)
            loop.set_exception_handler(handler)
        elif op == "add_signal": loop.add_signal_handler(getattr(signal, a[1]), self.entry, a[2], p)
        elif op == "remove_signal": say("removed=%s" % loop.remove_signal_handler(getattr(signal, a[1])))
        elif op == "raise_signal": os.kill(os.getpid(), getattr(signal, a[1]))
        elif op == "socketpair":
            names[a[1]], names[a[2]] = socket.socketpair()
            names[a[1]].setblocking(False)
            names[a[2]].setblocking(False)
        elif op == "add_reader": loop.add_reader(names[a[1]].fileno(), self.entry, a[2], p)
        elif op == "add_writer": loop.add_writer(names[a[1]].fileno(), self.entry, a[2], p)
        elif op == "remove_reader": say("removed=%s" % loop.remove_reader(names[a[1]].fileno()))
        elif op == "remove_writer": say("removed=%s" % loop.remove_writer(names[a[1]].fileno()))
        elif op == "sock_send": names[a[1]].send(a[2].encode())
        elif op == "sock_recv": say("sock_recv " + show(names[a[1]].recv(65536)))
        elif op == "sock_close": names[a[1]].close()
        elif op == "fds_mark": self.fds = len(os.listdir("/proc/self/fd"))
        elif op == "fds_delta": say("fds delta=%d" % (len(os.listdir("/proc/self/fd")) - self.fds))
        elif op == "exhaust_fds":
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            self.hold = [(soft, hard)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
            try:
                while True:
                    self.hold.append(os.dup(0))
            except OSError:
                pass
        elif op == "release_fds":
            lim, fds = self.hold[0], self.hold[1:]
            for f in fds:
                os.close(f)
            resource.setrlimit(resource.RLIMIT_NOFILE, lim)
        elif op == "exists": say("%s exists=%s" % (a[1], os.path.exists(self.path(a[1]))))
        elif op == "touch": open(self.path(a[1]), "w").close()
        elif op == "stale_socket":
            s = socket.socket(socket.AF_UNIX)
            s.bind(self.path(a[1]))
            s.close()
        elif op == "with": self.run(a[2], names[a[1]])
        # -- server
        elif op == "server_close": names[a[1]].close()
        elif op == "close_clients": names[a[1]].close_clients()
        elif op == "abort_clients": names[a[1]].abort_clients()
        elif op == "server": say("%s %s=%s" % (a[1], a[2], self.server_fact(names[a[1]], a[2])))
        # -- pipes and subprocess
        elif op == "pipe":
            r, w = os.pipe()
            names[a[1]] = [r, w]
        elif op == "os_write": os.write(names[a[1]][1], a[2].encode())
        elif op in ("os_close_r", "os_close_w"): os.close(names[a[1]][op == "os_close_w"])
        elif op == "pipe_write": t.get_pipe_transport(a[1]).write(a[2].encode())
        elif op == "pipe_close": t.get_pipe_transport(a[1]).close()
        elif op == "log_pipe": say("pipe %d present=%s" % (a[1], t.get_pipe_transport(a[1]) is not None))
        elif op == "kill": t.kill()
        elif op == "terminate": t.terminate()
        elif op == "send_signal": t.send_signal(getattr(signal, a[1]))
        # -- streams
        elif op == "at_eof": say("at_eof=%s" % p.r.at_eof())
        else:
            raise SystemExit("unknown or misplaced action %r" % op)

    # ---- actions that may wait: programs, tasks and stream handlers
    async def arun(self, acts, p=None):
        if self.defer == "all" and isinstance(p, Base) and not any(a[0] in WAITS for a in acts):
            with p.borrow():
                self.run(acts, p)
            return
        for a in acts:
            await self.aact(a, p)

    async def aact(self, a, p=None):
        op, loop, names = a[0], self.loop, self.names
        say = p.say if p else self.emit
        if op in ("try", "try_type"):
            try:
                await self.aact(a[1], p)
            except (Exception, asyncio.CancelledError) as e:
                say(raised(e) if op == "try" else "raised " + excname(e))
        elif op not in WAITS:
            self.act(a, p)
        elif op == "sleep": await asyncio.sleep(a[1] / 1000)
        elif op == "wait":
            if a[1] not in self.gone:
                names["go " + a[1]] = f = loop.create_future()
                await asyncio.wait_for(f, 4)
        elif op == "until":
            want, end = a[2] if len(a) > 2 else 1, loop.time() + 4
            while sum(x.startswith(a[1]) for x in self.trace) < want:
                if loop.time() > end:
                    raise TimeoutError("until " + a[1])
                await asyncio.sleep(0.002)
        elif op == "await":
            await names[a[1]]
            say("awaited " + a[1])
        elif op == "call":          # a list in the same task
            await self.arun(a[1], p)
        elif op == "executor":
            def work():
                if a[1] == "raise":
                    raise ValueError("in the executor")
                return 5
            say("executor result=%s" % await loop.run_in_executor(None, work))
        elif op == "create_server":
            o = dict(a[2])
            factory = self.named_factory(o.pop("protocol"))
            if o.pop("ssl", False):
                o["ssl"] = server_context(self.params)
            host, port = o.pop("host", "127.0.0.1"), o.pop("port", 0)
            if isinstance(port, str):
                port = names[port].sockets[0].getsockname()[1]
            names[a[1]] = s = await loop.create_server(factory, host, port, **o)
            self.servers.append(s)
            self.addr(s.sockets[0].getsockname(), a[1])
        elif op == "create_unix_server":
            o = dict(a[2])
            path = self.path(o.pop("path"))
            names[a[1]] = s = await loop.create_unix_server(self.named_factory(o.pop("protocol")), path, **o)
            self.servers.append(s)
            self.addr(path, a[1])
        elif op == "start_serving": await names[a[1]].start_serving()
        elif op == "serve_forever": await names[a[1]].serve_forever()
        elif op == "wait_closed":
            await names[a[1]].wait_closed()
            say("%s wait_closed returned" % a[1])
        elif op in ("create_connection", "create_datagram_endpoint"):
            o = dict(a[2])
            to, name = tuple(self.params[o.pop("to", "listen")]), o.pop("protocol")
            if op == "create_connection":
                t, q = await loop.create_connection(self.named_factory(name), *to, **o)
            else:
                t, q = await loop.create_datagram_endpoint(self.named_factory(name), remote_addr=to, **o)
            names[a[1]] = q
            say(op + " returned")
        elif op == "connect_accepted_socket":       # takes the end A of a socket pair
            t, q = await loop.connect_accepted_socket(self.named_factory(a[3]), names[a[2]])
            names[a[1]] = q
            say(op + " returned")
        elif op == "start_tls":
            o = dict(a[1]) if len(a) > 1 else {}
            server = o.pop("server_side", True)
            kw = {"ssl_" + k: v for k, v in o.items()}
            old = p.t
            p.t = await loop.start_tls(old, p, server_context(self.params) if server else client_context(False), server_side=server, **kw)
            say("start_tls returned new=%s ssl=%s" % (p.t is not old, p.t.get_extra_info("ssl_object") is not None))
        elif op in ("connect_read_pipe", "connect_write_pipe"):
            end = op == "connect_write_pipe"
            f = os.fdopen(names[a[2]][end], "wb" if end else "rb", 0)
            t, q = await getattr(loop, op)(self.named_factory(a[3]), f)
            names[a[1]] = q
            say(op + " returned")
        elif op == "os_read_all":
            fd = names[a[1]][0]

            def drain():
                n = 0
                while True:
                    d = os.read(fd, 65536)
                    if not d:
                        return n
                    n += len(d)
            say("os_read_all <%d>" % await loop.run_in_executor(None, drain))
        elif op == "subprocess":
            o, kw = dict(a[2]), {}
            pipes = {"pipe": -1, "null": -3, "stdout": -2, "inherit": None}
            for k in ("stdin", "stdout", "stderr"):
                kw[k] = pipes[o.get(k, "pipe")]
            f = self.named_factory(o["protocol"])
            if "shell" in o:
                t, q = await loop.subprocess_shell(f, o["shell"], **kw)
            else:
                t, q = await loop.subprocess_exec(f, *o["args"], **kw)
            names[a[1]] = q
            say("subprocess returned")
        elif op == "start_server":
            o = dict(a[2])
            acts = o.pop("handler")

            async def handler(r, w):
                s = Streams()
                s.setup(self, r, w)
                if o_cancel:
                    raise asyncio.CancelledError
                await self.arun(acts, s)
            o_cancel = o.pop("cancelled", False)
            names[a[1]] = s = await asyncio.start_server(handler, "127.0.0.1", 0, **o)
            self.servers.append(s)
            self.addr(s.sockets[0].getsockname(), a[1])
        elif op == "open_connection":
            s = Streams()
            s.setup(self, *await asyncio.open_connection(*self.params["listen"], **a[2]))
            names[a[1]] = s
            say("open_connection returned")
        elif op == "with":
            await self.arun(a[2], names[a[1]])
        elif op == "read": say("read " + show(await p.r.read(a[1])))
        elif op == "readexactly": say("readexactly " + show(await p.r.readexactly(a[1])))
        elif op == "readline": say("readline " + show(await p.r.readline()))
        elif op == "readuntil": say("readuntil " + show(await p.r.readuntil(a[1].encode())))
        elif op == "drain":
            await p.w.drain()
            say("drain ok")
        elif op == "stream_wait_closed":
            await p.w.wait_closed()
            say("stream_wait_closed ok")

    # ---- small parts
    def path(self, name):
        return os.path.join(self.params["dir"], name)

    def server_fact(self, s, what):
        if what == "is_serving": return s.is_serving()
        if what == "sockets": return len(s.sockets)
        if what == "families": return ",".join(sorted({k.family.name for k in s.sockets}))
        if what == "v6only": return ",".join(str(k.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) for k in s.sockets if k.family == socket.AF_INET6)
        return int(bool(sockopt(s.sockets[0], what)))

    def handler(self, loop, ctx):
        m = re.sub(r" at 0x[0-9a-f]+", "", ctx["message"])
        m = re.sub(r"Exception in callback\b.*", "Exception in callback", m, flags=re.S)
        self.emit("HANDLER %s [%s]" % (m, excname(ctx.get("exception"))))

    # ---- the scenario
    async def main(self):
        loop, sc, kind = self.loop, self.sc, self.sc["kind"]
        loop.set_exception_handler(self.handler)
        if sc.get("debug"):
            loop.set_debug(True)
            loop.slow_callback_duration = 60
        kw = {k: sc[k] for k in ("ssl_handshake_timeout", "ssl_shutdown_timeout") if k in sc}
        if kind in ("tcp", "tls"):
            s = await loop.create_server(self.factory, "127.0.0.1", 0, ssl=server_context(self.params) if kind == "tls" else None, **kw)
            if sc.get("sndbuf"):
                s.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sc["sndbuf"])
            self.servers.append(s)
            self.addr(s.sockets[0].getsockname())
        elif kind == "unix":
            self.servers.append(await loop.create_unix_server(self.factory, self.params["path"]))
            self.addr(self.params["path"])
        elif kind in ("udp", "udp-connected"):
            where = {"local_addr": ("127.0.0.1", 0)} if kind == "udp" else {"remote_addr": tuple(self.params["connect"])}
            t, p = await loop.create_datagram_endpoint(self.factory, **where)
            self.emit("endpoint ready")
            name = t.get_extra_info("sockname")
            self.addr(name) if name else self.control("READY")
        elif kind in ("tcp-client", "tls-client", "unix-client"):
            self.control("READY")
            try:
                if kind == "unix-client":
                    t, p = await loop.create_unix_connection(self.factory, self.params["connect"])
                else:
                    ctx = client_context(sc.get("verify")) if kind == "tls-client" else None
                    t, p = await loop.create_connection(self.factory, *self.params["connect"], ssl=ctx, **kw)
                self.emit("create_connection returned")
                self.run(sc.get("after_connect"), p)
            except Exception as e:
                self.emit("create_connection raised " + excname(e))
        elif kind == "program":
            self.control("READY")
            self.base = loop.time()
            try:
                await self.arun(sc["program"])
            except (Exception, asyncio.CancelledError) as e:
                self.emit("PROGRAM " + raised(e))
            self.control("DONE")
        else:
            raise SystemExit("unknown kind " + kind)
        await self.stop.wait()
        with self.lock:
            self.on = False
        for s in self.servers:
            s.close()
        for t in self.transports:
            try:
                t.close() if isinstance(t, asyncio.SubprocessTransport) else t.abort()
            except Exception:
                pass
        await asyncio.sleep(0.005)


WAITS = {"sleep", "wait", "until", "await", "call", "executor", "create_server", "create_unix_server", "start_serving", "serve_forever",
         "wait_closed", "create_connection", "create_datagram_endpoint", "connect_accepted_socket", "start_tls", "connect_read_pipe",
         "connect_write_pipe", "os_read_all", "subprocess", "start_server", "open_connection", "read", "readexactly", "readline",
         "readuntil", "drain", "stream_wait_closed", "try", "try_type", "with"}


def sockopt(s, what):
    level, name = {"nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY), "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                   "reuseaddr": (socket.SOL_SOCKET, socket.SO_REUSEADDR), "reuseport": (socket.SOL_SOCKET, socket.SO_REUSEPORT)}[what]
    return int(bool(s.getsockopt(level, name)))


def server_context(params):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(params["cert"], params["key"])
    return c


def client_context(verify):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    return c


# ---------------------------------------------------------------- protocols
class Borrow:
    def __init__(self, p):
        self.p = p

    def __enter__(self):
        self.p.depth += 1

    def __exit__(self, *exc):
        self.p.depth -= 1
        while self.p.deferred and self.p.depth == 0:
            call, name = self.p.deferred.pop(0)
            try:
                with self:
                    call()
            except Exception as e:
                self.p.rt.loop.call_exception_handler({"message": "protocol.%s() failed" % name, "exception": e})


class Base:
    def setup(self, rt, spec, name):
        self.rt, self.spec, self.on, self.name = rt, spec, spec.get("on", {}), name
        self.t = self.other = self.addr = None
        self.once, self.depth, self.deferred = set(), 0, []

    def borrow(self):
        return Borrow(self)

    def say(self, s):
        self.rt.emit(s if self.name == "A" else self.name + ":" + s)

    def event(self, key, *keys):
        m = self.on.get(key)
        if isinstance(m, dict):
            m = m[keys[0]] if keys[0] in m else m.get("*")
        self.rt.run(m, self)

    def connection_made(self, t):
        with self.borrow():
            self.t = t
            self.rt.transports.append(t)
            self.say("made")
            self.event("made")

    def connection_lost(self, exc):
        with self.borrow():
            more = isinstance(exc, (RuntimeError, ValueError)) and not isinstance(exc, ssl.SSLError) or self.spec.get("lost_msg")
            self.say("lost " + excname(exc) + (" " + str(exc) if exc is not None and more else ""))
            self.event("lost")

    def _deferrable(self, call, name):
        if self.rt.defer and self.depth:
            self.deferred.append((call, name))
        else:
            with self.borrow():
                call()

    def pause_writing(self):
        self._deferrable(self._pause, "pause_writing")

    def resume_writing(self):
        self._deferrable(self._resume, "resume_writing")

    def _pause(self):
        self.say("pause_writing")
        self.event("pause")

    def _resume(self):
        self.say("resume_writing")
        self.event("resume")

    def payload(self, d, key):
        if self.spec.get("echo"):
            self.t.write(d)
        self.event(key, bytes(d).decode("latin1"))

    def eof_received(self):
        with self.borrow():
            self.say("eof")
            self.event("eof")
            return self.on.get("eof_return")


class Stream(Base, asyncio.Protocol):
    def data_received(self, d):
        with self.borrow():
            self.say("data " + show(d))
            self.payload(d, "data")


class Buffered(Base, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        with self.borrow():
            if self.spec.get("log_get_buffer"):
                self.say("get_buffer %s" % ("-1" if hint == -1 else ">0"))
            self.event("get_buffer")
            self.buf = bytearray(self.spec.get("bufsize", 65536))
            return memoryview(self.buf)

    def buffer_updated(self, n):
        with self.borrow():
            d = self.buf[:n]
            self.say("updated " + show(d))
            self.payload(d, "data")


class Datagram(Base, asyncio.DatagramProtocol):
    def datagram_received(self, d, addr):
        with self.borrow():
            self.addr = addr
            self.say("dgram " + show(d))
            self.payload(d, "dgram")

    def error_received(self, exc):
        with self.borrow():
            self.say("error_received " + excname(exc))
            self.event("error")


class Process(Base, asyncio.SubprocessProtocol):
    def pipe_data_received(self, fd, d):
        self.say("pipe_data %d %s" % (fd, show(d)))
        self.event("pipe_data", str(fd))

    def pipe_connection_lost(self, fd, exc):
        self.say("pipe_lost %d %s" % (fd, excname(exc)))
        self.event("pipe_lost", str(fd))

    def process_exited(self):
        self.say("process_exited rc=%s" % self.t.get_returncode())
        self.event("exited")


class Streams(Base):
    def setup(self, rt, r, w):
        super().setup(rt, {}, "A")
        self.r, self.w, self.t = r, w, w.transport
        rt.transports.append(self.t)


KINDS = {"stream": Stream, "buffered": Buffered, "dgram": Datagram, "process": Process}


class LogLines(logging.Handler):
    def __init__(self, rt):
        super().__init__()
        self.rt = rt

    def emit(self, r):
        if r.levelno >= logging.WARNING and not r.getMessage().startswith("Executing "):
            self.rt.emit("LOG %s %s" % (r.levelname, r.getMessage().split("\n")[0][:110]))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    ap.add_argument("--defer", choices=["callbacks", "all"])
    o = ap.parse_args()
    if o.loop == "uvloop":
        import uvloop
        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    message = json.loads(sys.stdin.readline())

    async def run():
        rt = Runtime(message["scenario"], message["params"], loop, o.defer)
        log = logging.getLogger("asyncio")
        log.addHandler(LogLines(rt))
        log.propagate = False

        def listen():
            for line in sys.stdin:
                if line.startswith("GO "):
                    loop.call_soon_threadsafe(rt.go, line[3:].strip())
            loop.call_soon_threadsafe(rt.stop.set)
        threading.Thread(target=listen, daemon=True).start()
        await rt.main()
    loop.run_until_complete(run())
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
