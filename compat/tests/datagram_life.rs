//! An endpoint is a child of its nursery: how it ends with it, and what ends with the endpoint.

#![cfg(feature = "testing")]

mod datagrams;
mod journal;
mod stage;

use datagrams::{KINDS, Script, own_address, peer};
use foster_compat::{Loop, Nursery, create_datagram_endpoint, finally, open_nursery, run_here, sleep_forever};
use journal::{Boom, Drops, Journal, is_pending};
use stage::{real, turns, until};

#[test]
fn a_cancelled_nursery_ends_its_endpoints_with_one_connection_lost_each() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let inner = open_nursery(async |nursery: Nursery| {
                for _ in 0..2 {
                    let script = Script::new(&journal).kind(kind);
                    create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
                }
                nursery.cancel();
                Ok(())
            });
            inner.await?;
            journal.say("ended");
            drop(nursery);
            Ok(())
        });
        assert_eq!(journal.said(), "made made lost lost ended");
    }
}

#[test]
fn a_nursery_cancelled_at_every_turn_pairs_made_and_lost() {
    for n_turns in 0..6 {
        let journal = Journal::default();
        real(async |nursery| {
            let inner = open_nursery(async |inner: Nursery| {
                let canceller = inner.clone();
                nursery.start_soon(async move {
                    turns(n_turns).await;
                    canceller.cancel();
                });
                let script = Script::new(&journal);
                create_datagram_endpoint(&inner, || script).local_addr("127.0.0.1", 0).await?;
                sleep_forever().await;
                Ok(())
            });
            inner.await?;
            Ok(())
        });
        let said = journal.said();
        assert!(said.is_empty() || said == "made lost", "after {n_turns} turns: {said}");
    }
}

#[test]
fn a_nursery_waits_for_its_endpoints() {
    let journal = Journal::default();
    real(async |nursery| {
        let words = journal.clone();
        let (socket, peer) = (peer(), peer());
        let address = socket.local_addr()?;
        nursery.start_soon(async move {
            turns(5).await;
            words.say("later");
            peer.send_to(b"bye", address)?;
            foster_compat::Ok(())
        });
        open_nursery(async |inner: Nursery| {
            let script = Script::new(&journal).on_datagram(|transport, _, _| {
                transport.close();
                Ok(())
            });
            create_datagram_endpoint(&inner, || script).sock(socket).await?;
            Ok(())
        })
        .await?;
        journal.say("ended");
        Ok(())
    });
    assert_eq!(journal.said(), "made later 'bye' lost ended");
}

#[test]
fn a_nursery_that_is_dropped_outright_ends_its_endpoints_soon() {
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::new(&journal);
        let mut inner = Box::pin(open_nursery(async |inner: Nursery| {
            create_datagram_endpoint(&inner, || script).local_addr("127.0.0.1", 0).await?;
            sleep_forever().await;
            Ok(())
        }));
        while !journal.peek().contains("made") {
            assert!(is_pending(&mut inner).await);
            turns(1).await;
        }
        drop(inner);
        until(|| journal.peek() == "made lost").await;
        drop(nursery);
        Ok(())
    });
}

#[test]
fn a_loop_that_is_dropped_still_gives_connection_lost_once() {
    let journal = Journal::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let script = Script::new(&journal);
        let mut running = Box::pin(run_here(open_nursery(async |nursery: Nursery| {
            create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            sleep_forever().await;
            Ok(())
        })));
        while !journal.peek().contains("made") {
            assert!(is_pending(&mut running).await);
            tokio::task::yield_now().await;
        }
        drop(running);
    });
    assert_eq!(journal.said(), "made lost");
}

#[test]
fn the_tasks_of_an_endpoint_are_cancelled_when_it_ends_and_waited_for() {
    let journal = Journal::default();
    real(async |nursery| {
        open_nursery(async |inner: Nursery| {
            let words = journal.clone();
            let script = Script::new(&journal).on_made(move |transport| {
                let dropped = Drops(words.clone(), "task dropped");
                let words = words.clone();
                transport.start_soon(async move {
                    finally(sleep_forever(), async move {
                        turns(3).await;
                        words.say("cleaned up");
                    })
                    .await;
                    drop(dropped);
                });
                Ok(())
            });
            let (transport, ()) = create_datagram_endpoint(&inner, || script).local_addr("127.0.0.1", 0).await?;
            turns(2).await;
            transport.close();
            Ok(())
        })
        .await?;
        journal.say("ended");
        drop(nursery);
        Ok(())
    });
    assert_eq!(journal.said(), "made lost cleaned up task dropped ended");
}

#[test]
fn an_error_of_a_task_ends_the_endpoint_and_a_panic_does_too() {
    for panics in [false, true] {
        let journal = Journal::default();
        real(async |nursery| {
            journal.report(&Loop::new(&nursery));
            let script = Script::new(&journal).on_datagram(move |transport, _, _| {
                transport.start_soon(async move {
                    if panics {
                        panic!("boom");
                    }
                    foster_compat::Result::<()>::Err(Boom.into())
                });
                Ok(())
            });
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            peer().send_to(b"x", own_address(&transport))?;
            transport.closed().await;
            Ok(())
        });
        let err = if panics { "panicked: boom" } else { "boom" };
        let report = format!("[Fatal error: a task of the datagram endpoint failed.: {err}]");
        assert_eq!(journal.said(), format!("made 'x' {report} lost({err})"));
    }
}

#[test]
fn close_and_abort_never_call_connection_lost_from_inside() {
    for aborts in [false, true] {
        let journal = Journal::default();
        real(async |nursery| {
            let words = journal.clone();
            let script = Script::new(&journal).on_made(move |transport| {
                if aborts {
                    transport.abort()
                } else {
                    transport.close()
                }
                transport.close();
                transport.abort();
                assert!(transport.is_closing() && !transport.is_reading());
                words.say("after");
                Ok(())
            });
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            transport.closed().await;
            Ok(())
        });
        assert_eq!(journal.said(), "made after lost");
    }
}

#[test]
fn a_datagram_that_waits_in_the_kernel_is_not_handed_over_after_close() {
    let journal = Journal::default();
    real(async |nursery| {
        let (transport, ()) = {
            let script = Script::new(&journal);
            create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?
        };
        peer().send_to(b"x", own_address(&transport))?;
        transport.close();
        transport.closed().await;
        Ok(())
    });
    assert_eq!(journal.said(), "made lost");
}
