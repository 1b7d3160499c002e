//! Receivers on connections: pausing, closing, back-pressure, the end of the stream, and hand-overs.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::framing::{
    Int32StringProtocol, Int32StringReceiver, LineBase, LineProtocol, LineReceiver, NetstringBase, NetstringProtocol,
    NetstringReceiver, StringBase,
};
use foster_compat::testing::{self, Peer, Trace};
use foster_compat::{Error, Nursery, Protocol, ProtocolHandle, Result, Running, TransportRef, checkpoint};
use stage::{Reports, Scripted, paused, turns, until};

type OnLine = Box<dyn FnMut(&LineBase, &str) -> Result<()>>;

/// Writes down what it is told, and does what the test wants with each line. Raw data is a line of its own.
struct Told {
    said: Rc<RefCell<Vec<String>>>,
    on_line: OnLine,
    keeps_open: bool,
}

impl Told {
    fn say(&self, word: impl Into<String>) {
        self.said.borrow_mut().push(word.into());
    }
}

impl LineReceiver for Told {
    fn connection_made(&mut self, _base: &LineBase) -> Result<()> {
        self.say("made");
        Ok(())
    }

    fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
        let line = String::from_utf8_lossy(line);
        self.say(&*line);
        (self.on_line)(base, &line)
    }

    fn raw_data_received(&mut self, _base: &LineBase, data: &[u8]) -> Result<()> {
        self.say(format!("raw {}", String::from_utf8_lossy(data)));
        Ok(())
    }

    fn eof_received(&mut self, base: &LineBase) -> Result<bool> {
        self.say(format!("eof {}", String::from_utf8_lossy(&base.clear_line_buffer())));
        Ok(self.keeps_open)
    }

    fn connection_lost(&mut self, _base: &LineBase, exc: Option<Error>) -> Result<()> {
        self.say(exc.map_or("lost".to_owned(), |err| format!("lost {err}")));
        Ok(())
    }
}

/// A connection of a [`Told`].
struct Connected {
    said: Rc<RefCell<Vec<String>>>,
    transport: TransportRef,
    handle: ProtocolHandle<LineProtocol<Told>>,
    peer: Peer,
}

impl Connected {
    async fn new(nursery: &Nursery, on_line: impl FnMut(&LineBase, &str) -> Result<()> + 'static) -> Self {
        Connected::open(nursery, on_line, false).await
    }

    async fn open(
        nursery: &Nursery,
        on_line: impl FnMut(&LineBase, &str) -> Result<()> + 'static,
        keeps_open: bool,
    ) -> Self {
        let said = Rc::default();
        let told = Told { said: Rc::clone(&said), on_line: Box::new(on_line), keeps_open };
        let (transport, handle, peer) = testing::connect(nursery, LineProtocol::new(told));
        turns(2).await;
        Connected { said, transport, handle, peer }
    }

    fn base(&self) -> LineBase {
        self.handle.with(|protocol| protocol.base())
    }

    async fn say(&self, data: impl AsRef<[u8]>) {
        self.peer.send(data);
        turns(3).await;
    }

    /// What was said so far, which is forgotten.
    fn said(&self) -> String {
        self.said.take().join(" ")
    }
}

// ---- pausing

#[test]
fn a_pause_inside_a_line_keeps_the_next_ones_until_reading_is_resumed() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, line| {
            if line == "pause" {
                base.transport.pause_reading();
            }
            Ok(())
        })
        .await;
        it.say(b"a\r\npause\r\nb\r\npause\r\nc\r\nd").await;
        assert_eq!(it.said(), "made a pause");
        it.say(b"\r\ne\r\n").await;
        assert_eq!(it.said(), "", "nothing is read either");
        it.transport.resume_reading();
        assert_eq!(it.said(), "", "nothing comes from inside");
        turns(3).await;
        assert_eq!(it.said(), "b pause");
        it.transport.resume_reading();
        turns(3).await;
        assert_eq!(it.said(), "c d e");
        Ok(())
    });
}

#[test]
fn a_pause_and_a_resume_inside_one_callback_keep_nothing_back() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, _line| {
            base.transport.pause_reading();
            base.transport.resume_reading();
            Ok(())
        })
        .await;
        it.say(b"a\r\nb\r\nc\r\n").await;
        assert_eq!(it.said(), "made a b c");
        Ok(())
    });
}

