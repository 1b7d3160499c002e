//! asyncio's `Task`: results, cancellation, and what is reported.

mod journal;

use foster_compat::asyncio::{self, Task};
use foster_compat::{
    CancelledError, InvalidStateError, Loop, Nursery, Panicked, checkpoint, finally, open_nursery, shield, sleep,
    sleep_forever,
};

use crate::journal::{Boom, Drops, Journal, in_loop, inside, ms};

#[tokio::test(start_paused = true)]
async fn awaiting_a_task_gives_its_value_to_everybody() {
    in_loop(async |loop_, _| {
        let task = loop_.create_task(async {
            sleep(ms(1)).await;
            foster_compat::Ok(42)
        });
        assert_eq!((task.clone().await?, task.await?), (42, 42));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_runs_has_neither_result_nor_exception() {
    in_loop(async |loop_, _| {
        let task = loop_.create_task(sleep(ms(1)));
        for _ in 0..2 {
            assert!(!task.done() && !task.cancelled());
            assert!(task.result().unwrap_err().is::<InvalidStateError>());
            assert!(task.exception().unwrap_err().is::<InvalidStateError>());
            checkpoint().await;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_task_belongs_to_the_task_and_not_to_the_nursery() {
    in_loop(async |loop_, _| {
        let task: Task<()> = loop_.create_task(async { Err(foster_compat::Error::new(Boom)) });
        sleep(ms(1)).await;
        assert!(task.done() && !task.cancelled());
        assert!(task.exception()?.is_some_and(|err| err.is::<Boom>()));
        assert!(task.await.unwrap_err().is::<Boom>());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_task_is_its_exception() {
    in_loop(async |loop_, _| {
        let task: Task<()> = loop_.create_task(async { panic!("bang") });
        let err = task.await.unwrap_err();
        assert_eq!(err.downcast_ref::<Panicked>().map(Panicked::message), Some("bang"));
        Ok(())
    })
    .await;
}

// ---- cancellation

#[tokio::test(start_paused = true)]
async fn a_task_cancelled_before_its_first_step_ends_at_its_first_suspension() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        let task = loop_.create_task(async move {
            says.say("began");
            sleep(ms(1)).await;
            says.say("went-on");
        });
        assert!(task.cancel());
        assert!(!task.done() && !task.cancelled());
        assert!(task.clone().await.unwrap_err().is::<CancelledError>());
        assert!(task.done() && task.cancelled());
        assert!(task.exception().unwrap_err().is::<CancelledError>());
        assert!(task.result().unwrap_err().is::<CancelledError>());
        assert_eq!(journal.said(), "began");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_cancelled_while_it_waits_is_dropped_there() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        let task = loop_.create_task(async move {
            let _dropped = Drops(says.clone(), "dropped");
            sleep_forever().await;
            says.say("went-on");
        });
        sleep(ms(1)).await;
        assert!(task.cancel());
        assert!(task.clone().await.unwrap_err().is::<CancelledError>());
        assert_eq!(journal.said(), "dropped");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_cancelled_twice() {
    in_loop(async |loop_, _| {
        let task = loop_.create_task(sleep_forever());
        sleep(ms(1)).await;
        assert!(task.cancel());
        assert!(task.cancel());
        sleep(ms(1)).await;
        assert!(!task.cancel());
        assert!(task.cancelled());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_task_that_has_ended_changes_nothing() {
    in_loop(async |loop_, _| {
        let task = loop_.create_task(async { foster_compat::Ok(42) });
        sleep(ms(1)).await;
        assert!(!task.cancel());
        assert!(task.done() && !task.cancelled());
        assert_eq!(task.await?, 42);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_finishes_its_shielded_part_first() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        let task = loop_.create_task(async move {
            shield(sleep(ms(5))).await;
            says.say("shielded");
            finally(sleep_forever(), async { says.say("cleaned-up") }).await;
        });
        checkpoint().await;
        task.cancel();
        assert!(!task.done());
        assert!(task.await.unwrap_err().is::<CancelledError>());
        assert_eq!(journal.said(), "shielded cleaned-up");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_hands_on_a_cancellation_counts_as_cancelled() {
    in_loop(async |loop_, journal| {
        let inner = loop_.create_task(sleep_forever());
        let waits = inner.clone();
        let outer = loop_.create_task(async move { waits.await });
        checkpoint().await;
        inner.cancel();
        sleep(ms(1)).await;
        assert!(outer.cancelled());
        drop((inner, outer));
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_who_awaits_a_task_leaves_the_task() {
    in_loop(async |loop_, _| {
        let inner = loop_.create_task(async {
            sleep(ms(5)).await;
            foster_compat::Ok(42)
        });
        let waits = inner.clone();
        let outer = loop_.create_task(async move { waits.await });
        checkpoint().await;
        outer.cancel();
        assert!(outer.await.is_err());
        assert_eq!(inner.await?, 42);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_a_cancelled_nursery_are_cancelled() {
    let journal = Journal::default();
    inside(async |_| {
        let task = std::cell::OnceCell::new();
        let ended = open_nursery(async |nursery: Nursery| {
            let created = Loop::new(&nursery).create_task(sleep_forever());
            let says = journal.clone();
            created.add_done_callback(move |future| says.say(format!("{}", future.cancelled())));
            let _ = task.set(created);
            checkpoint().await;
            nursery.cancel();
            sleep_forever().await;
            Ok(())
        })
        .await?;
        assert!(ended.is_none());
        assert!(task.get().is_some_and(Task::cancelled));
        checkpoint().await;
        Ok(())
    })
    .await;
    assert_eq!(journal.said(), "true");
}

// ---- done callbacks

#[tokio::test(start_paused = true)]
async fn a_done_callback_runs_in_the_turn_after_the_task_has_ended() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        let task = loop_.create_task(async move { says.say("ended") });
        let says = journal.clone();
        task.add_done_callback(move |future| says.say(format!("callback-{}", future.done())));
        loop_.call_soon(journal.says("same-turn"));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "ended same-turn callback-true");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_callback_added_to_a_task_that_has_ended_runs() {
    in_loop(async |loop_, journal| {
        let task = loop_.create_task(async {});
        sleep(ms(1)).await;
        let says = journal.clone();
        task.add_done_callback(move |_| says.say("callback"));
        assert_eq!(journal.said(), "");
        checkpoint().await;
        assert_eq!(journal.said(), "callback");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_callback_of_a_cancelled_task_runs() {
    in_loop(async |loop_, journal| {
        let task = loop_.create_task(sleep_forever());
        let says = journal.clone();
        task.add_done_callback(move |future| says.say(format!("cancelled-{}", future.cancelled())));
        task.cancel();
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "cancelled-true");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_done_callback_of_a_task_never_runs() {
    in_loop(async |loop_, journal| {
        let task = loop_.create_task(async {});
        let says = journal.clone();
        let id = task.add_done_callback(move |_| says.say("ran"));
        assert!(task.remove_done_callback(id));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

// ---- reports

#[tokio::test(start_paused = true)]
async fn an_exception_of_a_task_that_nobody_asked_for_is_reported_once() {
    in_loop(async |loop_, journal| {
        let task: Task<()> = loop_.create_task(async { Err(foster_compat::Error::new(Boom)) });
        drop(task);
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "[Task exception was never retrieved: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_task_that_nobody_asked_for_is_reported_once() {
    in_loop(async |loop_, journal| {
        let task: Task<()> = loop_.create_task(async { panic!("bang") });
        drop(task);
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "[Task exception was never retrieved: panicked: bang]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exception_of_a_task_that_was_asked_for_in_any_way_is_not_reported() {
    in_loop(async |loop_, journal| {
        let fails = || loop_.create_task(async { Err::<(), _>(foster_compat::Error::new(Boom)) });
        let tasks = [fails(), fails(), fails()];
        sleep(ms(1)).await;
        let _ = tasks[0].exception();
        let _ = tasks[1].result();
        let _ = tasks[2].clone().await;
        drop(tasks);
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn asking_a_running_task_does_not_count_as_asking_for_its_exception() {
    in_loop(async |loop_, journal| {
        let task = loop_.create_task(async { Err::<(), _>(foster_compat::Error::new(Boom)) });
        assert!(task.exception().is_err());
        sleep(ms(1)).await;
        drop(task);
        assert_eq!(journal.said(), "[Task exception was never retrieved: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_not_reported() {
    in_loop(async |loop_, journal| {
        loop_.create_task(sleep_forever()).cancel();
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_is_not_lost_when_its_handle_is_dropped() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        drop(loop_.create_task(async move {
            sleep(ms(1)).await;
            says.say("ended");
        }));
        sleep(ms(2)).await;
        assert_eq!(journal.said(), "ended");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_has_the_name_of_its_coroutine_until_it_is_given_another() {
    in_loop(async |loop_, _| {
        let task = loop_.create_task(async {});
        assert!(task.get_name().contains("asyncio_task"), "{}", task.get_name());
        task.clone().set_name("reader");
        assert_eq!(task.get_name(), "reader");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_the_module_is_cancelled_when_the_root_ends() {
    let journal = Journal::default();
    let says = journal.clone();
    inside(async |_| {
        asyncio::create_task(async move {
            let _dropped = Drops(says, "cancelled");
            sleep_forever().await
        });
        checkpoint().await;
        Ok(())
    })
    .await;
    assert_eq!(journal.said(), "cancelled");
}
