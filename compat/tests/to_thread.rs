//! `to_thread::run_sync` and `CapacityLimiter`.

mod log;

use std::sync::mpsc;

use foster_compat::{
    CapacityLimiter, ContextVar, WouldBlock, checkpoint, move_on_after, open_nursery, run, shield, sleep, to_thread,
};

use crate::log::{Log, inside, ms};

#[test]
fn the_result_of_the_thread_comes_back() {
    let here = std::thread::current().id();
    let there = run(async { foster_compat::Ok(to_thread::run_sync(|| std::thread::current().id()).await) });
    assert_ne!(there.unwrap(), here);
}

#[test]
#[should_panic(expected = "boom")]
fn a_panic_in_the_thread_is_resumed_in_the_caller() {
    let _ = run(async {
        to_thread::run_sync(|| panic!("boom")).await;
        foster_compat::Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn the_loop_goes_on_while_a_thread_runs() {
    let (go, wait) = mpsc::channel();
    inside(open_nursery(async |nursery| {
        nursery.start_soon(async { to_thread::run_sync(move || wait.recv().unwrap()).await });
        checkpoint().await;
        go.send(()).unwrap();
        Ok(())
    }))
    .await
    .unwrap();
}

#[test]
fn a_cancelled_caller_waits_for_the_thread() {
    let log = Log::default();
    run(async {
        let (go, wait) = mpsc::channel();
        let scope = foster_compat::CancelScope::new();
        let thread = scope.run(async {
            to_thread::run_sync(move || wait.recv().unwrap()).await;
            log.say("thread-ended");
            checkpoint().await;
            log.say("NOT");
        });
        let (got, ()) = tokio::join!(thread, async {
            checkpoint().await;
            scope.cancel();
            checkpoint().await;
            go.send(()).unwrap();
        });
        assert!(got.is_none());
        foster_compat::Ok(())
    })
    .unwrap();
    assert_eq!(log.said(), "thread-ended");
}

#[test]
fn an_abandoned_thread_is_left_to_itself_and_keeps_its_token() {
    run(async {
        let limiter = CapacityLimiter::new(1);
        let (go, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let thread = to_thread::run_sync(move || {
            begun.send(()).unwrap();
            wait.recv().unwrap();
        });
        let scope = foster_compat::CancelScope::new();
        let (got, ()) =
            tokio::join!(scope.run(thread.abandon_on_cancel(true).limiter(&limiter).into_future()), async {
                has_begun.await.unwrap();
                scope.cancel();
            });
        assert!(got.is_none());
        assert_eq!(limiter.borrowed_tokens(), 1);
        go.send(()).unwrap();
        drop(limiter.acquire().await);
        foster_compat::Ok(())
    })
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_cancelled_before_it_has_a_token_never_calls_the_function() {
    inside(async {
        let limiter = CapacityLimiter::new(0);
        let work = to_thread::run_sync(|| unreachable!()).limiter(&limiter);
        let got: Option<()> = move_on_after(ms(1), work.into_future()).await;
        assert!(got.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_default_limiter_has_forty_tokens_and_belongs_to_the_loop() {
    inside(async {
        let limiter = to_thread::current_default_thread_limiter();
        assert_eq!(limiter.total_tokens(), to_thread::DEFAULT_LIMIT);
        let seen = limiter.acquire_nowait().unwrap();
        assert_eq!(to_thread::current_default_thread_limiter().borrowed_tokens(), 1);
        drop(seen);
    })
    .await;
    inside(async { assert_eq!(to_thread::current_default_thread_limiter().borrowed_tokens(), 0) }).await;
}

#[tokio::test(start_paused = true)]
async fn context_variables_do_not_travel_to_the_thread() {
    thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
    inside(async {
        USER.with(|user| user.set("ada"));
        assert_eq!(to_thread::run_sync(|| USER.with(ContextVar::get)).await, None);
    })
    .await;
}

// ---- the limiter

#[tokio::test(start_paused = true)]
async fn tokens_are_lent_first_come_first_served() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let limiter = CapacityLimiter::new(2);
        for name in ["a", "b", "c", "d"] {
            let (log, limiter) = (log.clone(), limiter.clone());
            nursery.start_soon(async move {
                let _token = limiter.acquire().await;
                log.say(name);
                assert!(limiter.borrowed_tokens() <= 2);
                sleep(ms(1)).await;
            });
        }
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "a b c d");
}

#[test]
fn a_token_comes_back_when_it_is_dropped() {
    let limiter = CapacityLimiter::new(1);
    let token = limiter.acquire_nowait().unwrap();
    assert_eq!(limiter.acquire_nowait().unwrap_err(), WouldBlock);
    drop(token);
    assert_eq!((limiter.borrowed_tokens(), limiter.available_tokens()), (0, 1));
    drop(limiter.acquire_nowait().unwrap());
}

#[test]
fn fewer_tokens_are_lent_after_the_total_was_lowered() {
    let limiter = CapacityLimiter::new(3);
    let (first, second) = (limiter.acquire_nowait().unwrap(), limiter.acquire_nowait().unwrap());
    limiter.set_total_tokens(1);
    assert_eq!((limiter.total_tokens(), limiter.borrowed_tokens(), limiter.available_tokens()), (1, 2, 0));
    drop(first);
    assert!(limiter.acquire_nowait().is_err());
    drop(second);
    let _third = limiter.acquire_nowait().unwrap();
    assert!(limiter.acquire_nowait().is_err());
}

#[test]
fn lowering_and_raising_the_total_while_tokens_are_lent_balances() {
    let limiter = CapacityLimiter::new(2);
    let tokens = [limiter.acquire_nowait().unwrap(), limiter.acquire_nowait().unwrap()];
    limiter.set_total_tokens(0);
    limiter.set_total_tokens(3);
    let _third = limiter.acquire_nowait().unwrap();
    assert!(limiter.acquire_nowait().is_err());
    drop(tokens);
    assert_eq!(limiter.available_tokens(), 2);
    let _more = [limiter.acquire_nowait().unwrap(), limiter.acquire_nowait().unwrap()];
    assert!(limiter.acquire_nowait().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_token_promised_to_a_waiter_counts_when_the_total_changes() {
    inside(async {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.acquire().await;
        let mut waiting = tokio_test::task::spawn(limiter.acquire());
        assert!(waiting.poll().is_pending());
        drop(token);
        limiter.set_total_tokens(0);
        limiter.set_total_tokens(1);
        assert!(limiter.acquire_nowait().is_err());
        drop(waiting.await);
        assert_eq!(limiter.available_tokens(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn raising_the_total_serves_those_who_wait() {
    inside(open_nursery(async |nursery| {
        let limiter = CapacityLimiter::new(0);
        let raise = limiter.clone();
        nursery.start_soon(async move {
            sleep(ms(5)).await;
            raise.set_total_tokens(1);
        });
        drop(limiter.acquire().await);
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_for_a_token_takes_none() {
    inside(async {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.acquire().await;
        assert!(move_on_after(ms(1), limiter.acquire()).await.is_none());
        drop(token);
        assert_eq!(limiter.available_tokens(), 1);
        drop(limiter.acquire().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_in_a_cancelled_scope_takes_no_token_although_a_shield_keeps_it() {
    inside(async {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.acquire().await;
        move_on_after(ms(1), async {
            tokio::join!(
                limiter.acquire(),
                shield(async {
                    sleep(ms(5)).await;
                    drop(token);
                    sleep(ms(5)).await;
                })
            )
        })
        .await;
        assert_eq!(limiter.available_tokens(), 1);
    })
    .await;
}
