//! The client of HTTP/1.1 against Python's `http.server`, in plain and over TLS.

#![cfg(feature = "http1")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use foster::http::{BodyError, HeaderName, HeaderValue, Method, ResponseBody, StatusCode, header};
use foster::http1::{Client, ClientError};
use foster::{Result, fail_after, open_nursery, run};
use futures::stream;

/// Serves on a port of its own, which it prints: plainly, or with TLS if it is given a certificate, a key and the
/// protocols to choose from by ALPN.
const SERVER: &str = r#"
import http.server, ssl, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, body, *fields, status=200):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() != b"\r\n":
            pass
        return body

    def do_GET(self):
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Trailer", "X-Sum")
            self.end_headers()
            for n in range(1, 200):
                self.wfile.write(b"%x;n=%d\r\n%s\r\n" % (n, n, b"z" * n))
            self.wfile.write(b"0\r\nX-Sum: 19900\r\n\r\n")
        elif self.path == "/close":
            self.close_connection = True
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"until the end")
        elif self.path == "/half":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
        elif self.path == "/missing":
            self.send_error(404)
        elif self.path == "/protocol":
            self.answer((self.connection.selected_alpn_protocol() or "none").encode())
        else:
            self.answer(b"hello", ("X-Host", self.headers["Host"]), ("X-Client", str(self.client_address[1])))

    do_HEAD = do_GET

    def do_POST(self):
        body = self.body()
        self.answer(body, ("X-Length", self.headers.get("Content-Length", "none")))

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 1:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    context.set_alpn_protocols(sys.argv[3:])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// Python serving. It is killed when this is dropped.
struct Python {
    child: Child,
    port: u16,
}

