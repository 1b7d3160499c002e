//! What an error or a panic in each callback brings: asyncio's consequences for that connection, and nothing for others.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::testing::{self, Trace};
use foster_compat::{
    Buffered, BufferedProtocol, Error, Nursery, NurseryError, Panicked, Result, Shared, SharedProtocol, TransportRef,
    create_server, open_nursery,
};
use stage::{Reports, Scripted, Wire, address, bounded, over_each_wire, paused, real, turns, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a callback fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Error,
    OsError,
    Panic,
}

const EACH_WAY: [How; 3] = [How::Error, How::OsError, How::Panic];

impl How {
    fn fail<T>(self) -> Result<T> {
        match self {
            How::Error => Err(Error::msg("broken")),
            How::OsError => Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into()),
            How::Panic => panic!("boom"),
        }
    }

    /// The failure as a trace shows it in `connection_lost`.
    fn lost(self) -> &'static str {
        match self {
            How::Error => "lost broken",
            How::OsError => "lost StorageFull",
            How::Panic => "lost panicked: boom",
        }
    }

    fn reported(self, message: &str) -> String {
        match self {
            How::Error => format!("{message}: broken"),
            How::OsError => format!("{message}: no storage space"),
            How::Panic => format!("{message}: panicked: boom"),
        }
    }

    /// What the exception handler is told if the failure is fatal: nothing of what Python counts as an `OSError`.
    fn reported_if_fatal(self, message: &str) -> Vec<String> {
        if self == How::OsError { vec![] } else { vec![self.reported(message)] }
    }
}

/// Keeps the messages of expected panics out of the output.
fn hush() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref() != Some(&"boom") {
            eprintln!("{info}");
        }
    }));
}

