//! Foster's TLS server, and clients of others: OpenSSL's `s_client`, curl, Python's `ssl` and `asyncio`.

#![cfg(all(unix, feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod interop;
mod stage;
mod tls;
#[path = "interop/trusted.rs"]
mod trusted;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use foster_compat::testing::Trace;
use foster_compat::{
    Error, Nursery, Result, Server, SslContext, SslObject, TlsVersion, VerifyMode, create_connection, create_server,
};
use interop::{Peer, program};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use stage::{Reports, Scripted, address, real, until};
use tls::{Authority, Identity};
use trusted::Trusted;

/// A server that sends back what it gets, and what is known of it.
struct Echo {
    server: Server,
    port: String,
    trace: Trace,
    reports: Reports,
    /// What the handshake of each connection has found.
    objects: Rc<RefCell<Vec<SslObject>>>,
}

impl Echo {
    async fn new(nursery: &Nursery, context: &SslContext) -> Result<Self> {
        Echo::with(nursery, context, Scripted::echo).await
    }

    async fn with(nursery: &Nursery, context: &SslContext, protocol: impl Fn() -> Scripted + 'static) -> Result<Self> {
        let (trace, objects) = (Trace::new(), Rc::new(RefCell::new(Vec::new())));
        let (inner, seen) = (trace.clone(), objects.clone());
        let factory = move || {
            let seen = seen.clone();
            inner.wrap(protocol().on_made(move |transport| {
                seen.borrow_mut().extend(transport.ssl_object());
                Ok(())
            }))
        };
        let server = create_server(nursery, factory, "127.0.0.1", 0).ssl(context).await?;
        let port = address(&server).port().to_string();
        Ok(Echo { server, port, trace, reports: Reports::of(nursery), objects })
    }

    /// Waits until everybody has gone, and closes.
    async fn ends(&self) {
        until(|| self.server.n_connections() == 0).await;
        self.server.close();
        assert_eq!(self.reports.take(), [] as [&str; 0]);
    }

    /// Others are still served.
    async fn assert_serves(&self, nursery: &Nursery, context: &SslContext) -> Result<()> {
        let received = Rc::new(RefCell::new(Vec::new()));
        let seen = received.clone();
        let protocol = || {
            Scripted::new().on_data(move |_, data| {
                seen.borrow_mut().extend_from_slice(data);
                Ok(())
            })
        };
        let port = address(&self.server).port();
        let (transport, _) = create_connection(nursery, protocol, "localhost", port).ssl(context).await?;
        transport.write(b"still there?")?;
        until(|| *received.borrow() == b"still there?").await;
        transport.close();
        transport.closed().await;
        Ok(())
    }
}

/// `s_client` to a port, which verifies whom it talks to.
fn s_client(openssl: &Path, port: &str, trusted: &Trusted, name: &str, more: &[&str]) -> Peer {
    let at = format!("127.0.0.1:{port}");
    let mut args = vec!["s_client", "-connect", &at, "-servername", name, "-verify_hostname", name];
    args.extend(["-verify_return_error", "-CAfile", trusted.ca.to_str().expect("a path of ours is text")]);
    args.extend(more);
    let args: Vec<&dyn AsRef<std::ffi::OsStr>> = args.iter().map(|arg| arg as _).collect();
    Peer::start(openssl, &args)
}

// ---- OpenSSL

#[test]
fn s_client_speaks_tls_1_2_and_1_3_and_agrees_on_a_protocol() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let context = trusted.authority.server().set_alpn_protocols(["http/1.1"]).build()?;
        for (option, shown, version) in
            [("-tls1_2", "TLSv1.2", TlsVersion::TlsV1_2), ("-tls1_3", "TLSv1.3", TlsVersion::TlsV1_3)]
        {
            let echo = Echo::new(&nursery, &context).await?;
            let mut client = s_client(&openssl, &echo.port, &trusted, "localhost", &[option, "-alpn", "h2,http/1.1"]);
            client.send("hello\n").await;
            until(|| echo.trace.count("data") == 1).await;
            client.says("\nhello\n").await;
            client.send("Q\n").await;
            let said = client.succeeds().await.stdout;
            assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
            assert!(said.contains(&format!("New, {shown}, Cipher is ")), "{said}");
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
            echo.ends().await;
            assert_eq!(echo.trace.lines(), ["made", "data 'hello\\n'", "eof", "lost None"]);
            let objects = echo.objects.borrow();
            assert_eq!(objects[0].version(), Some(version));
            assert_eq!(objects[0].selected_alpn_protocol(), Some("http/1.1"));
            assert_eq!(objects[0].server_hostname(), Some("localhost"));
        }
        Ok(())
    });
}

