//! The server of HTTP/1.1 and the clients that people have: curl, Python's, aiohttp, httpx, Node's, wrk and ab.

#![cfg(feature = "http1")]

#[path = "../served/mod.rs"]
mod served;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use bytes::Bytes;
use foster::http::{HeaderName, HeaderValue, Response, ResponseBody, StatusCode};
use foster::{Config, Error, Handler, Request, checkpoint};
use futures::{StreamExt, stream};

use crate::served::{Served, has_program, is_there};

fn varied() -> impl Handler {
    |request: Request| async move {
        let path = request.path().to_owned();
        Ok(match &*path {
            "/echo" => Response::bytes(request.into_body()),
            "/none" => Response::new(StatusCode::NO_CONTENT),
            "/missing" => Response::new(StatusCode::NOT_FOUND),
            "/refuse" => Response::new(StatusCode::FORBIDDEN),
            "/fail" => return Err(Error::msg("as asked")),
            "/stream" => {
                let chunks = stream::iter(0..100).then(|n| async move {
                    if n % 10 == 0 {
                        checkpoint().await;
                    }
                    foster::Ok(Bytes::from_static(&[b'x'; 1000]))
                });
                Response::bytes(ResponseBody::stream(chunks))
            }
            "/trailers" => {
                let chunks = ["with ", "trailers"].map(|piece| foster::Ok(Bytes::from(piece)));
                let body = ResponseBody::stream(stream::iter(chunks)).with_trailers(|| {
                    [(HeaderName::from_static("x-sum"), HeaderValue::from_static("13"))].into_iter().collect()
                });
                Response::text(body)
            }
            "/broken" => {
                let chunks = [Ok(Bytes::from_static(b"half")), Err(Error::msg("as asked"))];
                Response::text(ResponseBody::stream(stream::iter(chunks)))
            }
            _ => Response::text(path),
        })
    }
}

fn served() -> Served {
    Served::new(varied, Config::new().bind("127.0.0.1:0"))
}

/// The port, for an argument.
fn port(served: &Served) -> String {
    served.address().port().to_string()
}

fn run(program: &str, args: &[&dyn AsRef<OsStr>]) -> Output {
    let mut command = Command::new(program);
    for arg in args {
        command.arg(arg);
    }
    command.stdin(Stdio::null()).output().expect("an installed program starts")
}

/// What a program prints that has to succeed.
fn succeeds(program: &str, args: &[&dyn AsRef<OsStr>]) -> String {
    let output = run(program, args);
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} has failed with {}:\n{said}\n{errors}", output.status);
    said.into_owned()
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop_http1").join(name)
}

/// Where `.ci/run` has put the clients of PyPI: `http-clients` in the target folder.
fn python_clients() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().map(|folder| folder.join("http-clients")).find(|folder| folder.is_dir())
}

fn python(name: &str, client: &str) {
    if !has_program("python3") {
        return;
    }
    let folder = python_clients().filter(|folder| folder.join(client).is_dir());
    if !client.is_empty() && !is_there(client, folder.is_some()) {
        return;
    }
    let served = served();
    let output = Command::new("python3")
        .arg(script(name))
        .arg(port(&served))
        .env("PYTHONPATH", folder.unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .expect("an installed program starts");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "all is well\n", "{errors}");
    served.stop().unwrap();
}

// ---- curl

fn curl(served: &Served, path: &str, args: &[&dyn AsRef<OsStr>]) -> String {
    let url = format!("http://{}{path}", served.address());
    let common: [&dyn AsRef<OsStr>; 5] = [&"--silent", &"--show-error", &"--max-time", &"40", &url];
    succeeds("curl", &[&common[..], args].concat())
}