#[test]
fn a_task_of_the_receiver_answers_one_line_after_the_other() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, line| {
            base.transport.pause_reading();
            let (base, answer) = (base.clone(), format!("{line}!"));
            let transport = base.transport.clone();
            transport.start_soon(async move {
                checkpoint().await;
                base.send_line(answer.as_bytes())?;
                base.transport.resume_reading();
                Ok(())
            });
            Ok(())
        })
        .await;
        it.peer.send(b"a\r\nb\r\nc\r\n");
        assert_eq!(it.peer.read_exactly(12).await, b"a!\r\nb!\r\nc!\r\n");
        assert_eq!(it.said(), "made a b c");
        it.peer.close_write();
        assert!(it.transport.closed().await.is_none());
        assert_eq!(it.said(), "eof  lost");
        Ok(())
    });
}

#[test]
fn strings_and_netstrings_wait_for_reading_to_be_resumed_too() {
    #[derive(Default)]
    struct Pauses(usize);

    impl Int32StringReceiver for Pauses {
        fn string_received(&mut self, base: &StringBase, _string: &[u8]) -> Result<()> {
            self.0 += 1;
            base.transport.pause_reading();
            Ok(())
        }
    }

    impl NetstringReceiver for Pauses {
        fn string_received(&mut self, base: &NetstringBase, _string: &[u8]) -> Result<()> {
            self.0 += 1;
            base.transport.pause_reading();
            Ok(())
        }
    }

    paused(async |nursery| {
        let (transport, handle, peer) = testing::connect(&nursery, Int32StringProtocol::<Pauses>::default());
        let (other_transport, other_handle, other_peer) =
            testing::connect(&nursery, NetstringProtocol::<Pauses>::default());
        peer.send([0; 12]);
        other_peer.send(b"0:,0:,0:,");
        for n in 1..4 {
            turns(4).await;
            assert_eq!(handle.with(|protocol| protocol.with(|pauses| pauses.0)), n);
            assert_eq!(other_handle.with(|protocol| protocol.with(|pauses| pauses.0)), n);
            transport.resume_reading();
            other_transport.resume_reading();
        }
        Ok(())
    });
}

#[test]
fn the_mode_can_be_switched_from_outside_and_what_is_there_comes_in_the_next_turn() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, line| {
            if line == "raw" {
                base.set_raw_mode();
            }
            Ok(())
        })
        .await;
        it.say(b"raw\r\nx").await;
        assert_eq!(it.said(), "made raw raw x");
        it.base().set_line_mode(b"a\r\nb\r\nc");
        assert_eq!(it.said(), "", "nothing comes from inside");
        turns(3).await;
        assert_eq!(it.said(), "a b");
        it.say(b"d\r\ne").await;
        assert_eq!(it.said(), "cd");
        it.base().set_raw_mode();
        turns(3).await;
        assert_eq!(it.said(), "raw e");
        Ok(())
    });
}

#[test]
fn a_delivery_that_finds_the_receiver_borrowed_comes_later() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |_base, _line| Ok(())).await;
        it.handle.with(|protocol| {
            let base = protocol.base();
            protocol.with(|_told| base.set_line_mode(b"a\r\n"));
        });
        turns(3).await;
        assert_eq!(it.said(), "made a");
        Ok(())
    });
}

// ---- closing

#[test]
fn close_and_abort_inside_a_line_drop_the_lines_behind_it() {
    for is_abort in [false, true] {
        paused(async |nursery| {
            let it = Connected::new(&nursery, move |base, line| {
                if line == "end" {
                    base.send_line(b"bye")?;
                    if is_abort { base.transport.abort() } else { base.transport.close() }
                }
                Ok(())
            })
            .await;
            it.peer.send(b"a\r\nend\r\nb\r\nc");
            assert!(it.transport.closed().await.is_none());
            assert_eq!(it.said(), "made a end lost");
            assert_eq!(it.peer.received(), b"bye\r\n");
            assert_eq!(it.base().clear_line_buffer(), b"");
            Ok(())
        });
    }
}

