//! Receives mail and prints it: aiosmtpd's `SMTP` with its handler `Debugging`.
//!
//! ```text
//! cargo run --example smtp -- [--cert FILE --key FILE] [--user LOGIN:PASSWORD] [--port PORT]
//! swaks --server localhost:8025 --to ada@example.org
//! ```
//!
//! SMTP (RFC 5321) with PIPELINING, SIZE, 8BITMIME, STARTTLS and AUTH, each command a method as in the original. A
//! handler decides what becomes of the mail.

#[path = "smtp/auth.rs"]
mod auth;
#[cfg(test)]
mod child;
#[cfg(test)]
mod clients;
#[path = "smtp/handler.rs"]
mod handler;
mod options;
#[path = "smtp/settings.rs"]
mod settings;
#[cfg(test)]
#[path = "smtp/tests.rs"]
mod tests;

use std::fmt;
use std::mem;
use std::rc::Rc;

use foster::{
    Error, IncompleteReadError, LimitOverrunError, NurseryError, Protocol, Result, Server, StreamReader,
    StreamReaderProtocol, StreamWriter, TimerHandle, TransportRef, create_server, get_running_loop, open_nursery, run,
};
use handler::{Debugging, Envelope, Handler, Session};
use options::{Options, announce, wrong_arguments};
use settings::{OPTIONS, Settings};

const HOSTNAME: &str = "localhost";

/// The longest line of a message in bytes, without its end: 998, and the dot that is doubled (RFC 5321, 4.5.3.1.6).
/// Commands may be as long, where 512 bytes would do.
const LINE_LENGTH_LIMIT: usize = 999;

/// The most recipients of one message: Postfix's. RFC 5321 asks for 100 at least.
const MAX_RECIPIENTS: usize = 1000;

/// How many are served at once, as Postfix does; more wait to be accepted.
const MAX_CLIENTS: usize = 100;

/// One connection: the callbacks of aiosmtpd's `SMTP`.
///
/// What the original keeps in the same object belongs to its coroutine, [`Smtp`], so that nobody else can touch it
/// while the coroutine waits.
struct SmtpProtocol<H> {
    base: StreamReaderProtocol,
    handler: Rc<H>,
    settings: Rc<Settings>,
    timeout_handle: Option<TimerHandle>,
}

impl<H: Handler> SmtpProtocol<H> {
    fn new(handler: Rc<H>, settings: Rc<Settings>) -> Self {
        let reader = StreamReader::with_limit(LINE_LENGTH_LIMIT).expect("the limit is not zero");
        SmtpProtocol { base: StreamReaderProtocol::new(reader), handler, settings, timeout_handle: None }
    }
}

impl<H: Handler> Protocol for SmtpProtocol<H> {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.base.connection_made(transport.clone())?;
        let reader = self.base.reader().clone();
        let idle = transport.clone();
        let timeout_handle = get_running_loop()?.call_later(self.settings.timeout, move || idle.abort());
        self.timeout_handle = Some(timeout_handle.clone());
        let client = Smtp {
            handler: self.handler.clone(),
            settings: self.settings.clone(),
            session: Session::new(&transport),
            envelope: Envelope::default(),
            writer: StreamWriter::new(transport.clone(), Some(reader.clone())),
            reader,
            timeout_handle,
        };
        // Process the client's requests. The task ends with the connection.
        transport.start_soon(client.handle_client());
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.base.data_received(data)
    }

    /// What has come before the end is still answered; the coroutine finds the end by itself.
    fn eof_received(&mut self) -> Result<bool> {
        self.base.eof_received()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        if let Some(timeout_handle) = self.timeout_handle.take() {
            timeout_handle.cancel();
        }
        self.base.connection_lost(exc)
    }
}

/// The coroutine of one connection and what it remembers: the methods of aiosmtpd's `SMTP`.
struct Smtp<H> {
    handler: Rc<H>,
    settings: Rc<Settings>,
    reader: StreamReader,
    writer: StreamWriter,
    timeout_handle: TimerHandle,
    session: Session,
    envelope: Envelope,
}