#[test]
fn s_client_without_a_common_protocol_or_version_is_told_so() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let server = trusted.authority.server().set_alpn_protocols(["h2"]).minimum_version(TlsVersion::TlsV1_3);
        let echo = Echo::new(&nursery, &server.build()?).await?;
        for (options, alert) in
            [(["-alpn", "http/1.1"], "no application protocol"), (["-tls1_2", "-no_ign_eof"], "protocol version")]
        {
            let said = s_client(&openssl, &echo.port, &trusted, "localhost", &options).ends().await;
            assert!(!said.status.success() && said.stderr.contains(alert), "{said:?}");
        }
        echo.assert_serves(&nursery, &trusted.authority.client().set_alpn_protocols(["h2"]).build()?).await?;
        echo.ends().await;
        assert_eq!(echo.trace.count("made"), 1);
        Ok(())
    });
}

#[test]
fn s_client_is_served_by_the_name_it_asks_for() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let Identity { cert, key } = trusted.authority.sign(&["other.example"]);
        let other = SslContext::server().load_cert_chain_pem(cert, key).build()?;
        let choose = trusted.authority.server().sni_callback(move |hello| match hello.server_name() {
            Some("localhost") => Ok(None),
            Some("other.example") => Ok(Some(other.clone())),
            name => Err(Error::msg(format!("nobody here is called {name:?}"))),
        });
        let echo = Echo::new(&nursery, &choose.build()?).await?;
        for option in ["-tls1_2", "-tls1_3"] {
            for name in ["localhost", "other.example"] {
                let mut client = s_client(&openssl, &echo.port, &trusted, name, &[option]);
                client.send("hello\n").await;
                client.says("\nhello\n").await;
                client.send("Q\n").await;
                client.succeeds().await;
            }
            let said = s_client(&openssl, &echo.port, &trusted, "third.example", &[option]).ends().await;
            assert!(!said.status.success() && said.stderr.contains("unrecognized name"), "{said:?}");
        }
        until(|| echo.server.n_connections() == 0).await;
        echo.server.close();
        assert_eq!(echo.trace.count("made"), 4, "who is refused gets no protocol");
        // What the callback has said is the program's own error, and is reported.
        assert_eq!(
            echo.reports.take(),
            [r#"SSL handshake failed: nobody here is called Some("third.example")"#].repeat(2)
        );
        Ok(())
    });
}

#[test]
fn s_client_shows_a_certificate_where_one_is_demanded() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let (cert, key) = trusted.identity("client");
        let shown = CertificateDer::from_pem_file(&cert).expect("a certificate");
        let (cert, key) = (cert.to_str().expect("text"), key.to_str().expect("text"));
        let demanding =
            trusted.authority.server().verify_mode(VerifyMode::Required).load_verify_pem(trusted.authority.pem());
        let echo = Echo::new(&nursery, &demanding.build()?).await?;
        for option in ["-tls1_2", "-tls1_3"] {
            let options = [option, "-cert", cert, "-key", key];
            let mut client = s_client(&openssl, &echo.port, &trusted, "localhost", &options);
            client.send("hello\n").await;
            client.says("\nhello\n").await;
            client.send("Q\n").await;
            client.succeeds().await;
            let certificate = echo.objects.borrow_mut().pop().and_then(|object| object.getpeercert().cloned());
            assert_eq!(certificate.expect("it was shown").der(), &*shown);
            let without = s_client(&openssl, &echo.port, &trusted, "localhost", &[option, "-ign_eof"]).ends().await;
            assert!(without.stderr.contains("alert"), "{without:?}");
        }
        echo.ends().await;
        assert_eq!(echo.trace.count("made"), 2, "who shows none gets no protocol");
        Ok(())
    });
}

