//! Foster's TLS client, and servers of others: OpenSSL's `s_server`, Python's `ssl` and `asyncio`.

#![cfg(all(unix, feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod interop;
mod stage;
mod tls;
#[path = "interop/trusted.rs"]
mod trusted;

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use foster_compat::testing::Trace;
use foster_compat::{Error, Nursery, Result, SslContext, SslError, TlsVersion, TransportRef, create_connection};
use interop::{Peer, program};
use stage::{Reports, Scripted, real, until};
use tls::Authority;
use trusted::Trusted;

/// A client that keeps what it gets.
struct Client {
    transport: TransportRef,
    trace: Trace,
    received: Rc<RefCell<Vec<u8>>>,
}

impl Client {
    async fn connect(nursery: &Nursery, port: u16, context: &SslContext) -> Result<Self> {
        let (trace, received) = (Trace::new(), Rc::new(RefCell::new(Vec::new())));
        let (inner, seen) = (trace.clone(), received.clone());
        let factory = move || {
            inner.wrap(Scripted::new().on_data(move |_, data| {
                seen.borrow_mut().extend_from_slice(data);
                Ok(())
            }))
        };
        let (transport, _) = create_connection(nursery, factory, "localhost", port).ssl(context).await?;
        Ok(Client { transport, trace, received })
    }

    async fn gets(&self, data: &[u8]) {
        until(|| self.received.borrow().len() >= data.len()).await;
        assert!(*self.received.borrow() == data, "{:?}", String::from_utf8_lossy(&self.received.borrow()));
    }

    async fn closes(&self) {
        self.transport.close();
        let exc = self.transport.closed().await;
        assert!(exc.is_none(), "{exc:?}");
    }
}

/// Bytes in a pattern that shows a gap: the same as the scripts' `pattern`.
fn pattern(n: usize) -> Vec<u8> {
    let mut pattern: Vec<u8> = (0..251).collect::<Vec<u8>>().repeat(n / 251 + 1);
    pattern.truncate(n);
    pattern
}

/// `s_server` with a certificate for `localhost`, and where it listens.
async fn s_server(openssl: &Path, trusted: &Trusted, more: &[&str]) -> (Peer, u16) {
    let (cert, key) = trusted.identity("localhost");
    let mut args: Vec<&dyn AsRef<OsStr>> =
        vec![&"s_server", &"-accept", &"127.0.0.1:0", &"-cert", &cert, &"-key", &key, &"-CAfile", &trusted.ca];
    args.extend(more.iter().map(|arg| arg as &dyn AsRef<OsStr>));
    let server = Peer::start(openssl, &args);
    let port = server.port("ACCEPT 127.0.0.1:").await;
    (server, port)
}

/// A script that serves, with a certificate for `localhost` in its first arguments.
async fn python_server(python: &Path, trusted: &Trusted, script: &str, more: &[&dyn AsRef<OsStr>]) -> (Peer, u16) {
    let (cert, key) = trusted.identity("localhost");
    let args: [&dyn AsRef<OsStr>; 3] = [&cert, &key, &trusted.ca];
    let server = Peer::python(python, script, &[&args[..], more].concat());
    let port = server.port("listening ").await;
    (server, port)
}

// ---- OpenSSL

#[test]
fn s_server_sends_lines_back_reversed_over_either_version() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let context = trusted.authority.client().set_alpn_protocols(["h2", "http/1.1"]).build()?;
        for (option, version) in [("-tls1_2", TlsVersion::TlsV1_2), ("-tls1_3", TlsVersion::TlsV1_3)] {
            let options = [option, "-rev", "-naccept", "1", "-alpn", "http/1.1"];
            let (server, port) = s_server(&openssl, &trusted, &options).await;
            let client = Client::connect(&nursery, port, &context).await?;
            let object = client.transport.ssl_object().expect("the handshake is done");
            assert_eq!((object.version(), object.selected_alpn_protocol()), (Some(version), Some("http/1.1")));
            client.transport.write(b"hello\n")?;
            client.gets(b"olleh\n").await;
            client.transport.write(b"stressed\n")?;
            client.gets(b"olleh\ndesserts\n").await;
            client.closes().await;
            server.succeeds().await;
            assert_eq!(client.trace.lines()[client.trace.lines().len() - 2..], ["eof", "lost None"]);
        }
        Ok(())
    });
}

