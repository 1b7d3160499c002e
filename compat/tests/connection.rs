//! The life of a connection, over a socket and over the wire in memory: the same checks for both.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::testing::Trace;
use foster_compat::{Error, RuntimeError};
use stage::{Scripted, Wire, over_each_wire, real, turns, until};

#[test]
fn what_is_sent_comes_back_and_the_end_of_the_stream_ends_it() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::echo())).await?;
        end.send(b"hello").await?;
        assert_eq!(end.read_exactly(5).await?, b"hello");
        end.close_write().await?;
        assert_eq!(end.read_to_end().await?, (vec![], false));
        assert!(transport.closed().await.is_none());
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn data_before_the_end_of_the_stream_is_delivered_first() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        end.send(b"last words").await?;
        end.close_write().await?;
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'last words'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_reset_gives_the_error_and_no_eof() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        end.reset();
        let err = transport.closed().await.expect("a reset is an error");
        assert!(err.is_os_error());
        assert_eq!(trace.lines(), ["made", "lost ConnectionReset"]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_close_with_unread_input_resets_the_peer() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, mut end) = wire
            .connect(
                &nursery,
                trace.wrap(Scripted::new().on_made(|t| {
                    t.pause_reading();
                    Ok(())
                })),
            )
            .await?;
        end.send(b"nobody reads this").await?;
        // The bytes are in the kernel before the socket is closed: over loopback a send has arrived when it returns.
        transport.abort();
        assert!(transport.closed().await.is_none());
        assert_eq!(end.read_to_end().await?, (vec![], true));
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn an_aborted_socket_ends_with_a_reset_if_that_was_asked_for() {
    real(async |nursery| {
        for (asks, is_reset) in [(false, false), (true, true)] {
            let (transport, mut end) = Wire::Socket.connect(&nursery, Trace::new().wrap(Scripted::new())).await?;
            let socket = transport.socket().expect("it is a socket");
            if asks {
                socket.set_zero_linger()?;
            }
            transport.abort();
            assert_eq!(end.read_to_end().await?, (vec![], is_reset));
            assert!(transport.closed().await.is_none());
            assert_eq!(socket.set_zero_linger().unwrap_err().kind(), std::io::ErrorKind::NotConnected);
        }
        Ok(())
    });
}

