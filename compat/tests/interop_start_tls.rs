//! Connections that are upgraded to TLS on the way, with Python at the other end.

#![cfg(all(unix, feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod interop;
mod stage;
mod tls;
#[path = "interop/trusted.rs"]
mod trusted;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::testing::Trace;
use foster_compat::{
    Nursery, Protocol, Result, Server, SslContext, SslError, StreamReader, StreamWriter, TransportRef,
    create_connection, create_server, open_connection, start_server, start_tls,
};
use interop::{Peer, program};
use stage::{Reports, Scripted, address, real, until};
use tls::Authority;
use trusted::Trusted;

/// As much of SMTP as it takes to be upgraded.
struct Smtp {
    transport: TransportRef,
    context: SslContext,
    received: Vec<u8>,
    is_secure: bool,
}

impl Smtp {
    fn new(context: &SslContext) -> Self {
        Smtp { transport: TransportRef::default(), context: context.clone(), received: Vec::new(), is_secure: false }
    }

    fn answer(&mut self, line: &str) -> Result<()> {
        match line.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" if self.is_secure => self.transport.write(b"250-at your service\r\n250 8BITMIME\r\n"),
            "EHLO" => self.transport.write(b"250-at your service\r\n250 STARTTLS\r\n"),
            "STARTTLS" if self.is_secure => self.transport.write(b"503 once is enough\r\n"),
            "STARTTLS" => {
                self.transport.write(b"220 go ahead\r\n")?;
                let upgrade = start_tls(&self.transport, &self.context)
                    .server_side(true)
                    .call_connection_made(true)
                    .leftover(std::mem::take(&mut self.received));
                self.transport.start_soon(async move {
                    // Who fails has been told, and is gone.
                    let _ = upgrade.await;
                });
                Ok(())
            }
            "QUIT" => {
                self.transport.write(b"221 goodbye\r\n")?;
                self.transport.close();
                Ok(())
            }
            _ => self.transport.write(b"250 well\r\n"),
        }
    }
}

impl Protocol for Smtp {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.is_secure = transport.ssl_object().is_some();
        self.transport = transport;
        // Only in plain text the server speaks first.
        if self.is_secure { Ok(()) } else { self.transport.write(b"220 localhost\r\n") }
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.received.extend_from_slice(data);
        while let Some(end) = self.received.windows(2).position(|window| window == b"\r\n") {
            let line: Vec<u8> = self.received.drain(..end + 2).collect();
            self.answer(&String::from_utf8_lossy(&line[..end]))?;
        }
        Ok(())
    }
}

async fn smtp_server(nursery: &Nursery, context: &SslContext, trace: &Trace) -> Result<Server> {
    let (context, trace) = (context.clone(), trace.clone());
    create_server(nursery, move || trace.wrap(Smtp::new(&context)), "127.0.0.1", 0).await
}

#[test]
fn smtplib_upgrades_its_connection() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let trace = Trace::new();
        let reports = Reports::of(&nursery);
        let server = smtp_server(&nursery, &trusted.authority.server().build()?, &trace).await?;
        let script = r#"
import smtplib
for _ in range(3):
    with smtplib.SMTP("localhost", int(sys.argv[1]), timeout=40) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        code, text = client.starttls(context=trusting(sys.argv[2]))
        assert code == 220, text
        assert isinstance(client.sock, ssl.SSLSocket)
        client.ehlo()
        assert not client.has_extn("starttls") and client.has_extn("8bitmime")
        assert client.docmd("STARTTLS")[0] == 503
        assert client.noop() == (250, b"well")
"#;
        Peer::python(&python, script, &[&address(&server).port().to_string(), &trusted.ca]).succeeds().await;
        until(|| server.n_connections() == 0).await;
        // Python's client does not wait for close_notify, so the end may be a reset.
        assert_eq!((trace.count("made"), trace.count("lost")), (6, 3), "once in plain, and once more");
        assert_eq!(reports.take(), [] as [&str; 0]);
        server.close();
        Ok(())
    });
}

#[test]
fn smtplib_that_does_not_trust_the_server_goes_and_others_are_served() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let trace = Trace::new();
        let reports = Reports::of(&nursery);
        let server = smtp_server(&nursery, &trusted.authority.server().build()?, &trace).await?;
        let stranger = trusted.folder.write("stranger.pem", &Authority::new().pem());
        let script = r#"
