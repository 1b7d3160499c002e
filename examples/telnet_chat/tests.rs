use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use foster::{LoopThread, run_in_thread};
use tokio::time::Instant;

use super::child::{self, Child, PATIENCE};
use super::clients::client;
use super::*;

/// What a client answers that sends each key: `DO ECHO`, `DO SGA`.
const AGREES: &[u8] = b"\xff\xfd\x01\xff\xfd\x03";

const LEFT: &[u8] = b"\x1b[D";
const RIGHT: &[u8] = b"\x1b[C";
const UP: &[u8] = b"\x1b[A";
const DOWN: &[u8] = b"\x1b[B";

// ---- in lines

#[test]
fn whoever_answers_nothing_is_in_lines() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.connect();
    ada.has_got(&[b"\xff\xfb\x01\xff\xfb\x03", &b"* what is your name?\r\n"[..]].concat());
    ada.send(b"ada\n");
    ada.has_got(b"* ada has come\r\n");
    let mut bob = room.connect();
    bob.has_got(&[b"\xff\xfb\x01\xff\xfb\x03", &b"* what is your name?\r\n"[..]].concat());
    bob.send(b"b");
    bob.send(b"ob\r\nfirst\r\nsecond\nthi");
    for member in [&mut ada, &mut bob] {
        member.has_got(b"* bob has come\r\nbob: first\r\nbob: second\r\n");
    }
    bob.send("rd \u{fc}\n".as_bytes());
    ada.has_got("bob: third \u{fc}\r\n".as_bytes());
    drop(bob);
    ada.has_got(b"* bob has gone\r\n");
}

#[test]
fn whoever_refuses_is_in_lines_too_and_may_change_their_mind() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.connect();
    // DONT ECHO, DONT SGA, and in the middle of the line something that the server does not know.
    ada.send(b"\xff\xfe\x01\xff\xfe\x03a\xff\xfb\x18da\n");
    ada.shows(&["* what is your name?", "* ada has come", "|"]);
    assert_eq!(ada.screen.commands, [OFFER[..3].to_vec(), OFFER[3..].to_vec(), b"\xff\xfe\x18".to_vec()]);
    ada.send(b"now \xff\xfd\x01\xff\xfd\x03in\nkeys");
    ada.shows(&["* ada has come", "ada: now in", "> keys|"]);
    ada.send(b"\xff\xfe\x01 are not sent any more\n");
    ada.shows(&["ada: now in", "ada:  are not sent any more", "|"]);
}

#[test]
fn commands_are_the_same_for_everybody() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter("ada");
    let mut bob = room.enter_with_keys("bob");
    ada.shows(&["* bob has come", "|"]);
    for (said, answer) in
        [("/who", "* here are ada, bob"), ("/help", COMMANDS), ("hello", "bob: hello"), (" /quit", "bob:  /quit")]
    {
        bob.send(format!("{said}\r").as_bytes());
        bob.shows(&[answer, "> |"]);
    }
    bob.send(b"/quit\r");
    bob.shows(&["* good bye", "|"]);
    bob.is_closed();
    ada.shows(&["bob: hello", "bob:  /quit", "* bob has gone", "|"]);
}

// ---- key by key

#[test]
fn a_line_is_edited_key_by_key() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    for (keys, row) in [
        (&b"helo"[..], "> helo|"),
        (LEFT, "> hel|o"),
        (b"l", "> hell|o"),
        (RIGHT, "> hello|"),
        (RIGHT, "> hello|"),
        (b" big  world", "> hello big  world|"),
        (b"\x17", "> hello big  |"),
        (b"\x17", "> hello |"),
        (b"\x7f\x08", "> hell|"),
        (LEFT, "> hel|l"),
        (b"\x7f", "> he|l"),
        (b"\x15", "> |l"),
        (b"\x7f\x17\x15", "> |l"),
        (LEFT, "> |l"),
        ("\u{fc}\u{1f600}".as_bytes(), "> \u{fc}\u{1f600}|l"),
        (b"\x15", "> |l"),
    ] {
        ada.send(keys);
        ada.shows(&["* ada has come", row]);
    }
    ada.send(b"o\r");
    ada.shows(&["* ada has come", "ada: ol", "> |"]);
}