#[test]
fn curl_gets_asks_and_keeps_its_connection() {
    if !has_program("curl") {
        return;
    }
    let served = served();
    assert_eq!(curl(&served, "/a", &[]), "/a");
    let said = curl(&served, "/[1-20]", &[&"--write-out", &" %{num_connects} %{http_version}\n"]);
    let expected: String = (1..=20).map(|n| format!("/{n} {} 1.1\n", u8::from(n == 1))).collect();
    assert_eq!(said, expected);
    let said = curl(&served, "/head", &[&"--head"]);
    assert!(said.contains("content-length: 5\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    let said = curl(&served, "/stream", &[&"--raw", &"--include"]);
    assert!(said.contains("transfer-encoding: chunked\r\n") && said.ends_with("\r\n0\r\n\r\n"));
    assert_eq!(curl(&served, "/stream", &[]).len(), 100_000);
    assert_eq!(curl(&served, "/stream", &[&"--http1.0"]).len(), 100_000);
    assert_eq!(curl(&served, "/b", &[&"--http1.0", &"--header", &"Connection: keep-alive"]), "/b");
    // It asks for what it can unpack, and gets what there is.
    let said = curl(&served, "/c", &[&"--compressed", &"--include"]);
    assert!(!said.contains("content-encoding") && said.ends_with("/c"), "{said}");
    let output = run("curl", &[&"--silent", &"--max-time", &"40", &format!("http://{}/broken", served.address())]);
    assert!([18, 56].contains(&output.status.code().unwrap_or(0)), "a transfer that broke off: {:?}", output.status);
    served.stop().unwrap();
}

#[test]
fn curl_uploads_and_waits_to_be_told() {
    if !has_program("curl") {
        return;
    }
    let served = served();
    assert_eq!(curl(&served, "/echo", &[&"--data", &"some=form"]), "some=form");
    let file = std::env::temp_dir().join(format!("foster-upload-{}", std::process::id()));
    std::fs::write(&file, "u".repeat(3_000_000)).unwrap();
    // Large enough for an Expect of its own accord.
    let code = " %{http_code}";
    let said = curl(&served, "/echo", &[&"--upload-file", &file, &"--write-out", &code]);
    assert_eq!((said.len(), &said[3_000_000..]), (3_000_004, " 200"));
    let said = curl(&served, "/echo", &[&"-T", &file, &"-H", &"Transfer-Encoding: chunked", &"--write-out", &code]);
    assert_eq!((said.len(), &said[3_000_000..]), (3_000_004, " 200"));
    let said = curl(&served, "/refuse", &[&"-T", &file, &"-H", &"Expect: 100-continue", &"--write-out", &code]);
    assert_eq!(said, " 403");
    let said = curl(&served, "/refuse", &[&"-T", &file, &"-H", &"Expect:", &"--write-out", &code]);
    assert_eq!(said, " 403", "an answer ahead of the body arrives");
    let said = curl(&served, "/ignore", &[&"-T", &file, &"-H", &"Expect:", &"-H", &"Content-Length: 200000"]);
    assert!(said.ends_with("/ignore"), "{said}");
    let _ = std::fs::remove_file(&file);
    served.stop().unwrap();
}

#[cfg(unix)]
#[test]
fn curl_asks_over_a_unix_socket() {
    if !has_program("curl") {
        return;
    }
    let path = std::env::temp_dir().join(format!("foster-curl-{}.sock", std::process::id()));
    let served = Served::new(varied, Config::new().bind(format!("unix:{}", path.display())));
    let said = succeeds("curl", &[&"-sS", &"--max-time", &"40", &"--unix-socket", &path, &"http://localhost/unix"]);
    assert_eq!(said, "/unix");
    served.stop().unwrap();
    let _ = std::fs::remove_file(&path);
}

// ---- programs that use libraries

#[test]
fn pythons_http_client_is_served() {
    python("http_client.py", "");
}

#[test]
fn aiohttp_is_served() {
    python("aiohttp_client.py", "aiohttp");
}

#[test]
fn httpx_is_served() {
    python("httpx_client.py", "httpx");
}

#[test]
fn nodes_fetch_is_served() {
    if !has_program("node") {
        return;
    }
    let served = served();
    assert_eq!(succeeds("node", &[&script("fetch.mjs"), &port(&served)]), "all is well\n");
    served.stop().unwrap();
}

// ---- load generators

#[test]
fn wrk_sees_no_error() {
    if !has_program("wrk") {
        return;
    }
    let served = Served::new(varied, Config::new().bind("127.0.0.1:0"));
    let url = format!("http://{}/wrk", served.address());
    let said = succeeds("wrk", &[&"--threads", &"1", &"--connections", &"20", &"--duration", &"1s", &url]);
    assert!(said.contains("requests in") && !said.contains("Socket errors") && !said.contains("Non-2xx"), "{said}");
    let stats = served.server.stats();
    assert_eq!((stats.n_failed, stats.n_refused, stats.n_timed_out), (0, 0, 0));
    served.stop().unwrap();
}

#[test]
fn ab_sees_no_failure_with_http_1_0_kept_alive_or_not() {
    if !has_program("ab") {
        return;
    }
    let served = served();
    let url = format!("http://{}/ab", served.address());
    let kept: [&dyn AsRef<OsStr>; 6] = [&"-k", &"-n", &"2000", &"-c", &"10", &url];
    let closed: [&dyn AsRef<OsStr>; 3] = [&"-n", &"500", &url];
    for args in [&kept[..], &closed] {
        let said = succeeds("ab", args);
        assert!(said.contains("Failed requests:        0\n") && !said.contains("Non-2xx"), "{said}");
    }
    assert_eq!(served.server.stats().n_requests_total, 2500);
    served.stop().unwrap();
}
