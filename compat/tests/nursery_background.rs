//! Background children and the concurrency limit.

mod log;

use foster_compat::{Nursery, finally, move_on_after, open_nursery, shield, sleep, sleep_forever};
use tokio::time::Instant;

use crate::log::{AtDrop, Log, inside, ms, ms_since, numbered};

#[tokio::test(start_paused = true)]
async fn background_children_are_cancelled_once_the_body_and_the_children_are_done() {
    let log = Log::default();
    inside(async {
        let start = Instant::now();
        let got = open_nursery(async |nursery| {
            let child = log.clone();
            nursery.start_background(async move {
                let _gone = child.at_drop("background-dropped");
                sleep_forever().await
            });
            nursery.start_soon(sleep(ms(10)));
            Ok(1)
        })
        .await;
        assert_eq!((got.unwrap(), ms_since(start)), (Some(1), 10));
    })
    .await;
    assert_eq!(log.said(), "background-dropped");
}

#[tokio::test(start_paused = true)]
async fn the_clean_up_of_a_background_child_is_waited_for() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let log = log.clone();
        nursery.start_background(async move {
            finally(sleep_forever(), async {
                sleep(ms(5)).await;
                log.say("clean");
            })
            .await
        });
        sleep(ms(1)).await;
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "clean");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_background_child_cancels_the_nursery() {
    let err = inside(open_nursery(async |nursery| {
        nursery.start_background(async { Err(numbered(1)) });
        sleep_forever().await;
        Ok(())
    }))
    .await
    .unwrap_err();
    assert_eq!(err.to_string(), "1 error in a nursery: number 1");
}

#[tokio::test(start_paused = true)]
async fn a_background_child_that_ends_by_itself_does_not_end_the_nursery() {
    inside(async {
        let start = Instant::now();
        open_nursery(async |nursery| {
            nursery.start_background(async {});
            nursery.start_soon(sleep(ms(10)));
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(ms_since(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_background_child_started_by_a_background_child_is_cancelled_too() {
    inside(async {
        let start = Instant::now();
        open_nursery(async |nursery: Nursery| {
            let handle = nursery.clone();
            nursery.start_background(async move {
                finally(sleep_forever(), async { handle.start_background(sleep_forever()) }).await
            });
            sleep(ms(1)).await;
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(ms_since(start), 1);
    })
    .await;
}

// ---- concurrency limit

#[tokio::test(start_paused = true)]
async fn no_more_children_run_at_a_time_than_the_limit() {
    let log = Log::default();
    inside(Nursery::builder().concurrency_limit(2).open(async |nursery: Nursery| {
        for n in 0..5 {
            let log = log.clone();
            nursery.start_soon(async move {
                log.say(format!("+{n}"));
                sleep(ms(1)).await;
                log.say(format!("-{n}"));
            });
        }
        assert_eq!(nursery.n_children(), 5);
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "+0 +1 -0 -1 +2 +3 -2 -3 +4 -4");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_taken_as_one() {
    inside(async {
        let start = Instant::now();
        Nursery::builder()
            .concurrency_limit(0)
            .open(async |nursery: Nursery| {
                nursery.start_soon(sleep(ms(1)));
                nursery.start_soon(sleep(ms(1)));
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(ms_since(start), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_does_not_apply_to_background_children() {
    let log = Log::default();
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        nursery.start_soon(sleep(ms(10)));
        let child = log.clone();
        nursery.start_background(async move { child.say("background") });
        sleep(ms(1)).await;
        assert_eq!(log.said(), "background");
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn children_that_wait_when_the_nursery_is_cancelled_are_dropped_without_a_step() {
    let log = Log::default();
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        nursery.start_soon(sleep_forever());
        for _ in 0..2 {
            let (words, gone) = (log.clone(), log.at_drop("dropped"));
            nursery.start_soon(async move {
                let _gone = gone;
                words.say("NOT");
            });
        }
        sleep(ms(1)).await;
        nursery.cancel();
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "dropped dropped");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cancels_the_nursery_and_ends_lets_no_waiting_one_begin() {
    let log = Log::default();
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        let (handle, words) = (nursery.clone(), log.clone());
        nursery.start_soon(async move { handle.cancel() });
        nursery.start_soon(async move { words.say("NOT") });
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "");
}

#[tokio::test(start_paused = true)]
async fn children_in_line_do_not_outlive_an_outer_cancel() {
    let log = Log::default();
    inside(async {
        let got = move_on_after(ms(5), async {
            Nursery::builder()
                .concurrency_limit(1)
                .open(async |nursery: Nursery| {
                    nursery.start_soon(shield(sleep(ms(20))));
                    let words = log.clone();
                    nursery.start_soon(async move { words.say("NOT") });
                    Ok(())
                })
                .await
        })
        .await;
        assert!(got.is_none());
    })
    .await;
    assert_eq!(log.said(), "");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "in drop")]
async fn a_panic_in_the_drop_of_a_waiting_child_comes_out_of_the_nursery() {
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        nursery.start_soon(sleep_forever());
        let gone = AtDrop(|| panic!("in drop"));
        nursery.start_soon(async move { drop(gone) });
        sleep(ms(1)).await;
        nursery.cancel();
        Ok(())
    }))
    .await
    .unwrap();
}
