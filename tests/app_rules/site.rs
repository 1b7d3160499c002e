//! An application that is asked over connections in memory.

use foster::app::App;
use foster::testing::{InMemoryHttpServer, Peer, serve_http};
use foster::{Handler, Nursery, Result};

use crate::stage::{Log, config, paused, reports_of};

/// An application at work.
pub(crate) struct Site<H: Handler> {
    pub(crate) server: InMemoryHttpServer<H>,
    /// What was reported, one line each.
    pub(crate) reports: Log,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Serves an application in a nursery of the test.
pub(crate) fn site(nursery: &Nursery, app: App) -> Site<impl Handler> {
    let reports = reports_of(nursery);
    let handler = app.into_handler().expect("the application starts");
    Site { server: serve_http(nursery, handler, config()), reports }
}

impl<H: Handler> Site<H> {
    pub(crate) fn connect(&self) -> Peer {
        self.server.connect()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    /// Asks with a connection of its own; `fields` are header lines, each with its end.
    pub(crate) async fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        let host = if fields.to_ascii_lowercase().contains("host:") { "" } else { "Host: x\r\n" };
        self.say(&format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{fields}\r\n")).await
    }

    /// Sends bytes, and reads to the end; pieces are put together.
    pub(crate) async fn say(&self, request: &str) -> Answer {
        let client = self.connect();
        client.send(request);
        answer(&client.read_to_end().await)
    }
}

pub(crate) fn answer(bytes: &[u8]) -> Answer {
    let all = String::from_utf8_lossy(bytes);
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    let is_chunked = answer.header("transfer-encoding").is_some();
    Answer { body: if is_chunked { joined(body) } else { answer.body.clone() }, ..answer }
}

/// What the pieces of a chunked body are together, up to where they were cut.
fn joined(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the size of a piece");
        text += &rest[..size];
        body = rest[size..].strip_prefix("\r\n").expect("the end of a piece");
    }
    text
}

/// Asks one application for one path after another: the status and the body of each.
pub(crate) fn answers(app: App, paths: &[&str]) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    paused(async |nursery| -> Result<()> {
        let site = site(&nursery, app);
        for path in paths {
            let answer = site.get(path).await;
            answers.push((answer.status, answer.body));
        }
        assert_eq!(site.reports.words(), [""; 0]);
        Ok(())
    });
    answers
}

/// The bodies alone, of answers that are all 200.
pub(crate) fn bodies(app: App, paths: &[&str]) -> Vec<String> {
    let mut bodies = Vec::new();
    for ((status, body), path) in answers(app, paths).into_iter().zip(paths) {
        assert_eq!(status, 200, "{path}: {body}");
        bodies.push(body);
    }
    bodies
}