#[test]
fn a_connection_that_is_closing_keeps_nothing_for_the_receiver() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, _line| {
            base.send_line(b"bye")?;
            base.transport.close();
            Ok(())
        })
        .await;
        it.peer.set_capacity(0);
        it.say(b"end\r\na\r\nb").await;
        assert!(it.transport.is_closing() && !it.peer.is_closed());
        assert_eq!(it.base().clear_line_buffer(), b"");
        Ok(())
    });
}

#[test]
fn a_line_that_is_too_long_closes_the_connection() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |_base, _line| Ok(())).await;
        it.peer.send([b'x'; 16_384]);
        it.peer.send(b"\r\n");
        turns(3).await;
        assert_eq!(it.said().len(), "made ".len() + 16_384);
        it.peer.send([b'x'; 16_385]);
        assert!(it.transport.closed().await.is_none());
        assert_eq!(it.said(), "lost");
        Ok(())
    });
}

#[test]
fn what_is_no_netstring_and_a_string_that_is_too_long_close_the_connection() {
    #[derive(Default)]
    struct Strings;

    impl Int32StringReceiver for Strings {
        fn string_received(&mut self, base: &StringBase, string: &[u8]) -> Result<()> {
            base.send_string(string)
        }
    }

    impl NetstringReceiver for Strings {
        fn string_received(&mut self, base: &NetstringBase, string: &[u8]) -> Result<()> {
            base.send_string(string)
        }
    }

    paused(async |nursery| {
        let (transport, _, peer) = testing::connect(&nursery, NetstringProtocol::<Strings>::default());
        peer.send(b"2:ok,2:ko;2:no,");
        assert!(transport.closed().await.is_none());
        assert_eq!(peer.received(), b"2:ok,");

        let (transport, _, peer) = testing::connect(&nursery, Int32StringProtocol::<Strings>::default());
        peer.send(b"\0\0\0\0\0\0\0\x02ok\0\x01\x86\xa0");
        assert!(transport.closed().await.is_none());
        assert_eq!(peer.received(), b"\0\0\0\0\0\0\0\x02ok");
        Ok(())
    });
}

#[test]
fn an_error_and_a_panic_of_a_line_end_that_connection_alone() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let other = Connected::new(&nursery, |base, line| base.send_line(line.as_bytes())).await;
        let fails = Connected::new(&nursery, |_base, line| match line {
            "error" => Err(Error::msg("no")),
            "panic" => panic!("never"),
            _ => Ok(()),
        })
        .await;
        fails.peer.send(b"a\r\nerror\r\nb\r\n");
        assert_eq!(fails.transport.closed().await.map(|err| err.to_string()).as_deref(), Some("no"));
        assert_eq!(fails.said(), "made a error lost no");
        assert_eq!(reports.take(), ["Fatal error: protocol.data_received() call failed.: no"]);

        let panics = Connected::new(&nursery, |_base, _line| panic!("never")).await;
        panics.peer.send(b"panic\r\nb\r\n");
        assert!(panics.transport.closed().await.is_some());
        assert!(panics.said().starts_with("made panic lost"));

        other.say(b"still here\r\n").await;
        assert_eq!(other.peer.received(), b"still here\r\n");
        Ok(())
    });
}

#[test]
fn an_error_of_a_line_that_was_kept_back_ends_the_connection_too() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let it = Connected::new(&nursery, |base, line| {
            base.transport.pause_reading();
            if line == "error" { Err(Error::msg("no")) } else { Ok(()) }
        })
        .await;
        it.say(b"a\r\nerror\r\nb\r\n").await;
        it.transport.resume_reading();
        assert!(it.transport.closed().await.is_some());
        assert_eq!(it.said(), "made a error lost no");
        assert_eq!(reports.take(), ["Fatal error: a task of the connection failed.: no"]);
        Ok(())
    });
}

// ---- back-pressure

const ANSWER: usize = 10_000;
const N_LINES: usize = 200;

/// The bytes of so many empty lines.
fn empty_lines(n: usize) -> Vec<u8> {
    b"\r\n".repeat(n)
}