/// Why a client is refused what it asks for: the answer to it, as the error of its command.
#[derive(Debug)]
struct Refused(&'static str);

impl<H: Handler> Smtp<H> {
    async fn handle_client(mut self) -> Result<()> {
        self.push(&format!("220 {HOSTNAME} Foster SMTP")).await?;
        while !self.writer.is_closing() {
            let Err(error) = self.handle_line().await else { continue };
            if self.writer.is_closing() || error.is::<IncompleteReadError>() {
                // It is the connection that has failed or ended, and nobody is there to be told.
                break;
            }
            let status = match error.downcast_ref() {
                Some(Refused(status)) => (*status).to_owned(),
                // An answer is one line, whatever an error has to say.
                None => self.handler.handle_exception(error).await.replace(['\r', '\n'], " "),
            };
            self.push(&status).await?;
        }
        self.writer.close();
        Ok(())
    }

    async fn push(&self, status: &str) -> Result<()> {
        self.writer.write(format!("{status}\r\n"))?;
        self.writer.drain().await
    }

    /// The next line with its end; `None` for one over the limit, which is read past.
    async fn read_until(&self, end: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut is_too_long = false;
        loop {
            match self.reader.readuntil(end).await {
                Ok(line) => return Ok(Some(line).filter(|_| !is_too_long)),
                Err(error) => {
                    let Some(overrun) = error.downcast_ref::<LimitOverrunError>() else { return Err(error) };
                    self.reader.read(overrun.consumed).await?;
                    is_too_long = true;
                }
            }
        }
    }

    async fn read_line(&self) -> Result<String> {
        let line = self.read_until(b"\n").await?.ok_or(Refused("500 Command line too long"))?;
        let line = String::from_utf8(line).ok().filter(|line| line.is_ascii());
        Ok(line.ok_or(Refused("500 Error: strict ASCII mode"))?.trim_end().to_owned())
    }

    async fn handle_line(&mut self) -> Result<()> {
        let line = self.read_line().await?;
        let (command, arg) = line.split_once(' ').unwrap_or((&line, ""));
        let (command, arg) = (command.to_ascii_uppercase(), arg.trim());
        require(!command.is_empty(), "500 Error: bad syntax")?;
        self.timeout_handle.reschedule(self.settings.timeout);
        // getattr(self, 'smtp_' + command)
        match &*command {
            "AUTH" => self.smtp_auth(arg).await,
            "DATA" => self.smtp_data(arg).await,
            "EHLO" => self.smtp_ehlo(arg).await,
            "HELO" => self.smtp_helo(arg).await,
            "MAIL" => self.smtp_mail(arg).await,
            "NOOP" => self.push("250 OK").await,
            "QUIT" => self.smtp_quit(arg).await,
            "RCPT" => self.smtp_rcpt(arg).await,
            "RSET" => self.smtp_rset(arg).await,
            "STARTTLS" => self.smtp_starttls(arg).await,
            "VRFY" => self.push("252 Cannot VRFY user, but will accept message and attempt delivery").await,
            _ => self.push(&format!("500 Error: command \"{command}\" not recognized")).await,
        }
    }

    fn check_helo_and_auth(&self) -> Result<(), Refused> {
        let is_auth_needed = self.settings.user.is_some() && self.session.login.is_none();
        require(self.session.host_name.is_some(), "503 Error: send HELO first")?;
        require(!is_auth_needed, "530 5.7.0 Authentication required")
    }

    // ---- SMTP and ESMTP commands

    async fn smtp_helo(&mut self, hostname: &str) -> Result<()> {
        require(!hostname.is_empty(), "501 Syntax: HELO hostname")?;
        self.greeted(hostname, false);
        self.push(&format!("250 {HOSTNAME}")).await
    }

    async fn smtp_ehlo(&mut self, hostname: &str) -> Result<()> {
        require(!hostname.is_empty(), "501 Syntax: EHLO hostname")?;
        self.greeted(hostname, true);
        let size = format!("250-SIZE {}", self.settings.data_size_limit);
        let mut responses = vec![format!("250-{HOSTNAME}"), "250-PIPELINING".to_owned(), size];
        if self.settings.tls_context.is_some() && self.session.ssl.is_none() {
            responses.push("250-STARTTLS".to_owned());
        }
        if self.settings.user.is_some() && self.session.ssl.is_some() {
            responses.push("250-AUTH LOGIN PLAIN".to_owned());
        }
        responses.push("250 8BITMIME".to_owned());
        let responses = self.handler.handle_ehlo(&self.session, responses).await?;
        self.push(&responses.join("\r\n")).await
    }

    fn greeted(&mut self, hostname: &str, is_extended: bool) {
        self.envelope = Envelope::default();
        self.session.extended_smtp = is_extended;
        self.session.host_name = Some(hostname.to_owned());
    }

    async fn smtp_quit(&mut self, arg: &str) -> Result<()> {
        require(arg.is_empty(), "501 Syntax: QUIT")?;
        self.push("221 Bye").await?;
        self.writer.close();
        Ok(())
    }

    async fn smtp_rset(&mut self, arg: &str) -> Result<()> {
        require(arg.is_empty(), "501 Syntax: RSET")?;
        self.envelope = Envelope::default();
        self.push("250 OK").await
    }

    async fn smtp_starttls(&mut self, arg: &str) -> Result<()> {
        require(arg.is_empty(), "501 Syntax: STARTTLS")?;
        require(self.session.ssl.is_none(), "503 TLS is active already")?;
        let context = self.settings.tls_context.clone().ok_or(Refused("454 TLS not available"))?;
        self.push("220 Ready to start TLS").await?;
        // Whatever the client has sent behind its command is TLS's to read: a command among it is no handshake, so it
        // ends the connection and is never obeyed.
        self.writer.start_tls(&context).server_side(true).await?;
        // All that was said in plain is forgotten, the greeting included (RFC 3207, 4.2).
        self.envelope = Envelope::default();
        self.session = Session::new(&self.writer.transport());
        Ok(())
    }

    async fn smtp_mail(&mut self, arg: &str) -> Result<()> {
        const SYNTAX: &str = "501 Syntax: MAIL FROM: <address>";
        self.check_helo_and_auth()?;
        let arg = strip_command_keyword("FROM:", arg).ok_or(Refused(SYNTAX))?;
        let (address, parameters) = getaddr(arg).ok_or(Refused("553 5.1.3 Error: malformed address"))?;
        require(self.session.extended_smtp || parameters.is_empty(), SYNTAX)?;
        require(self.envelope.mail_from.is_none(), "503 Error: nested MAIL command")?;
        let mail_options: Vec<String> = parameters.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
        mail_options.iter().try_for_each(|option| self.check_mail_option(option))?;
        let status = self.handler.handle_mail(&self.session, &mut self.envelope, address, mail_options).await?;
        self.push(&status).await
    }

    fn check_mail_option(&self, option: &str) -> Result<(), Refused> {
        match option.split_once('=') {
            Some(("BODY", "7BIT" | "8BITMIME")) => Ok(()),
            Some(("SIZE", size)) => {
                let fits = size.parse().is_ok_and(|size: usize| size <= self.settings.data_size_limit);
                require(fits, "552 Error: message size exceeds fixed maximum message size")
            }
            _ => Err(Refused("555 MAIL FROM parameters not recognized or not implemented")),
        }
    }

    async fn smtp_rcpt(&mut self, arg: &str) -> Result<()> {
        self.check_helo_and_auth()?;
        require(self.envelope.mail_from.is_some(), "503 Error: need MAIL command")?;
        let arg = strip_command_keyword("TO:", arg).ok_or(Refused("501 Syntax: RCPT TO: <address>"))?;
        let address = getaddr(arg).filter(|(address, _)| !address.is_empty());
        let (address, parameters) = address.ok_or(Refused("553 5.1.3 Error: malformed address"))?;
        require(parameters.is_empty(), "555 RCPT TO parameters not recognized or not implemented")?;
        require(self.envelope.rcpt_tos.len() < MAX_RECIPIENTS, "452 4.5.3 Error: too many recipients")?;
        let status = self.handler.handle_rcpt(&self.session, &mut self.envelope, address).await?;
        self.push(&status).await
    }

    async fn smtp_data(&mut self, arg: &str) -> Result<()> {
        self.check_helo_and_auth()?;
        require(!self.envelope.rcpt_tos.is_empty(), "503 Error: need RCPT command")?;
        require(arg.is_empty(), "501 Syntax: DATA")?;
        self.push("354 End data with <CR><LF>.<CR><LF>").await?;
        let mut envelope = mem::take(&mut self.envelope);
        envelope.content = self.read_content().await?;
        let status = self.handler.handle_data(&self.session, &mut envelope).await?;
        self.push(&status).await
    }

    /// The message up to the lone dot. That it is refused is said only behind that dot.
    ///
    /// A line ends with CR LF and nothing else, so that nobody can hide a second message in one (RFC 5321, 2.3.8).
    async fn read_content(&self) -> Result<Vec<u8>> {
        let mut content = Ok(Vec::new());
        loop {
            let line = self.read_until(b"\r\n").await?;
            match (line.as_deref(), &mut content) {
                (Some(b".\r\n"), _) => return Ok(content?),
                (Some(line), Ok(data)) => {
                    data.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                    if data.len() > self.settings.data_size_limit {
                        content = Err(Refused("552 Error: Too much mail data"));
                    }
                }
                (None, Ok(_)) => content = Err(Refused("500 Line too long (see RFC5321 4.5.3.1.6)")),
                (_, Err(_)) => {}
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

fn require(is_met: bool, status: &'static str) -> Result<(), Refused> {
    if is_met { Ok(()) } else { Err(Refused(status)) }
}

fn strip_command_keyword<'a>(keyword: &str, arg: &'a str) -> Option<&'a str> {
    let (head, rest) = arg.split_at_checked(keyword.len())?;
    Some(rest.trim()).filter(|rest| head.eq_ignore_ascii_case(keyword) && !rest.is_empty())
}

/// An address and what stands behind it: `<ada@example.org> SIZE=5`, with or without the angle brackets. `<>` is the
/// empty one. `None` where it is malformed; quoted local parts and routes count as that.
fn getaddr(arg: &str) -> Option<(&str, &str)> {
    const SPECIAL: &[char] = &[' ', '\t', '<', '>', '(', ')', '[', ']', '"', ',', ';', ':', '\\'];
    let (address, rest) = match arg.strip_prefix('<') {
        Some(arg) => arg.split_once('>')?,
        None => arg.split_at_checked(arg.find(' ').unwrap_or(arg.len()))?,
    };
    // Postmaster needs no domain (RFC 5321, 4.5.1).
    let is_whole = address.split('@').all(|part| !part.is_empty()) && address.split('@').count() <= 2;
    let is_address = is_whole && !address.contains(SPECIAL) || arg.starts_with("<>");
    (is_address && (rest.is_empty() || rest.starts_with(' '))).then_some((address, rest.trim()))
}

async fn app<H: Handler>(
    options: Options,
    settings: Settings,
    handler: H,
    on_serving: impl FnOnce(&Server) -> Result<()>,
) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let (handler, settings) = (Rc::new(handler), Rc::new(settings));
        let factory = move || SmtpProtocol::new(handler.clone(), settings.clone());
        let server = create_server(&nursery, factory, options.host, options.port).max_connections(MAX_CLIENTS).await?;
        on_serving(&server)
    })
    .await
}

fn main() -> Result<()> {
    let (options, values) = Options::from_args_and("smtp", 8025, OPTIONS);
    let settings = Settings::from_values(values).unwrap_or_else(|message| wrong_arguments("smtp", &message));
    run(app(options, settings, Debugging, announce))?;
    Ok(())
}