#[test]
fn s_server_answers_over_http_and_closes() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (_server, port) = s_server(&openssl, &trusted, &["-www"]).await;
        let context = trusted.authority.client().build()?;
        for _ in 0..3 {
            let client = Client::connect(&nursery, port, &context).await?;
            client.transport.write(b"GET / HTTP/1.0\r\n\r\n")?;
            assert!(client.transport.closed().await.is_none());
            let page = String::from_utf8_lossy(&client.received.borrow()).into_owned();
            let cipher = client.transport.cipher().expect("the handshake is done");
            assert!(page.starts_with("HTTP/1.0 200 ok\r\n") && page.contains(cipher.name()), "{page}");
            assert_eq!(client.trace.lines()[client.trace.lines().len() - 2..], ["eof", "lost None"]);
        }
        Ok(())
    });
}

#[test]
fn s_server_may_change_its_keys_in_the_middle() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (mut server, port) = s_server(&openssl, &trusted, &["-tls1_3", "-naccept", "1"]).await;
        let client = Client::connect(&nursery, port, &trusted.authority.client().build()?).await?;
        server.says("CIPHER is").await;
        let mut expected = b"before\n".to_vec();
        server.send("before\n").await;
        client.gets(&expected).await;
        // `K` asks the client to change its keys as well.
        for (n, command) in [(1, "k\n"), (2, "K\n")] {
            server.send(command).await;
            server.send("behind\n").await;
            expected.extend(b"behind\n");
            client.gets(&expected).await;
            client.transport.write(format!("answer {n}\n").as_bytes())?;
            server.says(&format!("answer {n}\n")).await;
        }
        server.send("Q\n").await;
        server.succeeds().await;
        assert!(client.transport.closed().await.is_none());
        Ok(())
    });
}

#[test]
fn a_server_that_wants_to_renegotiate_is_refused() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let reports = Reports::of(&nursery);
        let (mut server, port) = s_server(&openssl, &trusted, &["-tls1_2", "-naccept", "1"]).await;
        let client = Client::connect(&nursery, port, &trusted.authority.client().build()?).await?;
        server.says("CIPHER is").await;
        server.send("R\n").await;
        client.transport.write(b"no, thank you\n")?;
        server.says("no renegotiation").await;
        client.transport.closed().await;
        assert_eq!(client.trace.count("lost"), 1);
        assert_eq!(reports.take(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn s_server_demands_a_certificate() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (cert, key) = trusted.identity("client");
        for option in ["-tls1_2", "-tls1_3"] {
            let (server, port) = s_server(&openssl, &trusted, &[option, "-Verify", "1", "-rev"]).await;
            let with = trusted.authority.client().load_cert_chain(&cert, &key).build()?;
            let client = Client::connect(&nursery, port, &with).await?;
            client.transport.write(b"hello\n")?;
            client.gets(b"olleh\n").await;
            server.says("CN = client").await;
            client.closes().await;
            let err = without_certificate(&nursery, port, &trusted).await;
            assert!(err.is::<SslError>() || err.is_os_error(), "{err}");
        }
        Ok(())
    });
}

/// The error of a client that has no certificate: of the handshake over TLS 1.2, of the connection over TLS 1.3.
async fn without_certificate(nursery: &Nursery, port: u16, trusted: &Trusted) -> Error {
    let context = trusted.authority.client().build().expect("a context");
    match Client::connect(nursery, port, &context).await {
        Ok(client) => client.transport.closed().await.expect("it is refused"),
        Err(err) => err,
    }
}

// ---- Python's ssl

#[test]
fn a_python_server_sees_the_name_and_the_certificate_of_the_client() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (cert, key) = trusted.identity("client");
        let script = r#"
context = serving(sys.argv[1], sys.argv[2])
context.load_verify_locations(sys.argv[3])
context.sni_callback = lambda sock, name, context: say("asked for", name)
listener = listen()
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    sock = context.wrap_socket(listener.accept()[0], server_side=True)
    say("subject", sock.getpeercert()["subject"])
    sock.sendall(sock.recv(100).upper())
    sock.unwrap().close()
    # The next one has none.
    plain = listener.accept()[0]
    try:
        context.wrap_socket(plain, server_side=True)
    except ssl.SSLError as err:
        say("refused", err.reason)
    else:
        raise AssertionError("it was accepted")
    # And the last one needs none.
    context.verify_mode = ssl.CERT_OPTIONAL
    sock = context.wrap_socket(listener.accept()[0], server_side=True)
    assert not sock.getpeercert()
    sock.sendall(sock.recv(100).upper())
    sock.unwrap().close()