#[test]
fn a_failing_connection_made_is_reported_and_only_a_panic_ends_the_connection() {
    hush();
    over_each_wire(async |wire: Wire, nursery| {
        for how in EACH_WAY {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let (transport, mut end) =
                wire.connect(&nursery, trace.wrap(Scripted::new().on_made(move |_| how.fail()))).await?;
            turns(3).await;
            assert_eq!(reports.take(), [how.reported("Exception in callback connection_made")]);
            if how == How::Panic {
                transport.closed().await;
                assert_eq!(trace.lines(), ["made", how.lost()]);
            } else {
                end.send(b"goes on").await?;
                end.close_write().await?;
                transport.closed().await;
                assert_eq!(trace.lines(), ["made", "data 'goes on'", "eof", "lost None"]);
            }
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_failing_data_received_ends_its_connection_with_the_failure_once() {
    hush();
    over_each_wire(async |wire: Wire, nursery| {
        for how in EACH_WAY {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let protocol = Scripted::new().on_data(move |transport, _| {
                transport.write(b"on the wire already")?;
                how.fail()
            });
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            end.send(b"x").await?;
            transport.closed().await;
            assert_eq!(end.read_to_end().await?.0, b"on the wire already");
            assert_eq!(trace.lines(), ["made", "data 'x'", how.lost()]);
            assert_eq!(reports.take(), how.reported_if_fatal("Fatal error: protocol.data_received() call failed."));
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_failing_eof_received_ends_its_connection_with_the_failure_once() {
    hush();
    over_each_wire(async |wire: Wire, nursery| {
        for how in EACH_WAY {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let (transport, mut end) =
                wire.connect(&nursery, trace.wrap(Scripted::new().on_eof(move |_| how.fail()))).await?;
            end.close_write().await?;
            transport.closed().await;
            assert_eq!(trace.lines(), ["made", "eof", how.lost()]);
            assert_eq!(reports.take(), how.reported_if_fatal("Fatal error: protocol.eof_received() call failed."));
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn failing_flow_control_callbacks_are_reported_and_only_a_panic_ends_the_connection() {
    hush();
    over_each_wire(async |wire: Wire, nursery| {
        const SIZE: usize = 8 * 1024 * 1024;
        for how in EACH_WAY {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let protocol = Scripted::new().on_pause(move |_| how.fail()).on_resume(move |_| how.fail());
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            transport.write(&vec![0; SIZE])?;
            let paused = how.reported("protocol.pause_writing() failed");
            if how == How::Panic {
                transport.closed().await;
                assert_eq!(reports.take(), [paused]);
                assert_eq!(trace.lines(), ["made", "pause_writing", how.lost()]);
            } else {
                transport.close();
                assert_eq!(end.read_to_end().await?.0.len(), SIZE);
                transport.closed().await;
                assert_eq!(reports.take(), [paused, how.reported("protocol.resume_writing() failed")]);
                assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing", "lost None"]);
            }
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_panic_in_resume_writing_drops_what_was_written_in_it() {
    hush();
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let protocol = Scripted::new().on_resume(|transport| {
            transport.write(&[0; 1_000_000])?;
            How::Panic.fail()
        });
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
        peer.set_capacity(0);
        turns(3).await;
        transport.write(&[0; 100_000])?;
        peer.set_capacity(usize::MAX);
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing", How::Panic.lost()]);
        assert_eq!(reports.take(), [How::Panic.reported("protocol.resume_writing() failed")]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_failing_connection_lost_is_reported_and_the_socket_closed_all_the_same() {
    hush();
    over_each_wire(async |wire: Wire, nursery| {
        for how in EACH_WAY {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let (transport, mut end) =
                wire.connect(&nursery, trace.wrap(Scripted::new().on_lost(move |_, _| how.fail()))).await?;
            transport.close();
            assert_eq!(end.read_to_end().await?, (vec![], false));
            assert!(transport.closed().await.is_none());
            assert_eq!(reports.take(), [how.reported("Exception in callback connection_lost")]);
            assert_eq!(trace.lines(), ["made", "lost None"]);
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn after_a_panic_the_protocol_gets_connection_lost_and_nothing_else() {
    hush();
    paused(async |nursery| {
        let _reports = Reports::of(&nursery);
        let trace = Trace::new();
        let protocol = Scripted::new().on_data(|transport, _| {
            // This would pause the protocol when the callback returns.
            transport.write(&[0; 1_000_000])?;
            How::Panic.fail()
        });
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
        peer.send(b"x");
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'x'", How::Panic.lost()]);
        Ok(())
    });
}

#[test]
fn a_task_of_a_connection_that_fails_ends_it_with_the_failure() {
    hush();
    over_each_wire(async |wire: Wire, nursery| {
        for how in EACH_WAY {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let protocol = Scripted::new().on_made(move |transport| {
                transport.start_soon(async move {
                    turns(1).await;
                    how.fail::<()>()
                });
                Ok(())
            });
            let (transport, _end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            transport.closed().await;
            assert_eq!(trace.lines(), ["made", how.lost()]);
            assert_eq!(reports.take(), how.reported_if_fatal("Fatal error: a task of the connection failed."));
            trace.assert_complete();
        }
        Ok(())
    });
}

// ---- buffered protocols

struct Reader {
    buffer: Vec<u8>,
    get_buffer: Option<How>,
    updated: Option<How>,
}

impl Reader {
    fn new(size: usize) -> Self {
        Reader { buffer: vec![0; size], get_buffer: None, updated: None }
    }
}

impl BufferedProtocol for Reader {
    fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
        match self.get_buffer {
            Some(how) => how.fail(),
            None => Ok(&mut self.buffer),
        }
    }

    fn buffer_updated(&mut self, _nbytes: usize) -> Result<()> {
        self.updated.map_or(Ok(()), How::fail)
    }
}

#[test]
fn a_failing_get_buffer_or_buffer_updated_ends_the_connection_with_the_failure() {
    hush();
    paused(async |nursery| {
        for how in EACH_WAY {
            for is_get in [true, false] {
                let reports = Reports::of(&nursery);
                let trace = Trace::new();
                let mut reader = Reader::new(100);
                let (called, message) = if is_get {
                    reader.get_buffer = Some(how);
                    (vec!["made", "get_buffer"], "Fatal error: protocol.get_buffer() call failed.")
                } else {
                    reader.updated = Some(how);
                    (
                        vec!["made", "get_buffer", "buffer_updated 1"],
                        "Fatal error: protocol.buffer_updated() call failed.",
                    )
                };
                let (transport, _, peer) = testing::connect(&nursery, Buffered(trace.wrap(reader)));
                peer.send(b"x");
                transport.closed().await;
                assert_eq!(trace.lines(), [called, vec![how.lost()]].concat());
                assert_eq!(reports.take(), how.reported_if_fatal(message));
                trace.assert_complete();
            }
        }
        Ok(())
    });
}

#[test]
fn an_empty_buffer_is_a_fatal_error() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, Buffered(trace.wrap(Reader::new(0))));
        peer.send(b"x");
        transport.closed().await;
        let empty = "get_buffer() returned an empty buffer";
        assert_eq!(trace.lines(), ["made", "get_buffer", &format!("lost {empty}")]);
        assert_eq!(reports.take(), [format!("Fatal error: protocol.get_buffer() call failed.: {empty}")]);
        Ok(())
    });
}

#[test]
fn a_small_buffer_is_filled_as_often_as_needed() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, Buffered(trace.wrap(Reader::new(3))));
        peer.send(b"0123456789");
        peer.close_write();
        transport.closed().await;
        let rounds = ["get_buffer", "buffer_updated 3"].repeat(3);
        let expected = [vec!["made"], rounds, vec!["get_buffer", "buffer_updated 1", "get_buffer", "eof", "lost None"]];
        assert_eq!(trace.lines(), expected.concat());
        Ok(())
    });
}

#[test]
fn a_failing_shared_protocol_is_treated_the_same() {
    hush();
    struct Failing(How);
    impl SharedProtocol for Failing {
        fn data_received(&self, _data: &[u8]) -> Result<()> {
            self.0.fail()
        }
    }
    paused(async |nursery| {
        for how in EACH_WAY {
            let _reports = Reports::of(&nursery);
            let trace = Trace::new();
            let (transport, _, peer) = testing::connect(&nursery, Shared(trace.wrap(Failing(how))));
            peer.send(b"x");
            transport.closed().await;
            assert_eq!(trace.lines(), ["made", "data 'x'", how.lost()]);
        }
        Ok(())
    });
}

// ---- the others go on

#[test]
fn one_bad_connection_never_hurts_another_nor_the_server() {
    hush();
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = || {
            Scripted::new().on_data(|transport, data| match data {
                b"error" => How::Error.fail(),
                b"panic" => How::Panic.fail(),
                _ => transport.write(data),
            })
        };
        let server = create_server(&nursery, move || inner.wrap(protocol()), "127.0.0.1", 0).await?;
        let mut good = TcpStream::connect(address(&server)).await?;
        for bad in [b"error", b"panic", b"error"] {
            let mut client = TcpStream::connect(address(&server)).await?;
            client.write_all(bad).await?;
            assert_eq!(client.read(&mut [0; 10]).await?, 0);
            good.write_all(b"alive").await?;
            let mut answer = [0; 5];
            good.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"alive");
        }
        assert_eq!(reports.take().len(), 3);
        assert_eq!(server.n_connections(), 1);
        assert!(server.is_serving());
        server.close();
        server.close_clients();
        server.wait_closed().await;
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_factory_that_fails_refuses_its_connection_and_is_reported() {
    hush();
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let (inner, n) = (trace.clone(), Cell::new(0));
        let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0)
            .try_factory(move || {
                n.set(n.get() + 1);
                match n.get() {
                    1 => How::Error.fail(),
                    2 => How::Panic.fail(),
                    3 => How::OsError.fail(),
                    _ => Ok(inner.wrap(Scripted::echo())),
                }
            })
            .await?;
        for _ in 0..3 {
            let mut client = TcpStream::connect(address(&server)).await?;
            assert_eq!(client.read(&mut [0; 10]).await?, 0);
        }
        let message = "Error on transport creation for incoming connection";
        assert_eq!(reports.take(), [How::Error, How::Panic, How::OsError].map(|how| how.reported(message)));
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"echo").await?;
        client.read_exact(&mut [0; 4]).await?;
        drop(client);
        server.close();
        server.wait_closed().await;
        assert_eq!(trace.lines(), ["made", "data 'echo'", "eof", "lost None"]);
        Ok(())
    });
}

// ---- strict

/// Serves one connection strictly, lets `client` at it, and gives what the nursery ended with.
fn strict(
    protocol: impl FnMut() -> Result<Scripted> + 'static,
    client: impl AsyncFnOnce(&mut TcpStream) -> Result<()>,
) -> (Option<Vec<String>>, Trace) {
    let trace = Trace::new();
    let (inner, mut protocol) = (trace.clone(), protocol);
    let ended = Rc::new(RefCell::new(None));
    let told = ended.clone();
    bounded(false, async {
        let result = open_nursery(async |nursery: Nursery| {
            Reports::of(&nursery);
            let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0)
                .try_factory(move || Ok(inner.wrap(protocol()?)))
                .strict(true)
                .await?;
            let mut stream = TcpStream::connect(address(&server)).await?;
            client(&mut stream).await?;
            // Ends with the connection, or when the failure has cancelled the nursery.
            let _ = stream.read_to_end(&mut vec![]).await;
            drop(stream);
            until(|| server.n_connections() == 0).await;
            server.close();
            Ok(())
        })
        .await;
        let shown = result.err().map(|group: NurseryError| {
            assert!(group.leaves().iter().all(|err| err.is::<Panicked>() || !err.is_os_error()), "{group}");
            group.errors().iter().map(ToString::to_string).collect()
        });
        told.replace(shown);
        Ok(())
    })
    .expect("the test ends in time");
    trace.assert_complete();
    (ended.take(), trace)
}

/// A protocol that fails in one of its callbacks.
fn failing_in(callback: &'static str, how: How) -> Scripted {
    let fails = move |here: &str| if here == callback { how.fail() } else { Ok(()) };
    Scripted::new()
        .on_made(move |transport| {
            if callback == "task" {
                transport.start_soon(async move { how.fail::<()>() });
            }
            fails("connection_made")
        })
        .on_data(move |transport, _| {
            fails("data_received")?;
            if callback.ends_with("_writing") { transport.write(&vec![0; 8 * 1024 * 1024]) } else { Ok(()) }
        })
        .on_eof(move |_| fails("eof_received").map(|()| false))
        .on_pause(move |_| fails("pause_writing"))
        .on_resume(move |_| fails("resume_writing"))
        .on_lost(move |_, _| fails("connection_lost"))
}

const CALLBACKS: [&str; 7] =
    ["connection_made", "data_received", "eof_received", "pause_writing", "resume_writing", "connection_lost", "task"];

async fn talk(client: &mut TcpStream, callback: &str) -> Result<()> {
    client.write_all(b"x").await?;
    if callback == "resume_writing" {
        client.read_exact(&mut vec![0; 8 * 1024 * 1024]).await?;
    }
    Ok(client.shutdown().await?)
}

#[test]
fn strict_ends_the_nursery_with_the_failure_of_any_callback() {
    hush();
    for how in [How::Error, How::Panic] {
        for callback in CALLBACKS {
            let (ended, _) = strict(move || Ok(failing_in(callback, how)), async |client| talk(client, callback).await);
            let expected = if how == How::Panic { "panicked: boom" } else { "broken" };
            assert_eq!(ended, Some(vec![expected.to_owned()]), "{callback} {how:?}");
        }
    }
}

#[test]
fn strict_ends_the_nursery_with_the_failure_of_the_factory() {
    hush();
    for (how, expected) in [(How::Error, "broken"), (How::Panic, "panicked: boom")] {
        let (ended, trace) = strict(move || how.fail(), async |_| Ok(()));
        assert_eq!(ended, Some(vec![expected.to_owned()]));
        assert_eq!(trace.lines(), [""; 0]);
    }
}

#[test]
fn strict_leaves_errors_of_the_operating_system_to_their_connection() {
    hush();
    for callback in CALLBACKS {
        let (ended, _) = strict(
            move || Ok(failing_in(callback, How::OsError)),
            async |client| {
                // The connection may be gone already.
                let _ = talk(client, callback).await;
                Ok(())
            },
        );
        assert_eq!(ended, None, "{callback}");
    }
    let (ended, _) = strict(|| How::OsError.fail(), async |_| Ok(()));
    assert_eq!(ended, None);
}

#[test]
fn a_write_inside_every_callback_of_a_broken_connection_is_harmless() {
    paused(async |nursery| {
        let trace = Trace::new();
        let say = |transport: &TransportRef| transport.write(b"anyone?");
        let protocol = Scripted::new()
            .on_made(say)
            .on_data(move |transport, _| say(transport))
            .on_lost(move |transport, _| say(transport));
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
        peer.send(b"x");
        peer.reset();
        transport.closed().await;
        trace.assert_complete();
        assert_eq!((trace.count("made"), trace.count("lost")), (1, 1));
        Ok(())
    });
}
