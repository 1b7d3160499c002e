//! The functions of the module `asyncio`: `wait`, `wait_for`, `timeout`, `shield`, `gather`, `ensure_future`.

mod journal;

use std::time::Duration;

use foster_compat::asyncio::{self, ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Task};
use foster_compat::{Loop, TimeoutError, ValueError, checkpoint, sleep, sleep_forever};

use crate::journal::{Boom, in_loop, ms};

/// A task that gives `n` after so many milliseconds.
fn after(loop_: &Loop, n: u64) -> Task<u64> {
    loop_.create_task(async move {
        sleep(ms(n)).await;
        foster_compat::Ok(n)
    })
}

fn fails_after(loop_: &Loop, n: u64) -> Task<u64> {
    loop_.create_task(async move {
        sleep(ms(n)).await;
        Err::<u64, _>(foster_compat::Error::new(Boom))
    })
}

#[tokio::test(start_paused = true)]
async fn wait_waits_for_all_and_keeps_their_order() {
    in_loop(async |loop_, _| {
        let tasks = [after(&loop_, 3), after(&loop_, 1), fails_after(&loop_, 2)];
        let (done, pending) = asyncio::wait(tasks).return_when(ALL_COMPLETED).await?;
        assert!(pending.is_empty());
        assert_eq!((done[0].result()?, done[1].result()?), (3, 1));
        assert!(done[2].exception()?.is_some_and(|err| err.is::<Boom>()));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wait_can_end_with_the_first_that_is_done() {
    in_loop(async |loop_, _| {
        let tasks = [after(&loop_, 3), after(&loop_, 1), after(&loop_, 1)];
        let (done, pending) = asyncio::wait(tasks).return_when(FIRST_COMPLETED).await?;
        assert_eq!((done.len(), pending.len()), (2, 1));
        assert_eq!(pending[0].clone().await?, 3);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wait_can_end_with_the_first_that_fails() {
    in_loop(async |loop_, journal| {
        let cancelled = after(&loop_, 9);
        cancelled.cancel();
        let tasks = [after(&loop_, 1), cancelled, fails_after(&loop_, 2), after(&loop_, 3)];
        let (done, pending) = asyncio::wait(tasks).return_when(FIRST_EXCEPTION).await?;
        assert_eq!((done.len(), pending.len()), (3, 1));
        drop((done, pending));
        assert_eq!(journal.said(), "[Task exception was never retrieved: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wait_gives_up_after_its_time_and_leaves_the_tasks() {
    in_loop(async |loop_, _| {
        let (done, pending) = asyncio::wait([after(&loop_, 1), after(&loop_, 5)]).timeout(ms(2)).await?;
        assert_eq!((done.len(), pending.len()), (1, 1));
        assert_eq!(pending[0].clone().await?, 5);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wait_takes_futures_and_what_is_done_already() {
    in_loop(async |loop_, _| {
        let (first, second) = (loop_.create_future(), loop_.create_future::<u32>());
        first.set_result(1)?;
        let (done, pending) = asyncio::wait([first, second]).return_when(FIRST_COMPLETED).await?;
        assert_eq!((done[0].result()?, pending.len()), (1, 1));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_nothing_is_an_error() {
    in_loop(async |_, _| {
        let err: ValueError = asyncio::wait([] as [Task<()>; 0]).await.unwrap_err();
        assert_eq!(err.to_string(), "Set of Tasks/Futures is empty.");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_future_in_time_gives_its_value() {
    in_loop(async |loop_, _| {
        assert_eq!(asyncio::wait_for(ms(2), after(&loop_, 1)).await??, 1);
        assert_eq!(asyncio::timeout(Duration::MAX, after(&loop_, 1)).await??, 1);
        assert_eq!(asyncio::timeout_at(loop_.time() + 1.0, after(&loop_, 1)).await??, 1);
        assert_eq!(asyncio::timeout_at(f64::INFINITY, after(&loop_, 1)).await??, 1);
        assert_eq!(asyncio::timeout_at(f64::NAN, async { 1 }).await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_future_that_takes_too_long_is_stopped() {
    in_loop(async |loop_, _| {
        let _: TimeoutError = asyncio::wait_for(ms(1), sleep_forever()).await.unwrap_err();
        let _: TimeoutError = asyncio::timeout(ms(1), sleep_forever()).await.unwrap_err();
        let _: TimeoutError = asyncio::timeout_at(loop_.time() + 0.001, sleep_forever()).await.unwrap_err();
        for passed in [-1.0, f64::NAN, f64::NEG_INFINITY, 0.0] {
            let _: TimeoutError = asyncio::timeout_at(passed, sleep_forever()).await.unwrap_err();
        }
        assert!((loop_.time() - 0.003).abs() < 1e-9, "{}", loop_.time());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_runs_on_when_the_wait_for_it_is_over() {
    in_loop(async |loop_, _| {
        let task = after(&loop_, 5);
        assert!(asyncio::wait_for(ms(1), task.clone()).await.is_err());
        assert_eq!(task.await?, 5);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shielded_task_runs_on_when_who_awaits_it_is_cancelled() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        let outer = loop_.create_task(async move {
            asyncio::shield(async move {
                sleep(ms(5)).await;
                says.say("ended");
            })
            .await
        });
        sleep(ms(1)).await;
        outer.cancel();
        assert!(outer.await.is_err());
        assert_eq!(journal.said(), "");
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "ended");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gather_gives_the_results_of_tasks_in_order() {
    in_loop(async |loop_, _| {
        let results = asyncio::gather([after(&loop_, 3), after(&loop_, 1)]).await?;
        assert_eq!(results, [3, 1]);
        let results = asyncio::gather([fails_after(&loop_, 1), after(&loop_, 2)]).return_errors().await;
        assert!(results[0].is_err());
        assert_eq!(results[1].clone()?, 2);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ensure_future_starts_a_task_in_the_running_loop() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        let task = asyncio::ensure_future(async move { says.say("step") });
        loop_.call_soon(journal.says("soon"));
        checkpoint().await;
        assert_eq!(journal.said(), "step soon");
        assert!(task.done());
        Ok(())
    })
    .await;
}