"#;
        let (server, port) = python_server(&python, &trusted, script, &[]).await;
        let with = trusted.authority.client().load_cert_chain(&cert, &key).build()?;
        for _ in 0..2 {
            let client = Client::connect(&nursery, port, &with).await?;
            client.transport.write(b"hello")?;
            assert!(client.transport.closed().await.is_none());
            client.gets(b"HELLO").await;
            let err = without_certificate(&nursery, port, &trusted).await;
            assert!(err.is::<SslError>() || err.is_os_error(), "{err}");
            let client = Client::connect(&nursery, port, &trusted.authority.client().build()?).await?;
            client.transport.write(b"hello")?;
            assert!(client.transport.closed().await.is_none());
            client.gets(b"HELLO").await;
        }
        let said = server.succeeds().await.stdout;
        assert_eq!(said.matches("asked for localhost").count(), 6, "{said}");
        assert_eq!(said.matches("subject ((('commonName', 'client'),),)").count(), 2, "{said}");
        assert_eq!(said.matches("refused PEER_DID_NOT_RETURN_A_CERTIFICATE").count(), 2, "{said}");
        Ok(())
    });
}

#[test]
fn a_server_that_is_not_trusted_is_an_error_and_hears_why() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let script = r#"
context = serving(sys.argv[1], sys.argv[2])
listener = listen()
for _ in range(2):
    try:
        sock = context.wrap_socket(listener.accept()[0], server_side=True)
        # Over TLS 1.3 the server may be done first.
        sock.recv(1)
    except ssl.SSLError as err:
        say("refused", err.reason)
sock = context.wrap_socket(listener.accept()[0], server_side=True)
sock.sendall(sock.recv(100).upper())
sock.unwrap().close()
"#;
        let (server, port) = python_server(&python, &trusted, script, &[]).await;
        let refusal = async |attempt: foster_compat::CreateConnection<'_, Scripted>| {
            let err = attempt.await.expect_err("it is not trusted");
            assert!(err.downcast_ref::<SslError>().is_some_and(SslError::is_certificate_verification), "{err}");
        };
        let stranger = Authority::new().client().build()?;
        refusal(create_connection(&nursery, Scripted::new, "localhost", port).ssl(&stranger)).await;
        let context = trusted.authority.client().build()?;
        refusal(create_connection(&nursery, Scripted::new, "localhost", port).ssl(&context).server_hostname("else"))
            .await;
        let client = Client::connect(&nursery, port, &context).await?;
        client.transport.write(b"hello")?;
        assert!(client.transport.closed().await.is_none());
        client.gets(b"HELLO").await;
        let said = server.succeeds().await.stdout;
        assert!(said.contains("refused TLSV1_ALERT_UNKNOWN_CA"), "{said}");
        assert_eq!(said.matches("refused ").count(), 2, "{said}");
        Ok(())
    });
}

#[test]
fn ten_megabytes_go_to_a_python_server_and_back() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let script = r#"
N = 10_000_000
sock = serving(sys.argv[1], sys.argv[2]).wrap_socket(listen().accept()[0], server_side=True)
data = pattern(N)
# The client reads while nobody takes what it sends.
sock.sendall(data)
assert read_exactly(sock, N) == data
assert sock.recv(1) == b"", "close_notify"
sock.unwrap().close()
"#;
        let (server, port) = python_server(&python, &trusted, script, &[]).await;
        let client = Client::connect(&nursery, port, &trusted.authority.client().build()?).await?;
        let data = pattern(10_000_000);
        for piece in data.chunks(100_000) {
            client.transport.write(piece)?;
            client.transport.drained().await?;
        }
        client.gets(&data).await;
        client.closes().await;
        server.succeeds().await;
        Ok(())
    });
}

#[test]
fn each_way_that_a_python_server_ends_is_one_end() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let script = r#"
listener = listen()
context = serving(sys.argv[1], sys.argv[2])
for how in sys.argv[4:]:
    plain = listener.accept()[0]
    sock = context.wrap_socket(plain, server_side=True)
    assert sock.recv(5) == b"hello"
    sock.sendall(b"goodbye")
    if how == "close_notify":
        sock.unwrap().close()
    elif how == "shutdown":
        # Without close_notify, and the client's is still read.
        sock.shutdown(socket.SHUT_WR)
        sock.close()
    elif how == "a part of a record":
        plain = socket.socket(fileno=sock.detach())
        plain.sendall(bytes([23, 3, 3, 0, 100, 1, 2, 3]))
        plain.close()
    elif how == "garbage":
        plain = socket.socket(fileno=sock.detach())
        plain.sendall(b"220 welcome back in plain text\r\n" * 10)
        plain.recv(1000)
        plain.close()
    elif how == "reset":
        assert sock.recv(1) == b"!"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
