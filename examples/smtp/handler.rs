//! [`Handler`]: what becomes of the mail, and [`Debugging`], which prints it.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use foster::{Address, Error, ExceptionContext, Result, SslObject, TransportRef, get_running_loop};

/// What is known of a client: aiosmtpd's `Session`. A new one begins with STARTTLS.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) peer: Option<Address>,
    /// What was agreed on, once TLS is spoken.
    pub(crate) ssl: Option<SslObject>,
    /// What the client called itself in HELO or EHLO.
    pub(crate) host_name: Option<String>,
    pub(crate) extended_smtp: bool,
    /// Who has logged in.
    pub(crate) login: Option<String>,
}

impl Session {
    pub(crate) fn new(transport: &TransportRef) -> Self {
        Session { peer: transport.peername(), ssl: transport.ssl_object(), ..Session::default() }
    }
}

/// One message: aiosmtpd's `Envelope`.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// `Some("")` is the null sender `<>`.
    pub(crate) mail_from: Option<String>,
    pub(crate) mail_options: Vec<String>,
    pub(crate) rcpt_tos: Vec<String>,
    /// The message as the client wrote it, its doubled dots undone.
    pub(crate) content: Vec<u8>,
}

/// The hooks of aiosmtpd's handlers. Where the original looks whether a handler has one, here a default does what is
/// done without. Each gives the answer; one that accepts writes to the envelope itself.
pub(crate) trait Handler: 'static {
    /// May change what EHLO is answered with.
    async fn handle_ehlo(&self, _session: &Session, responses: Vec<String>) -> Result<Vec<String>> {
        Ok(responses)
    }

    async fn handle_mail(
        &self,
        _session: &Session,
        envelope: &mut Envelope,
        address: &str,
        mail_options: Vec<String>,
    ) -> Result<String> {
        envelope.mail_from = Some(address.to_owned());
        envelope.mail_options = mail_options;
        Ok("250 OK".to_owned())
    }

    async fn handle_rcpt(&self, _session: &Session, envelope: &mut Envelope, address: &str) -> Result<String> {
        envelope.rcpt_tos.push(address.to_owned());
        Ok("250 OK".to_owned())
    }

    async fn handle_data(&self, _session: &Session, _envelope: &mut Envelope) -> Result<String> {
        Ok("250 OK".to_owned())
    }

    /// What the client is told of an error of another hook, which is what an exception is there.
    async fn handle_exception(&self, error: Error) -> String {
        let status = format!("500 Error: {error}");
        if let Ok(loop_) = get_running_loop() {
            loop_.call_exception_handler(&ExceptionContext::new("SMTP session exception", Some(error)));
        }
        status
    }
}

/// Prints every message: aiosmtpd's handler of that name.
pub(crate) struct Debugging;

impl Handler for Debugging {
    async fn handle_data(&self, session: &Session, envelope: &mut Envelope) -> Result<String> {
        let mut text = "---------- MESSAGE FOLLOWS ----------\n".to_owned();
        if let Some(peer) = &session.peer {
            writeln!(text, "X-Peer: {peer}")?;
        }
        // What could play tricks on a terminal is left out.
        let content = String::from_utf8_lossy(&envelope.content);
        text.extend(content.chars().filter(|char| !char.is_control() || matches!(char, '\t' | '\n')));
        text.push_str("------------ END MESSAGE ------------\n");
        stdout().write_all(text.as_bytes())?;
        Ok("250 OK".to_owned())
    }
}
