//! A chat room: what one member writes, a line at a time, everybody in the room reads.
//!
//! ```text
//! cargo run --example chat -- [--host HOST] [--port PORT]
//! nc localhost 8888
//! ```
//!
//! The room is shared by all connections without a lock: everything runs on one thread, and nothing else runs between
//! two statements of a callback.

#[cfg(test)]
mod child;
mod options;
mod room;

use std::mem;
use std::rc::Rc;

use foster::{Error, Loop, NurseryError, Protocol, Result, Server, TransportRef, create_server, open_nursery, run};
use options::{Options, announce};
use room::{Hears, LIMITS, Limits, MAX_MEMBERS, MAX_NAME, Patience, Room, is_name, printable};

/// The longest line in bytes, without its end. IRC has 512.
const MAX_LINE: usize = 1024;

/// The most lines that one read may bring. A paste of more would, in one stroke, fill the buffers of all who read.
const MAX_LINES_AT_ONCE: usize = 100;

impl Hears for TransportRef {
    fn transport(&self) -> &TransportRef {
        self
    }

    fn hear(&self, line: &str) -> Result<()> {
        self.write(format!("{line}\n").as_bytes())
    }
}

/// One connection.
struct Member {
    room: Rc<Room<TransportRef>>,
    transport: TransportRef,
    /// `None` before the member has entered.
    name: Option<String>,
    /// What has come of a line whose end has not.
    line: Vec<u8>,
    /// Runs while writing is paused.
    patience: Patience,
}

impl Member {
    fn new(room: Rc<Room<TransportRef>>) -> Self {
        let transport = TransportRef::default();
        Member { room, transport, name: None, line: Vec::new(), patience: Patience::default() }
    }

    fn line_received(&mut self, line: &str) -> Result<()> {
        match &self.name {
            Some(_) if line.is_empty() => Ok(()),
            Some(name) => self.room.say(&format!("{name}: {line}")),
            None => self.name_received(line),
        }
    }

    fn name_received(&mut self, name: &str) -> Result<()> {
        if !is_name(name) {
            return self.transport.write(format!("* 1 to {MAX_NAME} letters and digits make a name\n").as_bytes());
        }
        if !self.room.enter(name, self.transport.clone()) {
            return self.transport.write(b"* that name is taken\n");
        }
        self.name = Some(name.to_owned());
        self.transport.set_idle_timeout(None);
        self.room.say(&format!("* {name} has come"))
    }

    /// Ends the connection, with a reason for who reads it.
    fn dismiss(&mut self, reason: &str) -> Result<()> {
        self.line.clear();
        self.transport.write(format!("* {reason}\n").as_bytes())?;
        self.transport.set_idle_timeout(Some(self.room.limits.politeness));
        self.transport.close();
        Ok(())
    }
}

impl Protocol for Member {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        self.transport.set_idle_timeout(Some(self.room.limits.politeness));
        self.transport.write(b"* what is your name?\n")
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        for (n, piece) in data.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if n == MAX_LINES_AT_ONCE {
                return self.dismiss("that was too much at once");
            }
            let (text, is_whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if self.line.len() + text.len() > MAX_LINE {
                return self.dismiss("that line was too long");
            }
            self.line.extend_from_slice(text);
            if is_whole {
                let line = mem::take(&mut self.line);
                self.line_received(&printable(&line))?;
            }
        }
        Ok(())
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.patience.begin(&self.room.loop_, self.room.limits.patience, &self.transport);
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.patience.end();
        Ok(())
    }

    fn connection_lost(&mut self, _exc: Option<Error>) -> Result<()> {
        self.patience.end();
        match self.name.take() {
            Some(name) => {
                self.room.leave(&name);
                self.room.say(&format!("* {name} has gone"))
            }
            None => Ok(()),
        }
    }
}

async fn app(
    options: Options,
    limits: Limits,
    on_serving: impl FnOnce(&Server) -> Result<()>,
) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let room = Rc::new(Room::new(Loop::new(&nursery), limits));
        let server = create_server(&nursery, move || Member::new(room.clone()), options.host, options.port)
            .max_connections(MAX_MEMBERS)
            .await?;
        on_serving(&server)
    })
    .await
}