"#;
        let ways = ["close_notify", "shutdown", "a part of a record", "garbage", "reset"];
        let ways = ways.each_ref().map(|way| way as &dyn AsRef<OsStr>);
        let (server, port) = python_server(&python, &trusted, script, &ways).await;
        let context = trusted.authority.client().build()?;
        let reports = Reports::of(&nursery);
        for n in 0..ways.len() {
            let client = Client::connect(&nursery, port, &context).await?;
            client.transport.write(b"hello")?;
            client.gets(b"goodbye").await;
            if n == 4 {
                client.transport.write(b"!")?;
            }
            let exc = client.transport.closed().await;
            let lines = client.trace.lines();
            assert_eq!(lines[..2], ["made", "data 'goodbye'"], "{n}");
            match n {
                0..=2 => assert_eq!(lines[2..], ["eof", "lost None"], "{n}"),
                3 => assert!(exc.is_some_and(|exc| exc.is::<SslError>()) && lines.len() == 3, "{lines:?}"),
                _ => {
                    let kind = exc.as_ref().and_then(|exc| exc.downcast_ref()).map(std::io::Error::kind);
                    assert_eq!((kind, lines.len()), (Some(ErrorKind::ConnectionReset), 3), "{lines:?}");
                }
            }
        }
        assert_eq!(reports.take(), [] as [&str; 0]);
        server.succeeds().await;
        Ok(())
    });
}

#[test]
fn a_server_may_send_any_number_of_tiny_records() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let script = r#"
context = serving(sys.argv[1], sys.argv[2])
listener = listen()
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context.maximum_version = version
    sock = listener.accept()[0]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 16))
    for byte in pattern(40_000):
        tls.write(bytes([byte]))
    sock.sendall(outgoing.read())
    assert sock.recv(1000), "close_notify"
    sock.close()
"#;
        let (server, port) = python_server(&python, &trusted, script, &[]).await;
        for _ in 0..2 {
            let client = Client::connect(&nursery, port, &trusted.authority.client().build()?).await?;
            client.gets(&pattern(40_000)).await;
            client.transport.close();
            // The server answers no close_notify, but closes.
            client.transport.closed().await;
        }
        server.succeeds().await;
        Ok(())
    });
}

#[test]
fn a_server_without_anything_in_common_or_without_tls_is_an_error_at_once() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let script = r#"
listener = listen()
context = serving(sys.argv[1], sys.argv[2])
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.set_ciphers("AES128-SHA")
try:
    context.wrap_socket(listener.accept()[0], server_side=True)
except ssl.SSLError as err:
    say(err.reason)
sock = listener.accept()[0]
sock.sendall(b"220 this is no TLS\r\n")
read_to_end(sock)
"#;
        let (server, port) = python_server(&python, &trusted, script, &[]).await;
        let context = trusted.authority.client().build()?;
        for _ in 0..2 {
            let attempt = create_connection(&nursery, Scripted::new, "127.0.0.1", port).ssl(&context);
            let err = attempt.await.expect_err("there is nothing in common");
            assert!(err.is::<SslError>() && !err.to_string().is_empty(), "{err}");
        }
        server.succeeds().await;
        until(|| nursery.n_children() == 0).await;
        Ok(())
    });
}

// ---- Python's asyncio

#[test]
fn an_asyncio_server_and_foster_clients_talk_and_either_may_close_first() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let script = r#"
import asyncio

async def serve(reader, writer):
    size = int(await reader.readline())
    data = await reader.readexactly(size)
    writer.write(data)
    await writer.drain()
    if await reader.readline() == b"bye\n":
        writer.close()
    else:
        assert await reader.read() == b""
        writer.close()
    await writer.wait_closed()
    say("done", size)

async def main():
    context = serving(sys.argv[1], sys.argv[2])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    say("listening", server.sockets[0].getsockname()[1])
    await server.serve_forever()

asyncio.run(main())
"#;
        let (server, port) = python_server(&python, &trusted, script, &[]).await;
        let context = trusted.authority.client().build()?;
        for (n, size) in [1, 1000, 300_000, 3_000_000].into_iter().enumerate() {
            for last in ["bye\n", "you first\n"] {
                let client = Client::connect(&nursery, port, &context).await?;
                let data = pattern(size);
                client.transport.write(format!("{size}\n").as_bytes())?;
                client.transport.write(&data)?;
                client.gets(&data).await;
                client.transport.write(last.as_bytes())?;
                if last == "bye\n" {
                    assert!(client.transport.closed().await.is_none());
                } else {
                    client.closes().await;
                }
                client.trace.assert_complete();
            }
            server.says_times(2 * (n + 1), "done ").await;
        }
        Ok(())
    });
}
