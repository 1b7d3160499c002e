//! Flow control: the marks, when `pause_writing` and `resume_writing` come, and batched writes.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use foster_compat::testing::{self, Peer, Trace};
use foster_compat::{
    Nursery, Piece, ProtocolHandle, Result, Running, Shared, SharedProtocol, TransportRef, ValueError, move_on_after,
};
use stage::{Scripted, Wire, over_each_wire, paused, turns, until};

const HIGH: usize = 64 * 1024;
const LOW: usize = 16 * 1024;

/// A recorded protocol, connected to a peer that takes nothing.
async fn connect_stalled(nursery: &Nursery, trace: &Trace, protocol: Scripted) -> (TransportRef, Peer) {
    let (transport, _, peer) = testing::connect(nursery, trace.wrap(protocol));
    peer.set_capacity(0);
    turns(2).await;
    (transport, peer)
}

#[test]
fn writing_pauses_above_the_high_mark_and_resumes_at_the_low_one() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
        assert_eq!(transport.get_write_buffer_limits(), (LOW, HIGH));
        transport.write(&[0; HIGH])?;
        assert!(!transport.is_writing_paused(), "the mark itself does not pause");
        transport.write(&[0])?;
        assert!(transport.is_writing_paused());
        assert_eq!(transport.get_write_buffer_size(), HIGH + 1);
        transport.write(&[0; 99])?;
        assert_eq!(trace.lines(), ["made", "pause_writing"]);

        peer.set_capacity(HIGH + 100 - LOW - 1);
        turns(3).await;
        assert_eq!(transport.get_write_buffer_size(), LOW + 1);
        assert_eq!(trace.count("resume_writing"), 0);
        peer.set_capacity(HIGH + 100 - LOW);
        turns(3).await;
        assert_eq!(transport.get_write_buffer_size(), LOW);
        assert!(!transport.is_writing_paused());
        assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing"]);
        transport.abort();
        transport.closed().await;
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_peer_that_never_reads_pauses_the_writer_and_costs_what_was_written() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        let mut n_written = 0;
        while !transport.is_writing_paused() {
            transport.write(&[0; 1000])?;
            n_written += 1000;
        }
        assert!((HIGH + 1..=HIGH + 1000).contains(&transport.get_write_buffer_size()));
        assert!(n_written > HIGH, "the kernel takes a part");
        assert_eq!(trace.lines(), ["made", "pause_writing"]);
        transport.abort();
        assert_eq!(transport.get_write_buffer_size(), 0, "abort drops it at once");
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "pause_writing", "lost None"]);
        trace.assert_complete();
        drop(end);
        Ok(())
    });
}

#[test]
fn the_marks_follow_from_each_other_and_high_is_not_below_low() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
        for (high, low, marks) in [
            (None, None, (LOW, HIGH)),
            (Some(100), None, (25, 100)),
            (None, Some(100), (100, 400)),
            (Some(0), None, (0, 0)),
            (Some(7), Some(7), (7, 7)),
            (None, Some(usize::MAX), (usize::MAX, usize::MAX)),
        ] {
            transport.set_write_buffer_limits(high, low)?;
            assert_eq!(transport.get_write_buffer_limits(), marks);
        }
        let err = transport.set_write_buffer_limits(Some(100), Some(200)).expect_err("high is below low");
        assert!(err.is::<ValueError>());
        assert_eq!(err.to_string(), "high (100) must be >= low (200) must be >= 0");
        assert_eq!(transport.get_write_buffer_limits(), (usize::MAX, usize::MAX), "nothing was changed");
        transport.abort();
        Ok(())
    });
}