impl Python {
    /// `None` where there is no Python; the test is then left out, which standard error says.
    fn serve(arguments: &[&str]) -> Option<Self> {
        let child = Command::new("python3").arg("-c").arg(SERVER).args(arguments).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            let is_required = std::env::var("FOSTER_REQUIRE_CLIENTS").is_ok_and(|value| value == "1");
            assert!(!is_required, "python3 is not installed, and FOSTER_REQUIRE_CLIENTS is set");
            let _ = writeln!(std::io::stderr(), "left out, for python3 is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).expect("the port");
        let port = line.trim().parse().expect("a port");
        Some(Python { child, port })
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_client(test: impl AsyncFnOnce(Client) -> Result<()> + 'static) {
    let Some(python) = Python::serve(&[]) else { return };
    let url = format!("http://127.0.0.1:{}", python.port);
    run(async {
        let tested = open_nursery(async |nursery| test(Client::connect(&nursery, url).await?).await);
        fail_after(Duration::from_secs(60), tested).await??;
        foster::Ok(())
    })
    .expect("the test");
}

#[test]
fn one_connection_is_kept_over_many_requests() {
    with_client(async |client| {
        let mut ports = Vec::new();
        for _ in 0..50 {
            let mut response = client.get("/").await?;
            assert_eq!(response.text().await?, "hello");
            ports.extend(response.headers().get("x-client").map(str::to_owned));
        }
        ports.dedup();
        assert_eq!(ports.len(), 1);
        let head = client.request(Method::HEAD, "/").await?;
        assert_eq!((head.headers().get("content-length"), head.body().is_end()), (Some("5"), true));
        let missing = client.get("/missing").await?;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        assert!(missing.headers().has_token("connection", "close"));
        Ok(())
    });
}

#[test]
fn chunks_and_trailers_are_read() {
    with_client(async |client| {
        for _ in 0..5 {
            let mut response = client.get("/chunked").await?;
            assert_eq!(response.bytes().await?, vec![b'z'; 19900]);
            let trailers = response.trailers().expect("trailers");
            let sum = trailers.get(&HeaderName::from_static("x-sum"));
            assert_eq!(sum, Some(&HeaderValue::from_static("19900")));
        }
        Ok(())
    });
}

#[test]
fn bodies_of_every_kind_come_back() {
    with_client(async |client| {
        let large = vec![b'q'; 3_000_000];
        let mut response = client.request(Method::POST, "/").body(large.clone()).await?;
        assert_eq!(response.headers().get("x-length"), Some("3000000"));
        assert_eq!(response.bytes().await?, large);

        let pieces = (0..100).map(|n| foster::Ok(Bytes::from(format!("{n};"))));
        let mut response = client.request(Method::POST, "/").body(ResponseBody::stream(stream::iter(pieces))).await?;
        assert_eq!(response.headers().get("x-length"), Some("none"));
        assert!(response.text().await?.ends_with(";98;99;"));

        let mut response = client.request(Method::POST, "/").await?;
        assert_eq!(response.headers().get("x-length"), Some("0"));
        assert_eq!(response.bytes().await?, "");

        let mut response = client.request(Method::POST, "/").body("continued").expect_continue().await?;
        assert_eq!(response.text().await?, "continued");
        Ok(())
    });
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    with_client(async |client| {
        assert_eq!(client.get("/close").await?.text().await?, "until the end");
        assert!(matches!(client.get("/").await, Err(ClientError::Closed { .. })));
        Ok(())
    });
}

#[test]
fn a_body_that_breaks_off_is_an_error() {
    with_client(async |client| {
        let mut response = client.get("/half").await?;
        assert_eq!(response.body().content_length(), Some(100));
        assert_eq!(response.bytes().await, Err(BodyError::Response(Box::new(BodyError::Disconnected))));
        Ok(())
    });
}

#[test]
fn host_is_that_of_the_url_unless_a_request_says_otherwise() {
    with_client(async |client| {
        let mut response = client.get("/").await?;
        let port = client.transport().peername().and_then(|peer| peer.port()).unwrap_or_default();
        assert_eq!(response.headers().get("x-host"), Some(format!("127.0.0.1:{port}").as_str()));
        response.bytes().await?;
        let response = client.get("/").header(header::HOST, HeaderValue::from_static("a.test")).await?;
        assert_eq!(response.headers().get("x-host"), Some("a.test"));
        Ok(())
    });
}

#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
mod tls {
    use std::path::PathBuf;

    use super::*;

    use foster::{Nursery, SslContext, SslError};

    /// A certificate for `localhost` and its key, in files.
    struct Certificate {
        folder: PathBuf,
        pem: String,
    }

    impl Certificate {
        fn new(name: &str) -> Self {
            let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
            let folder = std::env::temp_dir().join(format!("foster-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a folder");
            let pem = certified.cert.pem();
            std::fs::write(folder.join("cert.pem"), &pem).expect("a file");
            std::fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem()).expect("a file");
            Certificate { folder, pem }
        }

        fn serve(&self, protocols: &[&str]) -> Option<Python> {
            let (cert, key) = (self.folder.join("cert.pem"), self.folder.join("key.pem"));
            let files = [cert.to_str().expect("UTF-8"), key.to_str().expect("UTF-8")];
            Python::serve(&[&files, protocols].concat())
        }
    }

    impl Drop for Certificate {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    fn bounded(test: impl AsyncFnOnce(Nursery) -> Result<()> + 'static) {
        run(async {
            fail_after(Duration::from_secs(60), open_nursery(test)).await??;
            foster::Ok(())
        })
        .expect("the test");
    }

    #[test]
    fn https_verifies_the_server_and_says_which_protocol_it_speaks() {
        let certificate = Certificate::new("https");
        let Some(python) = certificate.serve(&["h2", "http/1.1"]) else { return };
        let (url, pem) = (format!("https://localhost:{}", python.port), certificate.pem.clone());
        bounded(async move |nursery| {
            let context = SslContext::client().load_verify_pem(pem).set_alpn_protocols(["http/1.1"]).build()?;
            let client = Client::connect(&nursery, &url).ssl(&context).await?;
            assert_eq!(client.get("/protocol").await?.text().await?, "http/1.1");
            let large = vec![b'q'; 1_000_000];
            let mut response = client.request(Method::POST, "/").body(large.clone()).await?;
            assert_eq!(response.bytes().await?, large);
            assert_eq!(client.get("/close").await?.text().await?, "until the end");

            let refused = Client::connect(&nursery, &url).await;
            assert!(matches!(refused, Err(ClientError::Connect(err)) if err.is::<SslError>()));
            Ok(())
        });
    }

    #[test]
    fn a_server_that_chooses_another_protocol_is_left() {
        let certificate = Certificate::new("alpn");
        let Some(python) = certificate.serve(&["h2"]) else { return };
        let (url, pem) = (format!("https://localhost:{}", python.port), certificate.pem.clone());
        bounded(async move |nursery| {
            let context = SslContext::client().load_verify_pem(pem).set_alpn_protocols(["h2", "http/1.1"]).build()?;
            let refused = Client::connect(&nursery, url).ssl(&context).await;
            assert!(matches!(refused, Err(ClientError::Protocol(name)) if name == "h2"));
            Ok(())
        });
    }

    #[test]
    fn a_context_of_tls_is_not_for_http() {
        bounded(async |nursery| {
            let context = SslContext::client().load_verify_pem(Certificate::new("plain").pem.as_str()).build()?;
            let refused = Client::connect(&nursery, "http://localhost:1").ssl(&context).await;
            assert!(matches!(refused, Err(ClientError::Connect(err)) if err.is::<foster::ValueError>()));
            Ok(())
        });
    }
}
