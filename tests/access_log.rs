//! The access log: what it says of each request, in which form, and that no line is lost or forged.

#![cfg(feature = "http1")]

mod served;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use foster::http::{HeaderName, HeaderValue, Limits, Response, ResponseBody, StatusCode};
use foster::{AccessLog, Config, Error, Request, Result, sleep_forever};
use futures::stream;

use crate::served::{Served, say, until};

/// The lines of a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn access_log(&self) -> AccessLog {
        let log = self.clone();
        AccessLog::call(move |line| log.0.lock().unwrap().push(line.to_owned()))
    }

    fn with(&self, format: &str) -> AccessLog {
        self.access_log().format(format).unwrap()
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

async fn answer(mut request: Request) -> Result<Response> {
    match request.path() {
        "/stream" => {
            let chunks = stream::iter(["ab", "cde"].map(|piece| Ok::<_, Error>(Bytes::from(piece))));
            Ok(Response::bytes(ResponseBody::stream(chunks)))
        }
        "/none" => Ok(Response::new(StatusCode::NO_CONTENT)),
        "/header" => {
            let name = HeaderName::from_static("x-own");
            Ok(Response::text("x").header(name, HeaderValue::from_static("of \"mine\"")))
        }
        "/fail" => Err(io::Error::other("no").into()),
        "/panic" => panic!("of a handler"),
        "/wait" => {
            sleep_forever().await;
            Ok(Response::text("never"))
        }
        "/body" => Ok(Response::text(request.body_mut().text().await?)),
        "/framing" => {
            let length = HeaderValue::from_static("7");
            Ok(Response::text("x").header(foster::http::header::CONTENT_LENGTH, length))
        }
        _ => Ok(Response::text("hello")),
    }
}

fn config(log: AccessLog) -> Config {
    Config::new().bind("127.0.0.1:0").access_log(log)
}

/// What the log says, in `format`, after a client has sent `requests`.
fn logged(format: &str, requests: &str) -> Vec<String> {
    let log = Log::default();
    let served = Served::new(|| answer, config(log.with(format)));
    say(&mut served.connect(), requests);
    served.stop().unwrap();
    log.lines()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

#[test]
fn the_default_format_is_hypercorns() {
    let log = Log::default();
    let served = Served::new(|| answer, config(log.access_log()));
    say(
        &mut served.connect(),
        "GET /a?b=c HTTP/1.1\r\nHost: x\r\nReferer: http://r/\r\nUser-Agent: me/1\r\nConnection: close\r\n\r\n",
    );
    served.stop().unwrap();
    let lines = log.lines();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let (before, rest) = line.split_once('[').unwrap();
    let (date, behind) = rest.split_once(']').unwrap();
    assert_eq!(before, "127.0.0.1 - - ");
    assert!(date.ends_with(" +0000") && date.len() == "06/Nov/1994:08:49:37 +0000".len(), "{date}");
    assert_eq!(behind, r#" "GET /a?b=c HTTP/1.1" 200 5 "http://r/" "me/1""#);
}

#[test]
fn every_atom_says_its_own() {
    let request = "POST /body?q=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic bWU6c2VjcmV0\r\nX-Id: 7\r\n\
                   Content-Length: 2\r\nConnection: close\r\n\r\nhi";
    let format = "%(h)s|%(l)s|%(u)s|%(r)s|%(R)s|%(m)s|%(U)s|%(q)s|%(Uq)s|%(H)s|%(S)s|%(s)s|%(st)s|%(B)s|%(b)s|%(f)s|\
                  %(a)s|%(T)s|%(p)s|%({x-id}i)s|%({X-Missing}i)s|%({FOSTER_NO_SUCH}e)s|100%%";
    let process = std::process::id();
    assert_eq!(
        logged(format, request),
        [format!(
            "127.0.0.1|-|me|POST /body?q=1 HTTP/1.1|POST /body?q=1 HTTP/1.1|POST|/body|q=1|/body?q=1|HTTP/1.1|http|200|\
             OK|2|2|-|-|0|<{process}>|7|-|-|100%"
        )]
    );
}

#[test]
fn the_time_it_took_comes_in_four_units() {
    let lines = logged("%(M)s %(D)s %(L)s %(T)s", &get("/"));
    let [milli, micro, decimal, seconds] = lines[0].split(' ').collect::<Vec<_>>()[..] else { panic!("{lines:?}") };
    let micro: u64 = micro.parse().unwrap();
    assert_eq!(milli.parse::<u64>().unwrap(), micro / 1000);
    assert_eq!(decimal, format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000));
    assert_eq!(seconds.parse::<u64>().unwrap(), micro / 1_000_000);
}

#[test]
fn fields_of_the_response_are_those_the_handler_has_set() {
    let lines = logged("%({x-own}o)s %({content-type}o)s %({etag}o)s", &get("/header"));
    assert_eq!(lines, [r"of \x22mine\x22 text/plain; charset=utf-8 -"]);
}

#[test]
fn the_size_is_that_of_the_body_without_its_chunks() {
    assert_eq!(logged("%(s)s %(B)s %(b)s", &get("/stream")), ["200 5 5"]);
    assert_eq!(logged("%(s)s %(B)s %(b)s", &get("/none")), ["204 0 -"]);
    assert_eq!(logged("%(m)s %(s)s %(B)s", "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), ["HEAD 200 0"]);
}

#[test]
fn pipelined_requests_have_a_line_each_in_their_order() {
    let requests = format!("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n{}", get("/3"));
    assert_eq!(logged("%(U)s %(s)s", &requests), ["/1 200", "/2 200", "/3 200"]);
}

#[test]
fn what_fails_is_logged_with_the_status_that_answers_it() {
    assert_eq!(logged("%(U)s %(s)s", &get("/fail")), ["/fail 500"]);
    assert_eq!(logged("%(U)s %(s)s", &get("/panic")), ["/panic 500"]);
    assert_eq!(logged("%(U)s %(s)s %(B)s", &get("/framing")), ["/framing 500 21"]);
}

#[test]
fn what_is_refused_is_logged_with_what_is_known_of_it() {
    let format = "%(h)s %(r)s %(m)s %(s)s %(B)s";
    assert_eq!(logged(format, "GET / HTTP/1.1\r\n\r\n"), ["127.0.0.1 GET / HTTP/1.1 - 400 11"]);
    assert_eq!(logged(format, "\r\nnonsense\r\n\r\n"), ["127.0.0.1 nonsense - 400 11"]);
    let large = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    assert_eq!(logged(format, large), ["127.0.0.1 POST / HTTP/1.1 - 413 17"]);
    let second = format!("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n{}", "\x16\x03\x01\r\n\r\n");
    assert_eq!(
        logged(format, &second),
        ["127.0.0.1 GET /1 HTTP/1.1 GET 200 5", r"127.0.0.1 \x16\x03\x01 - 400 11"].map(|line| line.to_owned())
    );
    let chunk = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n";
    assert_eq!(logged(format, chunk), ["127.0.0.1 POST /body HTTP/1.1 POST 400 11"]);
}

#[test]
fn a_head_that_takes_too_long_is_logged_as_one_of_which_nothing_is_known() {
    let log = Log::default();
    let config = config(log.with("%(r)s %(s)s")).head_timeout(Duration::from_millis(50));
    let served = Served::new(|| answer, config);
    assert_eq!(say(&mut served.connect(), "GET / HT").status, 408);
    served.stop().unwrap();
    assert_eq!(log.lines(), ["- 408"]);
}

#[test]
fn a_body_beyond_the_limit_is_logged_with_the_head_of_its_request() {
    let log = Log::default();
    let config = config(log.with("%(U)s %(s)s")).limits(Limits::default().max_body_size(Some(4)));
    let served = Served::new(|| answer, config);
    let request = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(say(&mut served.connect(), request).status, 413);
    served.stop().unwrap();
    assert_eq!(log.lines(), ["/body 413"]);
}

#[test]
fn a_request_that_was_cancelled_has_no_status() {
    let log = Log::default();
    let served = Served::new(|| answer, config(log.with("%(U)s %(s)s %(b)s")));
    let mut client = served.connect();
    // An answer that is not read makes of the end of this client a reset, which ends what it has asked for.
    client.write_all(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    until(|| served.server.stats().n_requests_total == 2);
    client.peek(&mut [0]).unwrap();
    drop(client);
    until(|| log.lines() == ["/1 200 5", "/wait - -"]);
    served.stop().unwrap();
}

#[test]
fn no_client_can_forge_a_line() {
    let request = "GET /\"%0aX HTTP/1.1\r\nHost: x\r\nUser-Agent: a\" \\ \x1b]0;b\u{e9}\r\nConnection: close\r\n\r\n";
    let request = request.replace('\x1b', "\t");
    let lines = logged(r#""%(r)s" "%(a)s""#, &request);
    assert_eq!(lines, [r#""GET /\x22%0aX HTTP/1.1" "a\x22 \x5C \x09]0;b\xC3\xA9""#]);
    let log = Log::default();
    let served = Served::new(|| answer, config(log.access_log().json()));
    say(&mut served.connect(), &request);
    served.stop().unwrap();
    let lines = log.lines();
    assert!(lines[0].contains(r#""user_agent":"a\" \\ \u0009]0;bé"}"#), "{lines:?}");
}

#[test]
fn json_is_an_object_a_line() {
    let log = Log::default();
    let served = Served::new(|| answer, config(log.access_log().json()));
    say(&mut served.connect(), &get("/stream?a=b"));
    say(&mut served.connect(), "bad\r\n\r\n");
    served.stop().unwrap();
    let lines = log.lines();
    let [first, second] = &lines[..] else { panic!("{lines:?}") };
    let (time, rest) = first.split_once(",\"remote_addr\"").unwrap();
    assert!(time.starts_with(r#"{"time":"2"#) && time.ends_with("Z\""), "{time}");
    let (request, rest) = rest.split_once(",\"duration\":").unwrap();
    assert_eq!(
        request,
        r#":"127.0.0.1","method":"GET","path":"/stream","query":"a=b","protocol":"HTTP/1.1","host":"x","status":200,"size":5"#
    );
    let (duration, rest) = rest.split_once(',').unwrap();
    assert!(duration.parse::<f64>().is_ok_and(|seconds| (0.0..60.0).contains(&seconds)), "{duration}");
    assert_eq!(rest, r#""referer":null,"user_agent":null}"#);
    assert!(second.contains(r#""request_line":"bad","protocol":null,"host":null,"status":400,"size":11"#), "{second}");
}

#[test]
fn an_unknown_atom_is_an_error_that_names_it() {
    for (format, part) in [
        ("%(x)s", "\"x\""),
        ("%(h)d", "end in )s"),
        ("%h", "begins no atom"),
        ("%", "begins no atom"),
        ("%({a b}i)s", "{a b}i"),
        ("%({a}x)s", "{a}x"),
        ("%({}e)s", "{}e"),
    ] {
        let err = AccessLog::stdout().format(format).err().unwrap();
        assert!(err.is::<foster::ValueError>(), "{err}");
        assert!(err.to_string().contains(part), "{format}: {err}");
    }
}

#[test]
fn lines_of_several_workers_do_not_mix_and_none_is_lost() {
    let directory = std::env::temp_dir().join(format!("foster-access-log-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("access.log");
    std::fs::write(&path, "what stood there\n").unwrap();
    let log = AccessLog::file(&path).unwrap().format("<%(U)s %({user-agent}i)s>").unwrap();
    let served = Served::workers(|| answer, config(log).workers(3)).unwrap();
    let address = served.address();
    let agent = "a".repeat(500);
    std::thread::scope(|scope| {
        for client in 0..6 {
            let agent = &agent;
            scope.spawn(move || {
                let mut stream = served::connect(address);
                for n in 0..50 {
                    let request = format!("GET /{client}/{n} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n");
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut answer = [0; 17];
                    stream.read_exact(&mut answer).unwrap();
                    while !answer.ends_with(b"\r\n\r\nhello") {
                        answer.rotate_left(1);
                        stream.read_exact(&mut answer[16..]).unwrap();
                    }
                }
            });
        }
    });
    served.stop().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.remove(0), "what stood there");
    lines.sort_unstable();
    let mut expected: Vec<_> = (0..6)
        .flat_map(|client| (0..50).map(move |n| (client, n)))
        .map(|(c, n)| format!("</{c}/{n} {agent}>"))
        .collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Fails at first, and panics once.
struct Moody {
    n_calls: usize,
    log: Log,
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.n_calls += 1;
        match self.n_calls {
            1 => Err(io::Error::other("the disk is full")),
            2 => panic!("of a writer"),
            _ => {
                self.log.0.lock().unwrap().push(String::from_utf8_lossy(bytes).into_owned());
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_or_panics_harms_no_request_and_is_tried_again() {
    let log = Log::default();
    let served = Served::new(|| answer, config(AccessLog::writer(Moody { n_calls: 0, log: log.clone() })));
    until(|| {
        assert_eq!(served.get("/").status, 200);
        !log.lines().is_empty()
    });
    served.stop().unwrap();
}

#[test]
fn a_writer_that_stands_still_holds_no_request_up() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let n_lines = Arc::new(Mutex::new(0));
    let log = {
        let n_lines = n_lines.clone();
        AccessLog::call(move |_| {
            // An error says that it may go on.
            let _ = released.recv();
            *n_lines.lock().unwrap() += 1;
        })
    };
    let served = Served::new(|| answer, config(log));
    for _ in 0..100 {
        assert_eq!(served.get("/").status, 200);
    }
    assert_eq!(*n_lines.lock().unwrap(), 0);
    drop(release);
    served.stop().unwrap();
    assert_eq!(*n_lines.lock().unwrap(), 100, "and nothing is lost");
}
