//! Sends back what it receives: the echo server of asyncio's documentation.
//!
//! ```text
//! cargo run --example echo -- [--host HOST] [--port PORT]
//! nc localhost 8888
//! ```

#[cfg(test)]
mod child;
mod options;

use foster::{Protocol, Result, RunServer, TransportRef, run, run_server};
use options::{Options, announce};

#[derive(Default)]
struct Echo {
    transport: TransportRef,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.transport.write(data)
    }

    // A client that sends and never reads is read no further, so that it costs no more than a full buffer.

    fn pause_writing(&mut self) -> Result<()> {
        self.transport.pause_reading();
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.transport.resume_reading();
        Ok(())
    }
}

fn app(options: Options) -> RunServer {
    run_server(Echo::default, options.host, options.port).on_serving(|server| announce(&server))
}

fn main() -> Result<()> {
    run(app(Options::from_args("echo", 8888)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::{Read, Write};
    use std::thread;

    use super::child::{self, Child, receive};
    use super::*;

    #[test]
    fn two_clients_get_back_what_each_has_sent() {
        let server = Child::serve("echo");
        let (mut one, mut two) = (server.connect(), server.connect());
        one.write_all(b"first").expect("the server reads");
        two.write_all(b"second").expect("the server reads");
        assert_eq!(receive(&two, 6), b"second");
        assert_eq!(receive(&one, 5), b"first");
    }

    #[test]
    fn a_client_that_ends_its_stream_is_closed_after_the_answer() {
        let server = Child::serve("echo");
        let mut client = server.connect();
        client.write_all(b"last words").expect("the server reads");
        client.shutdown(std::net::Shutdown::Write).expect("the socket is connected");
        assert_eq!(child::receive_all(&client), b"last words");
    }

    #[test]
    fn a_client_that_resets_half_way_leaves_the_others_alone() {
        let server = Child::serve("echo");
        let (mut goes, mut stays) = (server.connect(), server.connect());
        goes.write_all(b"never read").expect("the server reads");
        stays.write_all(b"before").expect("the server reads");
        assert_eq!(receive(&stays, 6), b"before");
        child::reset(goes);
        stays.write_all(b"after").expect("the server reads");
        assert_eq!(receive(&stays, 5), b"after");
        let ended = server.interrupt(&[&stays]);
        assert_eq!(ended.stderr, ["Error: interrupted by SIGINT"], "a reset is nobody's fault and is not reported");
    }

    #[test]
    fn a_client_that_reads_late_gets_everything() {
        const N_BYTES: usize = 16 * 1024 * 1024;
        let server = Child::serve("echo");
        let mut client = server.connect();
        let mut writer = client.try_clone().expect("the socket can be cloned");
        let pattern: Vec<u8> = (0..N_BYTES).map(|n| (n % 251) as u8).collect();
        let expected = pattern.clone();
        // The whole of it fits into no buffer on the way, so the server has to stop reading and go on later.
        let writing = thread::spawn(move || writer.write_all(&pattern));
        let mut got = vec![0; N_BYTES];
        client.read_exact(&mut got).expect("the server sends everything back");
        writing.join().expect("the thread does not panic").expect("the server reads everything");
        assert!(got == expected, "the bytes came back in another order");
    }

    #[test]
    fn ctrl_c_stops_it_at_once_with_clients_connected() {
        let server = Child::serve("echo");
        let mut clients = [server.connect(), server.connect(), server.connect()];
        for client in &mut clients {
            client.write_all(b"here").expect("the server reads");
            assert_eq!(receive(client, 4), b"here");
        }
        let ended = server.interrupt(&clients.each_ref());
        assert_eq!(ended.code, Some(130), "{ended:?}");
    }

    #[test]
    fn a_port_in_use_is_said_in_one_sentence() {
        let server = Child::serve("echo");
        let port = server.address.port().to_string();
        let second = child::run("echo", &["--port", &port]);
        assert_eq!(second.status.code(), Some(1));
        assert_eq!(second.stdout, b"");
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(said.contains(&format!("address 127.0.0.1:{port}")) && said.lines().count() == 1, "{said}");
    }

    #[test]
    fn wrong_arguments_are_said_in_one_sentence() {
        for (args, wanted) in [
            (&["--prot", "1"] as &[&str], "echo: there is no argument \"--prot\": try --help\n"),
            (&["--port", "65536"], "echo: \"65536\" is no port: a number from 0 to 65535 is\n"),
            (&["--host"], "echo: --host needs a value\n"),
            (&["8888"], "echo: there is no argument \"8888\": try --help\n"),
        ] {
            let output = child::run("echo", args);
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            assert_eq!((&*output.stdout, &*String::from_utf8_lossy(&output.stderr)), (&b""[..], wanted));
        }
    }

    #[test]
    fn help_prints_the_usage() {
        let output = child::run("echo", &["--help"]);
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
        assert!(output.stdout.starts_with(b"usage: echo [--host HOST] [--port PORT]\n"));
    }

    #[test]
    fn arguments_are_read_in_both_spellings() {
        let parse = |args: &[&str]| Options::parse(args.iter().map(OsString::from), 8888);
        let options = |host: &str, port| Ok(Some(Options { host: host.to_owned(), port }));
        assert_eq!(parse(&[]), options("127.0.0.1", 8888));
        assert_eq!(parse(&["--host", "::1", "--port", "0"]), options("::1", 0));
        assert_eq!(parse(&["--port=1", "--host=", "--port=2"]), options("", 2));
        assert_eq!(parse(&["--port", "x", "--help"]), Err("\"x\" is no port: a number from 0 to 65535 is".to_owned()));
    }
}