#[test]
fn lines_said_before_come_back() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    ada.send(b"one\rtwo\r\0two\r\nthree\n");
    ada.shows(&["ada: one", "ada: two", "ada: two", "ada: three", "> |"]);
    for (keys, row) in [
        (&b"dra"[..], "> dra|"),
        (UP, "> three|"),
        (b"!", "> three!|"),
        (UP, "> two|"),
        (b"\x1bOA", "> one|"),
        (UP, "> ada|"),
        (UP, "> ada|"),
        (DOWN, "> one|"),
        (b"\x1b[B\x1b[B", "> three|"),
        (DOWN, "> dra|"),
        (DOWN, "> dra|"),
        (UP, "> three|"),
    ] {
        ada.send(keys);
        ada.shows(&["ada: three", row]);
    }
    ada.send(b"\r");
    ada.shows(&["ada: three", "ada: three", "> |"]);
}

#[test]
fn a_line_stays_at_the_bottom_while_others_speak() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    let mut bob = room.enter("bob");
    ada.send(b"half a line");
    ada.send(&LEFT.repeat(4));
    ada.shows(&["* bob has come", "> half a |line"]);
    bob.send(b"hello\nis anybody there?\n");
    ada.shows(&["* bob has come", "bob: hello", "bob: is anybody there?", "> half a |line"]);
    ada.send(b"long \r");
    ada.shows(&["bob: is anybody there?", "ada: half a long line", "> |"]);
    bob.shows(&["bob: is anybody there?", "ada: half a long line", "|"]);
}

#[test]
fn keys_may_be_cut_at_any_byte() {
    let session =
        ["\r\n\0x\u{1f600}\x1b[D\x1bOC\x1b[1;5Dy\x1b[3~\x1bz\x01".as_bytes(), b"\xff\xfa\x18\x01\xff\xff\xf0\xff\xf0|"];
    let session = session.concat();
    let keys_in = |pieces: &[&[u8]]| {
        let (mut telnet, mut keys) = (Telnet::new(), Keys::default());
        let mut pressed = Vec::new();
        for byte in pieces.iter().copied().flatten() {
            if let Some(Event::Data(byte)) = telnet.receive(*byte) {
                pressed.extend(keys.receive(byte));
            }
        }
        pressed
    };
    let expected = [
        Key::Enter,
        Key::Char('x'),
        Key::Char('\u{1f600}'),
        Key::Left,
        Key::Right,
        Key::Left,
        Key::Char('y'),
        Key::Char('|'),
    ];
    assert_eq!(keys_in(&[&session]), expected);
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    for byte in &session {
        ada.send(&[*byte]);
    }
    ada.shows(&["> xy||\u{1f600}"]);
}

#[test]
fn bytes_that_are_no_text_are_replaced_or_left_out() {
    let mut keys = Keys::default();
    let pressed: Vec<_> = b"\xffa\xe2b\xe2\x28\xc3\xbc\x00\x7f".iter().filter_map(|byte| keys.receive(*byte)).collect();
    let replaced = Key::Char(char::REPLACEMENT_CHARACTER);
    let [a, b, bracket, u] = ['a', 'b', '(', '\u{fc}'].map(Key::Char);
    assert_eq!(pressed, [replaced, a, b, bracket, u, Key::Backspace]);
}

#[test]
fn a_line_longer_than_the_window_moves_in_it() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    let row = "0123456789".repeat(8);
    ada.send(&row.as_bytes()[..77]);
    ada.shows(&[&format!("> {}|", &row[..77])]);
    ada.send(&row.as_bytes()[77..]);
    ada.shows(&[&format!("> {}|", &row[3..])]);
    ada.send(&LEFT.repeat(80));
    ada.shows(&[&format!("> |{}", &row[..77])]);
    ada.send(b"\r");
    ada.shows(&[&format!("ada: {row}"), "> |"]);
}

#[test]
fn who_wants_a_name_that_is_none_or_taken_is_asked_again() {
    let room = OpenRoom::new(LIMITS);
    let _ada = room.enter("ada");
    let mut bob = room.connect();
    bob.send(b"ada\ntwo words\nbob\n");
    bob.shows(&["* that name is taken", "* 1 to 20 letters and digits make a name", "* bob has come", "|"]);
}

