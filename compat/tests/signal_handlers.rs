//! Signal handlers of the loop. What SIGINT and SIGTERM do to `run` is in `interrupt.rs`.

#![cfg(all(feature = "testing", unix))]

mod journal;
mod stage;

use std::sync::{Mutex, MutexGuard, PoisonError};

use foster_compat::{Closed, ContextVar, Loop, Nursery, Result, RuntimeError, ValueError, open_nursery, sleep_forever};
use signal_hook::consts::{SIGKILL, SIGSTOP, SIGUSR1, SIGUSR2};
use signal_hook::low_level::raise;

use crate::journal::{Boom, Drops, Journal};
use crate::stage::{real, turns, until};

/// Signals come to the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test that raises signals, with a journal in which the exception handler writes.
fn with_signals(test: impl AsyncFnOnce(Loop, Journal) -> Result<()>) {
    let _alone = alone();
    real(async |nursery| {
        let (loop_, journal) = (Loop::new(&nursery), Journal::default());
        journal.report(&loop_);
        test(loop_, journal).await
    });
}

#[test]
fn a_signal_calls_its_handler_from_the_queue_each_time() {
    with_signals(async |loop_, journal| {
        loop_.add_signal_handler(SIGUSR1, journal.says_each("usr1"))?;
        for _ in 0..3 {
            raise(SIGUSR1)?;
            assert_eq!(journal.said(), "", "never in the context of the signal");
            until(|| !journal.is_empty()).await;
            turns(5).await;
            assert_eq!(journal.said(), "usr1");
        }
        Ok(())
    });
}

#[test]
fn a_handler_replaces_the_one_before_it() {
    with_signals(async |loop_, journal| {
        let holds = Drops(journal.clone(), "first-dropped");
        loop_.add_signal_handler(SIGUSR1, move || holds.0.say("first"))?;
        loop_.add_signal_handler(SIGUSR1, journal.says_each("second"))?;
        assert_eq!(journal.said(), "first-dropped");
        raise(SIGUSR1)?;
        until(|| !journal.is_empty()).await;
        turns(5).await;
        assert_eq!(journal.said(), "second");
        Ok(())
    });
}

#[test]
fn a_removed_handler_is_not_called_also_where_its_signal_has_come() {
    with_signals(async |loop_, journal| {
        assert!(!loop_.remove_signal_handler(SIGUSR1));
        let holds = Drops(journal.clone(), "dropped");
        loop_.add_signal_handler(SIGUSR1, move || holds.0.say("called"))?;
        turns(3).await;
        raise(SIGUSR1)?;
        assert!(loop_.remove_signal_handler(SIGUSR1));
        assert!(!loop_.remove_signal_handler(SIGUSR1));
        raise(SIGUSR1)?;
        turns(10).await;
        assert_eq!(journal.said(), "dropped");
        Ok(())
    });
}

#[test]
fn a_handler_may_remove_itself() {
    with_signals(async |loop_, journal| {
        let (inner, holds) = (loop_.clone(), Drops(journal.clone(), "dropped"));
        loop_.add_signal_handler(SIGUSR1, move || {
            holds.0.say(format!("removed={}", inner.remove_signal_handler(SIGUSR1)));
        })?;
        raise(SIGUSR1)?;
        until(|| !journal.is_empty()).await;
        assert_eq!(journal.said(), "removed=true dropped");
        Ok(())
    });
}

#[test]
fn signals_are_told_apart() {
    with_signals(async |loop_, journal| {
        loop_.add_signal_handler(SIGUSR1, journal.says_each("usr1"))?;
        loop_.add_signal_handler(SIGUSR2, journal.says_each("usr2"))?;
        raise(SIGUSR2)?;
        until(|| !journal.is_empty()).await;
        turns(5).await;
        assert_eq!(journal.said(), "usr2");
        Ok(())
    });
}

#[test]
fn an_error_goes_to_the_exception_handler_and_the_handler_stays() {
    with_signals(async |loop_, journal| {
        loop_.add_signal_handler(SIGUSR1, || Err::<(), _>(foster_compat::Error::new(Boom)))?;
        for _ in 0..2 {
            raise(SIGUSR1)?;
            until(|| !journal.is_empty()).await;
            assert_eq!(journal.said(), "[Exception in callback: boom]");
        }
        Ok(())
    });
}

