//! Two protocols that talk to each other over a wire in memory.

#![cfg(feature = "testing")]

mod stage;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{self, DEFAULT_CAPACITY, Faults};
use foster_compat::{Error, Nursery, Protocol, Result, TransportRef, checkpoint, open_nursery, sleep};
use stage::paused;

/// What has happened to one end, in words.
type Log = Rc<RefCell<Vec<String>>>;

struct End {
    name: &'static str,
    log: Log,
    transport: TransportRef,
    echoes: bool,
    n_received: usize,
}

impl End {
    fn new(name: &'static str, log: &Log) -> Self {
        End { name, log: log.clone(), transport: TransportRef::default(), echoes: false, n_received: 0 }
    }

    fn echo(log: &Log) -> Self {
        End { echoes: true, ..End::new("server", log) }
    }

    fn say(&self, what: impl std::fmt::Display) {
        self.log.borrow_mut().push(format!("{} {what}", self.name));
    }
}

impl Protocol for End {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.say(format_args!("made {} {}", transport.peername().unwrap(), transport.sockname().unwrap()));
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.n_received += data.len();
        if data.len() < 100 {
            self.say(String::from_utf8_lossy(data));
        }
        if self.echoes { self.transport.write(data) } else { Ok(()) }
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.say("eof");
        Ok(false)
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.say("paused");
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.say("resumed");
        Ok(())
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.say(format_args!("lost {}", exc.map_or("well".to_owned(), |err| err.to_string())));
        Ok(())
    }
}

#[test]
fn both_ends_are_called_as_on_sockets() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let server = testing::serve(&nursery, || End::echo(&log));
        let peer = server.connect();
        assert_eq!(peer.port(), 50000);
        let (transport, _) = peer.connect(&nursery, End::new("client", &log));
        checkpoint().await;
        transport.write(b"hello")?;
        sleep(Duration::from_secs(1)).await;
        transport.close();
        transport.closed().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(
            *log.borrow(),
            [
                "server made 192.0.2.2:50000 192.0.2.1:8888",
                "client made 192.0.2.1:8888 192.0.2.2:50000",
                "server hello",
                "client hello",
                "client lost well",
                "server eof",
                "server lost well",
            ]
        );
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn neither_runs_far_ahead_of_the_other() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let (of_server, handle, peer) = testing::connect(&nursery, End::new("server", &log));
        let (of_client, _) = peer.connect(&nursery, End::new("client", &log));
        checkpoint().await;
        of_server.pause_reading();
        let large = vec![b'x'; 4 * DEFAULT_CAPACITY];
        of_client.write(&large)?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(of_client.get_write_buffer_size(), 3 * DEFAULT_CAPACITY);
        assert_eq!(log.borrow().last().map(String::as_str), Some("client paused"));
        of_server.resume_reading();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(of_client.get_write_buffer_size(), 0);
        assert_eq!(handle.with(|server| server.n_received), large.len());
        assert_eq!(log.borrow().last().map(String::as_str), Some("client resumed"));

        of_client.pause_reading();
        of_server.write(&large)?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(of_server.get_write_buffer_size(), 3 * DEFAULT_CAPACITY);
        of_client.resume_reading();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(of_server.get_write_buffer_size(), 0);
        of_client.close();
        Ok(())
    });
}

#[test]
fn an_abort_of_one_is_a_reset_for_the_other() {
    paused(async |nursery: Nursery| {
        for is_client in [true, false] {
            let log = Log::default();
            let (of_server, _, peer) = testing::connect(&nursery, End::new("server", &log));
            let (of_client, _) = peer.connect(&nursery, End::new("client", &log));
            checkpoint().await;
            if is_client {
                of_client.abort();
            } else {
                // With bytes unread.
                of_server.pause_reading();
                of_client.write(b"unread")?;
                sleep(Duration::from_secs(1)).await;
                of_server.abort();
            }
            sleep(Duration::from_secs(1)).await;
            let other = if is_client { "server" } else { "client" };
            let lost = log.borrow().iter().filter(|line| line.starts_with(&format!("{other} lost conn"))).count();
            assert_eq!(lost, 1, "{:?}", log.borrow());
            assert_eq!(nursery.n_children(), 0);
        }
        Ok(())
    });
}

#[test]
fn half_a_close_leaves_the_other_half() {
    paused(async |nursery: Nursery| {
        struct Last(TransportRef);
        impl Protocol for Last {
            fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
                self.0 = transport;
                Ok(())
            }

            fn eof_received(&mut self) -> Result<bool> {
                self.0.write(b"last words")?;
                self.0.close();
                Ok(true)
            }
        }
        let log = Log::default();
        let server = testing::serve(&nursery, || Last(TransportRef::default()));
        let (transport, _) = server.connect().connect(&nursery, End::new("client", &log));
        checkpoint().await;
        transport.write_eof()?;
        transport.closed().await;
        assert_eq!(log.borrow()[1..], ["client last words", "client eof", "client lost well"]);
        Ok(())
    });
}

#[test]
fn what_goes_wrong_on_the_wire_goes_wrong_for_both() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let server = testing::serve(&nursery, || End::echo(&log));
        let peer = server.connect();
        peer.inject(Faults::new().split_reads(1).split_writes(2).delay(Duration::from_secs(1)));
        let (transport, handle) = peer.connect(&nursery, End::new("client", &log));
        checkpoint().await;
        let began = tokio::time::Instant::now();
        transport.write(b"hello, you")?;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(handle.with(|client| client.n_received), 10);
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(log.borrow().iter().filter(|line| line.starts_with("server ")).count(), 11);
        transport.close();
        Ok(())
    });
}

#[test]
fn a_connection_ends_with_the_nursery_of_either_end() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let (_, _, peer) = testing::connect(&nursery, End::new("server", &log));
        open_nursery(async |inner: Nursery| {
            peer.connect(&inner, End::new("client", &log));
            sleep(Duration::from_secs(1)).await;
            inner.cancel();
            Ok(())
        })
        .await?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.borrow().iter().filter(|line| line.contains(" lost ")).count(), 2, "{:?}", log.borrow());
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}
