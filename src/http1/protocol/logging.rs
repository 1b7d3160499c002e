//! What the access log is told, if there is one.

use super::connection::Connection;
use crate::handler::{Connected, Handler, Request};
use crate::http::{Response, StatusCode};
use crate::serve::{Entry, Known};

impl<H: Handler> Connection<H> {
    pub(super) fn log_request(&self, request: &Request) {
        if let Some(log) = &self.site.access_log {
            self.entry.replace(Some(log.begin(request, self.site.now())));
        }
    }

    pub(super) fn log_response(&self, response: &Response) {
        if let Some(log) = &self.site.access_log {
            self.with_entry(|entry| log.note_response(entry, response));
        }
    }

    /// An answer that is not the handler's response.
    pub(super) fn log_status(&self, status: StatusCode, body: &str) {
        if self.site.access_log.is_some() {
            self.with_entry(|entry| {
                entry.note_status(status);
                entry.note_sent(body.len());
            });
        }
    }

    /// A piece of a body that is sent.
    pub(super) fn log_sent(&self, n: usize) {
        if self.site.access_log.is_some() {
            self.with_entry(|entry| entry.note_sent(n));
        }
    }

    /// The request was answered, or its handler cancelled.
    pub(super) fn log_end(&self) {
        if let Some(log) = &self.site.access_log {
            if let Some(entry) = self.entry.take() {
                log.end(&entry);
            }
        }
    }

    pub(super) fn log_refused(&self, known: Known<'_>, status: StatusCode) {
        if let Some(log) = &self.site.access_log {
            log.refused(known, status, self.ends());
        }
    }

    fn with_entry(&self, note: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entry.borrow_mut().as_mut() {
            note(entry);
        }
    }
}