#[test]
fn a_panic_goes_to_the_exception_handler_and_the_handler_is_removed() {
    with_signals(async |loop_, journal| {
        loop_.add_signal_handler(SIGUSR1, || -> () { panic!("bang") })?;
        raise(SIGUSR1)?;
        until(|| !journal.is_empty()).await;
        assert_eq!(journal.said(), "[Exception in callback: panicked: bang]");
        assert!(!loop_.remove_signal_handler(SIGUSR1));
        Ok(())
    });
}

#[test]
fn a_handler_sees_the_context_variables_of_who_added_it() {
    thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
    with_signals(async |loop_, journal| {
        USER.with(|user| user.set("ada"));
        let says = journal.clone();
        loop_.add_signal_handler(SIGUSR1, move || says.say(USER.with(ContextVar::get).unwrap_or("nobody")))?;
        USER.with(|user| user.set("bob"));
        raise(SIGUSR1)?;
        until(|| !journal.is_empty()).await;
        assert_eq!(journal.said(), "ada");
        Ok(())
    });
}

#[test]
fn a_handler_does_not_keep_the_nursery_open_and_ends_with_it() {
    with_signals(async |outer, journal| {
        open_nursery(async |nursery: Nursery| {
            let holds = Drops(journal.clone(), "dropped");
            Loop::new(&nursery).add_signal_handler(SIGUSR1, move || holds.0.say("called"))
        })
        .await?;
        assert_eq!(journal.said(), "dropped");
        raise(SIGUSR1)?;
        turns(10).await;
        assert_eq!(journal.said(), "");
        assert!(!outer.remove_signal_handler(SIGUSR1));
        Ok(())
    });
}

#[test]
fn a_cancelled_nursery_calls_no_handler_any_more() {
    with_signals(async |_, journal| {
        open_nursery(async |nursery: Nursery| {
            Loop::new(&nursery).add_signal_handler(SIGUSR1, journal.says_each("called"))?;
            turns(3).await;
            raise(SIGUSR1)?;
            nursery.cancel();
            sleep_forever().await;
            Ok(())
        })
        .await?;
        turns(10).await;
        assert_eq!(journal.said(), "");
        Ok(())
    });
}

#[test]
fn a_handler_works_in_a_loop_of_another_thread() {
    let _alone = alone();
    let thread = std::thread::spawn(|| {
        real(async |nursery| {
            let journal = Journal::default();
            Loop::new(&nursery).add_signal_handler(SIGUSR1, journal.says_each("usr1"))?;
            raise(SIGUSR1)?;
            until(|| !journal.is_empty()).await;
            Ok(())
        });
    });
    thread.join().expect("the test ends well");
}

#[test]
fn signals_that_cannot_be_handled_are_refused() {
    with_signals(async |loop_, _| {
        for number in [SIGKILL, SIGSTOP] {
            let err = loop_.add_signal_handler(number, || ()).unwrap_err();
            assert!(err.is::<RuntimeError>());
            assert_eq!(err.to_string(), format!("sig {number} cannot be caught"));
        }
        for number in [0, -1, 65] {
            let err = loop_.add_signal_handler(number, || ()).unwrap_err();
            assert!(err.is::<ValueError>(), "{number}: {err}");
            assert_eq!(err.to_string(), format!("invalid signal number {number}"));
        }
        assert!(!loop_.remove_signal_handler(SIGKILL));
        Ok(())
    });
}

#[test]
fn a_closed_loop_and_an_ended_nursery_take_no_handler() {
    with_signals(async |_, _| {
        let (closed, ended) = open_nursery(async |nursery: Nursery| {
            let (closed, ended) = (Loop::new(&nursery), Loop::new(&nursery));
            closed.close();
            Ok((closed, ended))
        })
        .await?
        .expect("the body has ended");
        let err = closed.add_signal_handler(SIGUSR1, || ()).unwrap_err();
        assert!(err.is::<RuntimeError>() && err.to_string() == "Event loop is closed", "{err}");
        assert!(ended.add_signal_handler(SIGUSR1, || ()).unwrap_err().is::<Closed>());
        assert!(!ended.remove_signal_handler(SIGUSR1));
        Ok(())
    });
}
