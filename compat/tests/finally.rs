//! `finally`: clean-up that may await.

mod log;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use foster_compat::{
    cancel_reason, finally, finally_with, finally_within, move_on_after, open_nursery, shield, sleep, sleep_forever,
};
use futures::FutureExt;
use tokio::time::Instant;

use crate::log::{Log, Logged, inside, ms, ms_since};

#[tokio::test(start_paused = true)]
async fn the_clean_up_runs_after_a_body_that_gives_a_value() {
    let log = Log::default();
    let got = inside(finally(
        async {
            log.say("body");
            1
        },
        async {
            sleep(ms(1)).await;
            log.say("clean");
        },
    ))
    .await;
    assert_eq!((got, log.said().as_str()), (1, "body clean"));
}

#[tokio::test(start_paused = true)]
async fn the_clean_up_of_a_cancelled_body_may_await() {
    let log = Log::default();
    inside(async {
        let got = move_on_after(ms(10), async {
            let _outer = log.at_drop("outer-dropped");
            finally(
                async {
                    let _body = log.at_drop("body-dropped");
                    sleep_forever().await
                },
                async {
                    sleep(ms(20)).await;
                    log.say("clean");
                },
            )
            .await;
            log.say("NOT");
        })
        .await;
        assert!(got.is_none());
    })
    .await;
    assert_eq!(log.said(), "body-dropped clean outer-dropped");
}

#[tokio::test(start_paused = true)]
async fn the_clean_up_runs_after_a_panic_which_then_goes_on() {
    let log = Log::default();
    let caught = inside(
        AssertUnwindSafe(finally(
            async {
                sleep(ms(1)).await;
                panic!("body")
            },
            async {
                sleep(ms(1)).await;
                log.say("clean");
            },
        ))
        .catch_unwind(),
    )
    .await;
    let payload: Result<(), _> = caught;
    assert_eq!(*payload.unwrap_err().downcast::<&str>().unwrap(), "body");
    assert_eq!(log.said(), "clean");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_clean_up_comes_out() {
    let got = inside(AssertUnwindSafe(finally(async {}, async { panic!("clean-up") })).catch_unwind()).await;
    assert_eq!(*got.unwrap_err().downcast::<&str>().unwrap(), "clean-up");
}

#[tokio::test(start_paused = true)]
async fn of_two_panics_the_bodys_comes_out_and_the_clean_ups_is_reported() {
    let logged = Logged::default();
    let _subscriber = tracing::subscriber::set_default(logged.clone());
    let both = finally(async { panic!("body") }, async { panic!("clean-up") });
    let got: Result<(), _> = inside(AssertUnwindSafe(both).catch_unwind()).await;
    assert_eq!(*got.unwrap_err().downcast::<&str>().unwrap(), "body");
    assert!(logged.has("panicked: clean-up"));
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_is_stopped_at_its_bound_with_a_warning() {
    let logged = Logged::default();
    let _subscriber = tracing::subscriber::set_default(logged.clone());
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(10), finally_within(ms(100), sleep_forever(), sleep(ms(500)))).await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 110);
    })
    .await;
    assert!(logged.has("stopped after 100ms"), "{:?}", logged.lines());
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_that_is_stopped_after_a_value_keeps_the_value() {
    inside(async {
        let start = Instant::now();
        assert_eq!(finally_within(ms(100), async { 1 }, sleep_forever()).await, 1);
        assert_eq!(ms_since(start), 100);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_may_take_five_seconds_unless_told_otherwise() {
    inside(async {
        let start = Instant::now();
        finally(async {}, sleep_forever()).await;
        assert_eq!(ms_since(start), 5000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shield_inside_a_bounded_clean_up_runs_whole() {
    inside(async {
        let start = Instant::now();
        finally_within(ms(100), async {}, shield(sleep(ms(500)))).await;
        assert_eq!(ms_since(start), 500);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_without_a_bound_runs_whole() {
    inside(async {
        let start = Instant::now();
        finally_within(Duration::MAX, async {}, sleep(Duration::from_secs(60))).await;
        assert_eq!(ms_since(start), 60_000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_that_a_foreign_drop_reaches_is_dropped_and_not_run() {
    let log = Log::default();
    inside(async {
        tokio::select! {
            () = finally(sleep_forever(), async { log.say("NOT") }) => {}
            () = sleep(ms(1)) => {}
        }
    })
    .await;
    assert_eq!(log.said(), "");
}

#[tokio::test(start_paused = true)]
async fn nested_clean_ups_run_from_the_inside_out() {
    let log = Log::default();
    inside(move_on_after(
        ms(1),
        finally(
            finally(sleep_forever(), async {
                sleep(ms(1)).await;
                log.say("inner");
            }),
            async {
                sleep(ms(1)).await;
                log.say("outer");
            },
        ),
    ))
    .await;
    assert_eq!(log.said(), "inner outer");
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_may_open_a_nursery_of_its_own() {
    let log = Log::default();
    inside(move_on_after(
        ms(1),
        finally(sleep_forever(), async {
            let _ = open_nursery(async |nursery| {
                let log = log.clone();
                nursery.start_soon(async move {
                    sleep(ms(5)).await;
                    log.say("child-ended");
                });
                Ok(())
            })
            .await;
        }),
    ))
    .await;
    assert_eq!(log.said(), "child-ended");
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_stands_in_no_cancelled_scope() {
    inside(move_on_after(ms(1), finally(sleep_forever(), async { assert!(cancel_reason().is_none()) }))).await;
}

#[tokio::test(start_paused = true)]
async fn body_and_clean_up_are_lent_the_same_state() {
    let mut log = vec![];
    inside(async {
        let body = async |log: &mut Vec<&str>| {
            log.push("body");
            sleep_forever().await
        };
        let clean = async |log: &mut Vec<&str>| {
            sleep(ms(1)).await;
            log.push("clean");
        };
        assert!(move_on_after(ms(1), finally_with(&mut log, body, clean)).await.is_none());
    })
    .await;
    assert_eq!(log, ["body", "clean"]);
}

#[tokio::test(start_paused = true)]
async fn the_clean_ups_of_children_run_side_by_side_when_the_nursery_is_cancelled() {
    inside(async {
        let start = Instant::now();
        open_nursery(async |nursery| {
            for _ in 0..100 {
                nursery.start_soon(finally(sleep_forever(), sleep(ms(10))));
            }
            sleep(ms(1)).await;
            nursery.cancel();
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(ms_since(start), 11);
    })
    .await;
}