#[test]
fn a_peer_that_never_reads_is_answered_no_further_than_the_high_mark() {
    paused(async |nursery| {
        let n_answered = Rc::new(Cell::new(0));
        let counter = n_answered.clone();
        let it = Connected::new(&nursery, move |base, _line| {
            counter.set(counter.get() + 1);
            base.transport.write(&[b'x'; ANSWER])
        })
        .await;
        it.peer.set_capacity(0);
        it.peer.send(empty_lines(N_LINES));
        turns(20).await;
        assert_eq!(n_answered.get(), 7, "the seventh goes above 64 KiB");
        assert!(!it.transport.is_reading());
        it.peer.set_capacity(100 * ANSWER);
        assert_eq!(it.peer.read_exactly(N_LINES * ANSWER).await.len(), N_LINES * ANSWER);
        assert_eq!(n_answered.get(), N_LINES);
        assert!(it.transport.is_reading());
        Ok(())
    });
}

#[test]
fn a_receiver_that_pauses_by_itself_is_held_by_a_peer_that_never_reads_as_well() {
    paused(async |nursery| {
        let n_answered = Rc::new(Cell::new(0));
        let counter = n_answered.clone();
        let it = Connected::new(&nursery, move |base, _line| {
            base.transport.pause_reading();
            let (base, counter) = (base.clone(), counter.clone());
            let transport = base.transport.clone();
            transport.start_soon(async move {
                checkpoint().await;
                counter.set(counter.get() + 1);
                base.transport.write(&[b'x'; ANSWER])?;
                base.transport.resume_reading();
                Ok(())
            });
            Ok(())
        })
        .await;
        it.peer.set_capacity(0);
        it.peer.send(empty_lines(N_LINES));
        turns(200).await;
        assert_eq!(n_answered.get(), 7);
        it.peer.send(empty_lines(N_LINES));
        turns(200).await;
        assert_eq!(n_answered.get(), 7);
        it.peer.set_capacity(100 * ANSWER);
        assert_eq!(it.peer.read_exactly(2 * N_LINES * ANSWER).await.len(), 2 * N_LINES * ANSWER);
        Ok(())
    });
}

#[test]
fn a_pause_of_the_receivers_own_outlives_that_of_the_peer() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, line| {
            if line == "pause" {
                base.transport.pause_reading();
            }
            Ok(())
        })
        .await;
        it.peer.set_capacity(0);
        it.say(b"pause\r\na\r\n").await;
        it.transport.write(&[0; 100_000])?;
        assert!(it.transport.is_writing_paused());
        it.peer.set_capacity(100_000);
        turns(5).await;
        assert!(!it.transport.is_writing_paused() && !it.transport.is_reading());
        assert_eq!(it.said(), "made pause");
        it.transport.resume_reading();
        turns(3).await;
        assert_eq!(it.said(), "a");
        Ok(())
    });
}

#[test]
fn a_receiver_that_overrides_pause_writing_is_told_in_between_and_gets_everything() {
    #[derive(Default)]
    struct Goes(Vec<String>);

    impl LineReceiver for Goes {
        fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
            self.0.push(String::from_utf8_lossy(line).into_owned());
            base.transport.write(&[0; 40_000])
        }

        fn pause_writing(&mut self, _base: &LineBase) -> Result<()> {
            self.0.push("pause".to_owned());
            Ok(())
        }

        fn resume_writing(&mut self, _base: &LineBase) -> Result<()> {
            self.0.push("resume".to_owned());
            Ok(())
        }
    }

    paused(async |nursery| {
        let (transport, handle, peer) = testing::connect(&nursery, LineProtocol::<Goes>::default());
        peer.set_capacity(0);
        peer.send(b"a\r\nb\r\nc\r\nd\r\n");
        turns(6).await;
        assert!(transport.is_reading());
        peer.set_capacity(200_000);
        turns(3).await;
        let said = handle.with(|protocol| protocol.with(|goes| goes.0.join(" ")));
        assert_eq!(said, "a b pause c d resume");
        Ok(())
    });
}

// ---- the end of the stream

