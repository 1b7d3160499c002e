//! Receives mail and prints it: aiosmtpd's `SMTP` with its handler `Debugging`.
//!
//! ```text
//! cargo run --example smtp -- [--cert FILE --key FILE] [--user LOGIN:PASSWORD] [--port PORT]
//! swaks --server localhost:8025 --to ada@example.org
//! ```
//!
//! SMTP (RFC 5321) with PIPELINING, SIZE, 8BITMIME, STARTTLS and AUTH, each command a method as in the original. A
//! handler decides what becomes of the mail.

#[path = "smtp/address.rs"]
mod address;
#[path = "smtp/auth.rs"]
mod auth;
#[path = "smtp/base64.rs"]
mod base64;
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

use std::mem;
use std::rc::Rc;

use address::address;
use foster::{
    Error, IncompleteReadError, LimitOverrunError, Loop, NurseryError, Protocol, Result, Server, StreamReader,
    StreamReaderProtocol, StreamWriter, TimerHandle, TransportRef, create_server, open_nursery, run,
};
use handler::{Debugging, Envelope, Handler, Session};
use options::{Options, announce, wrong_arguments};
use settings::{OPTIONS, Settings};

const IDENT: &str = "Foster SMTP";

/// The longest command in bytes, without its end (RFC 5321, 4.5.3.1.4).
const COMMAND_SIZE_LIMIT: usize = 512;

/// What the parameter SIZE may add to a MAIL command (RFC 1870, 3).
const SIZE_PARAMETER: usize = 26;

/// The longest line of a message: 1000 bytes and the dot that is doubled (RFC 5321, 4.5.3.1.6).
const LINE_LENGTH_LIMIT: usize = 1001;

/// The most recipients of one message: Postfix's. RFC 5321 asks for 100 at least.
const MAX_RECIPIENTS: usize = 1000;

/// So many unknown commands end the connection.
const BOGUS_LIMIT: u32 = 5;

/// How many are served at once, as Postfix does; more wait to be accepted.
const MAX_CLIENTS: usize = 100;

const ALLOWED_BEFORE_STARTTLS: [&str; 4] = ["NOOP", "EHLO", "STARTTLS", "QUIT"];

/// The commands and what HELP says of them.
const COMMANDS: [(&str, &str); 13] = [
    ("AUTH", "AUTH <mechanism>"),
    ("DATA", "DATA"),
    ("EHLO", "EHLO hostname"),
    ("EXPN", "EXPN <list>"),
    ("HELO", "HELO hostname"),
    ("HELP", "HELP [command]"),
    ("MAIL", "MAIL FROM: <address>"),
    ("NOOP", "NOOP [ignored]"),
    ("QUIT", "QUIT"),
    ("RCPT", "RCPT TO: <address>"),
    ("RSET", "RSET"),
    ("STARTTLS", "STARTTLS"),
    ("VRFY", "VRFY <address>"),
];

/// One connection: the callbacks of aiosmtpd's `SMTP`.
///
/// What the original keeps in the same object belongs to its coroutine, [`Smtp`], so that nobody else can touch it
/// while the coroutine waits.
struct SmtpProtocol<H> {
    base: StreamReaderProtocol,
    loop_: Loop,
    handler: Rc<H>,
    settings: Rc<Settings>,
    timeout_handle: Option<TimerHandle>,
}

impl<H: Handler> SmtpProtocol<H> {
    fn new(loop_: &Loop, handler: &Rc<H>, settings: &Rc<Settings>) -> Self {
        let reader = StreamReader::with_limit(LINE_LENGTH_LIMIT).expect("the limit is not zero");
        SmtpProtocol {
            base: StreamReaderProtocol::new(reader),
            loop_: loop_.clone(),
            handler: handler.clone(),
            settings: settings.clone(),
            timeout_handle: None,
        }
    }
}