#[test]
fn ctrl_c_and_ctrl_d_leave() {
    let room = OpenRoom::new(LIMITS);
    for key in [b"\x03", b"\x04"] {
        let mut ada = room.enter_with_keys("ada");
        ada.send(b"unfinished");
        ada.send(key);
        ada.shows(&["* ada has come", "* good bye", "|"]);
        ada.is_closed();
    }
}

// ---- options

#[test]
fn what_is_not_known_is_refused_and_what_is_agreed_on_is_not_answered() {
    let mut telnet = Telnet::new();
    for (said, answer) in [
        (*b"\xff\xfd\x01", None),                   // DO ECHO: the answer to the offer
        (*b"\xff\xfd\x01", None),                   // again
        (*b"\xff\xfd\x18", Some(*b"\xff\xfc\x18")), // DO TERMINAL-TYPE
        (*b"\xff\xfe\x18", None),                   // DONT
        (*b"\xff\xfb\x18", Some(*b"\xff\xfe\x18")), // WILL
        (*b"\xff\xfc\x18", None),                   // WONT
        (*b"\xff\xfb\x03", Some(*b"\xff\xfe\x03")), // WILL SGA
        (*b"\xff\xfe\x01", Some(*b"\xff\xfc\x01")), // DONT ECHO
        (*b"\xff\xfe\x01", None),                   // again
        (*b"\xff\xfd\x01", Some(*b"\xff\xfb\x01")), // DO ECHO after all
    ] {
        let events: Vec<_> = said.iter().filter_map(|byte| telnet.receive(*byte)).collect();
        assert_eq!(events, [Event::Negotiated(answer)], "{said:x?}");
    }
    assert!(!telnet.is_character_mode(), "nothing was said of SGA");
}

#[test]
fn a_subnegotiation_without_an_end_costs_nothing() {
    let mut telnet = Telnet::new();
    for byte in b"\xff\xfa\x1f".iter().chain(std::iter::repeat_n(&b'x', 1_000_000)) {
        assert_eq!(telnet.receive(*byte), None);
    }
    let events: Vec<_> = b"\xff\xf0!".iter().filter_map(|byte| telnet.receive(*byte)).collect();
    assert_eq!(events, [Event::Data(b'!')]);
}

#[test]
fn a_byte_that_would_begin_a_command_is_doubled() {
    assert_eq!(escape(b"a\xffb\xff"), b"a\xff\xffb\xff\xff");
}

// ---- limits

#[test]
fn what_could_play_tricks_on_a_terminal_is_left_out() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter("ada");
    let mut bob = room.enter_with_keys("bob");
    ada.send(b"a\x1b[2Jb\x07\xc3\n");
    bob.shows(&["ada: a[2Jb\u{fffd}", "> |"]);
    bob.send(b"a\x1b[2Jb\x07\r");
    bob.shows(&["bob: ab", "> |"]);
}

#[test]
fn too_many_lines_too_fast_end_the_connection_of_who_sent_them() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    for (mut flood, end) in [(room.enter("flood"), "\n"), (room.enter_with_keys("keys"), "\r")] {
        // A line has been said: the name.
        flood.send(format!("x{end}").repeat(2 * MAX_LINES_A_SECOND).as_bytes());
        flood.shows(&["* that was too much at once", "|"]);
        flood.is_closed();
    }
    ada.shows(&["* keys has gone", "> |"]);
}

