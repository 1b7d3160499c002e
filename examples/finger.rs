//! A finger server (RFC 1288): says who is there, and what is known of one of them.
//!
//! ```text
//! cargo run --example finger -- [--host HOST] [--port PORT]
//! printf '/W moshez\r\n' | nc localhost 7979
//! ```
//!
//! The protocol and its factory are those of Twisted's finger tutorial: a `LineReceiver` that asks its factory for the
//! user, answers, and closes.

#[cfg(test)]
mod child;
mod options;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use foster::framing::{LineBase, LineProtocol, LineReceiver};
use foster::{Result, RunServer, run, run_server};
use options::{Options, announce};

/// How long a client may take to ask and to read the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many clients are served at once; more wait to be accepted.
const MAX_CLIENTS: usize = 500;

/// What all connections share: `FingerFactory`.
struct FingerFactory {
    users: BTreeMap<&'static str, &'static str>,
}

impl FingerFactory {
    fn new() -> Self {
        let users =
            [("moshez", "Happy and well"), ("ada", "Writing notes on an engine"), ("grace", "Out, finding a moth")];
        FingerFactory { users: users.into() }
    }

    fn get_user(&self, user: &str) -> Option<&str> {
        self.users.get(user).copied()
    }
}

struct FingerProtocol {
    factory: Rc<FingerFactory>,
}

impl LineReceiver for FingerProtocol {
    /// RFC 1288 gives no length; a name has 512 bytes at most, and a request is no more than one.
    const MAX_LENGTH: usize = 512;

    fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
        let query = String::from_utf8_lossy(line);
        let answer = self.answer(query.trim());
        base.transport.write(answer.as_bytes())?;
        // One question, one answer.
        base.transport.close();
        Ok(())
    }
}

impl FingerProtocol {
    /// Every line of the answer ends with CR and LF, and no byte of the question comes back in it.
    fn answer(&self, query: &str) -> String {
        // RFC 1288, section 2.3: `{Q1}` and `{Q2}`, each with the switch for a whole answer.
        let (is_whole, user) = match query.split_once(' ') {
            Some((switch, user)) if switch.eq_ignore_ascii_case("/W") => (true, user.trim()),
            _ if query.eq_ignore_ascii_case("/W") => (true, ""),
            _ => (false, query),
        };
        if user.contains('@') {
            // Section 3.2.1: forwarding is refused unless it was asked for.
            return "Finger forwarding service denied\r\n".to_owned();
        }
        if user.is_empty() {
            return self.factory.users.keys().map(|user| format!("{user}\r\n")).collect();
        }
        match self.factory.get_user(user) {
            Some(status) if is_whole => format!("Login: {user}\r\nPlan: {status}\r\n"),
            Some(status) => format!("{status}\r\n"),
            None => "No such user\r\n".to_owned(),
        }
    }
}

fn app(options: Options) -> RunServer {
    let factory = Rc::new(FingerFactory::new());
    let protocol = move || LineProtocol::new(FingerProtocol { factory: factory.clone() });
    run_server(protocol, options.host, options.port)
        .idle_timeout(PATIENCE)
        .max_connections(MAX_CLIENTS)
        .on_serving(|server| announce(&server))
}

fn main() -> Result<()> {
    run(app(Options::from_args("finger", 7979)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::child::{Child, receive_all};

    fn ask(server: &Child, pieces: &[&[u8]]) -> String {
        let mut client = server.connect();
        for piece in pieces {
            client.write_all(piece).expect("the server reads");
        }
        String::from_utf8(receive_all(&client)).expect("the answer is text")
    }

    #[test]
    fn a_user_is_looked_up_and_the_connection_closed() {
        let server = Child::serve("finger");
        assert_eq!(ask(&server, &[b"moshez\r\n"]), "Happy and well\r\n");
        assert_eq!(ask(&server, &[b"/W moshez\r\n"]), "Login: moshez\r\nPlan: Happy and well\r\n");
        assert_eq!(ask(&server, &[b"nobody\r\n"]), "No such user\r\n");
    }

    #[test]
    fn an_empty_question_lists_who_is_there() {
        let server = Child::serve("finger");
        for question in [&b"\r\n"[..], b"/W\r\n", b"  \r\n"] {
            assert_eq!(ask(&server, &[question]), "ada\r\ngrace\r\nmoshez\r\n");
        }
    }

    #[test]
    fn a_question_may_come_byte_by_byte_and_what_follows_it_is_ignored() {
        let server = Child::serve("finger");
        let bytes: Vec<&[u8]> = b"ada\r\n".chunks(1).collect();
        assert_eq!(ask(&server, &bytes), "Writing notes on an engine\r\n");
        assert_eq!(ask(&server, &[b"ada\r\ngrace\r\n"]), "Writing notes on an engine\r\n");
    }

    #[test]
    fn forwarding_is_refused() {
        let server = Child::serve("finger");
        assert_eq!(ask(&server, &[b"ada@example.org\r\n"]), "Finger forwarding service denied\r\n");
    }

    #[test]
    fn what_is_no_question_ends_its_connection_and_harms_nobody() {
        let server = Child::serve("finger");
        let mut long = server.connect();
        // The end may be a reset, because the rest is not read.
        let _ = long.write_all(&[b'x'; 4096]);
        assert_eq!(ask(&server, &[b"\xff\xfe\x00\r\n"]), "No such user\r\n");
        assert_eq!(ask(&server, &[b"grace\r\n"]), "Out, finding a moth\r\n");
    }

    #[test]
    fn ctrl_c_stops_it_with_clients_connected() {
        let server = Child::serve("finger");
        let client = server.connect();
        let ended = server.interrupt(&[&client]);
        assert_eq!(ended.code, Some(130), "{ended:?}");
    }
}