#[test]
fn lowering_the_marks_may_pause_at_once_and_raising_them_never_resumes() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
        transport.write(&[0; 1000])?;
        transport.set_write_buffer_limits(Some(999), None)?;
        assert_eq!(trace.lines(), ["made", "pause_writing"]);
        transport.set_write_buffer_limits(Some(1_000_000), Some(1_000_000))?;
        turns(3).await;
        assert_eq!(trace.lines(), ["made", "pause_writing"]);
        peer.set_capacity(1);
        turns(3).await;
        assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing"], "the next byte that goes resumes");
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_write_in_resume_writing_may_pause_again() {
    paused(async |nursery| {
        let trace = Trace::new();
        let n_rounds = Cell::new(0);
        let protocol = Scripted::new().on_resume(move |transport| {
            n_rounds.set(n_rounds.get() + 1);
            if n_rounds.get() < 3 {
                return transport.write(&[0; 2 * HIGH]);
            }
            transport.close();
            Ok(())
        });
        let (transport, peer) = connect_stalled(&nursery, &trace, protocol).await;
        transport.write(&[0; 2 * HIGH])?;
        peer.set_capacity(HIGH);
        assert_eq!(peer.read_to_end().await.len(), 6 * HIGH);
        transport.closed().await;
        let rounds = ["pause_writing", "resume_writing"].repeat(3);
        assert_eq!(trace.lines(), [vec!["made"], rounds, vec!["lost None"]].concat());
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_close_that_flushes_resumes_first_and_an_abort_does_not() {
    paused(async |nursery| {
        for is_abort in [false, true] {
            let trace = Trace::new();
            let (transport, peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
            transport.write(&[0; 2 * HIGH])?;
            transport.close();
            assert!(transport.is_closing());
            transport.write(b"written after close while flushing")?;
            if is_abort {
                transport.abort();
            }
            peer.set_capacity(usize::MAX);
            let n_read = peer.read_to_end().await.len();
            transport.closed().await;
            let resumed = if is_abort { vec![] } else { vec!["resume_writing"] };
            assert_eq!(n_read, if is_abort { 0 } else { 2 * HIGH + 34 });
            assert_eq!(trace.lines(), [vec!["made", "pause_writing"], resumed, vec!["lost None"]].concat());
        }
        Ok(())
    });
}

// ---- when the callbacks come

#[test]
fn pause_writing_comes_when_the_callback_that_wrote_has_returned_and_before_anything_else() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (log, loop_) = (trace.clone(), foster_compat::Loop::new(&nursery));
        let protocol = Scripted::new().on_data(move |transport, _| {
            let next = log.clone();
            loop_.call_soon(move || next.mark("the next callback of the loop"));
            transport.write(&[0; 2 * HIGH])?;
            log.mark(format!("is_writing_paused: {}", transport.is_writing_paused()));
            Ok(())
        });
        let (transport, peer) = connect_stalled(&nursery, &trace, protocol).await;
        peer.send(b"x");
        turns(4).await;
        let expected =
            ["made", "data 'x'", "is_writing_paused: true", "pause_writing", "the next callback of the loop"];
        assert_eq!(trace.lines(), expected);
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_shared_protocol_is_paused_from_inside_write() {
    struct Writer {
        transport: RefCell<TransportRef>,
        trace: Trace,
    }
    impl SharedProtocol for Writer {
        fn connection_made(&self, transport: TransportRef) -> Result<()> {
            self.transport.replace(transport);
            Ok(())
        }

        fn data_received(&self, _data: &[u8]) -> Result<()> {
            self.transport.borrow().write(&[0; 2 * HIGH])?;
            self.trace.mark("the write has returned");
            Ok(())
        }
    }
    paused(async |nursery| {
        let trace = Trace::new();
        let writer = Writer { transport: RefCell::default(), trace: trace.clone() };
        let (transport, _writer, peer) = testing::connect(&nursery, Shared(trace.wrap(writer)));
        peer.set_capacity(0);
        peer.send(b"x");
        turns(4).await;
        assert_eq!(trace.lines(), ["made", "data 'x'", "pause_writing", "the write has returned"]);
        peer.set_capacity(usize::MAX);
        turns(4).await;
        assert_eq!(trace.count("resume_writing"), 1);
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_borrow_held_across_a_write_to_another_connection_never_collides() {
    paused(async |nursery| {
        // Every protocol locks what all share in each of its callbacks, and writes to all others meanwhile.
        let room: Rc<RefCell<Vec<TransportRef>>> = Rc::default();
        let n_paused = Rc::new(Cell::new(0));
        let trace = Trace::new();
        let mut connections = Vec::new();
        for _ in 0..5 {
            let (made, data, pause, resume) = (room.clone(), room.clone(), room.clone(), room.clone());
            let (counts, uncounts) = (n_paused.clone(), n_paused.clone());
            let protocol = Scripted::new()
                .on_made(move |transport| {
                    made.borrow_mut().push(transport.clone());
                    Ok(())
                })
                .on_data(move |_, data_| {
                    let members = data.borrow_mut();
                    members.iter().try_for_each(|member| member.write(data_))
                })
                .on_pause(move |_| {
                    let _members = pause.borrow_mut();
                    counts.set(counts.get() + 1);
                    Ok(())
                })
                .on_resume(move |_| {
                    let _members = resume.borrow_mut();
                    uncounts.set(uncounts.get() - 1);
                    Ok(())
                });
            let (transport, handle, peer) = testing::connect(&nursery, trace.wrap(protocol));
            peer.set_capacity(0);
            connections.push((transport, handle, peer));
        }
        turns(2).await;
        connections[0].2.send(vec![0; 2 * HIGH]);
        turns(3).await;
        assert_eq!(n_paused.get(), 5, "each was paused once");
        for (_, _, peer) in &connections {
            peer.set_capacity(usize::MAX);
        }
        turns(3).await;
        assert_eq!(n_paused.get(), 0);
        for (transport, ..) in &connections {
            transport.abort();
            transport.closed().await;
        }
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn what_a_closure_of_the_handle_writes_pauses_before_with_returns() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, handle, peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
        peer.set_capacity(0);
        turns(2).await;
        handle.with(|protocol| {
            protocol.transport.write(&[0; 2 * HIGH]).expect("a write to an open connection");
            trace.mark("the closure ends");
        });
        trace.mark("with has returned");
        assert_eq!(trace.lines(), ["made", "the closure ends", "pause_writing", "with has returned"]);
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_protocol_that_is_being_called_is_not_lent_again() {
    paused(async |nursery| {
        type Kept = Rc<RefCell<Option<ProtocolHandle<foster_compat::testing::Traced<Scripted>>>>>;
        let (trace, kept) = (Trace::new(), Kept::default());
        let own = kept.clone();
        let protocol = Scripted::new().on_data(move |transport, _| {
            let handle = own.borrow().clone().expect("the test has kept it");
            assert_eq!(handle.try_with(|_| ()).expect_err("it is being called"), Running);
            transport.write(b"refused")
        });
        let (transport, handle, peer) = testing::connect(&nursery, trace.wrap(protocol));
        kept.replace(Some(handle.clone()));
        peer.send(b"x");
        assert_eq!(peer.read().await, b"refused");
        assert!(handle.try_with(|protocol| protocol.number()).is_ok());
        let inner = handle.clone();
        handle.with(|_| assert_eq!(inner.try_with(|_| ()), Err(Running)));
        kept.take();
        transport.abort();
        Ok(())
    });
}

#[test]
fn drained_waits_while_writing_is_paused_and_fails_once_the_connection_is_lost() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
        transport.drained().await?;
        transport.write(&[0; 2 * HIGH])?;
        assert!(move_on_after(Duration::from_secs(5), transport.drained()).await.is_none());
        let waiting = transport.clone();
        let waiter = nursery.create_task(async move { waiting.drained().await });
        peer.set_capacity(usize::MAX);
        waiter.await??;
        peer.set_capacity(0);
        transport.write(&[0; 4 * HIGH])?;
        let waiting = transport.clone();
        let waiter = nursery.create_task(async move { waiting.drained().await });
        turns(2).await;
        transport.abort();
        assert!(waiter.await?.expect_err("it is lost").is_os_error());
        assert!(transport.drained().await.is_err());
        assert!(TransportRef::default().drained().await.is_err());
        Ok(())
    });
}

#[test]
fn waiting_again_and_again_leaves_nothing_behind() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
        transport.write(&[0; 2 * HIGH])?;
        transport.pause_reading();
        // A loop that waits for the end of the connection beside something else, as a heartbeat does.
        let waker = CountedWaker::default();
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let counted = std::task::Waker::from(waker.0.clone());
        let mut counted = std::task::Context::from_waker(&counted);
        for _ in 0..1000 {
            assert!(transport.poll_closed(&mut cx).is_pending() && transport.poll_drained(&mut cx).is_pending());
            assert!(transport.poll_closed(&mut counted).is_pending());
            assert!(transport.poll_drained(&mut counted).is_pending());
            assert!(transport.poll_resumed(&mut cx).is_pending() && transport.poll_resumed(&mut counted).is_pending());
        }
        assert!(std::sync::Arc::strong_count(&waker.0) < 10, "{}", std::sync::Arc::strong_count(&waker.0));
        transport.abort();
        Ok(())
    });
}

#[test]
fn who_waits_for_reading_to_be_resumed_is_woken_by_that_and_by_the_end() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
        let resumed = async |transport: TransportRef| poll_fn(|cx| transport.poll_resumed(cx)).await;
        resumed(transport.clone()).await;
        for ends in [false, true] {
            transport.pause_reading();
            let waiting = transport.clone();
            let waiter = nursery.create_task(async move { poll_fn(|cx| waiting.poll_resumed(cx)).await });
            turns(5).await;
            assert!(!waiter.is_finished());
            if ends {
                transport.abort()
            } else {
                transport.resume_reading()
            }
            waiter.await?;
        }
        resumed(transport).await;
        resumed(TransportRef::default()).await;
        Ok(())
    });
}

#[derive(Default)]
struct CountedWaker(std::sync::Arc<Nothing>);

#[derive(Default)]
struct Nothing;

impl std::task::Wake for Nothing {
    fn wake(self: std::sync::Arc<Self>) {}
}

// ---- shared pieces

#[test]
fn shared_pieces_are_kept_while_they_wait_and_let_go_once_they_are_sent() {
    paused(async |nursery| {
        let (first, second) = (Bytes::from(vec![b'1'; 20_000]), Bytes::from(vec![b'2'; 30_000]));
        let pieces = [Piece::Lent(b"head"), Piece::Shared(&first), Piece::Lent(b"between"), Piece::Shared(&second)];
        let whole = pieces.map(|piece| piece.to_vec()).concat();
        for n_at_once in [0, 2, 4, 10_004, 20_003, 20_004, 20_011, 50_010, 50_011] {
            let trace = Trace::new();
            let (transport, peer) = connect_stalled(&nursery, &trace, Scripted::new()).await;
            peer.set_capacity(n_at_once);
            transport.writelines_shared(&pieces)?;
            assert_eq!(transport.get_write_buffer_size(), whole.len() - n_at_once);
            let is_kept = |end: usize| end.saturating_sub(n_at_once) >= 4096;
            assert_eq!(!first.is_unique(), is_kept(4 + first.len()), "{n_at_once}");
            assert_eq!(!second.is_unique(), is_kept(whole.len()), "{n_at_once}");
            // One more behind those that wait.
            transport.writelines_shared(&[Piece::Shared(&first)])?;
            assert!(!first.is_unique());
            peer.set_capacity(HIGH);
            assert_eq!(peer.read_exactly(whole.len() + first.len()).await, [&*whole, &first].concat());
            assert!(first.is_unique() && second.is_unique());
            transport.abort();
        }
        Ok(())
    });
}

#[test]
fn shared_pieces_arrive_over_each_wire_batched_or_not() {
    over_each_wire(async |wire: Wire, nursery| {
        for is_batching in [false, true] {
            let shared = Bytes::from(vec![b's'; 1_000_000]);
            let expected = [b"head ", &*shared, b" between ", &shared, b" end"].concat();
            let protocol = Scripted::new().on_data(move |transport, _| {
                transport.set_write_batching(is_batching);
                let piece = Piece::Shared(&shared);
                transport.writelines_shared(&[Piece::Lent(b"head "), piece, Piece::Lent(b" between "), piece])?;
                transport.write(b" end")?;
                transport.close();
                transport.writelines_shared(&[])
            });
            let trace = Trace::new();
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            end.send(b"x").await?;
            assert_eq!(end.read_to_end().await?, (expected, false));
            transport.closed().await;
            trace.assert_complete();
        }
        Ok(())
    });
}

// ---- batching

#[test]
fn batched_writes_of_a_callback_go_out_as_one_in_their_order() {
    paused(async |nursery| {
        for (is_on, n_writes) in [(true, 1), (false, 4)] {
            let trace = Trace::new();
            let protocol = Scripted::new()
                .on_made(move |transport| {
                    transport.set_write_batching(is_on);
                    Ok(())
                })
                .on_data(move |transport, _| {
                    transport.write(b"one ")?;
                    transport.writelines(&[b"two ", b"three "])?;
                    assert_eq!(transport.get_write_buffer_size(), if is_on { 14 } else { 0 });
                    transport.write(&[b'4'; 20_000])?;
                    transport.write(b" five")
                });
            let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
            peer.send(b"x");
            let expected = [b"one two three ".as_slice(), &[b'4'; 20_000], b" five"].concat();
            assert_eq!(peer.read_exactly(expected.len()).await, expected);
            assert_eq!(peer.n_writes(), n_writes);
            assert_eq!(transport.get_write_buffer_size(), 0);
            transport.abort();
        }
        Ok(())
    });
}

#[test]
fn outside_callbacks_batching_changes_nothing() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
        turns(2).await;
        transport.set_write_batching(true);
        transport.write(b"one")?;
        assert_eq!(peer.received(), b"one");
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_close_in_a_batch_sends_it_and_an_abort_drops_it() {
    over_each_wire(async |wire: Wire, nursery| {
        for (ending, arrives) in [("close", true), ("write_eof", true), ("abort", false), ("error", false)] {
            let _reports = stage::Reports::of(&nursery);
            let trace = Trace::new();
            let log = trace.clone();
            let protocol = Scripted::new()
                .on_made(move |transport| {
                    transport.set_write_batching(true);
                    Ok(())
                })
                .on_data(move |transport, _| {
                    transport.write(b"one ")?;
                    transport.write(b"two")?;
                    match ending {
                        "close" => transport.close(),
                        "write_eof" => transport.write_eof()?,
                        "abort" => transport.abort(),
                        _ => {}
                    }
                    let next = log.clone();
                    foster_compat::get_running_loop()?.call_soon(move || next.mark("next turn"));
                    if ending == "error" { Err(foster_compat::Error::msg("broken")) } else { Ok(()) }
                });
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            end.send(b"x").await?;
            let (data, is_reset) = end.read_to_end().await?;
            assert!(!is_reset);
            if ending != "error" {
                assert_eq!(data, if arrives { b"one two".as_slice() } else { b"" }, "{ending}");
            }
            if ending == "write_eof" {
                transport.close();
            }
            transport.closed().await;
            until(|| trace.count("next") == 1).await;
            if ending == "close" {
                // `close` promises: in the next turn at the earliest.
                assert_eq!(trace.lines(), ["made", "data 'x'", "next turn", "lost None"]);
            }
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_batch_that_the_peer_does_not_take_pauses_and_goes_on_by_itself() {
    paused(async |nursery| {
        let trace = Trace::new();
        let protocol = Scripted::new()
            .on_made(|transport| {
                transport.set_write_batching(true);
                Ok(())
            })
            .on_data(|transport, data| {
                for _ in 0..100 {
                    transport.write(&data.repeat(1000))?;
                }
                Ok(())
            });
        let (transport, peer) = connect_stalled(&nursery, &trace, protocol).await;
        peer.send(b"a");
        turns(4).await;
        peer.send(b"b");
        turns(4).await;
        assert_eq!(transport.get_write_buffer_size(), 200_000);
        assert_eq!(trace.lines(), ["made", "data 'a'", "pause_writing", "data 'b'"]);
        peer.set_capacity(30_000);
        let expected = [vec![b'a'; 100_000], vec![b'b'; 100_000]].concat();
        assert!(peer.read_exactly(200_000).await == expected);
        turns(2).await;
        assert_eq!(trace.count("resume_writing"), 1);
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_batch_above_the_mark_goes_out_at_once_and_pauses_only_for_what_is_left() {
    paused(async |nursery| {
        let trace = Trace::new();
        let protocol = Scripted::new()
            .on_made(|transport| {
                transport.set_write_batching(true);
                Ok(())
            })
            .on_data(|transport, _| {
                for _ in 0..100 {
                    transport.write(&[0; 10_000])?;
                    assert!(transport.get_write_buffer_size() <= HIGH);
                }
                Ok(())
            });
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
        peer.set_capacity(usize::MAX);
        peer.send(b"x");
        assert_eq!(peer.read_exactly(1_000_000).await.len(), 1_000_000);
        assert_eq!(trace.lines(), ["made", "data 'x'"], "the peer has taken everything");
        transport.abort();
        Ok(())
    });
}
