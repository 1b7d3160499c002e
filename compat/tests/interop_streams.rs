//! Plain stream sockets with others at the other end: netcat, Python's `socket`, `socketserver` and `asyncio`.

#![cfg(all(unix, feature = "testing"))]

mod interop;
mod stage;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use foster_compat::testing::Trace;
use foster_compat::{
    Address, Nursery, Result, Server, StreamReader, StreamWriter, TransportRef, create_connection, create_server,
    create_unix_connection, create_unix_server, open_connection, open_unix_connection, start_server,
};
use interop::{Folder, Peer, program};
use stage::{Reports, Scripted, address, real, until};

/// A server that sends back what it gets, and its port.
async fn echo_server(nursery: &Nursery, trace: &Trace) -> Result<(Server, String)> {
    let trace = trace.clone();
    let server = create_server(nursery, move || trace.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
    let port = address(&server).port().to_string();
    Ok((server, port))
}

async fn all_gone(server: &Server) {
    until(|| server.n_connections() == 0).await;
    server.close();
}

/// Keeps what it gets; the other end of its connection sees nothing of its own.
#[derive(Clone, Default)]
struct Kept {
    trace: Trace,
    received: Rc<RefCell<Vec<u8>>>,
}

impl Kept {
    fn protocol(&self) -> foster_compat::testing::Traced<Scripted> {
        let seen = self.received.clone();
        self.trace.wrap(Scripted::new().on_data(move |_, data| {
            seen.borrow_mut().extend_from_slice(data);
            Ok(())
        }))
    }

    async fn gets(&self, data: &[u8]) {
        until(|| self.received.borrow().len() >= data.len()).await;
        assert!(*self.received.borrow() == data, "{} bytes", self.received.borrow().len());
    }
}

async fn connect(nursery: &Nursery, port: u16) -> Result<(TransportRef, Kept)> {
    let kept = Kept::default();
    let (transport, _) = create_connection(nursery, || kept.protocol(), "localhost", port).await?;
    Ok((transport, kept))
}

/// Bytes in a pattern that shows a gap: the same as the scripts' `pattern`.
fn pattern(n: usize) -> Vec<u8> {
    let mut pattern: Vec<u8> = (0..251).collect::<Vec<u8>>().repeat(n / 251 + 1);
    pattern.truncate(n);
    pattern
}

// ---- netcat

#[test]
fn netcat_is_answered_and_leaves_by_closing_its_side() {
    let Some(nc) = program("nc") else { return };
    real(async |nursery| {
        let trace = Trace::new();
        let (server, port) = echo_server(&nursery, &trace).await?;
        let mut client = Peer::start(&nc, &[&"-N", &"127.0.0.1", &port]);
        client.send("hello\n").await;
        client.says("hello\n").await;
        client.close_stdin();
        assert_eq!(client.succeeds().await.stdout, "hello\n");
        all_gone(&server).await;
        assert_eq!(trace.lines(), ["made", "data 'hello\\n'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn netcat_that_is_killed_harms_nobody() {
    let Some(nc) = program("nc") else { return };
    real(async |nursery| {
        let trace = Trace::new();
        let (server, port) = echo_server(&nursery, &trace).await?;
        let mut killed = Peer::start(&nc, &[&"127.0.0.1", &port]);
        killed.send("hello\n").await;
        killed.says("hello\n").await;
        let mut other = Peer::start(&nc, &[&"-N", &"127.0.0.1", &port]);
        killed.kill();
        until(|| trace.count("lost") == 1).await;
        other.send("still there?\n").await;
        other.close_stdin();
        assert_eq!(other.succeeds().await.stdout, "still there?\n");
        all_gone(&server).await;
        Ok(())
    });
}

#[test]
fn a_foster_client_talks_to_netcat() {
    let Some(nc) = program("nc") else { return };
    real(async |nursery| {
        let mut server = Peer::start(&nc, &[&"-n", &"-v", &"-l", &"127.0.0.1", &"0"]);
        let port = server.port("Listening on 127.0.0.1 ").await;
        let (transport, kept) = connect(&nursery, port).await?;
        transport.write(b"from foster\n")?;
        server.says("from foster\n").await;
        server.send("from netcat\n").await;
        kept.gets(b"from netcat\n").await;
        transport.close();
        assert!(transport.closed().await.is_none());
        server.close_stdin();
        assert_eq!(server.succeeds().await.stdout, "from foster\n");
        Ok(())
    });
}

#[test]
fn netcat_talks_over_unix_sockets_on_either_side() {
    let Some(nc) = program("nc") else { return };
    real(async |nursery| {
        let folder = Folder::new();
        let path = folder.path("server");
        let trace = Trace::new();
        let inner = trace.clone();
        let server = create_unix_server(&nursery, move || inner.wrap(Scripted::echo()), &path).await?;
        let mut client = Peer::start(&nc, &[&"-N", &"-U", &path]);
        client.send("hello\n").await;
        client.close_stdin();
        assert_eq!(client.succeeds().await.stdout, "hello\n");
        all_gone(&server).await;
        assert_eq!(trace.lines(), ["made", "data 'hello\\n'", "eof", "lost None"]);
        let path = folder.path("netcat");
        let server = Peer::start(&nc, &[&"-v", &"-l", &"-U", &path]);
        server.says("Listening on").await;
        let kept = Kept::default();
        let (transport, _) = create_unix_connection(&nursery, || kept.protocol(), &path).await?;
        assert_eq!(transport.peername(), Some(Address::Unix(path.to_string_lossy().into_owned())));
        transport.write(b"from foster\n")?;
        server.says("from foster\n").await;
        transport.close();
        assert!(transport.closed().await.is_none());
        Ok(())
    });
}

// ---- Python's sockets

#[test]
fn each_way_that_a_python_client_ends_is_one_end() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trace = Trace::new();
        let reports = Reports::of(&nursery);
        let (server, port) = echo_server(&nursery, &trace).await?;
        let script = r#"
def client():
    sock = connect(sys.argv[1])
    sock.sendall(b"hello")
    assert read_exactly(sock, 5) == b"hello"
    return sock

client().close()

sock = client()
sock.shutdown(socket.SHUT_WR)
assert sock.recv(1) == b""

# Bytes out of band are not among the others.
sock = client()
sock.send(b"!", socket.MSG_OOB)
sock.sendall(b"world")
assert read_exactly(sock, 5) == b"world"
sock.close()

sock = client()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.close()
"#;
        Peer::python(&python, script, &[&port]).succeeds().await;
        all_gone(&server).await;
        let end = |n: usize| trace.lines_of(n).split_off(1);
        assert_eq!(end(0), ["data 'hello'", "eof", "lost None"]);
        assert_eq!(end(1), ["data 'hello'", "eof", "lost None"]);
        assert_eq!(end(2), ["data 'hello'", "data 'world'", "eof", "lost None"]);
        assert_eq!(end(3)[0], "data 'hello'");
        assert!(end(3).len() == 2 && end(3)[1] == "lost ConnectionReset", "{:?}", end(3));
        assert_eq!(reports.take(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn either_side_may_end_its_writing_first_and_read_on() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let answer_at_end = || {
            Scripted::new().on_eof(|transport| {
                transport.write(&pattern(3_000_000))?;
                Ok(false)
            })
        };
        let server = create_server(&nursery, answer_at_end, "127.0.0.1", 0).await?;
        let script = r#"
sock = connect(sys.argv[1])
sock.sendall(b"a question")
sock.shutdown(socket.SHUT_WR)
assert read_to_end(sock) == pattern(3_000_000)
sock.close()
# Now the other way round.
listener = listen()
sock = listener.accept()[0]
assert read_to_end(sock) == b"a question"
sock.sendall(pattern(3_000_000))
sock.close()
"#;
        let peer = Peer::python(&python, script, &[&address(&server).port().to_string()]);
        let port = peer.port("listening ").await;
        all_gone(&server).await;
        let (transport, kept) = connect(&nursery, port).await?;
        transport.write(b"a question")?;
        transport.write_eof()?;
        assert!(transport.closed().await.is_none());
        kept.gets(&pattern(3_000_000)).await;
        assert_eq!(kept.trace.lines()[kept.trace.lines().len() - 2..], ["eof", "lost None"]);
        peer.succeeds().await;
        Ok(())
    });
}

#[test]
fn a_python_client_that_reads_late_gets_everything_and_pauses_the_protocol() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            inner.wrap(Scripted::new().on_made(|transport| {
                transport.write(&pattern(20_000_000))?;
                transport.close();
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).await?;
        let script = r#"
sock = connect(sys.argv[1])
say("connected")
sys.stdin.readline()
assert read_to_end(sock) == pattern(20_000_000)
"#;
        let mut client = Peer::python(&python, script, &[&address(&server).port().to_string()]);
        client.says("connected").await;
        until(|| trace.count("pause_writing") == 1).await;
        client.send("now\n").await;
        client.succeeds().await;
        all_gone(&server).await;
        assert_eq!((trace.count("pause_writing"), trace.count("lost None")), (1, 1));
        Ok(())
    });
}

#[test]
fn a_foster_client_talks_to_socketserver() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let script = r#"
import socketserver

class Shout(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

unix = UnixServer(sys.argv[1], Shout)
threading.Thread(target=unix.serve_forever, daemon=True).start()
# A name of Linux's without a file.
abstract = UnixServer("\0" + sys.argv[1], Shout)
threading.Thread(target=abstract.serve_forever, daemon=True).start()
server = Server(("127.0.0.1", 0), Shout)
say("listening", server.server_address[1])
server.serve_forever()
"#;
        let folder = Folder::new();
        let path = folder.path("socket");
        let server = Peer::python(&python, script, &[&path]);
        let port = server.port("listening ").await;
        let shout = async |transport: &TransportRef, kept: &Kept| -> Result<()> {
            transport.write(b"hello\n")?;
            kept.gets(b"HELLO\n").await;
            transport.writelines(&[b"one ", b"line\n"])?;
            kept.gets(b"HELLO\nONE LINE\n").await;
            transport.write_eof()?;
            assert!(transport.closed().await.is_none());
            Ok(())
        };
        // The name stands for ::1 as well, where nobody listens.
        let (transport, kept) = connect(&nursery, port).await?;
        assert_eq!(transport.peername().and_then(|peer| peer.port()), Some(port));
        shout(&transport, &kept).await?;
        let path = path.to_string_lossy().into_owned();
        let names = if cfg!(target_os = "linux") { vec![path.clone(), format!("\0{path}")] } else { vec![path] };
        for name in names {
            let kept = Kept::default();
            let (transport, _) = create_unix_connection(&nursery, || kept.protocol(), &name).await?;
            assert_eq!(transport.peername(), Some(Address::Unix(name)));
            shout(&transport, &kept).await?;
        }
        Ok(())
    });
}

#[test]
fn a_foster_client_learns_of_a_reset_and_of_nobody_there() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let script = r#"
listener = listen()
sock = listener.accept()[0]
assert sock.recv(5) == b"hello"
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.close()
listener.close()
say("closed")
"#;
        let server = Peer::python(&python, script, &[]);
        let port = server.port("listening ").await;
        let (transport, kept) = connect(&nursery, port).await?;
        transport.write(b"hello")?;
        let exc = transport.closed().await.expect("it was reset");
        assert_eq!(exc.downcast_ref().map(std::io::Error::kind), Some(ErrorKind::ConnectionReset));
        assert_eq!(kept.trace.lines().len(), 2, "{:?}", kept.trace.lines());
        server.succeeds().await;
        let err = connect(&nursery, port).await.map(|_| ()).expect_err("nobody listens any more");
        assert_eq!(err.downcast_ref().map(std::io::Error::kind), Some(ErrorKind::ConnectionRefused), "{err}");
        Ok(())
    });
}