#[test]
fn the_end_of_the_stream_comes_behind_the_lines_that_were_kept_back() {
    for keeps_open in [false, true] {
        paused(async |nursery| {
            let pauses = |base: &LineBase, _line: &str| {
                base.transport.pause_reading();
                Ok(())
            };
            let it = Connected::open(&nursery, pauses, keeps_open).await;
            it.peer.send(b"a\r\nb\r\nc\r\nrest");
            it.peer.close_write();
            for expected in ["made a", "b", "c"] {
                turns(4).await;
                assert_eq!(it.said(), expected);
                it.transport.resume_reading();
            }
            turns(4).await;
            assert_eq!(it.said(), if keeps_open { "eof rest" } else { "eof rest lost" });
            assert_eq!(it.transport.is_closing(), !keeps_open);
            it.transport.close();
            Ok(())
        });
    }
}

#[test]
fn the_end_of_the_stream_comes_behind_the_lines_that_wait_for_a_callback_to_return() {
    /// Answers more than the high mark, and is not held.
    struct Answers(Rc<RefCell<Vec<String>>>);

    impl LineReceiver for Answers {
        fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
            self.0.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
            base.transport.write(&[0; 100_000])?;
            if line == b"pause" {
                base.transport.pause_reading();
            }
            Ok(())
        }

        fn pause_writing(&mut self, _base: &LineBase) -> Result<()> {
            Ok(())
        }

        fn eof_received(&mut self, _base: &LineBase) -> Result<bool> {
            self.0.borrow_mut().push("eof".to_owned());
            Ok(false)
        }
    }

    paused(async |nursery| {
        let said: Rc<RefCell<Vec<String>>> = Rc::default();
        let (transport, _, peer) = testing::connect(&nursery, LineProtocol::new(Answers(said.clone())));
        turns(2).await;
        peer.send(b"pause\r\na\r\nb\r\nc\r\n");
        turns(3).await;
        peer.close_write();
        assert_eq!(peer.read_exactly(100_000).await.len(), 100_000);
        // The end of the stream and what was kept back are due in the same turn.
        peer.set_capacity(0);
        transport.resume_reading();
        turns(10).await;
        peer.set_capacity(1_000_000);
        transport.closed().await;
        assert_eq!(said.take().join(" "), "pause a b c eof");
        assert_eq!(peer.received().len(), 300_000);
        Ok(())
    });
}

#[test]
fn an_end_of_the_stream_that_comes_while_lines_are_kept_back_is_told_behind_them() {
    for keeps_open in [false, true] {
        paused(async |nursery| {
            let it = Connected::open(&nursery, |_base, _line| Ok(()), keeps_open).await;
            it.transport.pause_reading();
            // A transport that reads ahead may give both although reading is paused.
            let is_kept_open = it.handle.with(|protocol| {
                protocol.data_received(b"a\r\nb\r\nrest")?;
                protocol.eof_received()
            })?;
            assert!(is_kept_open, "the lines come first");
            turns(3).await;
            assert_eq!(it.said(), "made");
            it.transport.resume_reading();
            turns(4).await;
            assert_eq!(it.said(), if keeps_open { "a b eof rest" } else { "a b eof rest lost" });
            it.transport.close();
            Ok(())
        });
    }
}

#[test]
fn a_part_of_a_line_is_there_until_connection_lost_has_returned() {
    paused(async |nursery| {
        struct Last(Rc<RefCell<Vec<u8>>>);

        impl LineReceiver for Last {
            fn line_received(&mut self, _base: &LineBase, _line: &[u8]) -> Result<()> {
                Ok(())
            }

            fn connection_lost(&mut self, base: &LineBase, _exc: Option<Error>) -> Result<()> {
                self.0.replace(base.clear_line_buffer());
                Ok(())
            }
        }

        let last: Rc<RefCell<Vec<u8>>> = Rc::default();
        let (transport, _, peer) = testing::connect(&nursery, LineProtocol::new(Last(last.clone())));
        peer.send(b"a\r\nb");
        peer.reset();
        assert!(transport.closed().await.is_some());
        assert_eq!(last.take(), b"b");
        Ok(())
    });
}

// ---- hand-overs

