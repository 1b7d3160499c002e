//! Receives strings, each behind its length, and answers each with `ok`: the length-prefixed string server of
//! python3-samples, as trio-protocol's README runs it.
//!
//! ```text
//! cargo run --example string_receiver -- [--host HOST] [--port PORT]
//! python3 -c "import struct; print((b'%shello world' % struct.pack('<L', 12)).decode('ascii'))" | nc localhost 5566
//! ```

#[cfg(test)]
mod child;
mod options;

use foster::framing::{IntNStringProtocol, IntNStringReceiver, StringBase, StructFormat};
use foster::{Result, RunServer, run, run_server};
use options::{Options, announce};

#[derive(Default)]
struct MyStringReceiver;

impl IntNStringReceiver for MyStringReceiver {
    const STRUCT_FORMAT: StructFormat = StructFormat::new("<L");

    fn string_received(&mut self, base: &StringBase, s: &[u8]) -> Result<()> {
        println!("received string: {}", std::str::from_utf8(s)?);
        base.send_string(b"ok")
    }
}

fn app(options: Options) -> RunServer {
    run_server(IntNStringProtocol::<MyStringReceiver>::default, options.host, options.port)
        .on_serving(|server| announce(&server))
}

fn main() -> Result<()> {
    run(app(Options::from_args("string_receiver", 5566)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::process::{Command, Stdio};
    use std::sync::mpsc;
    use std::thread;

    use foster::Protocol;

    use super::child::{self, Child, PATIENCE, receive};
    use super::*;

    /// `ok` as a string with its length.
    const OK: &[u8] = b"\x02\0\0\0ok";

    /// The longest string that is taken: `MAX_LENGTH` of Twisted's `IntNStringReceiver`.
    const MAX_LENGTH: usize = MyStringReceiver::MAX_LENGTH;

    /// The client of trio-protocol's README, which differs only in the name of the interpreter.
    const CLIENT: &str = r#"python3 -c "import struct; print((b'%shello world' % struct.pack('<L', 12)).decode('ascii'))" | nc localhost 5566"#;

    #[test]
    fn the_client_of_the_readme_is_answered() {
        let server = Child::serve("string_receiver");
        if is_installed("python3") && is_installed("nc") {
            let client = CLIENT.replace("5566", &server.address.port().to_string());
            let mut client = Command::new("sh")
                .args(["-c", &client])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a shell is installed");
            let mut output = client.stdout.take().expect("stdout is piped");
            // nc goes on until the server closes, so only as much is read as has to come, and not for ever.
            let (sender, answer) = mpsc::channel();
            thread::spawn(move || {
                let mut answer = [0; OK.len()];
                sender.send(output.read_exact(&mut answer).map(|()| answer))
            });
            let answer = answer.recv_timeout(PATIENCE).expect("the client prints an answer");
            assert_eq!(answer.expect("the client prints a whole answer"), OK);
            assert_eq!([server.line(), server.line()], ["received string: hello world", ""]);
            assert_eq!(server.interrupt(&[]).code, Some(130));
            client.wait().expect("the shell is a child");
        } else {
            eprintln!("python3 or nc is missing: the same bytes are sent without them");
            let mut client = server.connect();
            client.write_all(b"\x0c\0\0\0hello world\n").expect("the server reads");
            assert_eq!(receive(&client, OK.len()), OK);
            assert_eq!([server.line(), server.line()], ["received string: hello world", ""]);
        }
    }

    #[test]
    fn strings_may_be_cut_at_any_byte() {
        let stream = b"\x05\0\0\0first\0\0\0\0\x03\0\0\0end\x09\0\0\0cut o";
        let expected = ["first", "", "end"];
        assert_eq!(strings_in(&[stream]), expected, "whole");
        assert_eq!(strings_in(&stream.chunks(1).collect::<Vec<_>>()), expected, "byte by byte");
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(strings_in(&[head, tail]), expected, "cut at {at}");
        }
    }

    #[test]
    fn a_string_that_comes_byte_by_byte_is_answered_once() {
        let server = Child::serve("string_receiver");
        let mut client = server.connect();
        for byte in framed(b"slowly") {
            client.write_all(&[byte]).expect("the server reads");
        }
        send(&client, b"then at once");
        assert_eq!(receive(&client, 2 * OK.len()), [OK, OK].concat());
        assert_eq!([server.line(), server.line()], ["received string: slowly", "received string: then at once"]);
    }

    #[test]
    fn two_clients_are_answered_and_one_that_resets_half_way_leaves_the_other_alone() {
        let server = Child::serve("string_receiver");
        let (mut goes, stays) = (server.connect(), server.connect());
        send(&goes, b"one");
        assert_eq!(server.line(), "received string: one");
        send(&stays, b"two");
        assert_eq!(server.line(), "received string: two");
        goes.write_all(&framed(b"half a string")[..9]).expect("the server reads");
        child::reset(goes);
        send(&stays, b"three");
        assert_eq!(receive(&stays, 2 * OK.len()), [OK, OK].concat());
        assert_eq!(server.line(), "received string: three");
    }

    #[test]
    fn the_longest_string_is_taken_and_a_longer_one_closes_that_connection() {
        let server = Child::serve("string_receiver");
        let (long, mut longer) = (server.connect(), server.connect());
        // Nothing of the string itself has to come first.
        longer.write_all(&100_000_u32.to_le_bytes()).expect("the server reads");
        assert_eq!(child::receive_all(&longer), b"");
        send(&long, &[b'x'; MAX_LENGTH]);
        assert_eq!(receive(&long, OK.len()), OK);
        assert_eq!(server.line().len(), "received string: ".len() + MAX_LENGTH);
        let ended = server.interrupt(&[&long]);
        assert_eq!(ended.stderr, ["Error: interrupted by SIGINT"]);
    }

    #[test]
    fn what_data_received_fails_with_is_seen_on_stderr_and_ends_only_that_connection() {
        let server = Child::serve("string_receiver");
        let (bad, good) = (server.connect(), server.connect());
        send(&bad, b"\xff\xfe");
        assert_eq!(child::receive_all(&bad), b"");
        let said = server.error_line();
        let wanted = "foster: error: Fatal error: protocol.data_received() call failed.: invalid utf-8 sequence";
        assert!(said.starts_with(wanted), "{said}");
        send(&good, "grüße".as_bytes());
        assert_eq!(receive(&good, OK.len()), OK);
        assert_eq!(server.line(), "received string: grüße");
    }

    #[test]
    fn ctrl_c_stops_it_at_once_with_a_half_string_received() {
        let server = Child::serve("string_receiver");
        let mut client = server.connect();
        send(&client, b"whole");
        assert_eq!(receive(&client, OK.len()), OK);
        client.write_all(b"\x05\0\0\0ha").expect("the server reads");
        assert_eq!(server.interrupt(&[&client]).code, Some(130));
    }

    fn send(mut client: &TcpStream, s: &[u8]) {
        client.write_all(&framed(s)).expect("the server reads");
    }

    fn framed(s: &[u8]) -> Vec<u8> {
        let length = u32::try_from(s.len()).expect("a test sends short strings");
        [&length.to_le_bytes(), s].concat()
    }

    /// What a protocol receives that gets its data in these pieces.
    fn strings_in(pieces: &[&[u8]]) -> Vec<String> {
        #[derive(Default)]
        struct Recorder(Vec<String>);

        impl IntNStringReceiver for Recorder {
            const STRUCT_FORMAT: StructFormat = MyStringReceiver::STRUCT_FORMAT;

            fn string_received(&mut self, _base: &StringBase, s: &[u8]) -> Result<()> {
                self.0.push(String::from_utf8_lossy(s).into_owned());
                Ok(())
            }
        }

        let mut protocol = IntNStringProtocol::<Recorder>::default();
        for piece in pieces {
            protocol.data_received(piece).expect("the recorder never fails");
        }
        protocol.with(|recorder| std::mem::take(&mut recorder.0))
    }

    fn is_installed(program: &str) -> bool {
        let mut help = Command::new(program);
        help.arg("-h").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }
}
