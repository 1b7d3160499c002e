//! A nursery: its body, its children, and how they end.

mod log;

use foster_compat::{Closed, Nursery, NurseryError, checkpoint, open_nursery, shield, sleep, sleep_forever};
use tokio::time::Instant;

use crate::log::{AtDrop, Log, Logged, inside, ms, ms_since, numbered};

#[tokio::test(start_paused = true)]
async fn a_nursery_gives_the_value_of_its_body() {
    let got = inside(open_nursery(async |_| Ok(7))).await;
    assert_eq!(got.unwrap(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_nursery_waits_for_its_children_after_the_body_has_ended() {
    inside(async {
        let start = Instant::now();
        open_nursery(async |nursery| {
            nursery.start_soon(sleep(ms(30)));
            nursery.start_soon(sleep(ms(20)));
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(ms_since(start), 30);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_takes_its_first_step_in_the_next_turn() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        nursery.start_soon(async move { child.say("child") });
        log.say("body");
        checkpoint().await;
        log.say("body-again");
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "body child body-again");
}

#[tokio::test(start_paused = true)]
async fn children_interleave_in_the_order_they_were_started() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        for name in ["a", "b", "c"] {
            let log = log.clone();
            nursery.start_soon(async move {
                for n in 0..2 {
                    log.say(format!("{name}{n}"));
                    checkpoint().await;
                }
            });
        }
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "a0 b0 c0 a1 b1 c1");
}

#[tokio::test(start_paused = true)]
async fn a_child_may_start_siblings_after_the_body_has_ended() {
    let log = Log::default();
    inside(open_nursery(async |nursery: Nursery| {
        let (inner, log) = (nursery.clone(), log.clone());
        nursery.start_soon(async move {
            sleep(ms(5)).await;
            inner.start_soon(async move { log.say("sibling") });
        });
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "sibling");
}

#[tokio::test(start_paused = true)]
async fn a_child_may_drop_the_handle_of_its_own_nursery() {
    let log = Log::default();
    inside(open_nursery(async |nursery: Nursery| {
        let (inner, log) = (nursery.clone(), log.clone());
        nursery.start_soon(async move {
            drop(inner);
            sleep(ms(1)).await;
            log.say("ended");
        });
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "ended");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_returns_ends_when_it_is_cancelled() {
    let got = inside(open_nursery(async |nursery| {
        nursery.start_soon(async {
            loop {
                sleep(ms(1)).await;
            }
        });
        sleep(ms(5)).await;
        nursery.cancel();
        Ok(())
    }))
    .await;
    assert_eq!(got.unwrap(), Some(()));
}

// ---- errors

#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_cancels_the_children() {
    let log = Log::default();
    let err = inside(open_nursery(async |nursery| {
        let log = log.clone();
        nursery.start_soon(async move {
            let _gone = log.at_drop("dropped");
            sleep_forever().await
        });
        sleep(ms(1)).await;
        Err::<(), _>(numbered(1))
    }))
    .await
    .unwrap_err();
    assert_eq!((log.said().as_str(), err.errors().len()), ("dropped", 1));
    assert_eq!(err.errors()[0].to_string(), "number 1");
}

#[tokio::test(start_paused = true)]
async fn a_child_error_cancels_its_siblings() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let log = log.clone();
        nursery.start_soon(async move {
            let _gone = log.at_drop("dropped");
            sleep_forever().await
        });
        nursery.start_soon(async { Err(numbered(1)) });
        Ok(())
    }))
    .await
    .unwrap_err();
    assert_eq!(log.said(), "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_child_error_wakes_and_cancels_the_body() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        nursery.start_soon(async { Err(numbered(1)) });
        let _gone = log.at_drop("body-dropped");
        sleep_forever().await;
        Ok(())
    }))
    .await
    .unwrap_err();
    assert_eq!(log.said(), "body-dropped");
}

#[tokio::test(start_paused = true)]
async fn errors_come_in_the_order_they_happened() {
    let err = inside(open_nursery(async |nursery| {
        for n in [3_u32, 1, 2] {
            nursery.start_soon(async move {
                // A shield, so that the first error does not stop the others.
                shield(sleep(ms(u64::from(n)))).await;
                Err(numbered(n))
            });
        }
        Err::<(), _>(numbered(0))
    }))
    .await
    .unwrap_err();
    let messages: Vec<_> = err.errors().iter().map(ToString::to_string).collect();
    assert_eq!(messages, ["number 0", "number 1", "number 2", "number 3"]);
}

#[tokio::test(start_paused = true)]
async fn children_whose_failing_steps_are_queued_together_are_all_reported() {
    let err = inside(open_nursery(async |nursery| {
        for n in 0..3 {
            nursery.start_soon(async move { Err(numbered(n)) });
        }
        Ok(())
    }))
    .await
    .unwrap_err();
    let messages: Vec<_> = err.errors().iter().map(ToString::to_string).collect();
    assert_eq!(messages, ["number 0", "number 1", "number 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_crosses_nested_nurseries_as_a_group_in_a_group() {
    let err = inside(open_nursery(async |outer| {
        outer.start_soon(async {
            open_nursery(async |inner| {
                inner.start_soon(async { Err(numbered(1)) });
                Ok(())
            })
            .await?;
            Ok(())
        });
        sleep_forever().await;
        Ok(())
    }))
    .await
    .unwrap_err();
    assert!(err.errors()[0].is::<NurseryError>());
    assert_eq!(err.leaves()[0].to_string(), "number 1");
}

// ---- panics

#[test]
fn a_panic_of_a_child_is_resumed_in_the_parent_after_everyone_has_ended() {
    let log = Log::default();
    let payload = caught(async {
        let _ = open_nursery(async |nursery| {
            let log = log.clone();
            nursery.start_soon(async move {
                shield(sleep(ms(10))).await;
                log.say("sibling-ended");
            });
            nursery.start_soon(async { panic!("boom") });
            sleep_forever().await;
            Ok(())
        })
        .await;
        log.say("NOT");
    });
    assert_eq!((payload.as_str(), log.said().as_str()), ("boom", "sibling-ended"));
}

#[test]
fn a_panic_of_the_body_cancels_the_children() {
    let log = Log::default();
    let payload = caught(async {
        let _ = open_nursery::<(), _>(async |nursery| {
            let log = log.clone();
            nursery.start_soon(async move {
                let _gone = log.at_drop("dropped");
                sleep_forever().await
            });
            sleep(ms(1)).await;
            panic!("body")
        })
        .await;
    });
    assert_eq!((payload.as_str(), log.said().as_str()), ("body", "dropped"));
}

#[test]
fn errors_and_panics_beside_the_first_panic_go_to_the_exception_handler() {
    let logged = Logged::default();
    let _subscriber = tracing::subscriber::set_default(logged.clone());
    let payload = caught(async {
        let _ = open_nursery(async |nursery| {
            nursery.start_soon(async { Err(numbered(1)) });
            nursery.start_soon(async { panic!("first") });
            nursery.start_soon(async { panic!("second") });
            Ok(())
        })
        .await;
    });
    assert_eq!(payload, "first");
    assert!(logged.has("number 1") && logged.has("panicked: second"), "{:?}", logged.lines());
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_child_is_resumed_in_the_parent() {
    let log = Log::default();
    let payload = caught(async {
        let _ = open_nursery(async |nursery| {
            let log = log.clone();
            nursery.start_soon(async move {
                let _gone = AtDrop(|| panic!("in drop"));
                sleep_forever().await
            });
            nursery.start_soon(async move {
                let _gone = log.at_drop("sibling-dropped");
                sleep_forever().await
            });
            sleep(ms(1)).await;
            nursery.cancel();
            Ok(())
        })
        .await;
    });
    assert_eq!((payload.as_str(), log.said().as_str()), ("in drop", "sibling-dropped"));
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_body_waits_for_the_children() {
    let log = Log::default();
    let payload = caught(async {
        let _ = open_nursery(async |nursery| {
            let (log, handle) = (log.clone(), nursery.clone());
            nursery.start_soon(async move {
                handle.cancel();
                shield(sleep(ms(10))).await;
                log.say("child-ended");
            });
            let _gone = AtDrop(|| panic!("in drop"));
            sleep_forever().await;
            Ok(())
        })
        .await;
    });
    assert_eq!((payload.as_str(), log.said().as_str()), ("in drop", "child-ended"));
}

/// Runs a future on a paused clock and gives the message it panics with.
fn caught(future: impl Future<Output = ()>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let run = std::panic::AssertUnwindSafe(|| runtime.block_on(inside(future)));
    let payload = std::panic::catch_unwind(run).expect_err("the future panics");
    let message: Box<&str> = payload.downcast().expect("the tests panic with a literal");
    (*message).to_owned()
}

// ---- closed

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the nursery is closed")]
async fn starting_a_child_in_a_closed_nursery_panics() {
    inside(async { ended_nursery().await.start_soon(async {}) }).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the nursery is closed")]
async fn starting_a_background_child_in_a_closed_nursery_panics() {
    inside(async { ended_nursery().await.start_background(async {}) }).await;
}

#[tokio::test(start_paused = true)]
async fn try_start_soon_tells_that_the_nursery_is_closed() {
    inside(async {
        let nursery = ended_nursery().await;
        assert_eq!(nursery.try_start_soon(async {}), Err(Closed));
        assert!(nursery.is_closed());
        assert_eq!(format!("{nursery:?}"), "Nursery(closed, 0 children)");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_closed_nursery_does_nothing() {
    let got = inside(async {
        let old = ended_nursery().await;
        // Takes the place in the tree that the ended nursery had.
        open_nursery(async |_| {
            old.cancel();
            sleep(ms(1)).await;
            Ok(1)
        })
        .await
    })
    .await;
    assert_eq!(got.unwrap(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_closed_nursery_only_logs_while_the_thread_unwinds() {
    let logged = Logged::default();
    let _subscriber = tracing::subscriber::set_default(logged.clone());
    inside(async {
        let nursery = ended_nursery().await;
        let unwind = || {
            let _starts = AtDrop(|| {
                nursery.start_soon(async {});
                nursery.start_soon_named("named", async {});
                nursery.start_background(async {});
            });
            panic!("boom");
        };
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(unwind)).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "boom");
    })
    .await;
    assert_eq!(logged.lines().len(), 3);
}

async fn ended_nursery() -> Nursery {
    let kept = open_nursery(async |nursery| Ok(nursery)).await.unwrap();
    kept.expect("nothing cancels the nursery")
}