import smtplib
client = smtplib.SMTP("localhost", int(sys.argv[1]), timeout=40)
try:
    client.starttls(context=trusting(sys.argv[3]))
except ssl.SSLCertVerificationError:
    client.close()
else:
    raise AssertionError("it was trusted")
with smtplib.SMTP("localhost", int(sys.argv[1]), timeout=40) as client:
    client.starttls(context=trusting(sys.argv[2]))
    assert client.noop() == (250, b"well")
"#;
        Peer::python(&python, script, &[&address(&server).port().to_string(), &trusted.ca, &stranger]).succeeds().await;
        until(|| server.n_connections() == 0).await;
        assert_eq!((trace.count("made"), trace.count("lost")), (3, 2));
        assert_eq!(reports.take(), [] as [&str; 0]);
        server.close();
        Ok(())
    });
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_is_upgraded_all_the_same() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let trace = Trace::new();
        let server = smtp_server(&nursery, &trusted.authority.server().build()?, &trace).await?;
        // What TLS sends first is in the segment of the command, whole or cut.
        let script = r#"
for cut in None, 1, 5, 100:
    sock = connect(sys.argv[1])
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    greeting = read_exactly(sock, len("220 localhost\r\n"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(sys.argv[2]).wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
    sock.sendall(b"STARTTLS\r\n" + hello[:cut])
    assert read_exactly(sock, len("220 go ahead\r\n")) == b"220 go ahead\r\n"
    if cut:
        sock.sendall(hello[cut:])

    def pump(call, *args):
        while True:
            try:
                result = call(*args)
                if outgoing.pending:
                    sock.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    sock.sendall(outgoing.read())
                incoming.write(sock.recv(1 << 16))

    pump(tls.do_handshake)
    pump(tls.write, b"NOOP\r\n")
    assert pump(tls.read, 100) == b"250 well\r\n"
    sock.close()
"#;
        Peer::python(&python, script, &[&address(&server).port().to_string(), &trusted.ca]).succeeds().await;
        until(|| server.n_connections() == 0).await;
        assert_eq!(trace.count("made"), 8);
        server.close();
        Ok(())
    });
}

#[test]
fn plain_commands_smuggled_in_before_the_handshake_are_never_answered() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let trace = Trace::new();
        let reports = Reports::of(&nursery);
        let server = smtp_server(&nursery, &trusted.authority.server().build()?, &trace).await?;
        // The vulnerability of many mail servers, CVE-2011-0411: such a command is not to be taken for a secret one.
        let script = r#"
sock = connect(sys.argv[1])
sock.sendall(b"STARTTLS\r\nRSET\r\nNOOP\r\n")
try:
    said = read_to_end(sock)
except ConnectionResetError:
    said = None
assert said is None or said.startswith(b"220 localhost\r\n220 go ahead\r\n") and b"250" not in said, said
with_wrap = connect(sys.argv[1])
assert with_wrap.recv(100) == b"220 localhost\r\n"
with_wrap.sendall(b"STARTTLS\r\n")
assert with_wrap.recv(100) == b"220 go ahead\r\n"
tls = trusting(sys.argv[2]).wrap_socket(with_wrap, server_hostname="localhost")
tls.sendall(b"NOOP\r\n")
assert tls.recv(100) == b"250 well\r\n"
tls.unwrap().close()
"#;
        Peer::python(&python, script, &[&address(&server).port().to_string(), &trusted.ca]).succeeds().await;
        until(|| server.n_connections() == 0).await;
        assert_eq!(trace.count("lost"), 2);
        assert_eq!(trace.count("data 'NOOP\\r\\n'"), 1, "{:?}", trace.lines());
        assert_eq!(reports.take(), [] as [&str; 0], "it is an error of the peer's");
        server.close();
        Ok(())
    });
}

// ---- Foster's client

#[test]
fn a_foster_client_upgrades_to_a_python_server() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (cert, key) = trusted.identity("localhost");
        let script = r#"
context = serving(sys.argv[1], sys.argv[2])
listener = listen()
for _ in range(2):
    sock = listener.accept()[0]
    sock.sendall(b"220 localhost\r\n")
    assert read_exactly(sock, 10) == b"STARTTLS\r\n"
    sock.sendall(b"220 go ahead\r\n")
    try:
        tls = context.wrap_socket(sock, server_side=True)
    except ssl.SSLError as err:
        say("refused", err.reason)
        continue
    data = read_exactly(tls, 1_000_000)
    tls.sendall(data)
    tls.unwrap().close()
    say("upgraded")
