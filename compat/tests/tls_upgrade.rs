//! `start_tls` in the middle of what a connection is doing, and what a handshake that is given up leaves behind.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;
mod wired;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{self, Trace};
use foster_compat::{
    Error, Nursery, Result, Shared, SharedProtocol, TransportRef, checkpoint, create_connection, create_server,
    move_on_after, open_nursery, start_tls,
};
use stage::{Reports, Scripted, address, bounded, paused, real, turns, until};
use tls::{Authority, contexts};
use wired::Wired;

#[test]
fn a_protocol_that_was_paused_before_the_upgrade_is_resumed_in_the_turn_of_the_upgrade() {
    paused(async |nursery| {
        for n_turns in 0..6 {
            let trace = Trace::new();
            let (server_context, _) = contexts()?;
            let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
            checkpoint().await;
            peer.set_capacity(0);
            transport.write(&[b'a'; 100_000])?;
            assert_eq!(trace.lines(), ["made", "pause_writing"]);
            // The room is there, but the loop has not come to it.
            peer.set_capacity(1_000_000);
            turns(n_turns).await;
            let upgrade = start_tls(&transport, &server_context).server_side(true);
            transport.start_soon(async move {
                upgrade.await?;
                foster_compat::Ok(())
            });
            turns(10).await;
            assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing"], "{n_turns} turns");
            transport.abort();
        }
        Ok(())
    });
}

#[test]
fn a_second_upgrade_of_the_same_transport_is_refused_and_harms_nothing() {
    paused(async |nursery| {
        let contexts = contexts()?;
        let wired = Wired::connect(&nursery, Scripted::new(), Scripted::echo()).await;
        let secured = wired.secure(&nursery, &contexts, |it| it).await?;
        let second = start_tls(&wired.client, &contexts.1).server_hostname("localhost").await;
        let err = second.expect_err("it is refused").to_string();
        assert_eq!(err, "start_tls() on a transport that is below TLS: use the one above");
        secured.0.close();
        wired.carry_for(10).await;
        assert!(secured.0.closed().await.is_none());
        Ok(())
    });
}

#[test]
fn an_upgrade_that_is_given_up_is_reported_by_nobody() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let (server_context, client_context) = contexts()?;
        for n_turns in 0..6 {
            let trace = Trace::new();
            let wired = Wired::connect(&nursery, trace.recorder(), Scripted::new()).await;
            let (of_client, client_context) = (wired.client.clone(), client_context.clone());
            open_nursery(async |inner: Nursery| {
                inner.start_soon(async move {
                    start_tls(&of_client, &client_context).server_hostname("localhost").await?;
                    foster_compat::Ok(())
                });
                wired.carry_for(n_turns).await;
                inner.cancel();
                Ok(())
            })
            .await?;
            turns(5).await;
            wired.server.abort();
            if n_turns > 0 {
                assert_eq!(trace.lines(), ["made", "lost None"], "{n_turns} turns");
            }
        }
        let _ = server_context;
        turns(5).await;
        assert_eq!(reports.take(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn a_connect_that_is_given_up_in_the_handshake_is_reported_by_nobody_and_calls_nothing() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let (_, client_context) = contexts()?;
        let trace = Trace::new();
        // A server that never says a word.
        let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0).await?;
        let port = address(&server).port();
        let inner = trace.clone();
        let connect = async {
            create_connection(&nursery, move || inner.recorder(), "localhost", port).ssl(&client_context).await
        };
        assert!(move_on_after(Duration::from_millis(100), connect).await.is_none());
        turns(5).await;
        assert_eq!(trace.lines(), [] as [&str; 0]);
        assert_eq!(reports.take(), [] as [&str; 0]);
        server.abort_clients();
        server.close();
        Ok(())
    });
}

#[test]
fn a_strict_connection_fails_its_nursery_with_an_error_of_connection_lost_over_tls_too() {
    let failed = bounded(false, async {
        let (server_context, client_context) = contexts()?;
        let served = open_nursery(async |nursery: Nursery| {
            let _reports = Reports::of(&nursery);
            let protocol = || Scripted::new().on_lost(|_, _| Err(Error::msg("the last straw")));
            let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&server_context).strict(true).await?;
            let port = address(&server).port();
            let client = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&client_context);
            let (client, _) = client.await?;
            client.close();
            client.closed().await;
            server.close();
            server.wait_closed().await;
            Ok(())
        })
        .await;
        Ok(served.err().map(|err| err.to_string()))
    });
    let failed = failed.expect("the loop ends well").expect("the nursery fails");
    assert!(failed.contains("the last straw"), "{failed}");
}