#[test]
fn s_client_may_resume_its_session() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        for option in ["-tls1_2", "-tls1_3"] {
            let session = trusted.folder.path("session");
            let session = session.to_str().expect("text");
            let mut first = s_client(&openssl, &echo.port, &trusted, "localhost", &[option, "-sess_out", session]);
            first.send("one\n").await;
            first.says("\none\n").await;
            first.send("Q\n").await;
            let said = first.succeeds().await.stdout;
            assert!(said.contains("New, TLS"), "{said}");
            let mut again = s_client(&openssl, &echo.port, &trusted, "localhost", &[option, "-sess_in", session]);
            again.send("two\n").await;
            again.says("\ntwo\n").await;
            again.send("Q\n").await;
            let said = again.succeeds().await.stdout;
            assert!(said.contains("Reused, TLS"), "{said}");
        }
        echo.ends().await;
        Ok(())
    });
}

#[test]
fn renegotiation_is_refused_and_others_live_on() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let mut other = s_client(&openssl, &echo.port, &trusted, "localhost", &["-tls1_2"]);
        other.send("first\n").await;
        other.says("\nfirst\n").await;
        let mut client = s_client(&openssl, &echo.port, &trusted, "localhost", &["-tls1_2"]);
        client.send("hello\n").await;
        client.says("\nhello\n").await;
        client.send("R\n").await;
        let said = client.ends().await;
        assert!(!said.status.success() && said.stderr.contains("no renegotiation"), "{said:?}");
        until(|| echo.trace.count("lost") == 1).await;
        other.send("second\n").await;
        other.says("\nsecond\n").await;
        other.send("Q\n").await;
        other.succeeds().await;
        echo.assert_serves(&nursery, &trusted.authority.client().build()?).await?;
        echo.ends().await;
        Ok(())
    });
}

#[test]
fn s_client_may_change_its_keys_in_the_middle() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let mut client = s_client(&openssl, &echo.port, &trusted, "localhost", &["-tls1_3"]);
        client.send("before\n").await;
        client.says("\nbefore\n").await;
        // `K` asks the server to change its keys as well.
        for command in ["k\n", "K\n"] {
            client.send(command).await;
            client.send(&format!("behind {command}")).await;
            client.says(&format!("\nbehind {command}")).await;
        }
        client.send("Q\n").await;
        client.succeeds().await;
        echo.ends().await;
        assert_eq!(echo.trace.count("lost None"), 1);
        Ok(())
    });
}

#[test]
fn the_end_of_s_clients_input_and_a_kill_are_each_one_end() {
    let Some(openssl) = program("openssl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        for (option, is_kill) in [("-tls1_2", false), ("-tls1_3", false), ("-tls1_2", true), ("-tls1_3", true)] {
            let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
            let mut client = s_client(&openssl, &echo.port, &trusted, "localhost", &[option]);
            client.send("hello\n").await;
            client.says("\nhello\n").await;
            if is_kill {
                client.kill();
            } else {
                client.close_stdin();
                client.succeeds().await;
            }
            echo.assert_serves(&nursery, &trusted.authority.client().build()?).await?;
            echo.ends().await;
            assert_eq!(echo.trace.lines()[..4], ["made", "data 'hello\\n'", "eof", "lost None"]);
        }
        Ok(())
    });
}

// ---- curl

/// As much of HTTP/1.1 as it takes: each request is answered with its method, its path and the size of its body.
fn tiny_http() -> Scripted {
    let mut received = Vec::new();
    Scripted::new().on_data(move |transport, data| {
        received.extend_from_slice(data);
        while let Some((n, answer, is_last)) = answer_to(&received) {
            received.drain(..n);
            transport.write(answer.as_bytes())?;
            if is_last {
                transport.close();
            }
        }
        Ok(())
    })
}

