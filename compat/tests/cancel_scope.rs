//! `CancelScope`, `shield`, and what a cancelled task still does.

mod log;

use std::cell::RefCell;
use std::rc::Rc;

use foster_compat::{
    CancelScope, CancelSource, cancel_reason, checkpoint, move_on_after, open_nursery, shield, sleep, sleep_forever,
};
use futures::channel::oneshot;

use crate::log::{AtDrop, Log, inside, ms};

#[tokio::test(start_paused = true)]
async fn a_cancelled_scope_drops_its_work_at_the_suspension_point() {
    let log = Log::default();
    inside(async {
        let scope = CancelScope::new();
        let got = scope
            .run(async {
                let _gone = log.at_drop("dropped");
                scope.cancel();
                log.say("runs-on");
                sleep(ms(1)).await;
                log.say("NOT");
            })
            .await;
        assert!(got.is_none() && scope.cancel_called() && scope.cancelled_caught());
    })
    .await;
    assert_eq!(log.said(), "runs-on dropped");
}

#[tokio::test(start_paused = true)]
async fn code_after_a_cancelled_await_never_runs() {
    let log = Log::default();
    inside(async {
        let scope = CancelScope::new();
        scope
            .run(async {
                scope.cancel();
                // Where Python code may catch Cancelled here and go on, dropped code has nothing to catch.
                sleep(ms(1)).await;
                log.say("NOT");
                sleep(ms(1)).await;
            })
            .await;
        assert!(scope.cancelled_caught());
    })
    .await;
    assert_eq!(log.said(), "");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_as_the_last_statement_keeps_the_value_and_nothing_escapes() {
    inside(async {
        let scope = CancelScope::new();
        let got = scope
            .run(async {
                scope.cancel();
                5
            })
            .await;
        assert_eq!(got, Some(5));
        assert!(scope.cancel_called() && !scope.cancelled_caught());
        checkpoint().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_twice_is_cancelling_once() {
    inside(async {
        let scope = CancelScope::new();
        scope.cancel_with("first");
        scope.cancel_with("second");
        assert_eq!(scope.run(sleep_forever()).await, None);
        assert_eq!(scope.reason().unwrap().message(), Some("first"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_scope_cancelled_before_entry_runs_its_work_to_the_first_suspension() {
    let log = Log::default();
    inside(async {
        let scope = CancelScope::new();
        scope.cancel();
        let got = scope
            .run(async {
                log.say("first-step");
                checkpoint().await;
                log.say("NOT");
            })
            .await;
        assert!(got.is_none() && scope.cancelled_caught());
    })
    .await;
    assert_eq!(log.said(), "first-step");
}

#[tokio::test(start_paused = true)]
async fn a_pre_cancelled_scope_entered_in_the_step_of_another_cancel_still_takes_its_first_step() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let first = CancelScope::new();
        let canceller = first.clone();
        nursery.start_soon(async move { canceller.cancel() });
        first.run(sleep_forever()).await;
        let second = CancelScope::new();
        second.cancel();
        second
            .run(async {
                log.say("first-step");
                checkpoint().await;
            })
            .await;
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "first-step");
}

#[tokio::test(start_paused = true)]
async fn a_scope_without_a_suspension_is_not_stopped() {
    inside(async {
        let scope = CancelScope::new();
        scope.cancel();
        assert_eq!(scope.run(async { 1 }).await, Some(1));
        assert!(!scope.cancelled_caught());
    })
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "entered before")]
async fn a_scope_is_entered_once() {
    inside(async {
        let scope = CancelScope::new();
        scope.run(async {}).await;
        scope.run(async {}).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_scope_that_was_left_does_nothing() {
    inside(async {
        let scope = CancelScope::new();
        scope.run(async {}).await;
        scope.cancel();
        assert!(!scope.cancel_called() && scope.reason().is_none());
        checkpoint().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_two_cancelled_scopes_the_outer_one_catches() {
    inside(async {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let got = outer
            .run(async {
                inner
                    .run(async {
                        inner.cancel();
                        outer.cancel();
                        sleep_forever().await;
                    })
                    .await;
                unreachable!("the outer scope takes the whole");
            })
            .await;
        assert!(got.is_none() && outer.cancelled_caught() && !inner.cancelled_caught());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_inner_cancel_leaves_the_outer_scope_alone() {
    inside(async {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let got = outer
            .run(async {
                inner.cancel();
                inner.run(sleep_forever()).await;
                sleep(ms(1)).await;
                1
            })
            .await;
        assert_eq!(got, Some(1));
        assert!(inner.cancelled_caught() && !outer.cancel_called());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_nested_scopes_end_by_one_cancel() {
    fn nested(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            if depth == 0 {
                return sleep_forever().await;
            }
            CancelScope::new().run(nested(depth - 1)).await;
        })
    }
    inside(async { assert!(move_on_after(ms(1), nested(200)).await.is_none()) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_the_scope_and_is_no_cancellation() {
    inside(async {
        let scope = CancelScope::new();
        let run = std::panic::AssertUnwindSafe(scope.run(async { panic!("boom") }));
        let caught = futures::FutureExt::catch_unwind(run).await;
        assert!(caught.is_err() && !scope.cancelled_caught());
        // The scope's node is gone: another scope works as ever.
        assert!(move_on_after(ms(1), sleep_forever()).await.is_none());
    })
    .await;
}

// ---- whose step comes first

#[tokio::test(start_paused = true)]
async fn a_step_queued_before_the_cancel_is_taken_and_its_result_kept() {
    let got = inside(async {
        let scope = CancelScope::new();
        let (sender, receiver) = oneshot::channel();
        let canceller = scope.clone();
        let (got, ()) = tokio::join!(scope.run(receiver), async move {
            sender.send(9).unwrap();
            canceller.cancel();
        });
        got
    })
    .await;
    assert_eq!(got, Some(Ok(9)));
}

#[tokio::test(start_paused = true)]
async fn another_tasks_value_sent_before_the_cancel_is_kept() {
    inside(open_nursery(async |nursery| {
        let scope = CancelScope::new();
        let (sender, receiver) = oneshot::channel();
        let canceller = scope.clone();
        nursery.start_soon(async move {
            sender.send(9).unwrap();
            canceller.cancel();
        });
        assert_eq!(scope.run(receiver).await, Some(Ok(9)));
        assert!(!scope.cancelled_caught());
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_value_that_comes_after_the_cancel_is_too_late() {
    inside(open_nursery(async |nursery| {
        let scope = CancelScope::new();
        let (sender, receiver) = oneshot::channel();
        let canceller = scope.clone();
        nursery.start_soon(async move {
            canceller.cancel();
            sender.send(9).unwrap();
        });
        assert_eq!(scope.run(receiver).await, None);
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sleep_whose_time_was_up_before_the_cancel_is_kept() {
    inside(open_nursery(async |nursery| {
        let scope = CancelScope::new();
        let canceller = scope.clone();
        nursery.start_soon(async move {
            sleep(ms(10)).await;
            canceller.cancel();
        });
        // Both are due in one turn, the canceller first: its step finds this one's queued.
        checkpoint().await;
        let got = scope
            .run(async {
                sleep(ms(10)).await;
                1
            })
            .await;
        assert_eq!(got, Some(1));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_queued_before_the_cancel_goes_no_further_than_its_next_wait() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let scope = CancelScope::new();
        let canceller = scope.clone();
        nursery.start_soon(async move {
            sleep(ms(10)).await;
            canceller.cancel();
        });
        checkpoint().await;
        let got = scope
            .run(async {
                sleep(ms(10)).await;
                log.say("woken");
                checkpoint().await;
                log.say("NOT");
            })
            .await;
        assert!(got.is_none() && scope.cancelled_caught());
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "woken");
}

// ---- reasons and the current scope

#[tokio::test(start_paused = true)]
async fn a_clean_up_may_ask_why_it_is_cancelled() {
    let log = Log::default();
    inside(async {
        let scope = CancelScope::new();
        let asks = async {
            let words = log.clone();
            let _asks = AtDrop(move || words.say(cancel_reason().unwrap().to_string()));
            sleep_forever().await
        };
        let canceller = scope.clone();
        tokio::join!(scope.run(asks), async move { canceller.cancel_with("too-many-peers") });
        assert!(cancel_reason().is_none());
    })
    .await;
    assert_eq!(log.said(), "too-many-peers");
}

#[tokio::test(start_paused = true)]
async fn the_reason_tells_a_deadline_from_a_cancel_and_from_an_error() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let asks = || {
        let seen = seen.clone();
        async move {
            let _asks = AtDrop(move || seen.borrow_mut().push(cancel_reason().map(|reason| reason.source())));
            sleep_forever().await
        }
    };
    inside(async {
        move_on_after(ms(1), asks()).await;
        let scope = CancelScope::new();
        scope.cancel();
        scope.run(asks()).await;
        let _ = open_nursery(async |nursery| {
            nursery.start_soon(asks());
            checkpoint().await;
            Err::<(), _>(foster_compat::Error::msg("failed"))
        })
        .await;
    })
    .await;
    let sources = [CancelSource::Deadline, CancelSource::Explicit, CancelSource::Nursery];
    assert_eq!(*seen.borrow(), sources.map(Some));
}

#[tokio::test(start_paused = true)]
async fn the_innermost_scope_can_be_reached_from_inside() {
    inside(async {
        let got = move_on_after(ms(1000), async {
            shield(async { CancelScope::current().unwrap().cancel() }).await;
            sleep_forever().await
        })
        .await;
        assert!(got.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_scope_of_a_task_that_entered_none_is_its_own() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let words = log.clone();
        nursery.start_soon(async move {
            CancelScope::current().unwrap().cancel();
            checkpoint().await;
            words.say("NOT");
        });
        sleep(ms(1)).await;
        log.say("sibling");
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "sibling");
}

#[test]
fn there_is_no_current_scope_outside_a_loop() {
    assert!(CancelScope::current().is_none() && cancel_reason().is_none());
}

// ---- from other threads

#[test]
fn a_scope_can_be_cancelled_from_another_thread() {
    let (got, caught) = foster_compat::run(async {
        let scope = CancelScope::new();
        assert!(scope.remote().is_none());
        let got = scope
            .run(async {
                let remote = scope.remote().unwrap();
                std::thread::spawn(move || remote.cancel());
                sleep_forever().await
            })
            .await;
        foster_compat::Ok((got, scope.cancelled_caught()))
    })
    .unwrap();
    assert!(got.is_none() && caught);
}

#[test]
fn a_remote_cancel_after_the_scope_or_its_loop_has_ended_does_nothing() {
    let remote = foster_compat::run(async {
        let scope = CancelScope::new();
        let remote = scope.run(async { scope.remote().unwrap() }).await.unwrap();
        remote.cancel();
        // Has the place in the tree that the scope had, and is not taken for it.
        let other = CancelScope::new();
        assert!(other.run(async { checkpoint().await }).await.is_some());
        foster_compat::Ok(remote)
    })
    .unwrap();
    remote.cancel();
}
