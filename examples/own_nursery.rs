//! A server in a nursery of the program's own, where other work may live beside it: the second program of
//! trio-protocol's README.
//!
//! ```text
//! cargo run --example own_nursery -- [--host HOST] [--port PORT]
//! nc localhost 8888
//! ```

#[cfg(test)]
mod child;
mod options;

use foster::{NurseryError, Protocol, Result, TransportRef, create_server, open_nursery, run};
use options::Options;

/// Answers whatever it receives with `ok`.
#[derive(Default)]
struct Okay {
    transport: TransportRef,
}

impl Protocol for Okay {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, _data: &[u8]) -> Result<()> {
        self.transport.write(b"ok\n")
    }
}

async fn app(options: Options) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let server = create_server(&nursery, Okay::default, options.host, options.port).await?;
        println!("serving on {}", server.sockets()[0].getsockname()?);
        // The body ends here. The nursery stays open as long as the server in it lives.
        Ok(())
    })
    .await
}

fn main() -> Result<()> {
    match run(app(Options::from_args("own_nursery", 8888))) {
        // What Python raises as KeyboardInterrupt.
        Err(err) if err.is_interrupt() => println!("exit"),
        outcome => drop(outcome?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::child::{self, Child, receive};

    #[test]
    fn it_serves_after_the_body_has_ended() {
        let server = Child::serve("own_nursery");
        for _ in 0..2 {
            let mut client = server.connect();
            client.write_all(b"anything").expect("the server reads");
            assert_eq!(receive(&client, 3), b"ok\n");
        }
    }

    #[test]
    fn ctrl_c_prints_exit_and_is_no_failure() {
        let server = Child::serve("own_nursery");
        let mut client = server.connect();
        client.write_all(b"anything").expect("the server reads");
        assert_eq!(receive(&client, 3), b"ok\n");
        let ended = server.interrupt(&[&client]);
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &["exit".to_owned()][..], &[][..]));
    }

    #[test]
    fn a_port_in_use_is_said_in_one_sentence() {
        let server = Child::serve("own_nursery");
        let second = child::run("own_nursery", &["--port", &server.address.port().to_string()]);
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(said.contains("in use") && said.lines().count() == 1, "{said}");
    }
}