#[test]
fn a_line_that_is_too_long_ends_the_connection_or_is_cut_by_the_editor() {
    let room = OpenRoom::new(LIMITS);
    let mut ada = room.enter_with_keys("ada");
    let mut bob = room.enter("bob");
    // The end of the line need not come.
    bob.send(&[b'x'; 2000]);
    bob.shows(&["* that line was too long", "|"]);
    bob.is_closed();
    ada.shows(&["* bob has gone", "> |"]);
    ada.send(&[b'x'; 2000]);
    ada.send(b"\r");
    ada.shows(&[&format!("ada: {}", "x".repeat(512)), "> |"]);
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
fn who_says_no_name_is_dropped() {
    let room = OpenRoom::new(Limits { politeness: Duration::from_millis(50), ..LIMITS });
    let mut silent = room.connect();
    let mut negotiates = room.connect();
    negotiates.send(AGREES);
    for nobody in [&mut silent, &mut negotiates] {
        child::receive_all(&nobody.stream);
    }
}

// ---- programs

#[test]
fn nc_is_in_lines() {
    let server = Child::serve("telnet_chat");
    let Some(mut nc) = client("nc") else { return };
    let port = server.address.port().to_string();
    let mut nc = Program::start(nc.args(["127.0.0.1", &port]));
    nc.says("* what is your name?");
    nc.types("nora\n");
    nc.says("* nora has come");
    let mut ada = Client::enter_with_keys(server.address, "ada");
    ada.send(b"hello nora\r");
    nc.says("ada: hello nora");
    nc.types("hello ada\n");
    ada.shows(&["nora: hello ada", "> |"]);
    nc.types("/quit\n");
    nc.says("* good bye");
    ada.shows(&["* nora has gone", "> |"]);
}

#[test]
fn curl_speaks_telnet_and_sends_each_key() {
    let server = Child::serve("telnet_chat");
    let Some(mut curl) = client("curl") else { return };
    curl.args(["-q", "--silent", "--no-buffer", "--max-time", "20"]);
    let mut curl = Program::start(curl.arg(format!("telnet://{}", server.address)).env("NO_PROXY", "*"));
    // It looks at what has come only after it has sent something: here a byte that is no key.
    curl.keeps_typing = Some("\0");
    // The prompt comes once it has agreed.
    curl.says("> ");
    curl.types("cora\r");
    curl.says("* cora has come");
    let mut ada = Client::enter_with_keys(server.address, "ada");
    curl.types("hello adda\x1b[D\x7f\r");
    ada.shows(&["cora: hello ada", "> |"]);
    curl.types("unfinished");
    curl.says("> unfinished");
    curl.types("\x15\x04");
    curl.says("* good bye");
    ada.shows(&["* cora has gone", "> |"]);
}

#[test]
fn ctrl_c_stops_it_at_once_with_members_in_the_room() {
    let server = Child::serve("telnet_chat");
    let mut ada = Client::enter_with_keys(server.address, "ada");
    let bob = Client::enter(server.address, "bob");
    ada.shows(&["* bob has come", "> |"]);
    let ended = server.interrupt(&[&ada.stream, &bob.stream]);
    assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
}

fn drops_who_does_not_read(limits: Limits) {
    let room = OpenRoom::new(limits);
    let mut ada = room.enter("ada");
    let slow = room.enter_with_keys("slow");
    ada.shows(&["* slow has come", "|"]);
    // Many say it, because each may say only so much. What the system keeps between two is a few megabytes.
    let lines = format!("{}\n", "x".repeat(1000)).repeat(MAX_LINES_A_SECOND - 2);
    let is_dropped = (0..1000).any(|n| {
        let mut writer = room.connect();
        writer.send(format!("w{n}\n{lines}/quit\n").as_bytes());
        child::receive_all(&writer.stream);
        ada.reads_until(&format!("* w{n} has gone\r\n")).contains("* slow has gone")
    });
    assert!(is_dropped, "the slow reader is still there");
    drop(slow);
    ada.send(b"still here\n");
    ada.shows(&["ada: still here", "|"]);
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

    fn enter_with_keys(&self, name: &str) -> Client {
        Client::enter_with_keys(self.address, name)
    }
}

/// A client with a screen.
struct Client {
    stream: TcpStream,
    screen: Screen,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        Client { stream: child::connect(address), screen: Screen::default() }
    }

    /// Goes in in lines.
    fn enter(address: SocketAddr, name: &str) -> Self {
        let mut client = Client::connect(address);
        client.send(format!("{name}\n").as_bytes());
        client.shows(&["* what is your name?", &format!("* {name} has come"), "|"]);
        client
    }

    /// Goes in in character mode.
    fn enter_with_keys(address: SocketAddr, name: &str) -> Self {
        let mut client = Client::connect(address);
        client.send(AGREES);
        client.shows(&["* what is your name?", "> |"]);
        client.send(format!("{name}\r").as_bytes());
        client.shows(&["* what is your name?", &format!("* {name} has come"), "> |"]);
        client
    }

    fn send(&mut self, data: &[u8]) {
        self.stream.write_all(data).expect("the server reads");
    }

    /// Exactly these bytes come next.
    fn has_got(&mut self, expected: &[u8]) {
        let got = child::receive(&self.stream, expected.len());
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected));
    }

    /// Waits until these are the last rows of the screen, with a bar for the cursor.
    fn shows(&mut self, expected: &[&str]) {
        let mut chunk = [0; 4096];
        while !self.screen.rows().ends_with(&expected.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>()) {
            match self.stream.read(&mut chunk) {
                Ok(n @ 1..) => self.screen.write(&chunk[..n]),
                end => panic!("{expected:#?} is not shown, but {:#?}, and then {end:?}", self.screen.rows()),
            }
        }
    }

    /// Everything up to such a text, and what came along with its end.
    fn reads_until(&mut self, text: &str) -> String {
        let mut got = String::new();
        let mut chunk = vec![0; 1 << 16];
        while !got.contains(text) {
            let n = self.stream.read(&mut chunk).expect("the server writes");
            assert!(n > 0, "the end comes before {text:?}");
            got += std::str::from_utf8(&chunk[..n]).expect("nobody says anything but ASCII");
        }
        got
    }

    fn is_closed(&mut self) {
        let rest = child::receive_all(&self.stream);
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}