fn answer_to(received: &[u8]) -> Option<(usize, String, bool)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line[name.len()..].trim_start_matches(':').trim().to_owned())
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    (received.len() >= end + length).then(|| {
        let is_last = header("connection").is_some_and(|value| value == "close");
        let start = head.split(" HTTP/").next().unwrap_or_default();
        let body = format!("{start} {length}\n");
        (end + length, format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()), is_last)
    })
}

#[test]
fn curl_is_answered_over_https_on_one_connection_and_over_either_version() {
    let Some(curl) = program("curl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let context = trusted.authority.server().set_alpn_protocols(["http/1.1"]).build()?;
        for version in ["1.2", "1.3"] {
            let http = Echo::with(&nursery, &context, tiny_http).await?;
            let url = |path: &str| format!("https://localhost:{}/{path}", http.port);
            let client = Peer::start(
                &curl,
                &[&"-sS", &"--cacert", &trusted.ca, &"--tls-max", &version, &url("one"), &url("two")],
            );
            assert_eq!(client.succeeds().await.stdout, "GET /one 0\nGET /two 0\n");
            until(|| http.server.n_connections() == 0).await;
            assert_eq!((http.trace.count("made"), http.trace.count("lost None")), (1, 1), "one connection for both");
            let body = trusted.folder.write("body", &"x".repeat(3_000_000));
            let data = format!("@{}", body.display());
            let args: [&dyn AsRef<std::ffi::OsStr>; 10] = [
                &"-sS",
                &"--cacert",
                &trusted.ca,
                &"-H",
                &"Connection: close",
                &"-H",
                &"Expect:",
                &"--data-binary",
                &data,
                &url("up"),
            ];
            let client = Peer::start(&curl, &args);
            assert_eq!(client.succeeds().await.stdout, "POST /up 3000000\n");
            http.ends().await;
            let shown = if version == "1.2" { TlsVersion::TlsV1_2 } else { TlsVersion::TlsV1_3 };
            assert_eq!(http.objects.borrow()[0].version(), Some(shown));
        }
        Ok(())
    });
}

#[test]
fn curl_that_does_not_trust_the_server_goes_and_no_protocol_hears_of_it() {
    let Some(curl) = program("curl") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let http = Echo::with(&nursery, &trusted.authority.server().build()?, tiny_http).await?;
        let stranger = trusted.folder.write("stranger.pem", &Authority::new().pem());
        let url = format!("https://localhost:{}/", http.port);
        let said = Peer::start(&curl, &[&"-sS", &"--cacert", &stranger, &url]).ends().await;
        assert_eq!(said.status.code(), Some(60), "{said:?}");
        // Whoever forgets the s gets an alert, which is no HTTP.
        let plain = format!("http://localhost:{}/", http.port);
        let said = Peer::start(&curl, &[&"-sS", &"--http1.1", &plain]).ends().await;
        assert!(!said.status.success(), "{said:?}");
        let client = Peer::start(&curl, &[&"-sS", &"--cacert", &trusted.ca, &url]);
        assert_eq!(client.succeeds().await.stdout, "GET / 0\n", "others are still served");
        http.ends().await;
        assert_eq!(http.trace.count("made"), 1);
        Ok(())
    });
}

// ---- Python's ssl

fn python_client(python: &Path, echo: &Echo, trusted: &Trusted, script: &str) -> Peer {
    Peer::python(python, script, &[&echo.port, &trusted.ca])
}

#[test]
fn a_python_client_closes_first_and_both_close_notify_come() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let script = r#"
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context = trusting(sys.argv[2])
    context.maximum_version = version
    sock = context.wrap_socket(connect(sys.argv[1]), server_hostname="localhost", suppress_ragged_eofs=False)
    sock.sendall(b"hello")
    assert read_exactly(sock, 5) == b"hello"
    plain = sock.unwrap()
    assert plain.recv(1) == b"", "the server closes behind its close_notify"
    plain.close()
