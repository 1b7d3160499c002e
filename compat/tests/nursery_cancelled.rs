//! Cancelled nurseries: what they wait for, and what comes out of them.

mod log;

use std::cell::RefCell;
use std::rc::Rc;

use foster_compat::{checkpoint, dump, move_on_after, open_nursery, shield, sleep, sleep_forever};
use tokio::time::Instant;

use crate::log::{AtDrop, Log, inside, ms, ms_since, numbered};

#[tokio::test(start_paused = true)]
async fn a_nursery_cancelled_before_its_body_ended_gives_none() {
    let got = inside(open_nursery(async |nursery| {
        nursery.cancel();
        sleep_forever().await;
        Ok(())
    }))
    .await;
    assert_eq!(got.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn cancelling_as_the_last_statement_keeps_the_value_and_leaks_nothing() {
    inside(async {
        let got = open_nursery(async |nursery| {
            nursery.start_soon(sleep_forever());
            nursery.cancel();
            Ok(1)
        })
        .await;
        assert_eq!(got.unwrap(), Some(1));
        // Nothing of the cancellation is left to hit the next wait.
        sleep(ms(1)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_nursery_cancelled_from_outside_does_not_return() {
    let log = Log::default();
    inside(async {
        let got = move_on_after(ms(5), async {
            let _ = open_nursery(async |nursery| {
                nursery.start_soon(sleep_forever());
                Ok(())
            })
            .await;
            log.say("NOT");
        })
        .await;
        assert!(got.is_none());
    })
    .await;
    assert_eq!(log.said(), "");
}

#[tokio::test(start_paused = true)]
async fn a_nursery_cancelled_from_outside_still_gives_its_errors() {
    let log = Log::default();
    inside(move_on_after(ms(5), async {
        let got = open_nursery(async |nursery| {
            nursery.start_soon(async {
                shield(sleep(ms(10))).await;
                Err(numbered(1))
            });
            Ok(())
        })
        .await;
        log.say(got.unwrap_err().to_string());
        sleep_forever().await
    }))
    .await;
    assert_eq!(log.said(), "1 error in a nursery: number 1");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_nursery_waits_for_what_is_shielded_in_its_children() {
    let log = Log::default();
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(10), async {
            open_nursery(async |nursery| {
                let (shielded, sleeper) = (log.clone(), log.clone());
                nursery.start_soon(async move {
                    shield(async {
                        sleep(ms(30)).await;
                        shielded.say("shielded-end");
                    })
                    .await;
                    sleep(ms(10)).await;
                    shielded.say("NOT");
                });
                nursery.start_soon(async move {
                    let _gone = sleeper.at_drop("sleeper-dropped");
                    sleep_forever().await
                });
                sleep_forever().await;
                Ok(())
            })
            .await
        })
        .await;
        assert!(got.is_none());
        assert_eq!((ms_since(start), dump().as_str()), (30, "loop\n  root\n"));
    })
    .await;
    assert_eq!(log.said(), "sleeper-dropped shielded-end");
}

#[tokio::test(start_paused = true)]
async fn a_child_started_in_a_cancelled_nursery_runs_to_its_first_suspension() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        nursery.cancel();
        let log = log.clone();
        nursery.start_soon(async move {
            log.say("first-step");
            checkpoint().await;
            log.say("NOT");
        });
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "first-step");
}

#[tokio::test(start_paused = true)]
async fn a_child_inherits_the_cancellation_of_its_nursery_and_not_of_its_caller() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        let got = move_on_after(ms(5), async {
            nursery.start_soon(async move {
                sleep(ms(10)).await;
                child.say("ended");
            });
            sleep_forever().await
        })
        .await;
        assert!(got.is_none());
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "ended");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_cascades_through_nested_nurseries() {
    let log = Log::default();
    inside(open_nursery(async |outer| {
        let log = log.clone();
        outer.start_soon(async move {
            let _ = open_nursery(async |inner| {
                let log = log.clone();
                inner.start_soon(async move {
                    let _gone = log.at_drop("grandchild-dropped");
                    sleep_forever().await
                });
                sleep_forever().await;
                Ok(())
            })
            .await;
        });
        sleep(ms(1)).await;
        outer.cancel();
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "grandchild-dropped");
}

#[tokio::test(start_paused = true)]
async fn a_drop_during_a_cancellation_may_cancel_again_and_start_children() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let (handle, words) = (nursery.clone(), log.clone());
        nursery.start_soon(async move {
            let _gone = AtDrop(move || {
                handle.cancel();
                let words = words.clone();
                handle.start_soon(async move { words.say("started-in-drop") });
            });
            sleep_forever().await
        });
        sleep(ms(1)).await;
        nursery.cancel();
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "started-in-drop");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_live_children_are_all_joined_when_the_nursery_is_cancelled() {
    let n_dropped = Rc::new(RefCell::new(0));
    inside(async {
        open_nursery(async |nursery| {
            for _ in 0..1000 {
                let n_dropped = n_dropped.clone();
                nursery.start_soon(async move {
                    let _gone = AtDrop(|| *n_dropped.borrow_mut() += 1);
                    shield(sleep(ms(3))).await;
                    sleep_forever().await
                });
            }
            sleep(ms(1)).await;
            assert_eq!(nursery.n_children(), 1000);
            nursery.cancel();
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(*n_dropped.borrow(), 1000);
        assert_eq!(dump(), "loop\n  root\n");
    })
    .await;
    assert_eq!(Rc::strong_count(&n_dropped), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_sleepers_wake_in_the_order_of_their_deadlines() {
    let woken = Rc::new(RefCell::new(Vec::new()));
    inside(open_nursery(async |nursery| {
        for n in 0..100_000_u64 {
            let woken = woken.clone();
            nursery.start_soon(async move {
                // Spreads the deadlines, so that the order they are set in is not the order they are due in.
                let due = n * 7919 % 1009;
                sleep(ms(due + 1)).await;
                woken.borrow_mut().push(due);
            });
        }
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(woken.borrow().len(), 100_000);
    assert!(woken.borrow().is_sorted());
}
