//! The program of PORTING.md, which `tests/documents.rs` holds against the guide, and its tests.
#![cfg(feature = "testing")]

// A message broker, a line at a time: SUB topic, PUB topic text, QUIT.
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use foster::{Error, Loop, Protocol, Result, TimerHandle, TransportRef, create_server, open_nursery, run};

const IDLE: Duration = Duration::from_secs(60); // without a byte from a client
const PATIENCE: Duration = Duration::from_secs(10); // that a client may take to read what waits for it
const MAX_BACKLOG: usize = 256 * 1024; // bytes that may wait for one client
const MAX_LINE: usize = 1024;
const MAX_CLIENTS: usize = 1000;

#[derive(Default)]
struct Broker {
    /// What each of them reads, by its transport.
    readers: RefCell<HashMap<TransportRef, Vec<u8>>>,
}

impl Broker {
    fn publish(&self, topic: &[u8], text: &[u8]) -> Result<usize> {
        let mut n_readers = 0;
        for (transport, _) in self.readers.borrow().iter().filter(|(_, read)| *read == topic) {
            n_readers += 1;
            transport.writelines(&[b"MSG ", topic, b" ", text, b"\r\n"])?;
            if transport.get_write_buffer_size() > MAX_BACKLOG {
                transport.abort();
            }
        }
        Ok(n_readers)
    }
}

struct Client {
    broker: Rc<Broker>,
    loop_: Loop,
    transport: TransportRef,
    buffer: Vec<u8>,
    idle: Option<TimerHandle>,
    patience: Option<TimerHandle>,
}

impl Client {
    fn new(broker: &Rc<Broker>, loop_: &Loop) -> Self {
        Client {
            broker: broker.clone(),
            loop_: loop_.clone(),
            transport: TransportRef::default(),
            buffer: Vec::new(),
            idle: None,
            patience: None,
        }
    }

    fn line_received(&mut self, line: &[u8]) -> Result<()> {
        let (command, argument) = partition(line);
        match command {
            b"SUB" => self.do_sub(argument),
            b"PUB" => self.do_pub(argument),
            b"QUIT" => self.do_quit(),
            _ => self.transport.write(b"ERR unknown command\r\n"),
        }
    }

    fn do_sub(&mut self, topic: &[u8]) -> Result<()> {
        self.broker.readers.borrow_mut().insert(self.transport.clone(), topic.to_vec());
        self.transport.write(b"OK\r\n")
    }

    fn do_pub(&mut self, argument: &[u8]) -> Result<()> {
        let (topic, text) = partition(argument);
        let n_readers = self.broker.publish(topic, text)?;
        self.transport.write(format!("OK {n_readers}\r\n").as_bytes())
    }

    fn do_quit(&mut self) -> Result<()> {
        self.transport.write(b"BYE\r\n")?;
        self.transport.close();
        Ok(())
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport.clone();
        self.idle = Some(self.loop_.call_later(IDLE, move || transport.abort()));
        self.transport.write(b"HELLO\r\n")
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        if let Some(idle) = &self.idle {
            idle.reschedule(IDLE);
        }
        let mut buffer = mem::take(&mut self.buffer);
        buffer.extend_from_slice(data);
        let mut lines: Vec<&[u8]> = buffer.split(|byte| *byte == b'\n').collect();
        if lines.iter().any(|line| line.len() > MAX_LINE) {
            return Err(Error::msg("the line is too long"));
        }
        self.buffer = lines.pop().unwrap_or_default().to_vec();
        for line in lines {
            if self.transport.is_closing() {
                break;
            }
            self.line_received(line.trim_ascii())?;
        }
        Ok(())
    }

    fn pause_writing(&mut self) -> Result<()> {
        // Who does not read the answers may ask for no more of them.
        self.transport.pause_reading();
        let transport = self.transport.clone();
        self.patience = Some(self.loop_.call_later(PATIENCE, move || transport.abort()));
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        if let Some(patience) = self.patience.take() {
            patience.cancel();
        }
        self.transport.resume_reading();
        Ok(())
    }

    fn connection_lost(&mut self, _exc: Option<Error>) -> Result<()> {
        for timer in self.idle.take().into_iter().chain(self.patience.take()) {
            timer.cancel();
        }
        self.broker.readers.borrow_mut().remove(&self.transport);
        Ok(())
    }
}

/// `bytes.partition(b" ")`, without the space.
fn partition(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

async fn app() -> Result<()> {
    open_nursery(async |nursery| {
        let broker = Rc::new(Broker::default());
        let loop_ = Loop::new(&nursery);
        let factory = move || Client::new(&broker, &loop_);
        let server = create_server(&nursery, factory, "127.0.0.1", 7070).max_connections(MAX_CLIENTS).await?;
        println!("serving on {}", server.sockets()[0].getsockname()?);
        server.serve_forever().await
    })
    .await?;
    Ok(())
}

fn main() -> Result<()> {
    run(app())
}

#[cfg(test)]
mod tests {
    use foster::testing::{Peer, Trace, connect};
    use foster::{Nursery, run_here};

    use super::*;

    /// Connects a client to the broker, in memory; the test holds the peer's end.
    async fn client(nursery: &Nursery, broker: &Rc<Broker>, trace: &Trace) -> Peer {
        let protocol = Client::new(broker, &Loop::new(nursery));
        let (_transport, _protocol, peer) = connect(nursery, trace.wrap(protocol));
        assert_eq!(peer.read().await, b"HELLO\r\n");
        peer
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_gone_after_ten_seconds_and_who_is_silent_after_sixty() -> Result<()> {
        run_here(open_nursery(async |nursery| {
            let (loop_, broker, trace) = (Loop::new(&nursery), Rc::default(), Trace::new());
            let ada = client(&nursery, &broker, &trace).await;
            let bob = client(&nursery, &broker, &trace).await;
            ada.send(b"SUB news\n");
            assert_eq!(ada.read().await, b"OK\r\n");
            ada.set_capacity(0);
            // Enough for `pause_writing`, at 64 KiB, and less than MAX_BACKLOG.
            for _ in 0..100 {
                bob.send([b"PUB news ".as_slice(), &[b'x'; 1000], b"\n"].concat());
            }
            ada.closed().await;
            assert_eq!(loop_.time().round(), 10.0);
            assert_eq!(trace.count("pause_writing"), 1);
            bob.received();
            bob.send(b"PUB news is anybody there?\n");
            assert_eq!(bob.read().await, b"OK 0\r\n", "nobody else is harmed");
            bob.closed().await;
            assert_eq!(loop_.time().round(), 70.0);
            trace.assert_complete();
            Ok(())
        }))
        .await?;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_reaches_who_has_subscribed_however_it_is_cut() -> Result<()> {
        run_here(open_nursery(async |nursery| {
            let (broker, trace) = (Rc::default(), Trace::new());
            let ada = client(&nursery, &broker, &trace).await;
            let bob = client(&nursery, &broker, &trace).await;
            ada.send(b"SUB news\r\n");
            assert_eq!(ada.read().await, b"OK\r\n");
            bob.send(b"PUB news it r");
            bob.send(b"ains\nPUB sports -\n");
            assert_eq!(bob.read_exactly(12).await, b"OK 1\r\nOK 0\r\n");
            assert_eq!(ada.read_exactly(19).await, b"MSG news it rains\r\n");
            Ok(())
        }))
        .await?;
        Ok(())
    }
}