/// As much of a terminal as the server makes use of.
#[derive(Default)]
struct Screen {
    /// The rows up to the one with the cursor.
    above: Vec<String>,
    row: Vec<char>,
    column: usize,
    /// The commands of Telnet that have come.
    commands: Vec<Vec<u8>>,
    /// What has come of something whose end has not.
    pending: Vec<u8>,
}

impl Screen {
    fn rows(&self) -> Vec<String> {
        let (before, behind) = self.row.split_at(self.column);
        let row = before.iter().chain(&['|']).chain(behind).collect();
        self.above.iter().cloned().chain([row]).collect()
    }

    fn write(&mut self, data: &[u8]) {
        for byte in data {
            self.pending.push(*byte);
            if self.obey() {
                self.pending.clear();
            }
        }
    }

    /// Does what has come; `false` if more belongs to it.
    fn obey(&mut self) -> bool {
        match &*self.pending {
            [0xff, _, _] => self.commands.push(self.pending.clone()),
            [0xff, ..] | [0x1b] | [0x1b, b'['] | [0x1b, b'[', .., b'0'..=b'9'] => return false,
            b"\r" => self.column = 0,
            b"\n" => {
                assert_eq!(self.column, 0, "a new line begins at its beginning");
                self.above.push(self.row.drain(..).collect());
            }
            b"\x1b[K" => self.row.truncate(self.column),
            [0x1b, b'[', digits @ .., b'D'] => {
                let n: usize = String::from_utf8_lossy(digits).parse().expect("it is a number");
                self.column = self.column.checked_sub(n).expect("the cursor stays in the row");
            }
            [0..b' ' | 0x7f, ..] => panic!("no such sequence: {:x?}", self.pending),
            text => match std::str::from_utf8(text).map(|text| text.chars().next()) {
                Ok(Some(char)) => {
                    match self.row.get_mut(self.column) {
                        Some(place) => *place = char,
                        None => self.row.push(char),
                    }
                    self.column += 1;
                }
                _ => return false,
            },
        }
        true
    }
}

/// A program that types and is listened to. It is killed when it is dropped.
struct Program {
    process: std::process::Child,
    stdin: ChildStdin,
    output: Receiver<Vec<u8>>,
    heard: Vec<u8>,
    keeps_typing: Option<&'static str>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("an installed program starts");
        let stdin = process.stdin.take().expect("stdin is piped");
        let mut stdout = process.stdout.take().expect("stdout is piped");
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut chunk) {
                if sender.send(chunk[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Program { process, stdin, output, heard: Vec::new(), keeps_typing: None }
    }

    fn types(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).expect("the program reads");
    }

    /// Waits until it has said this, behind what it has said before.
    fn says(&mut self, text: &str) {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.heard.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.heard.drain(..at + text.len());
                return;
            }
            match self.output.recv_timeout(Duration::from_millis(10)) {
                Ok(chunk) => self.heard.extend(chunk),
                Err(RecvTimeoutError::Timeout) if begin.elapsed() < PATIENCE => {
                    // It may have ended; what it has said is what counts.
                    let _ = self.stdin.write_all(self.keeps_typing.unwrap_or_default().as_bytes());
                }
                Err(err) => panic!("{text:?} is not said, but {:?}: {err}", String::from_utf8_lossy(&self.heard)),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Either fails only if the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