#[test]
fn an_sni_callback_that_panics_ends_its_connection_only() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let authority = Authority::new();
        let server_context = authority
            .server()
            .sni_callback(|hello| match hello.server_name() {
                Some("localhost") => Ok(None),
                _ => panic!("nobody is called that"),
            })
            .build()?;
        let client_context = authority.client().build()?;
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).ssl(&server_context).await?;
        let port = address(&server).port();
        let refused = create_connection(&nursery, Scripted::new, "127.0.0.1", port)
            .ssl(&client_context)
            .server_hostname("elsewhere.example")
            .await;
        assert!(refused.is_err());
        let said = reports.take();
        assert!(said.len() == 1 && said[0].contains("nobody is called that"), "{said:?}");
        let (client, _) = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&client_context).await?;
        client.abort();
        server.close();
        Ok(())
    });
}

#[test]
fn marks_of_zero_pause_only_while_something_waits() {
    paused(async |nursery| {
        let trace = Trace::new();
        let wired = Wired::connect(&nursery, trace.recorder(), Scripted::new()).await;
        let (client, _) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        client.set_write_buffer_limits(Some(0), None)?;
        client.write(b"hello")?;
        assert!(!client.is_writing_paused());
        client.drained().await?;
        assert_eq!(trace.lines(), ["made"]);
        // More than the transport below takes.
        wired.client_peer().set_capacity(0);
        client.write(&[b'a'; 100_000])?;
        client.write(b"more")?;
        assert!(client.is_writing_paused());
        wired.client_peer().set_capacity(1_000_000);
        client.drained().await?;
        assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing"]);
        wired.client.abort();
        wired.server.abort();
        Ok(())
    });
}

/// Two layers of TLS over one wire: the outer transports, then the inner.
async fn two_layers(
    nursery: &Nursery,
    wired: &Wired,
) -> Result<((TransportRef, TransportRef), (TransportRef, TransportRef))> {
    let contexts = contexts()?;
    let outer = wired.secure(nursery, &contexts, |it| it).await?;
    let made = Rc::new(RefCell::new((None, None)));
    let (of_server, of_client) = (made.clone(), made.clone());
    let server = start_tls(&outer.1, &contexts.0).server_side(true);
    let client = start_tls(&outer.0, &contexts.1).server_hostname("localhost");
    nursery.start_soon(async move {
        let transport = server.await?;
        of_server.borrow_mut().1 = Some(transport);
        foster_compat::Ok(())
    });
    nursery.start_soon(async move {
        let transport = client.await?;
        of_client.borrow_mut().0 = Some(transport);
        foster_compat::Ok(())
    });
    loop {
        wired.carry_for(1).await;
        if let (Some(client), Some(server)) = &*made.borrow() {
            return Ok((outer, (client.clone(), server.clone())));
        }
    }
}

#[test]
fn a_callback_behind_two_layers_may_close_the_outer_one() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let outer = Rc::new(RefCell::new(TransportRef::default()));
        let closed = outer.clone();
        let protocol = Scripted::new().on_data(move |_, _| {
            closed.borrow().close();
            Ok(())
        });
        let wired = Wired::connect(&nursery, Scripted::new(), trace.wrap(protocol)).await;
        let ((outer_client, outer_server), (inner_client, _)) = two_layers(&nursery, &wired).await?;
        outer.replace(outer_server);
        inner_client.write(b"hello")?;
        // Its close_notify comes with the data.
        outer_client.close();
        wired.carry_for(20).await;
        assert_eq!(reports.take(), [] as [&str; 0]);
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn what_was_written_through_two_layers_arrives_before_a_close() {
    paused(async |nursery| {
        let received = Rc::new(Cell::new(0));
        let seen = received.clone();
        let server = Scripted::new().on_data(move |_, data| {
            seen.set(seen.get() + data.len());
            Ok(())
        });
        let wired = Wired::connect(&nursery, Scripted::new(), server).await;
        let (_, (inner_client, inner_server)) = two_layers(&nursery, &wired).await?;
        wired.client_peer().set_capacity(0);
        let mut n_written = 0;
        while !inner_client.is_writing_paused() {
            inner_client.write(&[b'a'; 50_000])?;
            n_written += 50_000;
        }
        inner_client.close();
        turns(10).await;
        assert_eq!(received.get(), 0);
        wired.client_peer().set_capacity(100_000);
        wired.carry_for(200).await;
        assert_eq!(received.get(), n_written);
        assert!(inner_server.is_closing());
        Ok(())
    });
}

/// Counts what lives.
#[derive(Clone, Default)]
struct Alive(Rc<Cell<i32>>);

