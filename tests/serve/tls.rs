//! Over TLS: what is agreed on, how it ends, and who does not come through the handshake.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use foster::http::Response;
use foster::{Config, Handler, Request, SslContext};

use crate::served::{Served, ask, connect, has_program, until};

fn secure() -> impl Handler {
    |mut request: Request| async move {
        if request.path() == "/read" {
            let n = request.body_mut().bytes().await?.len();
            return foster::Ok(Response::text(n.to_string()));
        }
        let object = request.transport().get_extra_info("ssl_object").is_some();
        Ok(Response::text(format!("{} {object} {}", request.is_secure(), request.path())))
    }
}

fn context(protocols: &[&str]) -> (SslContext, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let cert = certified.cert.pem();
    let context = SslContext::server()
        .load_cert_chain_pem(cert.clone(), certified.signing_key.serialize_pem())
        .set_alpn_protocols(protocols.iter().copied())
        .build()
        .unwrap();
    (context, cert)
}

/// Runs a script that has `port` and a context that trusts the server.
fn python(served: &Served, cert: &str, script: &str) -> String {
    let prelude = "
import socket, ssl, sys
port, cert = int(sys.argv[1]), sys.argv[2]
socket.setdefaulttimeout(40)
context = ssl.create_default_context(cadata=cert)
def connect(*protocols):
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(socket.create_connection(('127.0.0.1', port)), server_hostname='localhost')
def read_to_end(sock):
    data = b''
    while chunk := sock.recv(65536):
        data += chunk
    return data
";
    let port = served.address().port().to_string();
    let output = Command::new("python3").args(["-c", &format!("{prelude}{script}"), &port, cert]).output();
    let output = output.expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn http_1_1_is_agreed_on_and_the_handler_knows_that_it_is_secure() {
    if !has_program("python3") {
        return;
    }
    let (context, cert) = context(&["http/1.1"]);
    let served = Served::new(secure, Config::new().bind("127.0.0.1:0").ssl(&context));
    let said = python(
        &served,
        &cert,
        "
for protocols in (('h2', 'http/1.1'), ('http/1.1',), ()):
    sock = connect(*protocols)
    sock.sendall(b'GET /a HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' * 2 + b'GET /b HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')
    data = read_to_end(sock)  # An end without close_notify would be an error here.
    print(sock.selected_alpn_protocol(), data.count(b'true true /a'), data.count(b'true true /b'))
",
    );
    assert_eq!(said, "http/1.1 2 1\nhttp/1.1 2 1\nNone 2 1\n".replace("None", "http/1.1"));
    served.stop().unwrap();
}

#[test]
fn who_shares_no_protocol_is_refused_in_the_handshake() {
    if !has_program("python3") {
        return;
    }
    let (context, cert) = context(&["http/1.1"]);
    let served = Served::new(secure, Config::new().bind("127.0.0.1:0").ssl(&context));
    let said = python(
        &served,
        &cert,
        "
try:
    connect('h2').recv(1)
except ssl.SSLError as err:
    print('refused')
",
    );
    assert_eq!(said, "refused\n");
    assert_eq!(served.server.stats().n_connections_total, 0);
    served.stop().unwrap();
}

#[test]
fn a_large_upload_that_is_refused_still_gets_its_answer() {
    if !has_program("python3") {
        return;
    }
    let (context, cert) = context(&[]);
    let served = Served::new(secure, Config::new().bind("127.0.0.1:0").ssl(&context));
    let said = python(
        &served,
        &cert,
        "
sock = connect()
sock.sendall(b'PUT /ignored HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 800000\\r\\n\\r\\n')
sock.sendall(b'x' * 100000)
data = read_to_end(sock)
print(data.split(b'\\r\\n')[0].decode(), data.count(b'true true /ignored'))
sock = connect()
sock.sendall(b'PUT /read HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: 800000\\r\\n\\r\\n' + b'x' * 800000)
print(read_to_end(sock)[-6:].decode())
",
    );
    assert_eq!(said, "HTTP/1.1 200 OK 1\n800000\n");
    served.stop().unwrap();
}

#[test]
fn what_is_bound_as_insecure_is_plain_beside_what_is_not() {
    if !has_program("python3") {
        return;
    }
    let (context, cert) = context(&[]);
    let config = Config::new().bind("127.0.0.1:0").insecure_bind("127.0.0.1:0").ssl(&context);
    let served = Served::new(secure, config);
    let plain = served.server.addresses()[1].port().unwrap();
    assert_eq!(ask(&mut connect(([127, 0, 0, 1], plain).into()), "/plain").body, "false false /plain");
    let script = "
sock = connect()
sock.sendall(b'GET /tls HTTP/1.0\\r\\n\\r\\n')
print(read_to_end(sock).split(b'\\r\\n\\r\\n')[1].decode())
";
    assert_eq!(python(&served, &cert, script), "true true /tls\n");
    served.stop().unwrap();
}

#[test]
fn who_does_not_come_through_the_handshake_is_closed_and_not_counted() {
    if !has_program("python3") {
        return;
    }
    let (context, cert) = context(&[]);
    let config = Config::new().bind("127.0.0.1:0").ssl(&context).ssl_handshake_timeout(Duration::from_millis(100));
    let served = Served::new(secure, config);
    for said in ["", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut client = served.connect();
        client.write_all(said.as_bytes()).unwrap();
        let mut all = Vec::new();
        // An alert, or nothing; a reset is an end, too.
        let _ = client.read_to_end(&mut all);
        assert!(!all.starts_with(b"HTTP"));
    }
    assert_eq!(served.server.stats().n_connections_total, 0);
    let script = "
sock = connect()
sock.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
print(len(read_to_end(sock)) > 0)
";
    assert_eq!(python(&served, &cert, script), "True\n");
    served.stop().unwrap();
}

#[test]
fn a_certificate_that_cannot_be_read_is_an_error_at_once() {
    let err = Config::new().certfile("/no/such/cert.pem", "/no/such/key.pem").expect_err("there is none");
    assert!(format!("{err:#}").contains("/no/such/cert.pem"), "{err:#}");
}

#[test]
fn at_the_end_idle_connections_are_closed_properly() {
    if !has_program("python3") {
        return;
    }
    let (context, cert) = context(&[]);
    let served = Served::new(secure, Config::new().bind("127.0.0.1:0").ssl(&context));
    let server = served.server.clone();
    let stopping = std::thread::spawn(move || {
        until(|| server.stats().n_requests_total == 1 && server.stats().n_requests == 0);
        server.shutdown();
    });
    let script = "
sock = connect()
sock.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
print(read_to_end(sock).count(b'true true /'))
";
    assert_eq!(python(&served, &cert, script), "1\n");
    stopping.join().unwrap();
    served.stop().unwrap();
}
