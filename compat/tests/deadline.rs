//! Deadlines: `move_on_after` and its kin, and moving them.

mod log;

use std::time::Duration;

use foster_compat::{
    CancelScope, EffectiveDeadline, Nursery, TooSlow, checkpoint, current_effective_deadline, fail_after, fail_at,
    move_on_after, move_on_at, open_nursery, shield, sleep, sleep_forever, sleep_until,
};
use tokio::time::Instant;

use crate::log::{Log, inside, ms, ms_since};

#[tokio::test(start_paused = true)]
async fn move_on_after_gives_none_when_the_time_is_up() {
    inside(async {
        let start = Instant::now();
        assert!(move_on_after(ms(10), sleep_forever()).await.is_none());
        assert_eq!(ms_since(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn move_on_after_stops_waits_that_are_not_the_loops_own() {
    inside(async {
        let start = Instant::now();
        assert!(move_on_after(ms(10), tokio::time::sleep(ms(50))).await.is_none());
        assert_eq!(ms_since(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn move_on_after_gives_the_value_of_work_that_is_done_in_time() {
    inside(async {
        let work = async {
            sleep(ms(5)).await;
            1
        };
        assert_eq!(move_on_after(ms(10), work).await, Some(1));
        // Its timer is gone.
        sleep(ms(20)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn work_that_is_ready_at_once_is_never_stopped() {
    inside(async { assert_eq!(move_on_after(Duration::ZERO, async { 1 }).await, Some(1)) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_past_stops_work_at_its_first_suspension() {
    let log = Log::default();
    inside(async {
        let past = Instant::now();
        sleep(ms(10)).await;
        let start = Instant::now();
        let got = move_on_at(past, async {
            log.say("first-step");
            checkpoint().await;
            log.say("NOT");
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 0);
    })
    .await;
    assert_eq!(log.said(), "first-step");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_from_entry() {
    inside(async {
        let scope = CancelScope::with_timeout(ms(10));
        let lazy = move_on_after(ms(10), sleep_forever());
        assert_eq!(scope.deadline(), None);
        sleep(ms(50)).await;
        let start = Instant::now();
        assert!(scope.run(sleep_forever()).await.is_none());
        assert_eq!(ms_since(start), 10);
        assert!(lazy.await.is_none());
        assert_eq!(ms_since(start), 20);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_is_no_limit() {
    inside(async { assert_eq!(move_on_after(Duration::MAX, sleep(ms(5))).await, Some(())) }).await;
}

#[tokio::test(start_paused = true)]
async fn fail_after_gives_an_error_when_the_time_is_up() {
    inside(async {
        assert_eq!(fail_after(ms(5), sleep_forever()).await, Err(TooSlow));
        assert_eq!(fail_at(Instant::now() + ms(5), sleep_forever()).await, Err(TooSlow));
        assert_eq!(fail_after(ms(5), async { 1 }).await, Ok(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn fail_after_fails_also_when_its_scope_is_cancelled_by_hand() {
    inside(async {
        let got = fail_after(ms(5), async {
            CancelScope::current().unwrap().cancel();
            sleep_forever().await
        })
        .await;
        assert_eq!(got, Err(TooSlow));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outer_deadline_that_comes_first_takes_the_whole() {
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(5), async {
            let _ = fail_after(ms(10), sleep_forever()).await;
            unreachable!("the outer scope takes it")
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_inner_deadline_that_comes_first_leaves_the_outer_alone() {
    inside(async {
        let got = move_on_after(ms(10), async { fail_after(ms(5), sleep_forever()).await }).await;
        assert_eq!(got, Some(Err(TooSlow)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_two_equal_deadlines_the_outer_scope_catches() {
    inside(async {
        let (outer, inner) = (CancelScope::with_timeout(ms(5)), CancelScope::with_timeout(ms(5)));
        assert!(outer.run(inner.run(sleep_forever())).await.is_none());
        assert!(outer.cancelled_caught() && !inner.cancelled_caught());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_nursery_is_bounded_by_the_deadline_of_its_scope() {
    inside(async {
        let start = Instant::now();
        let got = open_nursery(async |nursery: Nursery| {
            nursery.cancel_scope().set_deadline(Some(start + ms(10)));
            nursery.start_soon(sleep_forever());
            sleep_forever().await;
            Ok(())
        })
        .await;
        assert_eq!((got.unwrap(), ms_since(start)), (None, 10));
    })
    .await;
}

// ---- moving

#[tokio::test(start_paused = true)]
async fn a_deadline_can_be_moved_later() {
    assert_eq!(stopped_after(|start| Some(start + ms(30))).await, 30);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_can_be_moved_earlier() {
    assert_eq!(stopped_after(|start| Some(start + ms(7))).await, 7);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_moved_into_the_past_cancels_at_once() {
    assert_eq!(stopped_after(Some).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_removed_deadline_does_not_cancel() {
    assert_eq!(stopped_after(|_| None).await, 100);
}

/// Moves the deadline of a scope, due after 10 ms, when 5 ms have passed, and gives the time at which it was left.
async fn stopped_after(moved: impl FnOnce(Instant) -> Option<Instant>) -> u128 {
    inside(async {
        let start = Instant::now();
        let scope = CancelScope::with_timeout(ms(10));
        scope
            .run(async {
                sleep(ms(5)).await;
                scope.set_deadline(moved(start));
                sleep(ms(95)).await;
            })
            .await;
        ms_since(start)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_deadline_moved_by_another_task_wakes_the_sleeper() {
    inside(open_nursery(async |nursery| {
        let start = Instant::now();
        let scope = CancelScope::new();
        let other = scope.clone();
        nursery.start_soon(async move {
            sleep(ms(5)).await;
            other.set_deadline(Some(start + ms(8)));
        });
        assert!(scope.run(sleep_forever()).await.is_none());
        assert_eq!((ms_since(start), scope.deadline()), (8, Some(start + ms(8))));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_set_before_entry_counts() {
    inside(async {
        let start = Instant::now();
        let scope = CancelScope::new();
        scope.set_deadline(Some(start + ms(10)));
        assert_eq!(scope.deadline(), Some(start + ms(10)));
        assert!(scope.run(sleep_forever()).await.is_none());
        assert_eq!(ms_since(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn moving_a_deadline_after_it_has_passed_does_not_un_cancel() {
    inside(async {
        let scope = CancelScope::with_timeout(ms(5));
        let got = scope
            .run(shield(async {
                sleep(ms(10)).await;
                assert!(scope.cancel_called());
                scope.set_deadline(None);
                sleep(ms(10)).await;
            }))
            .await;
        // The shield was all there was, so it ended with a value.
        assert!(got.is_some() && scope.cancel_called());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_after_the_scope_was_left_was_not_called() {
    inside(async {
        let scope = CancelScope::with_timeout(ms(5));
        scope.run(async {}).await;
        sleep(ms(10)).await;
        assert!(!scope.cancel_called());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_passed_deadline_counts_as_called_before_anything_noticed() {
    inside(async {
        let scope = CancelScope::with_deadline(Instant::now());
        assert!(scope.cancel_called());
    })
    .await;
}

// ---- the effective deadline

#[tokio::test(start_paused = true)]
async fn the_effective_deadline_is_the_earliest_up_to_the_nearest_shield() {
    inside(async {
        let start = Instant::now();
        assert_eq!(current_effective_deadline(), EffectiveDeadline::Never);
        move_on_after(ms(10), async {
            assert_eq!(current_effective_deadline(), EffectiveDeadline::At(start + ms(10)));
            move_on_after(ms(20), async {
                assert_eq!(current_effective_deadline(), EffectiveDeadline::At(start + ms(10)));
                shield(async {
                    assert_eq!(current_effective_deadline(), EffectiveDeadline::Never);
                    move_on_after(ms(30), async {
                        assert_eq!(current_effective_deadline(), EffectiveDeadline::At(start + ms(30)));
                    })
                    .await;
                })
                .await;
            })
            .await;
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_effective_deadline_of_cancelled_code_is_cancelled() {
    inside(async {
        let scope = CancelScope::new();
        scope.cancel();
        scope.run(async { assert_eq!(current_effective_deadline(), EffectiveDeadline::Cancelled) }).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_has_the_effective_deadline_of_its_nursery() {
    inside(async {
        let start = Instant::now();
        move_on_after(ms(10), async {
            open_nursery(async |nursery| {
                nursery.start_soon(async move {
                    assert_eq!(current_effective_deadline(), EffectiveDeadline::At(start + ms(10)));
                });
                Ok(())
            })
            .await
        })
        .await
        .unwrap()
        .unwrap();
    })
    .await;
}

#[test]
fn there_is_no_effective_deadline_outside_a_loop() {
    assert_eq!(current_effective_deadline(), EffectiveDeadline::Never);
}

// ---- sleeping

#[tokio::test(start_paused = true)]
async fn sleep_counts_from_its_first_poll() {
    inside(async {
        let start = Instant::now();
        let lazy = sleep(ms(10));
        sleep(ms(5)).await;
        lazy.await;
        assert_eq!(ms_since(start), 15);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sleeping_for_no_time_gives_way_for_one_turn() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        nursery.start_soon(async move { child.say("child") });
        sleep(Duration::ZERO).await;
        log.say("body");
        sleep_until(Instant::now()).await;
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "child body");
}

#[tokio::test(start_paused = true)]
async fn sleepers_wake_in_the_order_of_their_deadlines_below_a_millisecond_too() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        for (n, micros) in [300, 100, 200, 100].into_iter().enumerate() {
            let log = log.clone();
            nursery.start_soon(async move {
                sleep(Duration::from_micros(micros)).await;
                log.say(n.to_string());
            });
        }
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "1 3 2 0");
}

#[tokio::test(start_paused = true)]
async fn the_paused_clock_jumps_over_an_hour_of_sleep() {
    inside(async {
        let start = Instant::now();
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(ms_since(start), 3_600_000);
    })
    .await;
}
