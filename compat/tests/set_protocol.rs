//! Swapping the protocol of a connection under live data.

#![cfg(feature = "testing")]

mod stage;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{self, Trace, Traced};
use foster_compat::{Buffered, BufferedProtocol, Loop, Protocol, ProtocolHandle, Result, Shared, TransportRef, sleep};
use stage::{Scripted, paused, turns};

/// Reads into its own buffer.
struct Reader([u8; 100]);

impl Reader {
    fn new() -> Self {
        Reader([0; 100])
    }
}

impl BufferedProtocol for Reader {
    fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
        Ok(&mut self.0)
    }

    fn buffer_updated(&mut self, _nbytes: usize) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_next_callback_goes_to_the_new_protocol_of_any_kind() {
    paused(async |nursery| {
        let (plain, buffered, shared, last) = (Trace::new(), Trace::new(), Trace::new(), Trace::new());
        let (transport, _, peer) = testing::connect(&nursery, plain.recorder());
        let say = async |word: &[u8]| {
            peer.send(word);
            turns(3).await;
        };
        say(b"one").await;
        transport.set_protocol(Buffered(buffered.wrap(Reader::new())));
        say(b"two").await;
        transport.set_protocol(Shared(shared.recorder()));
        say(b"three").await;
        transport.set_protocol(last.recorder());
        say(b"four").await;
        peer.close_write();
        transport.closed().await;
        assert_eq!(plain.lines(), ["made", "data 'one'"]);
        assert_eq!(buffered.lines(), ["get_buffer", "buffer_updated 3"]);
        assert_eq!(shared.lines(), ["data 'three'"]);
        assert_eq!(last.lines(), ["data 'four'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_shared_protocol_that_is_there_already_is_set_as_it_is() {
    paused(async |nursery| {
        let (first, trace) = (Trace::new(), Trace::new());
        let (transport, _, peer) = testing::connect(&nursery, first.recorder());
        turns(2).await;
        let shared = Rc::new(trace.recorder());
        let handle = transport.set_protocol(shared.clone());
        assert!(Rc::ptr_eq(&handle, &shared));
        let known = transport.get_protocol().and_then(|protocol| protocol.downcast::<Rc<Traced<_>>>());
        assert!(known.is_some_and(|known| Rc::ptr_eq(&known, &shared)));
        peer.send(b"x");
        peer.close_write();
        transport.closed().await;
        assert_eq!(trace.lines(), ["data 'x'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_protocol_hands_over_what_it_has_read_too_much() {
    paused(async |nursery| {
        // The head is the first protocol's, the rest the second's, which starts as if it had been there all along.
        let (head, body) = (Trace::new(), Trace::new());
        let upgraded = body.clone();
        let protocol = Scripted::new().on_data(move |transport, data| {
            let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return Ok(()) };
            let next: ProtocolHandle<Traced<Scripted>> = transport.set_protocol(upgraded.wrap(Scripted::echo()));
            next.with(|next| {
                next.connection_made(transport.clone())?;
                next.data_received(&data[at + 1..])
            })
        });
        let (transport, _, peer) = testing::connect(&nursery, head.wrap(protocol));
        peer.send(b"upgrade\nfirst ");
        turns(3).await;
        peer.send(b"second");
        assert_eq!(peer.read_exactly(12).await, b"first second");
        peer.close_write();
        transport.closed().await;
        assert_eq!(head.lines(), ["made", "data 'upgrade\\nfirst '"]);
        assert_eq!(body.lines(), ["made", "data 'first '", "data 'second'", "eof", "lost None"]);
        body.assert_complete();
        Ok(())
    });
}

#[test]
fn a_protocol_set_in_connection_made_gets_the_first_data() {
    paused(async |nursery| {
        let (first, second) = (Trace::new(), Trace::new());
        let next = second.clone();
        let protocol = Scripted::new().on_made(move |transport| {
            transport.set_protocol(next.recorder());
            Ok(())
        });
        let (transport, _, peer) = testing::connect(&nursery, first.wrap(protocol));
        peer.send(b"x");
        peer.reset();
        transport.closed().await;
        assert_eq!(first.lines(), ["made"]);
        assert_eq!(second.lines(), ["data 'x'", "lost ConnectionReset"]);
        Ok(())
    });
}

#[test]
fn after_close_the_new_protocol_gets_connection_lost_and_after_that_none_is_kept() {
    paused(async |nursery| {
        let (first, second, third) = (Trace::new(), Trace::new(), Trace::new());
        let (transport, _, _peer) = testing::connect(&nursery, first.recorder());
        turns(2).await;
        let before = transport.get_protocol().expect("it is connected");
        transport.close();
        transport.set_protocol(second.recorder());
        let after = transport.get_protocol().expect("it is not lost yet");
        assert!(before.ptr_eq(&before) && !before.ptr_eq(&after));
        transport.closed().await;
        transport.set_protocol(third.recorder());
        assert!(transport.get_protocol().is_none());
        assert_eq!(first.lines(), ["made"]);
        assert_eq!(second.lines(), ["lost None"]);
        assert_eq!(third.lines(), [""; 0]);
        Ok(())
    });
}

#[test]
fn a_protocol_gets_its_own_handle_from_its_transport_as_what_it_is() {
    #[derive(Default)]
    struct Sleeper {
        own: Option<ProtocolHandle<Sleeper>>,
        n_wakes: u32,
    }

    impl Protocol for Sleeper {
        fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
            let cell = transport.get_protocol().expect("it is connected");
            self.own = cell.downcast::<Self>();
            assert!(cell.downcast::<Buffered<Reader>>().is_none());
            Ok(())
        }
    }

    paused(async |nursery| {
        let (transport, handle, _peer) = testing::connect(&nursery, Sleeper::default());
        turns(2).await;
        let own = handle.with(|sleeper| sleeper.own.take()).expect("its type is known");
        let loop_ = Loop::new(&nursery);
        loop_.call_later(Duration::from_secs(60), move || own.with(|sleeper| sleeper.n_wakes += 1));
        sleep(Duration::from_secs(61)).await;
        assert_eq!(handle.with(|sleeper| sleeper.n_wakes), 1);
        transport.set_protocol(Buffered(Reader::new()));
        let cell = transport.get_protocol().expect("it is connected");
        assert!(cell.downcast::<Buffered<Reader>>().is_some() && cell.downcast::<Sleeper>().is_none());
        Ok(())
    });
}

#[test]
fn the_handle_of_the_old_protocol_still_leads_to_it() {
    paused(async |nursery| {
        let trace = Trace::new();
        let kept: Rc<RefCell<TransportRef>> = Rc::default();
        let told = kept.clone();
        let protocol = Scripted::new().on_made(move |transport| {
            told.replace(transport.clone());
            Ok(())
        });
        let (transport, old, _peer) = testing::connect(&nursery, protocol);
        turns(2).await;
        assert_eq!(*kept.borrow(), transport);
        transport.set_protocol(trace.recorder());
        assert_eq!(old.with(|old| old.transport.clone()), transport);
        transport.abort();
        Ok(())
    });
}