"#;
        python_client(&python, &echo, &trusted, script).succeeds().await;
        echo.ends().await;
        assert_eq!(echo.trace.lines(), ["made", "data 'hello'", "eof", "lost None"].repeat(2));
        Ok(())
    });
}

#[test]
fn a_foster_server_closes_first_and_a_python_client_answers() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let last_words = || {
            Scripted::new().on_data(|transport, _| {
                transport.write(&[7; 1_000_000])?;
                transport.close();
                Ok(())
            })
        };
        let server = Echo::with(&nursery, &trusted.authority.server().build()?, last_words).await?;
        let script = r#"
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context = trusting(sys.argv[2])
    context.maximum_version = version
    sock = context.wrap_socket(connect(sys.argv[1]), server_hostname="localhost", suppress_ragged_eofs=False)
    sock.sendall(b"speak")
    # Without close_notify the end would be an SSLEOFError.
    assert read_to_end(sock) == bytes([7]) * 1_000_000
    sock.unwrap().close()
"#;
        python_client(&python, &server, &trusted, script).succeeds().await;
        server.ends().await;
        assert_eq!(server.trace.lines(), ["made", "data 'speak'", "eof", "lost None"].repeat(2));
        Ok(())
    });
}

#[test]
fn a_python_client_that_is_done_with_writing_still_gets_the_rest() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let answer_at_end = || {
            Scripted::new().on_eof(|transport| {
                transport.write(&[7; 3_000_000])?;
                Ok(false)
            })
        };
        let server = Echo::with(&nursery, &trusted.authority.server().build()?, answer_at_end).await?;
        // A socket of Python's cannot read on after its close_notify, so the records are moved by hand.
        let script = r#"
sock = connect(sys.argv[1])
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = trusting(sys.argv[2]).wrap_bio(incoming, outgoing, server_hostname="localhost")

def pump(call, *args):
    while True:
        try:
            return call(*args)
        except ssl.SSLWantReadError:
            if outgoing.pending:
                sock.sendall(outgoing.read())
            data = sock.recv(1 << 18)
            incoming.write(data) if data else incoming.write_eof()

pump(tls.do_handshake)
pump(tls.write, b"a question")
try:
    tls.unwrap()
except ssl.SSLWantReadError:
    pass
sock.sendall(outgoing.read())
if sys.argv[3] == "shutdown":
    sock.shutdown(socket.SHUT_WR)
answer = bytearray()
try:
    while data := pump(tls.read, 1 << 16):
        answer += data
except ssl.SSLZeroReturnError:
    pass
assert answer == bytes([7]) * 3_000_000, len(answer)
assert sock.recv(1) == b""
"#;
        for how in ["shutdown", "close_notify alone"] {
            Peer::python(&python, script, &[&server.port, &trusted.ca, &how]).succeeds().await;
        }
        server.ends().await;
        assert_eq!(server.trace.lines(), ["made", "data 'a question'", "eof", "lost None"].repeat(2));
        Ok(())
    });
}

#[test]
fn ten_megabytes_go_to_a_python_client_and_back() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let script = r#"
N = 10_000_000
sock = trusting(sys.argv[2]).wrap_socket(connect(sys.argv[1]), server_hostname="localhost")
data = pattern(N)
# Python 3.11's sockets over TLS are not for two threads at once: one of them may be told of an end that never was.
PIECE = 200_000
for at in range(0, N, PIECE):
    sock.sendall(data[at:at + PIECE])
    assert read_exactly(sock, PIECE) == data[at:at + PIECE]
sock.unwrap().close()
"#;
        python_client(&python, &echo, &trusted, script).succeeds().await;
        echo.ends().await;
        assert_eq!(echo.trace.count("lost None"), 1);
        Ok(())
    });
}

#[test]
fn a_python_client_that_refuses_the_server_or_is_refused_leaves_no_trace() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let context = trusted.authority.server().minimum_version(TlsVersion::TlsV1_3).build()?;
        let echo = Echo::new(&nursery, &context).await?;
        let stranger = trusted.folder.write("stranger.pem", &Authority::new().pem());
        let script = r#"
