//! The test kit: scripts, faults of the wire, and servers without a network.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use foster_compat::framing::{LineBase, LineProtocol, LineReceiver};
use foster_compat::testing::{self, DEFAULT_PATIENCE, Faults, InMemoryServer, Script, Trace};
use foster_compat::{Buffered, BufferedProtocol, Error, Nursery, Result, TimeoutError, checkpoint, sleep};
use stage::{End, Scripted, Wire, paused, real, turns, until};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

// ---- faults that sockets have too

/// Plays a scenario over a wire in memory and over a socket; both have to give these lines.
fn over_both(scenario: impl AsyncFn(Wire, Nursery, Trace) -> Result<()>, wanted: &[&str]) {
    for wire in [Wire::Memory, Wire::Socket] {
        let trace = Trace::new();
        let play = async |nursery: Nursery| scenario(wire, nursery, trace.clone()).await;
        if wire == Wire::Memory {
            paused(play)
        } else {
            real(play)
        }
        assert_eq!(trace.lines(), wanted, "{wire:?}");
        trace.assert_complete();
    }
}

#[test]
fn split_reads_are_those_of_a_peer_that_sends_little_by_little() {
    let scenario = async |wire: Wire, nursery, trace: Trace| {
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::echo())).await?;
        match &end {
            End::Memory(peer) => {
                peer.inject(Faults::new().split_reads(2));
                peer.send("abcde");
                assert_eq!(peer.read_exactly(5).await, b"abcde");
            }
            End::Socket(_) => {
                for piece in [&b"ab"[..], b"cd", b"e"] {
                    end.send(piece).await?;
                    assert_eq!(end.read_exactly(piece.len()).await?, piece);
                }
            }
        }
        end.close_write().await?;
        transport.closed().await;
        Ok(())
    };
    over_both(scenario, &["made", "data 'ab'", "data 'cd'", "data 'e'", "eof", "lost None"]);
}

#[test]
fn a_reset_after_reading_is_that_of_a_peer_that_resets_then() {
    let scenario = async |wire: Wire, nursery, trace: Trace| {
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        if let End::Memory(peer) = &end {
            peer.inject(Faults::new().reset_after_reading(3));
            peer.send("abcdef");
        } else {
            end.send(b"abc").await?;
            until(|| trace.count("data") == 1).await;
            end.reset();
        }
        assert!(transport.closed().await.is_some_and(|err| err.is_os_error()));
        Ok(())
    };
    over_both(scenario, &["made", "data 'abc'", "lost ConnectionReset"]);
}

#[test]
fn a_reset_after_writing_is_that_of_a_peer_that_reads_a_part_and_resets() {
    let scenario = async |wire: Wire, nursery, trace: Trace| {
        let write = |transport: &foster_compat::TransportRef, _: &[u8]| transport.write(b"abcdef");
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new().on_data(write))).await?;
        if let End::Memory(peer) = &end {
            peer.inject(Faults::new().reset_after_writing(4));
        }
        end.send(b"go").await?;
        assert_eq!(end.read_exactly(4).await?, b"abcd");
        match end {
            End::Memory(peer) => {
                assert_eq!(peer.read().await, b"");
                assert!(peer.is_reset());
                peer.send("lost");
                transport.closed().await;
            }
            end => {
                end.reset();
                transport.closed().await;
            }
        }
        Ok(())
    };
    over_both(scenario, &["made", "data 'go'", "lost ConnectionReset"]);
}

#[test]
fn stalled_writing_is_that_of_a_peer_that_does_not_read() {
    const N_BYTES: usize = 16 * 1024 * 1024;
    let scenario = async |wire: Wire, nursery, trace: Trace| {
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        if let End::Memory(peer) = &end {
            peer.inject(Faults::new().stall_writing());
        }
        transport.write(&vec![b'x'; N_BYTES])?;
        until(|| trace.count("pause_writing") == 1).await;
        if let End::Memory(peer) = &end {
            turns(5).await;
            assert_eq!((peer.n_unread(), transport.get_write_buffer_size()), (0, N_BYTES));
            peer.inject(Faults::new());
        }
        assert!(end.read_exactly(N_BYTES).await?.iter().all(|byte| *byte == b'x'));
        until(|| trace.count("resume_writing") == 1).await;
        transport.close();
        transport.closed().await;
        Ok(())
    };
    over_both(scenario, &["made", "pause_writing", "resume_writing", "lost None"]);
}

// ---- faults

