//! `Loop`: the queue, timers, handles, errors, threads, and its life.

mod journal;

use std::rc::Rc;
use std::time::Duration;

use foster_compat::{
    ContextVar, Loop, LoopHandle, Nursery, RuntimeError, checkpoint, get_event_loop, get_running_loop, open_nursery,
    run_here, sleep, sleep_forever,
};

use crate::journal::{Boom, Drops, Journal, in_loop, inside, logged, ms};

// ---- the queue

#[tokio::test(start_paused = true)]
async fn callbacks_run_in_the_next_turn_in_the_order_they_came() {
    in_loop(async |loop_, journal| {
        for word in ["one", "two", "three"] {
            loop_.call_soon(journal.says(word));
        }
        journal.say("queued");
        checkpoint().await;
        assert_eq!(journal.said(), "queued one two three");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_callback_queues_runs_after_the_batch() {
    in_loop(async |loop_, journal| {
        let (inner, says) = (loop_.clone(), journal.clone());
        loop_.call_soon(move || {
            says.say("one");
            inner.call_soon(says.says("inner"));
        });
        loop_.call_soon(journal.says("two"));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "one two inner");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_first_step_of_a_task_stands_in_the_same_queue() {
    in_loop(async |loop_, journal| {
        loop_.call_soon(journal.says("one"));
        let says = journal.clone();
        loop_.create_task(async move { says.say("step") });
        loop_.call_soon(journal.says("two"));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "one step two");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_callback_sees_the_context_variables_of_who_queued_it() {
    thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
    in_loop(async |loop_, journal| {
        USER.with(|user| user.set("ada"));
        let says = journal.clone();
        loop_.call_soon(move || says.say(USER.with(ContextVar::get).unwrap_or("nobody")));
        let says = journal.clone();
        loop_.call_later(ms(1), move || says.say(USER.with(ContextVar::get).unwrap_or("nobody")));
        USER.with(|user| user.set("bob"));
        sleep(ms(2)).await;
        assert_eq!(journal.said(), "ada ada");
        Ok(())
    })
    .await;
}

// ---- handles

#[tokio::test(start_paused = true)]
async fn a_cancelled_handle_never_runs_and_drops_what_it_holds() {
    in_loop(async |loop_, journal| {
        let holds = Drops(journal.clone(), "dropped");
        let handle = loop_.call_soon(move || holds.0.say("ran"));
        assert!(!handle.cancelled());
        handle.cancel();
        assert_eq!(journal.said(), "dropped");
        handle.cancel();
        assert!(handle.cancelled());
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_cancelled_in_its_own_batch_is_skipped() {
    in_loop(async |loop_, journal| {
        let later = Rc::new(std::cell::OnceCell::<foster_compat::Handle>::new());
        let cancels = later.clone();
        loop_.call_soon(move || cancels.get().into_iter().for_each(|handle| handle.cancel()));
        let _ = later.set(loop_.call_soon(journal.says("ran")));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_handle_changes_nothing() {
    in_loop(async |loop_, journal| {
        drop(loop_.call_soon(journal.says("soon")));
        drop(loop_.call_later(ms(1), journal.says("later")));
        sleep(ms(2)).await;
        assert_eq!(journal.said(), "soon later");
        Ok(())
    })
    .await;
}

// ---- timers

#[tokio::test(start_paused = true)]
async fn timers_run_in_the_order_of_their_times() {
    in_loop(async |loop_, journal| {
        loop_.call_later(ms(3), journal.says("three"));
        loop_.call_later(ms(1), journal.says("one"));
        loop_.call_later(ms(2), journal.says("two"));
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "one two three");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn timers_due_at_the_same_time_run_in_the_order_they_were_made() {
    in_loop(async |loop_, journal| {
        let when = loop_.time() + 0.001;
        for n in 0..100 {
            let says = journal.clone();
            loop_.call_at(when, move || says.say(n.to_string()));
        }
        sleep(ms(2)).await;
        assert_eq!(journal.said(), (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_without_delay_runs_after_the_callbacks_of_its_turn() {
    in_loop(async |loop_, journal| {
        loop_.call_later(Duration::ZERO, journal.says("timer"));
        loop_.call_soon(journal.says("soon"));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "soon timer");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn times_that_have_passed_and_what_is_no_number_are_due_in_the_next_turn() {
    in_loop(async |loop_, journal| {
        sleep(ms(10)).await;
        let handle = loop_.call_at(-1.0, journal.says("negative"));
        loop_.call_at(f64::NEG_INFINITY, journal.says("minus-infinite"));
        loop_.call_at(f64::NAN, journal.says("nan"));
        loop_.call_at(0.0, journal.says("zero"));
        assert_eq!(handle.when(), 0.0);
        sleep(Duration::from_nanos(1)).await;
        assert_eq!(journal.said(), "negative minus-infinite nan zero");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_time_that_never_comes_is_never_due() {
    in_loop(async |loop_, journal| {
        let handle = loop_.call_at(f64::INFINITY, journal.says("infinite"));
        loop_.call_at(f64::MAX, journal.says("max"));
        loop_.call_later(Duration::MAX, journal.says("later"));
        assert_eq!(handle.when(), f64::INFINITY);
        sleep(Duration::from_secs(1_000_000)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_tells_when_it_is_due_on_the_clock_of_the_loop() {
    in_loop(async |loop_, journal| {
        sleep(ms(5)).await;
        let handle = loop_.call_later(ms(10), journal.says("timer"));
        assert!((handle.when() - loop_.time() - 0.010).abs() < 1e-9, "{} {}", handle.when(), loop_.time());
        sleep(ms(20)).await;
        assert!((loop_.time() - 0.025).abs() < 1e-9, "{}", loop_.time());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_timer_never_runs_and_drops_what_it_holds() {
    in_loop(async |loop_, journal| {
        let holds = Drops(journal.clone(), "dropped");
        let handle = loop_.call_later(ms(1), move || holds.0.say("ran"));
        handle.clone().cancel();
        handle.cancel();
        assert!(handle.cancelled());
        assert_eq!(journal.said(), "dropped");
        sleep(ms(2)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_cancelled_in_the_batch_in_which_it_is_due_is_skipped() {
    in_loop(async |loop_, journal| {
        let later = Rc::new(std::cell::OnceCell::<foster_compat::TimerHandle>::new());
        let cancels = later.clone();
        loop_.call_later(ms(1), move || cancels.get().into_iter().for_each(|handle| handle.cancel()));
        let _ = later.set(loop_.call_later(ms(1), journal.says("ran")));
        sleep(ms(2)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rescheduled_timer_runs_once_at_its_last_time() {
    in_loop(async |loop_, journal| {
        let handle = loop_.call_later(ms(10), journal.says("timer"));
        handle.reschedule(ms(30));
        handle.reschedule(ms(20));
        assert!((handle.when() - 0.020).abs() < 1e-9, "{}", handle.when());
        sleep(ms(19)).await;
        assert_eq!(journal.said(), "");
        sleep(ms(2)).await;
        assert_eq!(journal.said(), "timer");
        sleep(ms(50)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_rescheduled_in_the_batch_in_which_it_is_due_is_put_off() {
    in_loop(async |loop_, journal| {
        let idle = Rc::new(std::cell::OnceCell::<foster_compat::TimerHandle>::new());
        let traffic = idle.clone();
        loop_.call_later(ms(10), move || traffic.get().into_iter().for_each(|handle| handle.reschedule(ms(10))));
        let _ = idle.set(loop_.call_later(ms(10), journal.says("idle")));
        sleep(ms(15)).await;
        assert_eq!(journal.said(), "");
        sleep(ms(10)).await;
        assert_eq!(journal.said(), "idle");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rescheduling_a_timer_that_has_run_or_was_cancelled_does_nothing() {
    in_loop(async |loop_, journal| {
        let ran = loop_.call_later(ms(1), journal.says("ran"));
        let cancelled = loop_.call_later(ms(1), journal.says("cancelled"));
        cancelled.cancel();
        sleep(ms(2)).await;
        let when = ran.when();
        ran.reschedule(ms(1));
        cancelled.reschedule(ms(1));
        assert_eq!(ran.when(), when);
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "ran");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_can_be_rescheduled_to_never_and_back() {
    in_loop(async |loop_, journal| {
        let handle = loop_.call_later(ms(1), journal.says("timer"));
        handle.reschedule(Duration::MAX);
        assert_eq!(handle.when(), f64::INFINITY);
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "");
        handle.reschedule(ms(1));
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "timer");
        Ok(())
    })
    .await;
}

// ---- errors

#[tokio::test(start_paused = true)]
async fn an_error_of_a_callback_goes_to_the_handler_and_the_loop_goes_on() {
    in_loop(async |loop_, journal| {
        loop_.call_soon(|| Err::<(), _>(foster_compat::Error::new(Boom)));
        loop_.call_soon(|| -> () { panic!("bang") });
        loop_.call_later(ms(1), || Err::<(), _>(foster_compat::Error::new(Boom)));
        loop_.call_soon(journal.says("after"));
        sleep(ms(2)).await;
        let wanted = "[Exception in callback: boom] [Exception in callback: panicked: bang] after \
                      [Exception in callback: boom]";
        assert_eq!(journal.said(), wanted);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_handler_is_logged_with_what_it_was_told() {
    let (logged, _guard) = logged();
    in_loop(async |loop_, _| {
        loop_.set_exception_handler(Some(|_: &Loop, _: &foster_compat::ExceptionContext| {
            Err::<(), _>(foster_compat::Error::new(Boom))
        }));
        loop_.call_exception_handler(&foster_compat::ExceptionContext::new("first", None));
        loop_.set_exception_handler(Some(|_: &Loop, _: &foster_compat::ExceptionContext| -> () { panic!("bang") }));
        loop_.call_exception_handler(&foster_compat::ExceptionContext::new("second", None));
        Ok(())
    })
    .await;
    let wanted = [
        "Unhandled error in exception handler: boom; it was told: first",
        "Unhandled error in exception handler: panicked: bang; it was told: second",
    ];
    assert_eq!(logged.lines(), wanted);
}

#[tokio::test(start_paused = true)]
async fn without_a_handler_errors_are_logged() {
    let (logged, _guard) = logged();
    in_loop(async |loop_, journal| {
        loop_.set_exception_handler(None::<fn(&Loop, &foster_compat::ExceptionContext)>);
        loop_.call_soon(|| Err::<(), _>(foster_compat::Error::new(Boom)));
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
    assert_eq!(logged.lines(), ["Exception in callback: boom"]);
}

// ---- threads

#[tokio::test(start_paused = true)]
async fn calls_of_one_thread_run_in_their_order() {
    in_loop(async |loop_, _| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handle = loop_.handle();
        loop_
            .run_in_executor(move || {
                for n in 0..100 {
                    let sender = sender.clone();
                    handle.call_soon_threadsafe(move || sender.send(n).unwrap_or(())).expect("the loop runs");
                }
            })
            .await;
        checkpoint().await;
        checkpoint().await;
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_call_from_a_thread_goes_to_the_handler() {
    in_loop(async |loop_, journal| {
        loop_.call_soon_threadsafe(|| Err::<(), _>(foster_compat::Error::new(Boom)))?;
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "[Exception in callback: boom]");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_from_a_thread_after_the_end_of_the_loop_is_an_error() {
    let handle: LoopHandle = in_loop(async |loop_, _| Ok(loop_.handle())).await.expect("it was not cancelled");
    let err = std::thread::spawn(move || handle.call_soon_threadsafe(|| ())).join().expect("no panic").unwrap_err();
    assert!(err.is::<RuntimeError>());
    assert_eq!(err.to_string(), "Event loop is closed");
}

#[tokio::test(start_paused = true)]
async fn a_coroutine_from_a_thread_gives_its_result_to_that_thread() {
    in_loop(async |loop_, _| {
        let handle = loop_.handle();
        let in_thread = move || {
            // No sleep: the paused clock stands while a thread works.
            let coroutine = async || {
                checkpoint().await;
                foster_compat::Ok(42)
            };
            let failing = async || Err::<(), _>(foster_compat::Error::new(Boom));
            let value = handle.run_coroutine_threadsafe(coroutine).and_then(|future| future.result());
            let err = handle.run_coroutine_threadsafe(failing).and_then(|future| future.result());
            (value.map_err(|err| err.to_string()), err.map_err(|err| err.to_string()))
        };
        let got = loop_.run_in_executor(in_thread).await;
        assert_eq!(got, (Ok(42), Err("boom".to_owned())));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_coroutine_from_a_thread_after_the_end_of_the_loop_is_an_error() {
    let handle: LoopHandle = in_loop(async |loop_, _| Ok(loop_.handle())).await.expect("it was not cancelled");
    let err = handle.run_coroutine_threadsafe(async || foster_compat::Ok(())).map(drop).unwrap_err();
    assert!(err.is::<RuntimeError>());
}

#[tokio::test(start_paused = true)]
async fn a_coroutine_from_a_thread_that_the_loop_ends_first_is_cancelled() {
    let future = in_loop(async |loop_, _| {
        let future = loop_.handle().run_coroutine_threadsafe(sleep_forever)?;
        sleep(ms(1)).await;
        Ok(future)
    })
    .await;
    let err = future.expect("it was not cancelled").await.unwrap_err();
    assert!(err.is::<foster_compat::CancelledError>());
}

// ---- the executor

#[tokio::test(start_paused = true)]
async fn a_call_in_the_executor_gives_its_value() {
    in_loop(async |loop_, _| {
        let here = std::thread::current().id();
        let (value, there) = loop_.run_in_executor(|| (42, std::thread::current().id())).await;
        assert_eq!(value, 42);
        assert_ne!(here, there);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "bang")]
async fn a_panic_in_the_executor_is_resumed_in_who_awaits() {
    in_loop(async |loop_, _| {
        loop_.run_in_executor(|| -> () { panic!("bang") }).await;
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_in_the_executor_begins_before_anybody_waits_and_goes_on_without() {
    in_loop(async |loop_, _| {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(loop_.run_in_executor(move || sender.send(42)));
        assert_eq!(loop_.run_in_executor(move || receiver.recv()).await, Ok(42));
        Ok(())
    })
    .await;
}

// ---- its life

#[tokio::test(start_paused = true)]
async fn stop_cancels_the_nursery_and_all_that_is_queued() {
    let journal = Journal::default();
    let stopped = in_loop(async |loop_, _| {
        let says = journal.clone();
        loop_.create_task(async move {
            let _dropped = Drops(says, "task-dropped");
            sleep_forever().await
        });
        loop_.call_later(ms(1), journal.says("timer"));
        checkpoint().await;
        loop_.stop();
        loop_.call_soon(journal.says("callback"));
        sleep_forever().await;
        Ok(())
    })
    .await;
    assert!(stopped.is_none());
    assert_eq!(journal.said(), "task-dropped");
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_is_closed_for_its_clones_and_takes_nothing() {
    let (logged, _guard) = logged();
    let journal = Journal::default();
    in_loop(async |loop_, _| {
        let clone = loop_.clone();
        assert!(clone.is_running() && !clone.is_closed());
        loop_.close();
        loop_.close();
        assert!(!clone.is_running() && clone.is_closed());
        let holds = Drops(journal.clone(), "dropped");
        assert!(clone.call_soon(move || holds.0.say("ran")).cancelled());
        assert!(clone.call_later(ms(1), journal.says("timer")).cancelled());
        assert!(clone.call_soon_threadsafe(|| ()).is_err());
        Ok(())
    })
    .await;
    assert_eq!(journal.said(), "dropped");
    assert_eq!(logged.lines(), ["a callback was dropped: the event loop is closed"; 2]);
}

#[tokio::test(start_paused = true)]
async fn the_callbacks_and_timers_of_an_ended_nursery_never_run_and_did_not_keep_it_open() {
    let journal = Journal::default();
    inside(async |_| {
        let before = tokio::time::Instant::now();
        let loop_ = open_nursery(async |nursery: Nursery| {
            let loop_ = Loop::new(&nursery);
            loop_.call_later(ms(5), journal.says("timer"));
            Ok(loop_)
        })
        .await?
        .expect("it was not cancelled");
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert!(!loop_.is_running());
        loop_.call_soon(journal.says("callback"));
        sleep(ms(10)).await;
        Ok(())
    })
    .await;
    assert_eq!(journal.said(), "");
}

#[tokio::test(start_paused = true)]
async fn a_task_of_an_ended_nursery_is_cancelled_at_once() {
    inside(async |_| {
        let ended = open_nursery(async |nursery: Nursery| Ok(Loop::new(&nursery))).await?;
        let task = ended.expect("it was not cancelled").create_task(async { foster_compat::Ok(1) });
        assert!(task.cancelled());
        assert!(task.await.unwrap_err().is::<foster_compat::CancelledError>());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_after_the_end_of_the_loop_is_dropped_at_once() {
    let (_logged, _guard) = logged();
    let journal = Journal::default();
    let loop_ = run_here(async { get_running_loop() }).await.expect("it is running");
    let holds = [Drops(journal.clone(), "soon"), Drops(journal.clone(), "later"), Drops(journal.clone(), "future")];
    let [soon, later, done] = holds;
    loop_.call_soon(move || drop(soon));
    loop_.call_later(ms(1), move || drop(later)).reschedule(ms(2));
    let future = loop_.create_future::<()>();
    future.cancel();
    future.add_done_callback(move |_| drop(done));
    assert_eq!(journal.said(), "soon later future");
}

#[tokio::test(start_paused = true)]
async fn the_running_loop_outside_a_loop_is_an_error() {
    for found in [get_running_loop(), get_event_loop()] {
        let err = found.unwrap_err();
        assert!(err.is::<RuntimeError>());
        assert_eq!(err.to_string(), "no running event loop");
    }
}

#[tokio::test(start_paused = true)]
async fn work_of_the_running_loop_is_cancelled_when_the_root_ends() {
    let journal = Journal::default();
    let says = journal.clone();
    run_here(async move {
        let loop_ = get_running_loop()?;
        loop_.call_later(ms(1), says.says("timer"));
        loop_.create_task(async move {
            let _dropped = Drops(says, "cancelled");
            sleep_forever().await
        });
        checkpoint().await;
        foster_compat::Ok(())
    })
    .await
    .expect("it ends well");
    assert_eq!(journal.said(), "cancelled");
}
