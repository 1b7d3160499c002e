//! Tasks of a connection whose first step is taken at once, and steps in the scope of a connection.

#![cfg(feature = "testing")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::testing::{self, Trace};
use foster_compat::{
    ContextVar, Error, Event, Nursery, Protocol, Result, TransportRef, cancel_reason, checkpoint, open_nursery,
    run_here, sleep_forever,
};

#[derive(Default)]
struct Silent;

impl Protocol for Silent {}

async fn connected(body: impl AsyncFnOnce(TransportRef, Trace) -> Result<()>) {
    let outcome = run_here(open_nursery(async |nursery: Nursery| {
        let trace = Trace::new();
        let (transport, _handle, _peer) = testing::connect(&nursery, trace.wrap(Silent));
        while trace.lines().is_empty() {
            checkpoint().await;
        }
        body(transport.clone(), trace).await?;
        transport.abort();
        Ok(())
    }));
    outcome.await.expect("nothing in the nursery fails");
}

struct AtDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn shared<T: Default>() -> Rc<T> {
    Rc::default()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_ready_has_run_when_start_eagerly_returns() {
    connected(async |transport, _| {
        let has_run = shared::<Cell<bool>>();
        let says = has_run.clone();
        transport.start_eagerly(async move { says.set(true) });
        assert!(has_run.get());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_goes_on_in_its_turn() {
    connected(async |transport, _| {
        let (event, steps) = (Event::new(), shared::<RefCell<Vec<&str>>>());
        let (waits, says) = (event.clone(), steps.clone());
        transport.start_eagerly(async move {
            says.borrow_mut().push("first");
            waits.wait().await;
            says.borrow_mut().push("second");
        });
        assert_eq!(*steps.borrow(), ["first"]);
        event.set();
        checkpoint().await;
        assert_eq!(*steps.borrow(), ["first", "second"]);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_is_cancelled_when_the_connection_is_lost() {
    let reason = shared::<RefCell<Option<String>>>();
    let told = reason.clone();
    connected(async |transport, _| {
        transport.start_eagerly(async move {
            let _asks = AtDrop(move || *told.borrow_mut() = cancel_reason().map(|reason| reason.to_string()));
            sleep_forever().await;
        });
        transport.abort();
        transport.closed().await;
        checkpoint().await;
        checkpoint().await;
        Ok(())
    })
    .await;
    assert_eq!(reason.borrow().as_deref(), Some("the connection was lost"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_first_step_ends_the_connection() {
    connected(async |transport, trace| {
        transport.start_eagerly(async { Result::<()>::Err(Error::msg("no")) });
        assert_eq!(transport.closed().await.map(|err| err.to_string()).as_deref(), Some("no"));
        assert_eq!(trace.lines().last().map(String::as_str), Some("lost no"));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_first_step_ends_the_connection_and_not_its_caller() {
    connected(async |transport, _| {
        transport.start_eagerly(async { panic!("of the first step") });
        let err = transport.closed().await.expect("the panic is the error");
        assert!(err.to_string().contains("of the first step"), "{err}");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_nursery_of_the_first_step_moves_with_its_task() {
    connected(async |transport, _| {
        let (event, is_done) = (Event::new(), shared::<Cell<bool>>());
        let (waits, says) = (event.clone(), is_done.clone());
        transport.start_eagerly(async move {
            open_nursery(async |nursery: Nursery| {
                nursery.start_soon(async move { waits.wait().await });
                Ok(())
            })
            .await?;
            says.set(true);
            Result::Ok(())
        });
        checkpoint().await;
        assert!(!is_done.get());
        event.set();
        for _ in 0..4 {
            checkpoint().await;
        }
        assert!(is_done.get());
        Ok(())
    })
    .await;
}

thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });

#[tokio::test(start_paused = true)]
async fn what_the_first_step_sets_is_its_own_and_stays_with_it() {
    connected(async |transport, _| {
        USER.with(|user| user.set("caller"));
        let found = shared::<RefCell<Vec<Option<&str>>>>();
        let says = found.clone();
        transport.start_eagerly(async move {
            says.borrow_mut().push(USER.with(ContextVar::get));
            USER.with(|user| user.set("task"));
            checkpoint().await;
            says.borrow_mut().push(USER.with(ContextVar::get));
        });
        assert_eq!(USER.with(ContextVar::get), Some("caller"));
        checkpoint().await;
        checkpoint().await;
        assert_eq!(*found.borrow(), [Some("caller"), Some("task")]);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_step_in_scope_that_panics_leaves_the_scope_of_its_caller_as_it_was() {
    connected(async |transport, _| {
        USER.with(|user| user.set("caller"));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            transport.in_scope(|| {
                USER.with(|user| user.set("step"));
                panic!("inside");
            });
        }));
        assert!(caught.is_err());
        assert_eq!(USER.with(ContextVar::get), Some("caller"));
        Ok(())
    })
    .await;
}

#[test]
fn a_detached_transport_runs_a_step_and_starts_no_task() {
    let transport = TransportRef::default();
    assert_eq!(transport.in_scope(|| 7), 7);
    transport.start_eagerly(sleep_forever_outside());
}

/// Waits without a loop.
async fn sleep_forever_outside() {
    std::future::pending::<()>().await;
}