fn main() -> Result<()> {
    run(app(Options::from_args("chat", 8888), LIMITS, announce))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::mpsc;
    use std::time::Duration;

    use foster::{LoopThread, run_here, run_in_thread};

    use super::child::{self, Child, PATIENCE};
    use super::*;

    #[test]
    fn what_one_says_everybody_reads() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        let mut bob = room.enter("bob");
        ada.reads("* bob has come");
        ada.writes("good morning");
        for member in [&mut ada, &mut bob] {
            member.reads("ada: good morning");
        }
        bob.writes("grüß dich\r");
        for member in [&mut ada, &mut bob] {
            member.reads("bob: grüß dich");
        }
        drop(bob);
        ada.reads("* bob has gone");
    }

    #[test]
    fn a_line_may_come_in_pieces_and_several_at_once() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        for byte in b"slowly" {
            ada.sends(&[*byte]);
        }
        ada.sends(b" done\n\nnext\nlast");
        ada.reads("ada: slowly done");
        ada.reads("ada: next");
        ada.sends(b"\n");
        ada.reads("ada: last");
    }

    #[test]
    fn a_name_that_is_taken_or_none_is_asked_for_again() {
        let room = OpenRoom::new(LIMITS);
        let _ada = room.enter("ada");
        let mut other = room.connect();
        for (name, answer) in [
            ("ada", "* that name is taken"),
            ("", "* 1 to 20 letters and digits make a name"),
            ("ada: hello", "* 1 to 20 letters and digits make a name"),
            ("aaaaaaaaaaaaaaaaaaaaa", "* 1 to 20 letters and digits make a name"),
            ("eve", "* eve has come"),
        ] {
            other.writes(name);
            other.reads(answer);
        }
    }

    #[test]
    fn a_name_is_free_again_after_its_member_has_gone() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        drop(room.enter("bob"));
        ada.reads("* bob has come");
        ada.reads("* bob has gone");
        room.enter("bob");
        ada.reads("* bob has come");
    }

    #[test]
    fn an_over_long_line_ends_the_connection_of_who_sent_it() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        let mut bob = room.enter("bob");
        ada.reads("* bob has come");
        bob.writes(&"x".repeat(MAX_LINE));
        ada.reads(&format!("bob: {}", "x".repeat(MAX_LINE)));
        // The end of the line need not come.
        bob.sends(&[b'x'; MAX_LINE + 1]);
        ada.reads("* bob has gone");
        bob.reads(&format!("bob: {}", "x".repeat(MAX_LINE)));
        bob.reads("* that line was too long");
        bob.is_closed();
        ada.writes("still here");
        ada.reads("ada: still here");
    }

    #[test]
    fn a_flood_of_lines_ends_the_connection_of_who_sent_it() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        let mut bob = room.enter("bob");
        ada.reads("* bob has come");
        bob.sends(&b"x\n".repeat(MAX_LINES_AT_ONCE + 1));
        for _ in 0..MAX_LINES_AT_ONCE {
            ada.reads("bob: x");
        }
        ada.reads("* bob has gone");
    }

    #[test]
    fn what_could_play_tricks_on_a_terminal_is_left_out() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        ada.sends(b"a\x1b[2Jb\xff\n");
        ada.reads("ada: a[2Jb\u{fffd}");
    }

    #[test]
    fn a_member_killed_in_the_middle_of_a_line_has_gone() {
        let room = OpenRoom::new(LIMITS);
        let mut ada = room.enter("ada");
        let mut bob = room.enter("bob");
        ada.reads("* bob has come");
        ada.writes("unread");
        ada.reads("ada: unread");
        bob.sends(b"half a li");
        bob.dies();
        ada.reads("* bob has gone");
        ada.writes("still here");
        ada.reads("ada: still here");
    }

    #[test]
    fn a_reader_with_too_much_to_read_is_dropped_and_nobody_waits() {
        drops_who_does_not_read(Limits { patience: Duration::MAX, max_backlog: 100_000, ..LIMITS });
    }

    #[test]
    fn a_reader_who_is_paused_for_too_long_is_dropped_and_nobody_waits() {
        drops_who_does_not_read(Limits { patience: Duration::from_millis(10), max_backlog: usize::MAX, ..LIMITS });
    }

    #[test]
    fn a_reader_who_catches_up_in_time_stays() {
        // More than the buffers between the two hold.
        const N_LINES: usize = 12_000;
        let room = OpenRoom::new(Limits { patience: Duration::MAX, max_backlog: usize::MAX, ..LIMITS });
        let mut ada = room.enter("ada");
        let mut slow = room.enter("slow");
        ada.reads("* slow has come");
        let line = "x".repeat(MAX_LINE);
        for _ in 0..N_LINES {
            ada.writes(&line);
            ada.reads(&format!("ada: {line}"));
        }
        for _ in 0..N_LINES {
            slow.reads(&format!("ada: {line}"));
        }
        slow.writes("sorry");
        ada.reads("slow: sorry");
    }

    #[tokio::test]
    async fn patience_begins_anew_each_time_that_writing_is_paused() {
        let test = open_nursery(async |nursery| {
            let mut member = Member::new(Rc::new(Room::new(Loop::new(&nursery), LIMITS)));
            for _ in 0..2 {
                member.pause_writing()?;
                let patience = member.patience.0.clone().expect("it waits");
                assert!(!patience.cancelled());
                member.resume_writing()?;
                assert!(patience.cancelled());
            }
            Ok(())
        });
        run_here(test).await.expect("nothing fails");
    }

    #[test]
    fn ctrl_c_stops_it_at_once_with_members_in_the_room() {
        let server = Child::serve("chat");
        let mut members = ["ada", "bob"].map(|name| Client::enter(server.address, name));
        members[0].reads("* bob has come");
        let [ada, bob] = &members;
        let ended = server.interrupt(&[ada.stream.get_ref(), bob.stream.get_ref()]);
        assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
    }

    fn drops_who_does_not_read(limits: Limits) {
        let room = OpenRoom::new(limits);
        let mut ada = room.enter("ada");
        let slow = room.enter("slow");
        ada.reads("* slow has come");
        let line = "x".repeat(MAX_LINE);
        // What the system keeps between the two is a few megabytes.
        let is_dropped = (0..100_000).any(|_| {
            ada.writes(&line);
            let mut answer = ada.line();
            let is_dropped = answer == "* slow has gone";
            if is_dropped {
                answer = ada.line();
            }
            assert_eq!(answer, format!("ada: {line}"));
            is_dropped
        });
        assert!(is_dropped, "the slow reader is still there");
        drop(slow);
        ada.writes("still here");
        ada.reads("ada: still here");
    }

    /// The app on a thread of its own; it ends with the test.
    struct OpenRoom {
        address: SocketAddr,
        _thread: LoopThread<Option<()>>,
    }

    impl OpenRoom {
        fn new(limits: Limits) -> Self {
            let (sender, address) = mpsc::channel();
            let thread = run_in_thread(move || {
                let options = Options { host: "127.0.0.1".to_owned(), port: 0 };
                app(options, limits, move |server| {
                    let address = server.sockets()[0].getsockname()?.to_string();
                    Ok(sender.send(address)?)
                })
            });
            let thread = thread.expect("a thread can be made");
            let address = address.recv_timeout(PATIENCE).expect("the server starts");
            OpenRoom { address: address.parse().expect("it is an internet address"), _thread: thread }
        }

        fn connect(&self) -> Client {
            Client::connect(self.address)
        }

        fn enter(&self, name: &str) -> Client {
            Client::enter(self.address, name)
        }
    }

    struct Client {
        stream: BufReader<TcpStream>,
    }

    impl Client {
        fn connect(address: SocketAddr) -> Self {
            let mut client = Client { stream: BufReader::new(child::connect(address)) };
            client.reads("* what is your name?");
            client
        }

        fn enter(address: SocketAddr, name: &str) -> Self {
            let mut client = Client::connect(address);
            client.writes(name);
            client.reads(&format!("* {name} has come"));
            client
        }

        fn sends(&mut self, data: &[u8]) {
            self.stream.get_mut().write_all(data).expect("the server reads");
        }

        fn writes(&mut self, line: &str) {
            self.sends(format!("{line}\n").as_bytes());
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the server writes");
            line.trim_end_matches('\n').to_owned()
        }

        fn reads(&mut self, expected: &str) {
            assert_eq!(self.line(), expected);
        }

        fn is_closed(&mut self) {
            let rest = child::receive_all(self.stream.get_ref());
            assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
        }

        /// Goes as a killed process does: what it has not read makes the system send a reset.
        fn dies(self) {
            child::reset(self.stream.into_inner());
        }
    }
}
