//! Cancelling the nursery of a server or a connection, at every point: each `connection_made` gets its one
//! `connection_lost`, and nothing is left.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{self, Trace};
use foster_compat::{
    CancelScope, Loop, Nursery, Server, TransportRef, create_server, finally, move_on_after, open_nursery, run_here,
    run_server, shield, sleep, sleep_forever,
};
use stage::{Scripted, Wire, address, over_each_wire, paused, real, turns, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn a_nursery_cancelled_before_serving_leaves_no_socket() {
    real(async |outer| {
        let port = Rc::new(Cell::new(0));
        for n_turns in 0..4 {
            let seen = port.clone();
            open_nursery(async |nursery: Nursery| {
                let scope = nursery.cancel_scope();
                outer.start_soon(async move {
                    turns(n_turns).await;
                    scope.cancel();
                });
                let server = create_server(&nursery, Scripted::new, "127.0.0.1", seen.get()).await?;
                seen.set(address(&server).port());
                server.serve_forever().await
            })
            .await?;
            // The port can be bound again, without SO_REUSEADDR's help as nobody has connected.
            drop(std::net::TcpListener::bind(("127.0.0.1", port.get()))?);
        }
        Ok(())
    });
}

/// How the events of an accepted connection lie: accept, factory, made, each a turn apart.
#[test]
fn a_server_cancelled_at_every_turn_of_an_accept_pairs_made_and_lost() {
    let mut n_made = 0;
    for n_turns in 0..12 {
        let trace = Trace::new();
        let inner = trace.clone();
        real(async |outer| {
            let stream = Rc::new(RefCell::new(None));
            let client = stream.clone();
            open_nursery(async |nursery: Nursery| {
                let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
                // The loop is blocked while the client connects, so the connection is there at the next turn.
                let connected = std::net::TcpStream::connect(address(&server))?;
                connected.set_nonblocking(true)?;
                client.replace(Some(TcpStream::from_std(connected)?));
                let scope = nursery.cancel_scope();
                outer.start_soon(async move {
                    turns(n_turns).await;
                    scope.cancel();
                });
                sleep_forever().await;
                Ok(())
            })
            .await?;
            let mut client = stream.take().expect("the client has connected");
            // The end of the stream, or a reset where the connection was never accepted.
            let _ = client.read(&mut [0; 10]).await;
            Ok(())
        });
        trace.assert_complete();
        n_made += trace.count("made");
        assert_eq!(trace.count("lost"), trace.count("lost None"), "{trace:?}");
    }
    assert!((1..12).contains(&n_made), "{n_made}: some are cancelled before connection_made and some after");
}

#[test]
fn a_connection_cancelled_while_it_flushes_or_is_paused_gets_connection_lost_once() {
    over_each_wire(async |wire: Wire, _| {
        for is_closing in [false, true] {
            let trace = Trace::new();
            open_nursery(async |nursery: Nursery| {
                let (transport, _end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
                transport.write(&vec![0; 8 * 1024 * 1024])?;
                assert!(transport.is_writing_paused());
                if is_closing {
                    transport.close();
                }
                turns(3).await;
                nursery.cancel();
                Ok(())
            })
            .await?;
            assert_eq!(trace.lines(), ["made", "pause_writing", "lost None"]);
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_connection_cancelled_with_reading_paused_gets_connection_lost_once() {
    over_each_wire(async |wire: Wire, _| {
        let trace = Trace::new();
        open_nursery(async |nursery: Nursery| {
            let (transport, mut end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
            transport.pause_reading();
            end.send(b"unread").await?;
            nursery.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_connection_cancelled_from_inside_each_callback_gets_connection_lost_once() {
    paused(async |_| {
        for callback in
            ["connection_made", "data_received", "eof_received", "pause_writing", "resume_writing", "connection_lost"]
        {
            let trace = Trace::new();
            open_nursery(async |nursery: Nursery| {
                let cancels = nursery.clone();
                let cancel = move |here: &str| {
                    if here == callback {
                        cancels.cancel();
                    }
                    Ok(())
                };
                let protocol = Scripted::new()
                    .on_made({
                        let cancel = cancel.clone();
                        move |_| cancel("connection_made")
                    })
                    .on_data({
                        let cancel = cancel.clone();
                        move |transport, _| {
                            cancel("data_received")?;
                            transport.write(&[0; 100_000])
                        }
                    })
                    .on_eof({
                        let cancel = cancel.clone();
                        move |_| cancel("eof_received").map(|()| true)
                    })
                    .on_pause({
                        let cancel = cancel.clone();
                        move |_| cancel("pause_writing")
                    })
                    .on_resume({
                        let cancel = cancel.clone();
                        move |_| cancel("resume_writing")
                    })
                    .on_lost(move |_, _| cancel("connection_lost"));
                let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
                peer.set_capacity(0);
                peer.send(b"x");
                turns(4).await;
                peer.set_capacity(usize::MAX);
                turns(4).await;
                peer.close_write();
                turns(4).await;
                transport.close();
                transport.closed().await;
                sleep_forever().await;
                Ok(())
            })
            .await?;
            assert_eq!((trace.count("made"), trace.count("lost")), (1, 1), "{callback}: {trace:?}");
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn tasks_of_a_cancelled_connection_run_their_clean_up_before_the_nursery_ends() {
    over_each_wire(async |wire: Wire, _| {
        let trace = Trace::new();
        let log = trace.clone();
        let protocol = Scripted::new().on_made(move |transport| {
            let (log, writer) = (log.clone(), transport.clone());
            transport.start_soon(async move {
                let cleanup = async {
                    // What a clean-up writes to the lost connection is dropped.
                    writer.write(b"goodbye").expect("a lost connection is no error of write");
                    sleep(Duration::from_millis(1)).await;
                    log.mark("the clean-up ends");
                };
                finally(sleep_forever(), cleanup).await;
            });
            let log = transport.clone();
            transport.start_soon(async move {
                shield(sleep(Duration::from_millis(2))).await;
                drop(log);
            });
            Ok(())
        });
        open_nursery(async |nursery: Nursery| {
            let (_transport, _end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
            turns(3).await;
            nursery.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(trace.lines(), ["made", "lost None", "the clean-up ends"]);
        Ok(())
    });
}

#[test]
fn a_scope_around_the_nursery_cancels_the_connections_too() {
    paused(async |_| {
        let trace = Trace::new();
        let ended = move_on_after(
            Duration::from_secs(5),
            open_nursery(async |nursery: Nursery| {
                let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
                transport.closed().await;
                drop(peer);
                Ok(())
            }),
        )
        .await;
        assert!(ended.is_none());
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_failing_sibling_gives_the_connections_their_connection_lost() {
    paused(async |_| {
        let trace = Trace::new();
        let result = open_nursery(async |nursery: Nursery| {
            let (_transport, _, _peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
            nursery.start_soon(async {
                turns(2).await;
                Err::<(), _>(foster_compat::Error::msg("a sibling"))
            });
            sleep_forever().await;
            Ok(())
        })
        .await;
        assert_eq!(result.expect_err("the sibling failed").to_string(), "1 error in a nursery: a sibling");
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

// ---- serve_forever and run_server

#[test]
fn serve_forever_cancelled_closes_the_server_and_its_connections() {
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        let scope = CancelScope::new();
        scope
            .run(async {
                let cancel = CancelScope::current().expect("inside a scope");
                nursery.start_soon(async move { cancel.cancel() });
                server.serve_forever().await
            })
            .await;
        assert!(scope.cancelled_caught());
        assert_eq!(client.read(&mut [0]).await?, 0);
        server.wait_closed().await;
        assert_eq!(trace.lines(), ["made", "data 'x'", "lost None"]);
        Ok(())
    });
}

#[test]
fn wait_closed_returns_after_the_task_of_the_server_was_cancelled_or_has_failed() {
    for is_cancelled in [true, false] {
        real(async |nursery| {
            let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0).await?;
            let client = TcpStream::connect(address(&server)).await?;
            until(|| server.n_connections() == 1).await;
            let serving = server.clone();
            let task = nursery.create_task(async move {
                open_nursery(async |inner: Nursery| {
                    if !is_cancelled {
                        inner.start_soon(async { Err::<(), _>(foster_compat::Error::msg("crash")) });
                    }
                    serving.serve_forever().await
                })
                .await
            });
            turns(2).await;
            if is_cancelled {
                task.cancel();
            }
            server.wait_closed().await;
            drop(client);
            Ok(())
        });
    }
}

#[test]
fn run_server_dropped_by_a_foreign_select_still_gives_connection_lost_once() {
    let trace = Trace::new();
    let inner = trace.clone();
    real(async |_| {
        let server: Rc<RefCell<Option<Server>>> = Rc::default();
        let told = server.clone();
        let serving = run_server(move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).on_serving(move |server| {
            told.replace(Some(server));
        });
        tokio::select! {
            ended = serving => panic!("it serves until it is dropped, but gave {ended:?}"),
            client = async {
                until(|| server.borrow().is_some()).await;
                let address = address(server.borrow().as_ref().expect("it serves"));
                let mut client = TcpStream::connect(address).await?;
                client.write_all(b"x").await?;
                client.read_exact(&mut [0]).await?;
                foster_compat::Ok(client)
            } => {
                let mut client = client?;
                assert_eq!(client.read(&mut [0]).await?, 0);
            }
        }
        let server = server.take().expect("it has served");
        assert!(!server.is_serving());
        server.wait_closed().await;
        Ok(())
    });
    assert_eq!(trace.lines(), ["made", "data 'x'", "lost None"]);
    trace.assert_complete();
}

#[test]
fn dropping_the_future_of_run_here_still_gives_connection_lost_once() {
    for n_turns in 0..6 {
        let trace = Trace::new();
        let inner = trace.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (ready, is_ready) = tokio::sync::oneshot::channel();
            let running = run_here(open_nursery(async |nursery: Nursery| {
                let protocol = Scripted::new().on_lost(|transport, _| {
                    transport.write(b"too late")?;
                    transport.start_soon(async { unreachable!("a task of a lost connection") });
                    Ok(())
                });
                let (_transport, _, _peer) = testing::connect(&nursery, inner.wrap(protocol));
                let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
                let client = std::net::TcpStream::connect(address(&server))?;
                turns(n_turns).await;
                ready.send(client).expect("the test waits");
                server.serve_forever().await
            }));
            tokio::select! {
                ended = running => panic!("it runs until it is dropped, but gave {ended:?}"),
                client = is_ready => drop(client),
            }
        });
        trace.assert_complete();
        assert_eq!(trace.lines_of(0), ["made", "lost None"]);
    }
}

/// Counts what is alive.
struct Live(Rc<Cell<usize>>);

impl Live {
    fn new(n: &Rc<Cell<usize>>) -> Self {
        n.set(n.get() + 1);
        Live(n.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn a_protocol_and_what_it_holds_are_dropped_with_its_connection() {
    paused(async |nursery| {
        let live = Rc::new(Cell::new(0));
        for _ in 0..100 {
            // The protocol holds its transport, and the transport its protocol.
            let held = Live::new(&live);
            let protocol = Scripted::new().on_data(move |_, _| {
                let _ = &held;
                Ok(())
            });
            let (transport, handle, peer) = testing::connect(&nursery, protocol);
            turns(2).await;
            peer.close_write();
            transport.closed().await;
            drop(handle);
        }
        assert_eq!(live.get(), 0);
        Ok(())
    });
}

#[test]
fn the_work_of_a_loop_ends_with_its_nursery_and_no_later_than_the_connection() {
    paused(async |_| {
        let transport: Rc<RefCell<TransportRef>> = Rc::default();
        let kept = transport.clone();
        open_nursery(async |nursery: Nursery| {
            let loop_ = Loop::new(&nursery);
            let (transport, _, _peer) = testing::connect(loop_.nursery(), Scripted::new());
            kept.replace(transport);
            turns(2).await;
            loop_.stop();
            Ok(())
        })
        .await?;
        let transport = transport.take();
        assert!(transport.is_closing());
        assert!(transport.closed().await.is_none());
        Ok(())
    });
}

#[test]
fn a_nursery_that_waited_for_a_cancelled_server_or_connection_does_not_return() {
    for is_server in [true, false] {
        real(async |_| {
            let nursery = open_nursery(async |nursery: Nursery| {
                if is_server {
                    create_server(&nursery, Scripted::new, "127.0.0.1", 0).await?;
                } else {
                    std::mem::forget(testing::connect(&nursery, Scripted::new()).2);
                }
                Ok(())
            });
            let ended = move_on_after(Duration::from_millis(50), nursery).await;
            assert!(ended.is_none(), "the scope stopped the nursery's wait");
            Ok(())
        });
    }
}