impl<H: Handler> Protocol for SmtpProtocol<H> {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.base.connection_made(transport.clone())?;
        let reader = self.base.reader().clone();
        let writer = StreamWriter::new(transport.clone(), Some(reader.clone()));
        let idle = writer.clone();
        let timeout_handle = self.loop_.call_later(self.settings.timeout, move || timed_out(&idle));
        self.timeout_handle = Some(timeout_handle.clone());
        let client = Smtp {
            handler: self.handler.clone(),
            settings: self.settings.clone(),
            session: Session::new(&transport),
            envelope: Envelope::default(),
            is_tls_handshake_okay: true,
            bogus_budget: BOGUS_LIMIT,
            reader,
            writer,
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

/// Ends the connection of a client who took too long. One who does not read could keep a mere `close` waiting.
fn timed_out(writer: &StreamWriter) {
    let transport = writer.transport();
    if transport.get_write_buffer_size() > 0 {
        transport.abort();
    } else {
        transport.close();
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
    is_tls_handshake_okay: bool,
    bogus_budget: u32,
}

impl<H: Handler> Smtp<H> {
    async fn handle_client(mut self) -> Result<()> {
        self.push(&format!("220 {} {IDENT}", self.settings.hostname)).await?;
        while !self.writer.is_closing() {
            let Some(line) = self.read_line().await? else { break };
            if let Err(error) = self.handle_line(&line).await {
                if self.writer.is_closing() || error.is::<IncompleteReadError>() {
                    // It is the connection that has failed or ended, and nobody is there to be told.
                    break;
                }
                let status = self.handle_exception(error).await;
                self.push(&status).await?;
            }
        }
        self.writer.close();
        Ok(())
    }

    async fn push(&self, status: &str) -> Result<()> {
        self.writer.write(format!("{status}\r\n"))?;
        self.writer.drain().await
    }

    /// The next line without its end, `None` at the end of the stream. One that is too long is answered and skipped.
    async fn read_line(&self) -> Result<Option<Vec<u8>>> {
        let mut is_too_long = false;
        loop {
            match self.reader.readuntil(b"\n").await {
                Ok(_) if is_too_long => {
                    is_too_long = false;
                    self.push("500 Command line too long").await?;
                }
                Ok(mut line) => {
                    line.truncate(line.trim_ascii_end().len());
                    return Ok(Some(line));
                }
                Err(error) if error.is::<IncompleteReadError>() => return Ok(None),
                Err(error) => {
                    self.skip(error).await?;
                    is_too_long = true;
                }
            }
        }
    }

    /// Reads past what a line over the limit has brought so far.
    async fn skip(&self, error: Error) -> Result<()> {
        let Some(overrun) = error.downcast_ref::<LimitOverrunError>() else { return Err(error) };
        self.reader.read(overrun.consumed).await?;
        Ok(())
    }

    async fn handle_line(&mut self, line: &[u8]) -> Result<()> {
        let mut words = line.splitn(2, |byte| *byte == b' ');
        let (command, arg) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(command) = ascii(command).filter(|command| !command.is_empty()) else {
            return self.push("500 Error: bad syntax").await;
        };
        let Some(arg) = ascii(arg.trim_ascii()) else { return self.push("500 Error: strict ASCII mode").await };
        let command = command.to_ascii_uppercase();
        if line.len() > self.command_size_limit(&command) {
            return self.push("500 Command line too long").await;
        }
        if !self.is_tls_handshake_okay && command != "QUIT" {
            return self.push("554 Command refused due to lack of security").await;
        }
        let is_allowed = ALLOWED_BEFORE_STARTTLS.contains(&&*command);
        if self.settings.require_starttls && self.session.ssl.is_none() && !is_allowed {
            return self.push("530 Must issue a STARTTLS command first").await;
        }
        if syntax_of(&command).is_none() {
            self.bogus_budget -= 1;
            if self.bogus_budget == 0 {
                self.push("502 5.5.1 Too many unrecognized commands, goodbye.").await?;
                self.writer.close();
                return Ok(());
            }
            return self.push(&format!("500 Error: command \"{command}\" not recognized")).await;
        }
        self.timeout_handle.reschedule(self.settings.timeout);
        // getattr(self, 'smtp_' + command)
        match &*command {
            "AUTH" => self.smtp_auth(arg).await,
            "DATA" => self.smtp_data(arg).await,
            "EHLO" => self.smtp_ehlo(arg).await,
            "HELO" => self.smtp_helo(arg).await,
            "HELP" => self.smtp_help(arg).await,
            "MAIL" => self.smtp_mail(arg).await,
            "NOOP" => self.smtp_noop(arg).await,
            "QUIT" => self.smtp_quit(arg).await,
            "RCPT" => self.smtp_rcpt(arg).await,
            "RSET" => self.smtp_rset(arg).await,
            "STARTTLS" => self.smtp_starttls(arg).await,
            "VRFY" => self.smtp_vrfy(arg).await,
            _ => self.push(&format!("502 {command} not implemented")).await,
        }
    }

    async fn handle_exception(&self, error: Error) -> String {
        let status = match self.handler.handle_exception(&error).await {
            Ok(status) => status,
            Err(error) => format!("500 Error: {error}"),
        };
        // An answer is one line, whatever an error has to say.
        status.replace(['\r', '\n'], " ")
    }

    fn command_size_limit(&self, command: &str) -> usize {
        let is_sized = self.session.extended_smtp && command == "MAIL";
        COMMAND_SIZE_LIMIT + if is_sized { SIZE_PARAMETER } else { 0 }
    }

    /// Forgets the message that has begun, and nothing else.
    fn set_rset_state(&mut self) {
        self.envelope = Envelope::default();
    }

    async fn check_helo_needed(&self, helo: &str) -> Result<bool> {
        let is_needed = self.session.host_name.is_none();
        if is_needed {
            self.push(&format!("503 Error: send {helo} first")).await?;
        }
        Ok(is_needed)
    }

    async fn check_auth_needed(&self) -> Result<bool> {
        let is_needed = self.settings.auth_required && self.session.login.is_none();
        if is_needed {
            self.push("530 5.7.0 Authentication required").await?;
        }
        Ok(is_needed)
    }

    async fn push_syntax(&self, command: &str) -> Result<()> {
        let syntax = syntax_of(command).unwrap_or(command);
        let is_extended = self.session.extended_smtp && matches!(command, "MAIL" | "RCPT");
        self.push(&format!("501 Syntax: {syntax}{}", if is_extended { " [SP <mail-parameters>]" } else { "" })).await
    }

    // ---- SMTP and ESMTP commands

    async fn smtp_helo(&mut self, hostname: &str) -> Result<()> {
        if hostname.is_empty() {
            return self.push_syntax("HELO").await;
        }
        self.set_rset_state();
        self.session.extended_smtp = false;
        self.session.host_name = Some(hostname.to_owned());
        self.push(&format!("250 {}", self.settings.hostname)).await
    }

    async fn smtp_ehlo(&mut self, hostname: &str) -> Result<()> {
        if hostname.is_empty() {
            return self.push_syntax("EHLO").await;
        }
        self.set_rset_state();
        self.session.extended_smtp = true;
        self.session.host_name = Some(hostname.to_owned());
        let settings = &self.settings;
        let mut responses = vec![
            format!("250-{}", settings.hostname),
            "250-PIPELINING".to_owned(),
            format!("250-SIZE {}", settings.data_size_limit),
            "250-8BITMIME".to_owned(),
        ];
        if settings.tls_context.is_some() && self.session.ssl.is_none() {
            responses.push("250-STARTTLS".to_owned());
        }
        if settings.auth_callback.is_some() && self.may_auth() {
            responses.push("250-AUTH LOGIN PLAIN".to_owned());
        }
        responses.push("250 HELP".to_owned());
        let responses = self.handler.handle_ehlo(&mut self.session, &mut self.envelope, responses).await?;
        self.push(&responses.join("\r\n")).await
    }

    async fn smtp_noop(&mut self, _arg: &str) -> Result<()> {
        self.push("250 OK").await
    }

    async fn smtp_quit(&mut self, arg: &str) -> Result<()> {
        if !arg.is_empty() {
            return self.push_syntax("QUIT").await;
        }
        self.push("221 Bye").await?;
        self.writer.close();
        Ok(())
    }

    async fn smtp_starttls(&mut self, arg: &str) -> Result<()> {
        if !arg.is_empty() {
            return self.push_syntax("STARTTLS").await;
        }
        if self.session.ssl.is_some() {
            return self.push("503 TLS is active already").await;
        }
        let Some(context) = self.settings.tls_context.clone() else { return self.push("454 TLS not available").await };
        self.push("220 Ready to start TLS").await?;
        // Whatever the client has sent behind its command is TLS's to read: a command among it is no handshake, so it
        // ends the connection and is never obeyed.
        self.writer.start_tls(&context).server_side(true).await?;
        // All that was said in plain is forgotten, the greeting included (RFC 3207, 4.2).
        self.set_rset_state();
        self.session = Session::new(&self.writer.transport());
        self.is_tls_handshake_okay = self.handler.handle_starttls(&self.session, &self.envelope);
        Ok(())
    }

    async fn smtp_help(&mut self, arg: &str) -> Result<()> {
        if self.check_auth_needed().await? {
            return Ok(());
        }
        if let Some(syntax) = syntax_of(&arg.to_ascii_uppercase()) {
            return self.push(&format!("250 Syntax: {syntax}")).await;
        }
        let code = if arg.is_empty() { 250 } else { 501 };
        let names = COMMANDS.map(|(name, _)| name).join(" ");
        self.push(&format!("{code} Supported commands: {names}")).await
    }

    async fn smtp_vrfy(&mut self, arg: &str) -> Result<()> {
        if self.check_auth_needed().await? {
            return Ok(());
        }
        if arg.is_empty() {
            return self.push_syntax("VRFY").await;
        }
        if address(arg).is_none() {
            return self.push(&format!("502 Could not VRFY {arg}")).await;
        }
        self.push("252 Cannot VRFY user, but will accept message and attempt delivery").await
    }

    async fn smtp_mail(&mut self, arg: &str) -> Result<()> {
        if self.check_helo_needed("HELO").await? || self.check_auth_needed().await? {
            return Ok(());
        }
        let Some(arg) = strip_command_keyword("FROM:", arg) else { return self.push_syntax("MAIL").await };
        let Some((address, parameters)) = address(arg) else {
            return self.push("553 5.1.3 Error: malformed address").await;
        };
        if !self.session.extended_smtp && !parameters.is_empty() {
            return self.push_syntax("MAIL").await;
        }
        if self.envelope.mail_from.is_some() {
            return self.push("503 Error: nested MAIL command").await;
        }
        let mail_options = options_in(parameters);
        for option in &mail_options {
            match option.split_once('=').unwrap_or((option, "")) {
                ("BODY", "7BIT" | "8BITMIME") => {}
                ("BODY", _) => return self.push("501 Error: BODY can only be one of 7BIT, 8BITMIME").await,
                ("SIZE", size) if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) => {
                    return self.push_syntax("MAIL").await;
                }
                // A number that is too large to be counted is too large.
                ("SIZE", size) if size.parse().is_ok_and(|size: usize| size <= self.settings.data_size_limit) => {}
                ("SIZE", _) => {
                    return self.push("552 Error: message size exceeds fixed maximum message size").await;
                }
                _ => return self.push("555 MAIL FROM parameters not recognized or not implemented").await,
            }
        }
        let status = self.handler.handle_mail(&self.session, &mut self.envelope, address, mail_options).await?;
        self.push(&status).await
    }

    async fn smtp_rcpt(&mut self, arg: &str) -> Result<()> {
        if self.check_helo_needed("HELO").await? || self.check_auth_needed().await? {
            return Ok(());
        }
        if self.envelope.mail_from.is_none() {
            return self.push("503 Error: need MAIL command").await;
        }
        let Some(arg) = strip_command_keyword("TO:", arg) else { return self.push_syntax("RCPT").await };
        let Some((address, parameters)) = address(arg).filter(|(address, _)| !address.is_empty()) else {
            return self.push("553 5.1.3 Error: malformed address").await;
        };
        if !parameters.is_empty() {
            return self.push("555 RCPT TO parameters not recognized or not implemented").await;
        }
        if self.envelope.rcpt_tos.len() >= MAX_RECIPIENTS {
            return self.push("452 4.5.3 Error: too many recipients").await;
        }
        let status = self.handler.handle_rcpt(&self.session, &mut self.envelope, address).await?;
        self.push(&status).await
    }

    async fn smtp_rset(&mut self, arg: &str) -> Result<()> {
        if !arg.is_empty() {
            return self.push_syntax("RSET").await;
        }
        self.set_rset_state();
        self.push("250 OK").await
    }

    async fn smtp_data(&mut self, arg: &str) -> Result<()> {
        if self.check_helo_needed("HELO").await? || self.check_auth_needed().await? {
            return Ok(());
        }
        if self.envelope.rcpt_tos.is_empty() {
            return self.push("503 Error: need RCPT command").await;
        }
        if !arg.is_empty() {
            return self.push_syntax("DATA").await;
        }
        self.push("354 End data with <CR><LF>.<CR><LF>").await?;
        let content = self.read_content().await?;
        let mut envelope = mem::take(&mut self.envelope);
        match content {
            Ok(content) => {
                envelope.content = content;
                let status = self.handler.handle_data(&self.session, &mut envelope).await?;
                self.push(&status).await
            }
            Err(refusal) => self.push(refusal).await,
        }
    }

    /// The message up to the lone dot, or why it is refused, which is said only behind that dot.
    ///
    /// A line ends with CR LF and nothing else, so that nobody can hide a second message in one (RFC 5321, 2.3.8).
    async fn read_content(&self) -> Result<Result<Vec<u8>, &'static str>> {
        let (mut content, mut line) = (Ok(Vec::new()), Vec::new());
        let mut is_at_start = true;
        loop {
            line.clear();
            if let Err(error) = self.reader.readuntil_into(b"\r\n", &mut line).await {
                self.skip(error).await?;
                content = content.and(Err("500 Line too long (see RFC5321 4.5.3.1.6)"));
                is_at_start = false;
                continue;
            }
            if mem::replace(&mut is_at_start, true) && line == b".\r\n" {
                return Ok(content);
            }
            let Ok(data) = &mut content else { continue };
            let text = line.strip_prefix(b".").unwrap_or(&line);
            if line.len() > LINE_LENGTH_LIMIT {
                content = Err("500 Line too long (see RFC5321 4.5.3.1.6)");
            } else if data.len() + text.len() > self.settings.data_size_limit {
                content = Err("552 Error: Too much mail data");
            } else {
                data.extend_from_slice(text);
            }
        }
    }
}

fn syntax_of(command: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(name, _)| *name == command).map(|(_, syntax)| *syntax)
}

fn ascii(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().filter(|text| text.is_ascii())
}

fn strip_command_keyword<'a>(keyword: &str, arg: &'a str) -> Option<&'a str> {
    let (head, rest) = arg.split_at_checked(keyword.len())?;
    Some(rest.trim()).filter(|rest| head.eq_ignore_ascii_case(keyword) && !rest.is_empty())
}

fn options_in(parameters: &str) -> Vec<String> {
    parameters.split_ascii_whitespace().map(str::to_ascii_uppercase).collect()
}

async fn app<H: Handler>(
    options: Options,
    settings: Settings,
    handler: H,
    on_serving: impl FnOnce(&Server) -> Result<()>,
) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let (loop_, handler, settings) = (Loop::new(&nursery), Rc::new(handler), Rc::new(settings));
        let factory = move || SmtpProtocol::new(&loop_, &handler, &settings);
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