struct Live(Alive);

impl Alive {
    fn one(&self) -> Live {
        self.0.set(self.0.get() + 1);
        Live(self.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let alive = &self.0.0;
        alive.set(alive.get() - 1);
    }
}

/// A protocol that holds its transport, as all do.
struct Holder {
    transport: RefCell<Vec<TransportRef>>,
    _live: Live,
}

impl SharedProtocol for Holder {
    fn connection_made(&self, transport: TransportRef) -> Result<()> {
        self.transport.borrow_mut().push(transport);
        Ok(())
    }
}

#[test]
fn nothing_of_a_connection_is_left_however_it_ends() {
    paused(async |nursery| {
        let alive = Alive::default();
        let holder = || Shared(Holder { transport: RefCell::default(), _live: alive.one() });
        for ending in 0..7 {
            let wired = Wired::connect(&nursery, holder(), holder()).await;
            if ending == 0 {
                let upgrade = start_tls(&wired.client, &contexts()?.1).server_hostname("localhost");
                assert!(move_on_after(Duration::from_secs(1), async { upgrade.await }).await.is_none());
                wired.server.abort();
            } else {
                let (client, server) = wired.secure(&nursery, &contexts()?, |it| it.call_connection_made(true)).await?;
                match ending {
                    1 => client.close(),
                    2 => server.abort(),
                    3 => {
                        client.pause_reading();
                        server.write(&[b'a'; 100_000])?;
                        wired.carry_for(3).await;
                        client.close();
                    }
                    4 => wired.client_peer().reset(),
                    5 => {
                        client.close();
                        client.abort();
                        server.close();
                    }
                    _ => {
                        server.write(&[b'a'; 1_000_000])?;
                        server.close();
                    }
                }
            }
            wired.carry_for(60).await;
            wired.client.abort();
            wired.server.abort();
            drop(wired);
            turns(5).await;
            assert_eq!(alive.0.get(), 0, "ending {ending}");
        }
        Ok(())
    });
}

#[test]
fn nothing_is_left_of_connections_whose_loop_was_dropped_at_any_turn() {
    let alive = Alive::default();
    let (server_context, client_context) = contexts().expect("contexts");
    for n_turns in 0..40 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let alive_here = alive.clone();
        let contexts = (server_context.clone(), client_context.clone());
        runtime.expect("a runtime").block_on(async {
            let mut left = n_turns;
            let running = foster_compat::run_here(open_nursery(async |nursery: Nursery| {
                let holder = || Shared(Holder { transport: RefCell::default(), _live: alive_here.one() });
                let wired = Wired::connect(&nursery, holder(), holder()).await;
                let (client, server) = wired.secure(&nursery, &contexts, |it| it).await?;
                client.write(&[b'a'; 300_000])?;
                server.close();
                wired.carry_for(1000).await;
                foster_compat::sleep(Duration::from_secs(3600)).await;
                Ok(())
            }));
            let mut running = std::pin::pin!(running);
            std::future::poll_fn(|cx| {
                if left == 0 {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                let _ = running.as_mut().poll(cx).is_ready();
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
        });
        assert_eq!(alive.0.get(), 0, "after {n_turns} polls");
    }
}

#[test]
fn a_server_that_closes_while_handshakes_are_under_way_leaves_nothing() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let (server_context, client_context) = contexts()?;
        let alive = Alive::default();
        for n_turns in 0..12 {
            let trace = Trace::new();
            let (inner, here) = (trace.clone(), alive.clone());
            let factory = move || {
                let live = here.one();
                inner.wrap(Scripted::echo().on_lost(move |_, _| {
                    let _ = &live;
                    Ok(())
                }))
            };
            let server = create_server(&nursery, factory, "127.0.0.1", 0).ssl(&server_context).await?;
            let port = address(&server).port();
            let context = client_context.clone();
            open_nursery(async |inner: Nursery| {
                for _ in 0..3 {
                    let (context, of_client) = (context.clone(), inner.clone());
                    inner.start_soon(async move {
                        let made = create_connection(&of_client, Scripted::new, "localhost", port).ssl(&context).await;
                        if let Ok((transport, _)) = made {
                            transport.closed().await;
                        }
                        foster_compat::Ok(())
                    });
                }
                turns(n_turns * 3).await;
                server.close();
                server.close_clients();
                Ok(())
            })
            .await?;
            server.wait_closed().await;
            until(|| alive.0.get() == 0).await;
            trace.assert_complete();
        }
        assert_eq!(reports.take(), [] as [&str; 0]);
        Ok(())
    });
}