#[test]
fn eight_mebibytes_written_and_then_closed_all_arrive() {
    over_each_wire(async |wire: Wire, nursery| {
        const SIZE: usize = 8 * 1024 * 1024;
        let trace = Trace::new();
        let protocol = Scripted::new().on_made(|transport| {
            let data: Vec<u8> = (0..SIZE).map(|n| (n / 1000) as u8).collect();
            transport.write(&data)?;
            transport.close();
            Ok(())
        });
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
        let (data, is_reset) = end.read_to_end().await?;
        assert_eq!((data.len(), is_reset), (SIZE, false));
        assert!(data.iter().enumerate().all(|(n, byte)| *byte == (n / 1000) as u8), "the bytes are in order");
        assert!(transport.closed().await.is_none());
        assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing", "lost None"]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_peer_that_has_half_closed_still_gets_its_answer() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new().on_eof(|_| Ok(true)))).await?;
        end.close_write().await?;
        until(|| trace.count("eof") == 1).await;
        assert!(transport.is_reading() && !transport.is_closing());
        transport.write(b"the answer")?;
        transport.close();
        assert_eq!(end.read_to_end().await?, (b"the answer".to_vec(), false));
        assert!(transport.closed().await.is_none());
        assert_eq!(trace.lines(), ["made", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn after_a_kept_end_of_stream_pausing_and_resuming_brings_it_again() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new().on_eof(|_| Ok(true)))).await?;
        end.close_write().await?;
        until(|| trace.count("eof") == 1).await;
        turns(5).await;
        assert_eq!(trace.count("eof"), 1);
        transport.pause_reading();
        transport.resume_reading();
        until(|| trace.count("eof") == 2).await;
        transport.abort();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "eof", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn write_eof_sends_what_waits_and_then_the_end_while_reading_goes_on() {
    over_each_wire(async |wire: Wire, nursery| {
        // More than the socket takes at once: Linux grows a buffer for sending to 4 MiB.
        const SIZE: usize = 16 * 1024 * 1024;
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        assert!(transport.can_write_eof());
        transport.write(&vec![b'x'; SIZE])?;
        transport.write_eof()?;
        transport.write_eof()?;
        for refused in [transport.write(b""), transport.write(b"more"), transport.writelines(&[])] {
            assert!(refused.expect_err("the end was written").is::<RuntimeError>());
        }
        let (data, is_reset) = end.read_to_end().await?;
        assert_eq!((data.len(), is_reset), (SIZE, false));
        end.send(b"still read").await?;
        until(|| trace.count("data") == 1).await;
        end.close_write().await?;
        assert!(transport.closed().await.is_none());
        let expected = ["made", "pause_writing", "resume_writing", "data 'still read'", "eof", "lost None"];
        assert_eq!(trace.lines(), expected);
        Ok(())
    });
}

#[test]
fn reading_paused_inside_data_received_brings_no_chunk_until_resumed() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let protocol = Scripted::new().on_data(|transport, _| {
            transport.pause_reading();
            transport.pause_reading();
            Ok(())
        });
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
        end.send(b"one").await?;
        until(|| trace.count("data") == 1).await;
        end.send(b"two").await?;
        end.close_write().await?;
        turns(20).await;
        assert_eq!(trace.lines(), ["made", "data 'one'"]);
        assert!(!transport.is_reading());
        transport.resume_reading();
        transport.resume_reading();
        until(|| trace.count("data") == 2).await;
        turns(20).await;
        assert_eq!(trace.lines(), ["made", "data 'one'", "data 'two'"], "the end is not noticed while paused");
        transport.resume_reading();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'one'", "data 'two'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn pausing_or_closing_in_connection_made_means_no_data_at_all() {
    over_each_wire(async |wire: Wire, nursery| {
        for is_close in [false, true] {
            let trace = Trace::new();
            let protocol = Scripted::new().on_made(move |transport| {
                if is_close {
                    transport.close();
                } else {
                    transport.pause_reading();
                }
                Ok(())
            });
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            // A peer that was closed may find out while it sends.
            let _ = end.send(b"too late").await;
            turns(20).await;
            assert_eq!(trace.count("data"), 0);
            transport.close();
            transport.closed().await;
            assert_eq!(trace.lines(), ["made", "lost None"]);
        }
        Ok(())
    });
}

#[test]
fn close_abort_and_a_fatal_error_never_call_connection_lost_from_inside() {
    over_each_wire(async |wire: Wire, nursery| {
        let endings: [fn(&foster_compat::TransportRef) -> foster_compat::Result<()>; 4] = [
            |transport| {
                transport.close();
                Ok(())
            },
            |transport| {
                transport.abort();
                Ok(())
            },
            |transport| {
                transport.write(b"flushed")?;
                transport.close();
                transport.abort();
                transport.close();
                Ok(())
            },
            |_| Err(Error::msg("broken")),
        ];
        let reports = stage::Reports::of(&nursery);
        for ending in endings {
            let trace = Trace::new();
            let inner = trace.clone();
            let protocol = Scripted::new().on_data(move |transport, _| {
                let result = ending(transport);
                inner.mark("the callback ends");
                result
            });
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            end.send(b"x").await?;
            transport.closed().await;
            assert_eq!(trace.lines()[..3], ["made", "data 'x'", "the callback ends"]);
            trace.assert_complete();
        }
        assert_eq!(reports.take(), ["Fatal error: protocol.data_received() call failed.: broken"]);
        Ok(())
    });
}

#[test]
fn a_write_to_a_connection_that_is_gone_is_dropped_and_gives_no_error() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        transport.abort();
        for _ in 0..10 {
            transport.write(b"nobody")?;
            transport.writelines(&[b"hears", b"this"])?;
        }
        transport.closed().await;
        transport.write(b"nor this")?;
        transport.write_eof()?;
        transport.close();
        transport.abort();
        transport.pause_reading();
        transport.resume_reading();
        assert_eq!(transport.get_write_buffer_size(), 0);
        assert!(transport.is_closing() && !transport.is_reading() && transport.get_protocol().is_none());
        let mut end = end;
        assert_eq!(end.read_to_end().await?, (vec![], false));
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_peer_that_went_away_is_noticed_by_the_second_write() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, end) = wire.connect(&nursery, trace.wrap(Scripted::new().on_eof(|_| Ok(true)))).await?;
        drop(end);
        until(|| trace.count("eof") == 1).await;
        transport.write(b"first")?;
        assert!(!transport.is_closing());
        until(|| {
            transport.write(b"next").expect("a lost connection is no error of write");
            transport.is_closing()
        })
        .await;
        let err = transport.closed().await.expect("a failed write is an error");
        assert!(err.is_os_error());
        assert_eq!(trace.count("lost"), 1);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_reset_at_each_point_gives_one_connection_lost() {
    over_each_wire(async |wire: Wire, nursery| {
        for point in ["at once", "after data", "while reading is paused and bytes wait", "while flushing", "after eof"]
        {
            let trace = Trace::new();
            let protocol = Scripted::new().on_eof(|_| Ok(true));
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            match point {
                "after data" => end.send(b"data").await?,
                "while reading is paused and bytes wait" => {
                    transport.pause_reading();
                    transport.write(&vec![0; 8 * 1024 * 1024])?;
                }
                "while flushing" => {
                    transport.write(&vec![0; 8 * 1024 * 1024])?;
                    transport.close();
                }
                "after eof" => {
                    end.close_write().await?;
                    until(|| trace.count("eof") == 1).await;
                    transport.write(&vec![0; 8 * 1024 * 1024])?;
                }
                _ => {}
            }
            end.reset();
            let err = transport.closed().await;
            assert!(err.is_some_and(|err| err.is_os_error()), "{point}: {trace:?}");
            assert_eq!((trace.count("made"), trace.count("lost"), trace.count("resume_writing")), (1, 1, 0), "{point}");
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_task_of_the_connection_ends_with_it() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let log = Rc::new(RefCell::new(vec![]));
        let inner = log.clone();
        let protocol = Scripted::new().on_made(move |transport| {
            let log = inner.clone();
            transport.start_soon(async move {
                let cleanup = log.clone();
                foster_compat::finally(foster_compat::sleep_forever(), async move {
                    turns(3).await;
                    cleanup.borrow_mut().push("cleaned up");
                })
                .await;
                log.borrow_mut().push("never reached");
            });
            Ok(())
        });
        foster_compat::open_nursery(async |inner: foster_compat::Nursery| {
            let (transport, mut end) = wire.connect(&inner, trace.wrap(protocol)).await?;
            end.close_write().await?;
            transport.closed().await;
            assert!(log.borrow().is_empty(), "connection_lost comes before the tasks are cleaned up");
            transport.start_soon(async { unreachable!("a task of a lost connection") });
            Ok(())
        })
        .await?;
        assert_eq!(*log.borrow(), ["cleaned up"], "the nursery waits for the clean-up");
        trace.assert_complete();
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn bytes_read_in_one_event_are_at_most_256_kib() {
    over_each_wire(async |wire: Wire, nursery| {
        let largest = Rc::new(Cell::new((0, 0)));
        let seen = largest.clone();
        let protocol = Scripted::new().on_data(move |_, data| {
            let (largest, total) = seen.get();
            seen.set((data.len().max(largest), total + data.len()));
            Ok(())
        });
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
        end.send(&vec![1; 1_000_000]).await?;
        end.close_write().await?;
        transport.closed().await;
        let (largest, total) = largest.get();
        assert_eq!(total, 1_000_000);
        assert!(largest <= 256 * 1024, "{largest}");
        Ok(())
    });
}
