//! asyncio's `Future`: its states, who is told, and what is reported.

mod journal;

use foster_compat::asyncio::Future;
use foster_compat::{CancelledError, ContextVar, InvalidStateError, checkpoint, move_on_after, open_nursery, sleep};

use crate::journal::{Boom, Drops, in_loop, ms};

#[tokio::test(start_paused = true)]
async fn a_pending_future_has_neither_result_nor_exception() {
    in_loop(async |loop_, _| {
        let future = loop_.create_future::<u32>();
        assert!(!future.done() && !future.cancelled());
        assert!(future.result().unwrap_err().is::<InvalidStateError>());
        assert!(future.exception().unwrap_err().is::<InvalidStateError>());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_future_with_a_result_gives_it_to_everybody() {
    in_loop(async |loop_, _| {
        let future = loop_.create_future();
        future.set_result(42)?;
        assert!(future.done() && !future.cancelled());
        assert_eq!(future.result()?, 42);
        assert!(future.exception()?.is_none());
        assert_eq!((future.clone().await?, future.await?), (42, 42));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_future_with_an_exception_gives_it_to_everybody() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<u32>();
        future.set_exception(Boom)?;
        assert!(future.done() && !future.cancelled());
        assert!(future.exception()?.is_some_and(|err| err.is::<Boom>()));
        assert!(future.result().unwrap_err().is::<Boom>());
        assert!(future.await.unwrap_err().is::<Boom>());
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_future_gives_cancelled_error_everywhere() {
    in_loop(async |loop_, _| {
        let future = loop_.create_future::<u32>();
        assert!(future.cancel());
        assert!(!future.cancel());
        assert!(future.done() && future.cancelled());
        assert!(future.result().unwrap_err().is::<CancelledError>());
        assert!(future.exception().unwrap_err().is::<CancelledError>());
        assert!(future.await.unwrap_err().is::<CancelledError>());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_future_cannot_be_settled_again() {
    in_loop(async |loop_, _| {
        let future = loop_.create_future();
        future.set_result(1)?;
        assert!(future.set_result(2).is_err());
        assert!(future.set_exception(Boom).is_err());
        assert!(!future.cancel());
        assert_eq!(future.result()?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn done_callbacks_and_waiting_tasks_are_told_in_the_order_they_came() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        let says = journal.clone();
        future.add_done_callback(move |_| says.say("callback-1"));
        let (says, waits) = (journal.clone(), future.clone());
        loop_.create_task(async move {
            let _ = waits.await;
            says.say("task");
        });
        checkpoint().await;
        let says = journal.clone();
        future.add_done_callback(move |_| says.say("callback-2"));
        future.set_result(())?;
        journal.say("set");
        checkpoint().await;
        assert_eq!(journal.said(), "set callback-1 task callback-2");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_callback_added_to_a_done_future_runs_in_the_next_turn() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future();
        future.set_result(42)?;
        let says = journal.clone();
        future.add_done_callback(move |future: Future<i32>| {
            says.say(future.result()?.to_string());
            Ok(())
        });
        journal.say("added");
        checkpoint().await;
        assert_eq!(journal.said(), "added 42");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_done_callback_never_runs() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        let holds = Drops(journal.clone(), "dropped");
        let id = future.add_done_callback(move |_| holds.0.say("ran"));
        assert!(future.remove_done_callback(id));
        assert!(!future.remove_done_callback(id));
        future.set_result(())?;
        checkpoint().await;
        assert_eq!(journal.said(), "dropped");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_done_callback_goes_to_the_handler() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        future.add_done_callback(|_| Err::<(), _>(foster_compat::Error::new(Boom)));
        future.set_result(())?;
        checkpoint().await;
        assert_eq!(journal.said(), "[Exception in callback: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_callback_sees_the_context_variables_of_who_added_it() {
    thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        USER.with(|user| user.set("ada"));
        let says = journal.clone();
        future.add_done_callback(move |_| says.say(USER.with(ContextVar::get).unwrap_or("nobody")));
        USER.with(|user| user.set("bob"));
        future.set_result(())?;
        checkpoint().await;
        assert_eq!(journal.said(), "ada");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_waiting_is_forgotten() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        for _ in 0..100 {
            assert!(move_on_after(ms(1), future.clone()).await.is_none());
        }
        // Its waker would wake a task that waits for something else: nothing else may be said than what is due.
        let says = journal.clone();
        open_nursery(async |nursery| {
            let waits = future.clone();
            nursery.start_soon(async move {
                let _ = waits.await;
                says.say("woken");
            });
            checkpoint().await;
            Ok(future.set_result(())?)
        })
        .await?;
        assert_eq!(journal.said(), "woken");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exception_that_nobody_asked_for_is_reported_once_when_the_last_clone_goes() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        future.set_exception(Boom)?;
        drop(future.clone());
        assert_eq!(journal.said(), "");
        drop(future);
        assert_eq!(journal.said(), "[Future exception was never retrieved: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn asking_before_there_was_an_exception_does_not_count_as_asking_for_it() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        assert!(future.result().is_err() && future.exception().is_err());
        future.set_exception(Boom)?;
        drop(future);
        assert_eq!(journal.said(), "[Future exception was never retrieved: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exception_that_was_asked_for_in_any_way_is_not_reported() {
    in_loop(async |loop_, journal| {
        let futures: Vec<Future<()>> = (0..3).map(|_| loop_.create_future()).collect();
        for future in &futures {
            future.set_exception(Boom)?;
        }
        let _ = futures[0].exception();
        let _ = futures[1].result();
        let _ = futures[2].clone().await;
        drop(futures);
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_never_reported() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        future.cancel();
        drop(future);
        let future = loop_.create_future::<()>();
        future.set_exception(CancelledError)?;
        assert!(future.cancelled());
        drop(future);
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_a_cancelled_scope_stays_pending_when_the_future_is_done() {
    in_loop(async |loop_, journal| {
        let future = loop_.create_future::<()>();
        let (waits, says) = (future.clone(), journal.clone());
        let scope = foster_compat::CancelScope::new();
        let (inner, settles) = (scope.clone(), future.clone());
        scope
            .run(async move {
                inner.cancel();
                let _ = settles.set_result(());
                let _ = waits.await;
                says.say("went on");
            })
            .await;
        sleep(ms(1)).await;
        assert!(scope.cancelled_caught());
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}
