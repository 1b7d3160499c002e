//! `shield` and scopes with a shield.

mod log;

use foster_compat::{CancelScope, checkpoint, move_on_after, open_nursery, shield, sleep, sleep_forever};
use tokio::time::Instant;

use crate::log::{Log, inside, ms, ms_since};

#[tokio::test(start_paused = true)]
async fn a_shield_runs_to_its_end_in_a_cancelled_scope() {
    let log = Log::default();
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(10), async {
            shield(async {
                sleep(ms(30)).await;
                log.say("shielded");
            })
            .await;
            log.say("after-the-shield");
            std::future::ready(()).await;
            log.say("up-to-the-next-suspension");
            sleep(ms(1)).await;
            log.say("NOT");
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 30);
    })
    .await;
    assert_eq!(log.said(), "shielded after-the-shield up-to-the-next-suspension");
}

#[tokio::test(start_paused = true)]
async fn a_scope_inside_a_shield_is_still_its_own_master() {
    inside(async {
        let start = Instant::now();
        move_on_after(ms(10), async {
            shield(async {
                assert!(move_on_after(ms(20), sleep_forever()).await.is_none());
                sleep(ms(5)).await;
            })
            .await;
            checkpoint().await;
        })
        .await;
        assert_eq!(ms_since(start), 25);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shielded_scope_can_be_cancelled_itself() {
    inside(async {
        let scope = CancelScope::new();
        scope.set_shield(true);
        assert!(scope.shield());
        scope.cancel();
        assert!(scope.run(sleep_forever()).await.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_plain_sibling_of_a_shield_runs_on_in_its_task() {
    let log = Log::default();
    inside(move_on_after(ms(20), async {
        tokio::join!(shield(sleep(ms(60))), async {
            for n in 0..3 {
                tokio::time::sleep(ms(15)).await;
                log.say(n.to_string());
            }
        })
    }))
    .await;
    assert_eq!(log.said(), "0 1 2");
}

#[tokio::test(start_paused = true)]
async fn a_sibling_of_a_shield_that_waits_on_the_loop_goes_no_further() {
    let log = Log::default();
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(20), async {
            tokio::join!(shield(sleep(ms(60))), async {
                for n in 0..5 {
                    sleep(ms(15)).await;
                    log.say(n.to_string());
                }
            })
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 60);
    })
    .await;
    assert_eq!(log.said(), "0");
}

#[tokio::test(start_paused = true)]
async fn lowering_a_shield_lets_the_cancellation_in() {
    inside(open_nursery(async |nursery| {
        let start = Instant::now();
        let scope = CancelScope::new();
        scope.set_shield(true);
        let lower = scope.clone();
        nursery.start_soon(async move {
            sleep(ms(40)).await;
            lower.set_shield(false);
        });
        let got = move_on_after(ms(10), scope.run(sleep_forever())).await;
        // The outer scope was cancelled; the inner one only stood in between.
        assert!(got.is_none() && !scope.cancelled_caught());
        assert_eq!(ms_since(start), 40);
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn raising_a_shield_keeps_a_later_cancellation_out() {
    inside(async {
        let start = Instant::now();
        move_on_after(ms(10), async {
            let scope = CancelScope::new();
            scope
                .run(async {
                    scope.set_shield(true);
                    sleep(ms(30)).await;
                    scope.set_shield(false);
                    sleep_forever().await;
                })
                .await;
        })
        .await;
        assert_eq!(ms_since(start), 30);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shield_raised_after_the_cancellation_revives_the_waits_inside() {
    let log = Log::default();
    inside(move_on_after(ms(10), async {
        let scope = CancelScope::new();
        scope
            .run(async {
                tokio::join!(
                    async {
                        sleep(ms(50)).await;
                        log.say("revived");
                    },
                    shield(async {
                        sleep(ms(20)).await;
                        scope.set_shield(true);
                    }),
                )
            })
            .await;
    }))
    .await;
    assert_eq!(log.said(), "revived");
}
