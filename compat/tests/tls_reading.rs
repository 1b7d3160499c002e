//! What reaches a protocol over TLS, however the bytes come: paused, in pieces, through a small buffer, with the end of
//! the stream right behind.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;
mod wired;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::Trace;
use foster_compat::{Buffered, BufferedProtocol, Error, Result, TransportRef, start_tls};
use stage::{Scripted, paused};
use tls::contexts;
use tokio::time::Instant;
use wired::Wired;

#[derive(Clone, Default)]
struct Received(Rc<RefCell<Vec<u8>>>);

impl Received {
    fn protocol(&self) -> Scripted {
        let received = self.0.clone();
        Scripted::new().on_data(move |_, data| {
            received.borrow_mut().extend_from_slice(data);
            Ok(())
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

/// A protocol that takes seven bytes at a time.
#[derive(Default)]
struct Small {
    buffer: [u8; 7],
    received: Rc<RefCell<Vec<u8>>>,
    said: Rc<RefCell<Vec<String>>>,
}

impl BufferedProtocol for Small {
    fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
        Ok(&mut self.buffer)
    }

    fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
        self.received.borrow_mut().extend_from_slice(&self.buffer[..nbytes]);
        Ok(())
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.said.borrow_mut().push(format!("eof after {}", self.received.borrow().len()));
        Ok(false)
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.said.borrow_mut().push(format!("lost {exc:?}"));
        Ok(())
    }
}

#[test]
fn what_comes_behind_the_data_of_the_handshake_is_not_forgotten_by_a_protocol_that_paused_in_connection_made() {
    paused(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let received = Received::default();
        let protocol = received.protocol().on_made(|transport| {
            if transport.sslcontext().is_some() {
                transport.pause_reading();
            }
            Ok(())
        });
        let wired = Wired::connect(&nursery, Scripted::new(), protocol).await;
        let upgrade = start_tls(&wired.server, &server_context).server_side(true).call_connection_made(true);
        let secure = Rc::new(RefCell::new(None::<TransportRef>));
        let told = secure.clone();
        nursery.start_soon(async move {
            told.replace(Some(upgrade.await?));
            foster_compat::Ok(())
        });
        let upgrade = start_tls(&wired.client, &client_context).server_hostname("localhost");
        let client = Rc::new(RefCell::new(None::<TransportRef>));
        let told = client.clone();
        nursery.start_soon(async move {
            let transport = upgrade.await?;
            transport.write(b"one ")?;
            told.replace(Some(transport));
            foster_compat::Ok(())
        });
        while client.borrow().is_none() {
            wired.carry_for(1).await;
            stage::turns(5).await;
        }
        // The end of the handshake and the first data come together, the next alone.
        wired.carry_for(3).await;
        let client = client.take().expect("it is made");
        client.write(b"two ")?;
        wired.carry_for(3).await;
        client.write(b"three")?;
        wired.carry_for(3).await;
        assert_eq!(received.text(), "");
        secure.take().expect("it is made").resume_reading();
        wired.carry_for(3).await;
        assert_eq!(received.text(), "one two three");
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn a_small_buffer_gets_what_came_while_it_was_being_filled() {
    paused(async |nursery| {
        for first in 60..68 {
            let small = Small::default();
            let received = small.received.clone();
            let wired = Wired::connect(&nursery, Scripted::new(), Buffered(small)).await;
            let (client, _) = wired.secure(&nursery, &contexts()?, |it| it).await?;
            client.write(&vec![b'a'; first])?;
            wired.carry_for(4).await;
            client.write(b"bcd")?;
            wired.carry_for(20).await;
            assert_eq!(received.borrow().len(), first + 3, "first {first}");
            wired.client.abort();
            wired.server.abort();
        }
        Ok(())
    });
}

#[test]
fn a_small_buffer_gets_everything_before_it_hears_of_the_end() {
    paused(async |nursery| {
        let small = Small::default();
        let (received, said) = (small.received.clone(), small.said.clone());
        let wired = Wired::connect(&nursery, Scripted::new(), Buffered(small)).await;
        let (client, _) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        client.write(&[b'a'; 100])?;
        // The end of TCP behind the data, without close_notify.
        wired.client.close();
        wired.carry_for(100).await;
        assert_eq!(received.borrow().len(), 100);
        assert_eq!(*said.borrow(), ["eof after 100", "lost None"]);
        Ok(())
    });
}

/// Closes when it is asked for a buffer.
#[derive(Default)]
struct Closing {
    transport: TransportRef,
    buffer: Vec<u8>,
    received: Rc<RefCell<Vec<u8>>>,
}

impl BufferedProtocol for Closing {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn get_buffer(&mut self, sizehint: Option<usize>) -> Result<&mut [u8]> {
        if sizehint.is_some_and(|n| n >= 100) {
            self.transport.close();
        }
        // Another one each time, so that a buffer that was filled is gone when the next is asked for.
        self.buffer = vec![0; 20];
        Ok(&mut self.buffer)
    }

    fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
        self.received.borrow_mut().extend_from_slice(&self.buffer[..nbytes]);
        Ok(())
    }
}

#[test]
fn a_close_in_get_buffer_does_not_touch_the_buffer_before_the_protocol_has_seen_it() {
    paused(async |nursery| {
        let closing = Closing::default();
        let received = closing.received.clone();
        let wired = Wired::connect(&nursery, Scripted::new(), Buffered(closing)).await;
        let (client, _) = wired.secure(&nursery, &contexts()?, |it| it.call_connection_made(true)).await?;
        let data: Vec<u8> = (0..100).collect();
        client.write(&data)?;
        wired.carry_for(20).await;
        let received = received.borrow();
        assert!(!received.is_empty() && data.starts_with(&received), "{received:?}");
        Ok(())
    });
}

#[test]
fn a_resume_that_is_taken_back_hands_nothing_over_and_loses_nothing_at_the_end_of_the_stream() {
    paused(async |nursery| {
        let (trace, received) = (Trace::new(), Received::default());
        let wired = Wired::connect(&nursery, Scripted::new(), trace.wrap(received.protocol())).await;
        let (client, server) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        server.pause_reading();
        client.write(b"hello")?;
        wired.client.close();
        wired.carry_for(5).await;
        server.resume_reading();
        server.pause_reading();
        wired.carry_for(5).await;
        assert_eq!(trace.lines(), ["made"]);
        server.resume_reading();
        wired.carry_for(5).await;
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        assert_eq!(received.text(), "hello");
        Ok(())
    });
}

#[test]
fn a_protocol_that_has_paused_reading_closes_without_waiting_for_the_shutdown_time_out() {
    paused(async |nursery| {
        let trace = Trace::new();
        let wired = Wired::connect(&nursery, Scripted::new(), trace.recorder()).await;
        let (client, server) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        server.pause_reading();
        // More than a transport reads ahead of a protocol that has paused.
        client.write(&vec![b'a'; 1_000_000])?;
        wired.carry_for(20).await;
        assert!(wired.server_peer().n_unread() == 0 && !wired.server.is_reading());
        let begun = Instant::now();
        server.close();
        wired.carry_for(100).await;
        assert_eq!(trace.lines(), ["made", "eof", "lost None"]);
        assert!(begun.elapsed() < Duration::from_secs(1));
        Ok(())
    });
}