"#;
        let server = Peer::python(&python, script, &[&cert, &key]);
        let port = server.port("listening ").await;
        // One does not trust the server.
        for context in [Authority::new().client().build()?, trusted.authority.client().build()?] {
            let trace = Trace::new();
            let received = Rc::new(RefCell::new(Vec::new()));
            let (inner, seen) = (trace.clone(), received.clone());
            let factory = move || {
                inner.wrap(Scripted::new().on_data(move |_, data| {
                    seen.borrow_mut().extend_from_slice(data);
                    Ok(())
                }))
            };
            let (plain, _) = create_connection(&nursery, factory, "127.0.0.1", port).await?;
            until(|| received.borrow().ends_with(b"\r\n")).await;
            plain.write(b"STARTTLS\r\n")?;
            until(|| received.borrow().ends_with(b"go ahead\r\n")).await;
            received.borrow_mut().clear();
            let upgraded = start_tls(&plain, &context).server_hostname("localhost").await;
            let Ok(transport) = upgraded else {
                let err = upgraded.expect_err("just looked at");
                assert!(err.downcast_ref::<SslError>().is_some_and(SslError::is_certificate_verification), "{err}");
                until(|| trace.count("lost") == 1).await;
                assert!(trace.lines().last().is_some_and(|line| *line == format!("lost {err}")), "{:?}", trace.lines());
                continue;
            };
            let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
            transport.write(&data)?;
            assert!(transport.closed().await.is_none());
            assert!(*received.borrow() == data);
            assert_eq!(trace.count("lost None"), 1);
        }
        let said = server.succeeds().await.stdout;
        assert!(said.contains("refused ") && said.contains("upgraded"), "{said}");
        Ok(())
    });
}

// ---- streams

#[test]
fn streams_are_upgraded_on_either_side_of_asyncios() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (cert, key) = trusted.identity("localhost");
        // Python's server and Foster's client.
        let script = r#"
import asyncio

async def serve(reader, writer):
    assert await reader.readline() == b"STARTTLS\n"
    writer.write(b"go ahead\n")
    await writer.drain()
    await writer.start_tls(serving(sys.argv[1], sys.argv[2]))
    writer.write((await reader.readline()).upper())
    await writer.drain()
    assert await reader.read() == b""
    writer.close()
    say("served")

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    say("listening", server.sockets[0].getsockname()[1])
    await server.serve_forever()

asyncio.run(main())
"#;
        let server = Peer::python(&python, script, &[&cert, &key]);
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", server.port("listening ").await).await?;
        writer.write(b"STARTTLS\n")?;
        assert_eq!(reader.readline().await?, b"go ahead\n");
        writer.start_tls(&trusted.authority.client().build()?).server_hostname("localhost").await?;
        writer.write(b"secret\n")?;
        assert_eq!(reader.readline().await?, b"SECRET\n");
        writer.close();
        writer.wait_closed().await?;
        server.says("served").await;
        // Foster's server and Python's client.
        let context = trusted.authority.server().build()?;
        let n_served = Rc::new(Cell::new(0));
        let counter = n_served.clone();
        let serve = move |reader: StreamReader, writer: StreamWriter| {
            let (context, counter) = (context.clone(), counter.clone());
            async move {
                assert_eq!(reader.readline().await?, b"STARTTLS\n");
                writer.write(b"go ahead\n")?;
                writer.start_tls(&context).await?;
                writer.write(reader.readline().await?.to_ascii_uppercase())?;
                writer.drain().await?;
                assert_eq!(reader.read_to_end().await?, b"");
                counter.set(counter.get() + 1);
                foster_compat::Ok(())
            }
        };
        let server = start_server(&nursery, serve, "127.0.0.1", 0).await?;
        let script = r#"
import asyncio

async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    writer.write(b"STARTTLS\n")
    assert await reader.readline() == b"go ahead\n"
    await writer.start_tls(trusting(sys.argv[2]), server_hostname="localhost")
    writer.write(b"secret\n")
    assert await reader.readline() == b"SECRET\n"
    writer.close()
    await writer.wait_closed()

asyncio.run(main())
"#;
        Peer::python(&python, script, &[&address(&server).port().to_string(), &trusted.ca]).succeeds().await;
        until(|| n_served.get() == 1 && server.n_connections() == 0).await;
        server.close();
        Ok(())
    });
}