#[test]
fn split_writes_reach_the_peer_in_pieces_and_close_waits_for_the_last() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
        peer.inject(Faults::new().split_writes(3));
        checkpoint().await;
        transport.writelines(&[b"abcd", b"ef", b"g"])?;
        assert_eq!(transport.get_write_buffer_size(), 4);
        transport.close();
        assert_eq!(peer.read().await, b"abc");
        assert_eq!(peer.read_to_end().await, b"defg");
        assert_eq!(peer.n_writes(), 3);
        assert!(transport.closed().await.is_none());
        Ok(())
    });
}

#[test]
fn a_receiver_gets_the_same_lines_however_they_are_cut() {
    #[derive(Default)]
    struct Upper;

    impl LineReceiver for Upper {
        fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
            base.send_line(&line.to_ascii_uppercase())
        }
    }

    paused(async |nursery| {
        let server = testing::serve(&nursery, LineProtocol::<Upper>::default);
        for n_read in 1..9 {
            for n_write in 1..9 {
                let script = Script::new().send("one\r\ntwo\r\n\r\nthr").expect("ONE\r\nTWO\r\n\r\n");
                let script = script.send("ee\r\n").close_write().expect("THREE\r\n").expect_eof();
                let peer = server.connect();
                peer.inject(Faults::new().split_reads(n_read).split_writes(n_write).delay(SECOND));
                script.run(&peer).await?;
            }
        }
        Ok(())
    });
}

#[test]
fn the_smallest_piece_is_one_byte() {
    assert_eq!(Faults::new().split_reads(0).split_writes(0), Faults::new().split_reads(1).split_writes(1));
}

#[test]
fn stalled_reading_keeps_everything_back_until_it_is_healed() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
        peer.inject(Faults::new().stall_reading());
        peer.send("kept");
        peer.close_write();
        sleep(SECOND).await;
        assert_eq!(trace.lines(), ["made"]);
        peer.inject(Faults::new());
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'kept'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_stalled_connection_is_idle() {
    paused(async |nursery| {
        let (transport, _, peer) = testing::connect(&nursery, Scripted::echo());
        checkpoint().await;
        transport.set_idle_timeout(Some(SECOND));
        peer.inject(Faults::new().stall_reading());
        peer.send("never read");
        let begun = Instant::now();
        let exc = transport.closed().await;
        assert!(exc.is_some_and(|exc| exc.is::<TimeoutError>()));
        assert!(begun.elapsed() >= SECOND && peer.is_reset());
        Ok(())
    });
}

#[test]
fn a_reset_counts_from_when_it_was_injected() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::echo()));
        peer.send("four");
        peer.read_exactly(4).await;
        peer.inject(Faults::new().reset_after_reading(2));
        peer.send("two more");
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'four'", "data 'tw'", "lost ConnectionReset"]);

        let (transport, _, peer) = testing::connect(&nursery, Scripted::new());
        peer.inject(Faults::new().reset_after_writing(0));
        assert!(transport.closed().await.is_some_and(|exc| exc.is_os_error()));
        assert!(peer.is_reset());
        Ok(())
    });
}

#[test]
fn what_is_delayed_arrives_in_its_order_and_not_before() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::echo()));
        let begun = Instant::now();
        peer.inject(Faults::new().delay(2 * SECOND));
        peer.send("first");
        sleep(SECOND).await;
        peer.inject(Faults::new());
        peer.send("second");
        peer.close_write();
        assert_eq!(peer.read().await, b"firstsecond");
        assert!((2 * SECOND..3 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'firstsecond'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_delayed_reset_ends_also_a_transport_that_only_waits_to_write() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
        checkpoint().await;
        peer.set_capacity(0);
        transport.pause_reading();
        transport.write(b"nobody reads this")?;
        peer.inject(Faults::new().delay(SECOND));
        let begun = Instant::now();
        peer.reset();
        transport.closed().await;
        assert!((SECOND..2 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(trace.lines(), ["made", "lost ConnectionReset"]);
        Ok(())
    });
}

#[test]
fn bytes_on_the_way_to_a_closed_transport_reset_the_peer() {
    paused(async |nursery| {
        let (transport, _, peer) = testing::connect(&nursery, Scripted::new());
        checkpoint().await;
        peer.inject(Faults::new().delay(SECOND));
        peer.send("too late");
        transport.close();
        transport.closed().await;
        assert!(peer.is_reset());
        Ok(())
    });
}

#[test]
fn a_protocol_with_a_buffer_is_not_asked_for_it_before_something_arrives() {
    #[derive(Default)]
    struct Reads([u8; 8]);

    impl BufferedProtocol for Reads {
        fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
            Ok(&mut self.0)
        }

        fn buffer_updated(&mut self, _n_bytes: usize) -> Result<()> {
            Ok(())
        }
    }

    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, Buffered(trace.wrap(Reads::default())));
        peer.inject(Faults::new().delay(SECOND));
        peer.send("abc");
        sleep(SECOND / 2).await;
        peer.inject(Faults::new().delay(SECOND).stall_reading());
        sleep(2 * SECOND).await;
        assert_eq!(trace.lines(), ["made"]);
        peer.inject(Faults::new());
        sleep(SECOND).await;
        peer.close_write();
        transport.closed().await;
        let lines = trace.lines();
        assert_eq!(lines[..3], ["made", "get_buffer", "buffer_updated 3"], "{lines:?}");
        Ok(())
    });
}