def refused(context, name="localhost"):
    try:
        context.wrap_socket(connect(sys.argv[1]), server_hostname=name).close()
    except ssl.SSLError as err:
        return err
    raise AssertionError("the handshake went well")

err = refused(trusting(sys.argv[3]))
assert isinstance(err, ssl.SSLCertVerificationError), err
err = refused(trusting(sys.argv[2]), "elsewhere")
assert "Hostname mismatch" in str(err), err
old = trusting(sys.argv[2])
old.maximum_version = ssl.TLSVersion.TLSv1_2
assert refused(old).reason == "TLSV1_ALERT_PROTOCOL_VERSION"
weak = trusting(sys.argv[2])
weak.minimum_version = ssl.TLSVersion.TLSv1_3
weak.set_ecdh_curve("secp521r1")
assert refused(weak).reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"
"#;
        Peer::python(&python, script, &[&echo.port, &trusted.ca, &stranger]).succeeds().await;
        echo.assert_serves(&nursery, &trusted.authority.client().build()?).await?;
        echo.ends().await;
        assert_eq!(echo.trace.count("made"), 1);
        Ok(())
    });
}

#[test]
fn a_python_client_may_send_records_byte_by_byte_or_cut_them_anywhere() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let script = r#"
sock = connect(sys.argv[1])
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = trusting(sys.argv[2]).wrap_bio(incoming, outgoing, server_hostname="localhost")

def flush():
    for byte in outgoing.read():
        sock.sendall(bytes([byte]))

def pump(call, *args):
    while True:
        try:
            result = call(*args)
            flush()
            return result
        except ssl.SSLWantReadError:
            flush()
            incoming.write(sock.recv(1 << 18))

pump(tls.do_handshake)
for byte in b"one by one":
    pump(tls.write, bytes([byte]))
answer = b""
while len(answer) < 10:
    answer += pump(tls.read, 100)
assert answer == b"one by one", answer
"#;
        python_client(&python, &echo, &trusted, script).succeeds().await;
        echo.ends().await;
        assert_eq!(echo.trace.count("made"), 1);
        Ok(())
    });
}

// ---- Python's asyncio

#[test]
fn asyncio_clients_are_served_all_at_once() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let script = r#"
import asyncio

async def client(n):
    context = trusting(sys.argv[2])
    reader, writer = await asyncio.open_connection("localhost", int(sys.argv[1]), ssl=context)
    for size in (1, 100, 20_000, 300_000):
        data = bytes([n]) * size
        writer.write(data)
        await writer.drain()
        assert await reader.readexactly(size) == data
    writer.close()
    await writer.wait_closed()

async def main():
    await asyncio.wait_for(asyncio.gather(*map(client, range(30))), 40)

asyncio.run(main())
"#;
        python_client(&python, &echo, &trusted, script).succeeds().await;
        echo.ends().await;
        assert_eq!((echo.trace.count("made"), echo.trace.count("lost None")), (30, 30));
        Ok(())
    });
}

#[test]
fn asyncio_clients_that_vanish_harm_nobody() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let trusted = Trusted::new();
        let echo = Echo::new(&nursery, &trusted.authority.server().build()?).await?;
        let script = r#"
import asyncio

async def main():
    context = trusting(sys.argv[2])
    for n in range(5):
        reader, writer = await asyncio.open_connection("localhost", int(sys.argv[1]), ssl=context)
        writer.write(b"x" * 100_000)
        await reader.readexactly(1)
    say("ready")
    await asyncio.sleep(3600)

asyncio.run(main())
"#;
        let client = python_client(&python, &echo, &trusted, script);
        client.says("ready").await;
        client.kill();
        until(|| echo.server.n_connections() == 0).await;
        assert_eq!((echo.trace.count("made"), echo.trace.count("lost")), (5, 5));
        echo.assert_serves(&nursery, &trusted.authority.client().build()?).await?;
        echo.ends().await;
        Ok(())
    });
}
