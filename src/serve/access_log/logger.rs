//! [`Logger`]: what a worker logs with.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foster_compat::Address;
use tokio::time::Instant;

use super::date::common;
use super::entry::{Entry, Known, Record};
use super::format::Format;
use super::json::write_object;
use super::line::write_line;
use super::writer::Writer;
use crate::handler::{Ends, Request};
use crate::http::{Response, StatusCode, header};

/// So much of a request line is written down that could not be read: the default limit of one.
const MAX_UNREAD: usize = crate::http::DEFAULT_MAX_REQUEST_LINE;

/// Makes lines of entries.
pub(crate) struct Logger {
    format: Arc<Format>,
    writer: Arc<Writer>,
    line: RefCell<Vec<u8>>,
    /// The second that the date was made for.
    second: Cell<u64>,
    date: RefCell<String>,
}

impl Logger {
    pub(super) fn new(format: Arc<Format>, writer: Arc<Writer>) -> Self {
        Logger { format, writer, line: RefCell::default(), second: Cell::new(u64::MAX), date: RefCell::default() }
    }

    /// A request that is about to be answered.
    pub(crate) fn begin(&self, request: &Request, now: Instant) -> Box<Entry> {
        Box::new(Entry {
            head: request.head().clone(),
            peer: request.peername().and_then(|address| address.ip()),
            is_secure: request.is_secure(),
            began: now,
            status: None,
            n_sent: 0,
            fields: Vec::new(),
        })
    }

    /// Its response, whose body is yet to be sent.
    pub(crate) fn note_response(&self, entry: &mut Entry, response: &Response) {
        entry.status = Some(response.status());
        let value = |name| match name {
            &header::CONTENT_TYPE => response.content_type(),
            _ => response.headers().get(name),
        };
        entry.fields = self.format.response_fields().map(|name| value(name).cloned()).collect();
    }

    /// Writes it down.
    pub(crate) fn end(&self, entry: &Entry) {
        self.write(&Record {
            head: Some(&entry.head),
            request_line: None,
            peer: entry.peer,
            is_secure: entry.is_secure,
            status: entry.status,
            n_sent: entry.n_sent,
            fields: &entry.fields,
            took: entry.began.elapsed(),
        });
    }

    /// Writes down a request that no handler has seen, answered with a status and its phrase.
    pub(crate) fn refused(&self, known: Known<'_>, status: StatusCode, ends: &Ends) {
        let (head, request_line) = match known {
            Known::Nothing => (None, None),
            Known::Bytes(bytes) => (None, Some(first_line(bytes))),
            Known::Head(head) => (Some(head), None),
        };
        self.write(&Record {
            head,
            request_line,
            peer: ends.peername.as_ref().and_then(Address::ip),
            is_secure: ends.is_secure,
            status: Some(status),
            n_sent: status.canonical_reason().map_or(0, str::len) as u64,
            fields: &[],
            took: Duration::ZERO,
        });
    }

    fn write(&self, record: &Record<'_>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut line = self.line.borrow_mut();
        line.clear();
        match &*self.format {
            Format::Text(pieces) => {
                if self.second.replace(now.as_secs()) != now.as_secs() {
                    self.date.replace(common(now.as_secs()));
                }
                write_line(pieces, record, &self.date.borrow(), &mut line);
            }
            Format::Json => write_object(record, now, &mut line),
        }
        line.push(b'\n');
        self.writer.push(&line);
    }
}

impl Entry {
    /// A status that no response of the handler has.
    pub(crate) fn note_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// So much of the body was sent.
    pub(crate) fn note_sent(&mut self, n: usize) {
        self.n_sent += n as u64;
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    // Empty lines before a request are not of it.
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    let end = memchr::memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
    &bytes[..end.min(MAX_UNREAD)]
}