// ---- the peer

#[test]
fn a_peer_that_is_closed_is_one_that_is_dropped() {
    paused(async |nursery| {
        for (leaves_unread, lost) in [(false, "lost None"), (true, "lost ConnectionReset")] {
            let trace = Trace::new();
            let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::echo()));
            peer.send("hello");
            while peer.n_unread() < 5 {
                checkpoint().await;
            }
            if !leaves_unread {
                peer.received();
            }
            peer.close();
            peer.close();
            transport.closed().await;
            assert_eq!(trace.lines().last().map(String::as_str), Some(lost));
            assert_eq!(peer.read().await, b"");
        }
        Ok(())
    });
}

#[test]
fn a_peer_reads_no_more_than_it_wants() {
    paused(async |nursery| {
        let (transport, _, peer) = testing::connect(&nursery, Scripted::echo());
        peer.send("abcde");
        assert_eq!(peer.read_up_to(0).await, b"");
        assert_eq!(peer.read_up_to(3).await, b"abc");
        assert_eq!(peer.read_up_to(3).await, b"de");
        transport.close();
        assert_eq!(peer.read_up_to(3).await, b"");
        Ok(())
    });
}

// ---- scripts

#[test]
fn a_script_says_what_it_expected_and_what_came() {
    paused(async |nursery| {
        let answer = |data: &'static [u8], closes: bool| {
            let answer = move |transport: &foster_compat::TransportRef, _: &[u8]| {
                transport.write(data)?;
                if closes {
                    transport.close();
                }
                Ok(())
            };
            testing::connect(&nursery, Scripted::new().on_data(answer)).2
        };
        let ask = || Script::new().send("?");
        let second = Duration::from_secs(1);
        for (peer, script, wanted) in [
            (answer(b"no\r\n", false), ask().expect("yes"), r#"expect "yes": there came "no\r\n""#),
            (answer(b"yep", false), ask().expect("yes!"), r#"expect "yes!": there came "yep""#),
            (answer(b"ye", true), ask().expect("yes"), r#"expect "yes": there came "ye" and the end"#),
            (answer(b"", true), ask().expect("yes"), r#"expect "yes": there came the end"#),
            (answer(b"ye", false), ask().expect("yes"), r#"expect "yes": there came "ye" and no more in 10s"#),
            (answer(b"", false), ask().patience(second).expect("yes"), r#"expect "yes": nothing came in 1s"#),
            (answer(b"", false), ask().expect_eof(), "expect the end: nothing came in 10s"),
            (answer(b"more", true), ask().expect_eof(), r#"expect the end: there came "more""#),
            (answer(b"!", false), ask().expect_silence(second), r#"expect silence for 1s: there came "!""#),
            (answer(b"", true), ask().expect_silence(second), "expect silence for 1s: there came the end"),
        ] {
            let err = script.run(&peer).await.expect_err(wanted);
            assert_eq!(err.to_string(), format!("step 2 of 2, {wanted}"));
            assert_eq!(err.step(), 2);
        }
        let peer = answer(&[b'x'; 300], false);
        let err = ask().expect("y").run(&peer).await.expect_err("it is something else");
        assert_eq!(err.came().len(), 300);
        assert!(err.to_string().ends_with("xxx\" and 100 bytes"), "{err}");
        let peer = answer(b"", false);
        peer.inject(Faults::new().reset_after_reading(1));
        let err = ask().expect_eof().run(&peer).await.expect_err("a reset is no end");
        assert_eq!(err.to_string(), "step 2 of 2, expect the end: there came a reset");
        Ok(())
    });
}

#[test]
fn a_script_waits_no_longer_than_it_is_patient() {
    paused(async |nursery| {
        let (_transport, _, peer) = testing::connect(&nursery, Scripted::new());
        let begun = Instant::now();
        Script::new().pause(SECOND).expect_silence(SECOND).run(&peer).await?;
        assert_eq!(begun.elapsed(), 2 * SECOND);
        let begun = Instant::now();
        assert!(Script::new().expect("anything").run(&peer).await.is_err());
        assert_eq!(begun.elapsed(), DEFAULT_PATIENCE);
        Ok(())
    });
}

#[test]
fn the_ends_of_a_script_are_those_of_a_peer() {
    paused(async |nursery| {
        for (script, lines) in [
            (Script::new().close_write().expect_eof(), ["eof", "lost None"]),
            (Script::new().close(), ["eof", "lost None"]),
            (Script::new().send("x").pause(SECOND).reset(), ["data 'x'", "lost ConnectionReset"]),
        ] {
            let trace = Trace::new();
            let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
            script.run(&peer).await?;
            transport.closed().await;
            assert_eq!(trace.lines()[1..], lines);
        }
        Ok(())
    });
}

#[test]
fn what_no_step_has_read_is_left() {
    paused(async |nursery| {
        let (_transport, _, peer) = testing::connect(&nursery, Scripted::echo());
        Script::new().send("abcdef").expect("abc").run(&peer).await?;
        Script::new().expect("def").run(&peer).await?;
        Ok(())
    });
}

// ---- servers

#[test]
fn all_factories_run_before_the_first_connection_is_made() {
    paused(async |nursery| {
        let trace = Trace::new();
        let made = trace.clone();
        let server = testing::serve(&nursery, move || {
            made.mark("factory");
            made.wrap(Scripted::echo())
        });
        let peers = [server.connect(), server.connect(), server.connect()];
        turns(3).await;
        assert_eq!(trace.lines(), ["factory", "factory", "factory", "made", "made", "made"]);
        for peer in peers {
            Script::new().send("x").expect("x").close().run(&peer).await?;
        }
        Ok(())
    });
}

#[test]
fn each_client_has_an_address_of_its_own() {
    paused(async |nursery| {
        let names = Rc::new(RefCell::new(Vec::new()));
        let seen = names.clone();
        let server = testing::serve(&nursery, move || {
            let seen = seen.clone();
            Scripted::new().on_made(move |transport| {
                seen.borrow_mut().extend(transport.peername().and_then(|name| name.port()));
                Ok(())
            })
        });
        let _peers = [server.connect(), server.connect()];
        turns(2).await;
        assert_eq!(*names.borrow(), [50000, 50001]);
        Ok(())
    });
}

#[test]
fn clients_run_side_by_side_and_give_their_results_in_order() {
    paused(async |nursery| {
        let server = testing::serve(&nursery, Scripted::echo);
        let begun = Instant::now();
        let results = server.run_clients(3, async |n, peer| {
            sleep(SECOND * (3 - u32::try_from(n)?)).await;
            let word = format!("client {n}");
            Script::new().send(&word).expect(&word).run(&peer).await?;
            Ok(word)
        });
        assert_eq!(results.await?, ["client 0", "client 1", "client 2"]);
        assert_eq!(begun.elapsed(), 3 * SECOND);
        Ok(())
    });
}

#[test]
fn the_first_error_of_a_client_ends_the_others() {
    paused(async |nursery| {
        let trace = Trace::new();
        let traced = trace.clone();
        let server = testing::serve(&nursery, move || traced.wrap(Scripted::new()));
        let failing = server.run_clients(3, async |n, peer| match n {
            1 => Err(Error::msg("client 1 has failed")),
            _ => {
                peer.closed().await;
                Ok(())
            }
        });
        assert_eq!(failing.await.expect_err("one fails").to_string(), "client 1 has failed");
        until(|| trace.count("lost") == 3).await;
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_factory_that_connects_a_client_is_told_so() {
    type Server = InMemoryServer<Box<dyn FnMut() -> Scripted>>;
    paused(async |nursery| {
        let server: Rc<RefCell<Option<Rc<Server>>>> = Rc::default();
        let itself = server.clone();
        let is_told = Rc::new(Cell::new(false));
        let told = is_told.clone();
        let factory: Box<dyn FnMut() -> Scripted> = Box::new(move || {
            let server = itself.take();
            let inner =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.map(|server| server.connect())));
            told.set(inner.is_err());
            Scripted::echo()
        });
        let made = Rc::new(testing::serve(&nursery, factory));
        server.replace(Some(made.clone()));
        let peer = made.connect();
        assert!(is_told.get());
        Script::new().send("x").expect("x").run(&peer).await?;
        Ok(())
    });
}