// ---- Python's asyncio

#[test]
fn asyncio_clients_are_served_all_at_once_over_tcp_and_unix() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let folder = Folder::new();
        let path = folder.path("socket");
        let trace = Trace::new();
        let (server, port) = echo_server(&nursery, &trace).await?;
        let inner = trace.clone();
        let unix = create_unix_server(&nursery, move || inner.wrap(Scripted::echo()), &path).await?;
        let script = r#"
import asyncio

async def client(n):
    if n % 2:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    else:
        reader, writer = await asyncio.open_unix_connection(sys.argv[2])
    for size in (1, 100, 20_000, 300_000):
        data = bytes([n]) * size
        writer.write(data)
        await writer.drain()
        assert await reader.readexactly(size) == data
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()

async def main():
    await asyncio.wait_for(asyncio.gather(*map(client, range(40))), 40)

asyncio.run(main())
"#;
        Peer::python(&python, script, &[&port, &path]).succeeds().await;
        all_gone(&server).await;
        all_gone(&unix).await;
        assert_eq!((trace.count("made"), trace.count("eof"), trace.count("lost None")), (40, 40, 40));
        Ok(())
    });
}

#[test]
fn streams_of_foster_and_of_asyncio_understand_each_other() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let folder = Folder::new();
        let path = folder.path("socket");
        // The same dialogue is had by each pair of the two.
        let script = r#"