#[test]
fn a_receiver_hands_the_connection_over_in_the_middle_of_a_chunk() {
    paused(async |nursery| {
        let trace = Trace::new();
        let next = trace.clone();
        let it = Connected::new(&nursery, move |base, line| {
            if line == "upgrade" {
                let rest = base.clear_line_buffer();
                let other = base.transport.set_protocol(next.wrap(Scripted::echo()));
                other.with(|other| {
                    other.connection_made(base.transport.clone())?;
                    other.data_received(&rest)
                })?;
            }
            Ok(())
        })
        .await;
        it.say(b"a\r\nupgrade\r\nb\r\nc").await;
        it.say(b"d").await;
        it.peer.close_write();
        it.transport.closed().await;
        assert_eq!(it.said(), "made a upgrade");
        assert_eq!(trace.lines(), ["made", "data 'b\\r\\nc'", "data 'd'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_connection_is_handed_to_a_receiver_with_what_was_read_too_much() {
    paused(async |nursery| {
        let said: Rc<RefCell<Vec<String>>> = Rc::default();
        let told = said.clone();
        let protocol = Scripted::new().on_data(move |transport, data| {
            let told = Told { said: told.clone(), on_line: Box::new(|_, _| Ok(())), keeps_open: false };
            let next = transport.set_protocol(LineProtocol::new(told));
            next.with(|next| {
                next.connection_made(transport.clone())?;
                next.data_received(&data[1..])
            })
        });
        let (transport, _, peer) = testing::connect(&nursery, protocol);
        peer.send(b"!a\r\nb");
        turns(4).await;
        peer.send(b"c\r\n");
        peer.close_write();
        transport.closed().await;
        assert_eq!(said.take().join(" "), "made a bc eof  lost");
        Ok(())
    });
}

#[test]
fn nothing_of_the_old_transport_is_left_when_a_connection_is_made_again() {
    paused(async |nursery| {
        let it = Connected::new(&nursery, |base, line| {
            if line == "pause" {
                base.transport.pause_reading();
            }
            Ok(())
        })
        .await;
        it.say(b"pause\r\ninjected\r\n").await;
        let (second, _, second_peer) = testing::connect(&nursery, Scripted::new());
        turns(2).await;
        it.handle.with(|protocol| protocol.connection_made(second.clone()))?;
        it.transport.resume_reading();
        turns(4).await;
        assert_eq!(it.said(), "made pause made");
        assert_eq!(it.base().transport, second);
        it.base().send_line(b"hello")?;
        assert_eq!(second_peer.received(), b"hello\r\n");
        Ok(())
    });
}

// ---- looking at the receiver

#[test]
fn a_receiver_that_is_being_called_cannot_be_looked_at() {
    paused(async |nursery| {
        let found: Rc<RefCell<Option<Result<(), Running>>>> = Rc::default();
        let handle: Rc<RefCell<Option<ProtocolHandle<LineProtocol<Told>>>>> = Rc::default();
        let (inner_found, inner_handle) = (found.clone(), handle.clone());
        let it = Connected::new(&nursery, move |_base, line| {
            if line == "look" {
                let handle = inner_handle.borrow().clone().ok_or_else(|| Error::msg("it is there"))?;
                // Handed over by the task that goes on after a pause, so only the receiver itself is borrowed.
                let looked = handle.try_with(|protocol| protocol.try_with(|_told| ()));
                inner_found.replace(looked.ok());
            }
            Ok(())
        })
        .await;
        handle.replace(Some(it.handle.clone()));
        it.base().set_line_mode(b"look\r\n");
        until(|| found.borrow().is_some()).await;
        assert_eq!(found.take(), Some(Err(Running)));
        assert_eq!(it.handle.with(|protocol| protocol.with(|told| told.said.borrow().len())), 2);
        handle.take();
        Ok(())
    });
}

#[test]
fn data_given_by_hand_inside_a_callback_comes_behind_what_is_there() {
    paused(async |nursery| {
        let handle: Rc<RefCell<Option<ProtocolHandle<LineProtocol<Told>>>>> = Rc::default();
        let inner_handle = handle.clone();
        let it = Connected::new(&nursery, move |_base, line| {
            let handle = inner_handle.borrow().clone();
            if let (Some(handle), "again") = (handle, line) {
                handle.with(|protocol| protocol.data_received(b"c\r\n"))?;
            }
            Ok(())
        })
        .await;
        handle.replace(Some(it.handle.clone()));
        it.base().set_line_mode(b"again\r\nb\r\n");
        turns(3).await;
        assert_eq!(it.said(), "made again b c");
        handle.take();
        Ok(())
    });
}
