//! One request to an application, and its answer.

use foster::Nursery;
use foster::app::App;
use foster::testing::{Faults, serve_http};

use crate::stage::{Log, config, paused, reports_of, text};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// What the exception handler was told.
    pub(crate) reports: Vec<String>,
}

impl Answer {
    /// The body of a response that is fine.
    #[track_caller]
    pub(crate) fn fine(self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    /// What the page of a response with that status says, its mark-up undone.
    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.reports.is_empty(), "{self:?}");
        let said = self.body.split_once("<p>").and_then(|(_, rest)| rest.split_once("</p>"));
        said.map_or("", |(said, _)| said).replace("&#34;", "\"").replace("&quot;", "\"").replace("&#39;", "'")
    }

    /// The only report of a response with 500.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert_eq!((self.status, self.reports.len()), (500, 1), "{self:?}");
        self.reports.concat()
    }
}

/// Asks an application that starts for a target.
pub(crate) fn get(app: App, target: &str) -> Answer {
    ask(app, format!("GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n"))
}

/// Posts a body of a type, whole and then byte by byte: the answers are the same.
pub(crate) fn post(app: impl Fn() -> App, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}", body.len());
    both(app, [head.as_bytes(), b"\r\n\r\n", body].concat())
}

/// As `post`, in chunks of one byte without a length.
pub(crate) fn post_chunked(app: impl Fn() -> App, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked");
    let chunks = body.as_ref().iter().flat_map(|byte| [b"1\r\n", &[*byte][..], b"\r\n"].concat());
    let chunks: Vec<u8> = chunks.collect();
    both(app, [head.as_bytes(), b"\r\n\r\n", &chunks, b"0\r\n\r\n"].concat())
}

/// Sends a request whole and then byte by byte: the answers are the same.
pub(crate) fn both(app: impl Fn() -> App, request: impl AsRef<[u8]>) -> Answer {
    let whole = ask(app(), &request);
    let piecemeal = ask_with(app(), request.as_ref(), Faults::new().split_reads(1));
    assert_eq!((whole.status, &whole.body, &whole.reports), (piecemeal.status, &piecemeal.body, &piecemeal.reports));
    whole
}

/// Sends a request, and the end of the stream behind it.
pub(crate) fn ask(app: App, request: impl AsRef<[u8]>) -> Answer {
    ask_with(app, request.as_ref(), Faults::new())
}

fn ask_with(app: App, request: &[u8], faults: Faults) -> Answer {
    let reports = Log::default();
    let came = Log::default();
    paused(async |nursery: Nursery| {
        let lines = reports_of(&nursery);
        let server = serve_http(&nursery, app.into_handler()?, config());
        let client = server.connect();
        client.inject(faults);
        client.send(request);
        client.close_write();
        came.say(text(client.read_to_end().await));
        lines.words().into_iter().for_each(|line| reports.say(line));
        foster::Ok(())
    });
    let came = came.words().concat();
    let (head, body) = came.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {came:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status in {head:?}")),
        head: head.to_owned(),
        body: body.to_owned(),
        reports: reports.words(),
    }
}

/// What an application that cannot start says.
#[track_caller]
pub(crate) fn refused_at_start(app: App) -> Vec<String> {
    app.into_handler().err().expect("the application does not start").messages().to_vec()
}