import asyncio

async def ask(reader, writer):
    writer.writelines([b"one", b" line\n", b"until;", pattern(200_000)])
    await writer.drain()
    assert await reader.readline() == b"ONE LINE\n"
    assert await reader.readuntil(b";") == b"UNTIL;"
    assert await reader.readexactly(200_000) == pattern(200_000)
    writer.write_eof()
    try:
        await reader.readexactly(100)
    except asyncio.IncompleteReadError as err:
        assert err.partial == b"the end" and reader.at_eof()
    writer.close()
    await writer.wait_closed()

async def answer(reader, writer):
    writer.write((await reader.readline()).upper())
    writer.write((await reader.readuntil(b";")).upper())
    writer.write(await reader.readexactly(200_000))
    await writer.drain()
    assert await reader.read() == b""
    writer.write(b"the end")
    writer.close()
    await writer.wait_closed()
    say("answered")

async def main():
    await ask(*await asyncio.open_connection("127.0.0.1", int(sys.argv[1])))
    await asyncio.start_unix_server(answer, sys.argv[2])
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    say("listening", server.sockets[0].getsockname()[1])
    await server.serve_forever()

asyncio.run(main())
"#;
        let answer = async |reader: StreamReader, writer: StreamWriter| -> Result<()> {
            writer.write(reader.readline().await?.to_ascii_uppercase())?;
            writer.write(reader.readuntil(b";").await?.to_ascii_uppercase())?;
            writer.write(reader.readexactly(200_000).await?)?;
            writer.drain().await?;
            assert_eq!(reader.read_to_end().await?, b"");
            writer.write(b"the end")?;
            writer.close();
            writer.wait_closed().await
        };
        let server = start_server(&nursery, answer, "127.0.0.1", 0).await?;
        let python = Peer::python(&python, script, &[&address(&server).port().to_string(), &path]);
        let port = python.port("listening ").await;
        all_gone(&server).await;
        let ask = async |reader: StreamReader, writer: StreamWriter| -> Result<()> {
            writer.writelines(&[b"one", b" line\n", b"until;", &pattern(200_000)])?;
            writer.drain().await?;
            assert_eq!(reader.readline().await?, b"ONE LINE\n");
            assert_eq!(reader.readuntil(b";").await?, b"UNTIL;");
            assert!(reader.readexactly(200_000).await? == pattern(200_000));
            writer.write_eof()?;
            let err = reader.readexactly(100).await.expect_err("there is not so much");
            let err = err.downcast_ref::<foster_compat::IncompleteReadError>().expect("asyncio's error");
            assert!(err.partial == b"the end" && reader.at_eof());
            writer.close();
            writer.wait_closed().await
        };
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", port).await?;
        ask(reader, writer).await?;
        let (reader, writer) = open_unix_connection(&nursery, &path).await?;
        ask(reader, writer).await?;
        python.says_times(2, "answered").await;
        Ok(())
    });
}
