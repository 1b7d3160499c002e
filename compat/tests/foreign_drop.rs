//! Futures that foreign code drops or moves: `select!`, `join!`, `FuturesUnordered`, an aborted loop.

mod log;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use foster_compat::{
    CancelScope, Nursery, checkpoint, dump, finally, move_on_after, open_nursery, run_here, shield, sleep,
    sleep_forever,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::log::{AtDrop, Log, Logged, inside, ms, ms_since};

type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

#[tokio::test(start_paused = true)]
async fn a_nursery_dropped_by_select_drops_its_children_at_once() {
    let log = Log::default();
    inside(async {
        tokio::select! {
            _ = open_nursery(async |nursery| {
                let log = log.clone();
                nursery.start_soon(async move {
                    let _gone = log.at_drop("child-dropped");
                    shield(sleep_forever()).await
                });
                nursery.start_soon(async {});
                sleep_forever().await;
                Ok(())
            }) => unreachable!(),
            () = sleep(ms(10)) => {}
        }
        log.say("after-select");
        assert_eq!(dump(), "loop\n  root\n");
    })
    .await;
    assert_eq!(log.said(), "child-dropped after-select");
}

#[tokio::test(start_paused = true)]
async fn a_nursery_without_children_is_closed_when_it_is_dropped() {
    let logged = Logged::default();
    let _subscriber = tracing::subscriber::set_default(logged.clone());
    inside(async {
        let kept = RefCell::new(None);
        tokio::select! {
            _ = open_nursery(async |nursery| {
                kept.replace(Some(nursery));
                sleep_forever().await;
                Ok(())
            }) => unreachable!(),
            () = sleep(ms(1)) => {}
        }
        let nursery: Nursery = kept.take().unwrap();
        assert!(nursery.is_closed() && nursery.try_start_soon(async {}).is_err());
        nursery.start_soon(async {});
        assert!(logged.has("its nursery is closed"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_in_line_is_dropped_with_its_nursery() {
    let log = Log::default();
    inside(async {
        let nursery = Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
            nursery.start_soon(sleep_forever());
            let gone = log.at_drop("dropped");
            nursery.start_soon(async move { drop(gone) });
            sleep_forever().await;
            Ok(())
        });
        tokio::select! {
            _ = nursery => unreachable!(),
            () = sleep(ms(1)) => {}
        }
        assert_eq!(log.said(), "dropped");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_child_that_outlives_its_nursery_goes_to_the_exception_handler() {
    let logged = Logged::default();
    let _subscriber = tracing::subscriber::set_default(logged.clone());
    inside(async {
        tokio::select! {
            _ = open_nursery(async |nursery| {
                nursery.start_soon(async move {
                    let _gone = AtDrop(|| panic!("in drop"));
                    sleep_forever().await
                });
                sleep_forever().await;
                Ok(())
            }) => unreachable!(),
            () = sleep(ms(1)) => {}
        }
    })
    .await;
    assert!(logged.has("panicked: in drop"), "{:?}", logged.lines());
}

#[tokio::test(start_paused = true)]
async fn guards_are_balanced_after_foreign_drops() {
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(5), async {
            tokio::select! {
                () = shield(sleep_forever()) => {}
                () = tokio::time::sleep(ms(2)) => {}
            }
            tokio::select! {
                _ = open_nursery(async |_| { sleep_forever().await; Ok(()) }) => {}
                () = tokio::time::sleep(ms(1)) => {}
            }
            tokio::select! {
                () = finally(sleep_forever(), sleep_forever()) => {}
                () = tokio::time::sleep(ms(1)) => {}
            }
            sleep_forever().await
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_nursery_ten_thousand_deep_is_dropped_without_recursion() {
    fn nested(depth: u32, n_dropped: Rc<Cell<u32>>) -> BoxedFuture {
        Box::pin(async move {
            let _gone = AtDrop({
                let n_dropped = n_dropped.clone();
                move || n_dropped.set(n_dropped.get() + 1)
            });
            let _ = open_nursery(async |nursery| {
                if depth > 0 {
                    nursery.start_soon(nested(depth - 1, n_dropped));
                }
                sleep_forever().await;
                Ok(())
            })
            .await;
        })
    }
    let n_dropped = Rc::new(Cell::new(0));
    inside(async {
        tokio::select! {
            () = nested(10_000, n_dropped.clone()) => unreachable!(),
            () = sleep(ms(1)) => {}
        }
        assert_eq!((n_dropped.get(), dump().as_str()), (10_001, "loop\n  root\n"));
        // The same tree, cancelled.
        assert!(move_on_after(ms(1), nested(10_000, n_dropped.clone())).await.is_none());
        assert_eq!((n_dropped.get(), dump().as_str()), (20_002, "loop\n  root\n"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_drops_its_own_nursery_is_dropped_when_its_poll_returns() {
    let log = Log::default();
    inside(async {
        let cell: Rc<RefCell<Option<BoxedFuture>>> = Rc::default();
        let (held, words) = (cell.clone(), log.clone());
        *cell.borrow_mut() = Some(Box::pin(async move {
            let _ = open_nursery(async move |nursery: Nursery| {
                nursery.start_soon(async move {
                    let _gone = words.at_drop("dropped");
                    drop(held.take());
                    words.say("still-in-its-poll");
                    checkpoint().await;
                    words.say("NOT");
                });
                sleep_forever().await;
                Ok(())
            })
            .await;
        }));
        poll_held_once(&cell).await;
        sleep(ms(5)).await;
        assert_eq!(dump(), "loop\n  root\n");
    })
    .await;
    assert_eq!(log.said(), "still-in-its-poll dropped");
}

#[tokio::test]
async fn dropping_the_loop_drops_every_task_at_once() {
    let n_dropped = Rc::new(Cell::new(0));
    let count = n_dropped.clone();
    let mut future = Box::pin(run_here(async move {
        open_nursery(async move |nursery: Nursery| {
            for _ in 0..3 {
                let (count, handle) = (count.clone(), nursery.clone());
                nursery.start_soon(async move {
                    let _gone = AtDrop(move || {
                        count.set(count.get() + 1);
                        let _ = handle.try_start_soon(async {});
                        handle.cancel();
                    });
                    shield(sleep_forever()).await
                });
            }
            sleep_forever().await;
            Ok(())
        })
        .await
    }));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    drop(future);
    assert_eq!((n_dropped.get(), Rc::strong_count(&n_dropped)), (3, 1));
}

#[tokio::test]
async fn a_panic_in_a_drop_while_the_loop_is_dropped_stops_nothing() {
    let n_dropped = Rc::new(Cell::new(0));
    let count = n_dropped.clone();
    let mut future = Box::pin(run_here(async move {
        open_nursery(async move |nursery: Nursery| {
            for _ in 0..3 {
                let count = count.clone();
                nursery.start_soon(async move {
                    let _gone = AtDrop(move || {
                        count.set(count.get() + 1);
                        panic!("in drop");
                    });
                    sleep_forever().await
                });
            }
            sleep_forever().await;
            Ok(())
        })
        .await
    }));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    drop(future);
    assert_eq!(n_dropped.get(), 3);
}

// ---- moved between tasks

#[tokio::test(start_paused = true)]
async fn a_scope_polled_in_one_task_and_moved_to_another_follows_it() {
    let log = Log::default();
    inside(open_nursery(async |outer| {
        let words = log.clone();
        let mut moved: BoxedFuture = Box::pin(async move {
            move_on_after(ms(1000), async {
                let _gone = words.at_drop("dropped");
                sleep(ms(50)).await;
                words.say("NOT");
            })
            .await;
        });
        poll_once(&mut moved).await;
        let start = Instant::now();
        open_nursery(async |inner| {
            inner.start_soon(moved);
            sleep(ms(5)).await;
            inner.cancel();
            Ok(())
        })
        .await?;
        assert_eq!((ms_since(start), outer.cancel_scope().cancel_called()), (5, false));
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_shield_inside_a_moved_scope_guards_the_task_it_was_moved_to() {
    let log = Log::default();
    inside(open_nursery(async |_| {
        let words = log.clone();
        let mut moved: BoxedFuture = Box::pin(async move {
            move_on_after(ms(1000), async {
                shield(sleep(ms(50))).await;
                words.say("shield-ended");
            })
            .await;
        });
        poll_once(&mut moved).await;
        open_nursery(async |inner| {
            inner.start_soon(moved);
            sleep(ms(5)).await;
            inner.cancel();
            Ok(())
        })
        .await?;
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "shield-ended");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_scope_whose_shield_was_moved_away_ends_without_it() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let start = Instant::now();
        let moved: Rc<RefCell<Option<BoxedFuture>>> = Rc::default();
        let words = log.clone();
        *moved.borrow_mut() = Some(Box::pin(async move {
            shield(sleep(ms(50))).await;
            words.say("shield-ended");
        }));
        let other = moved.clone();
        nursery.start_soon(async move {
            sleep(ms(20)).await;
            let future = other.take().unwrap();
            future.await;
        });
        let got = move_on_after(ms(10), async {
            poll_held_once(&moved).await;
            sleep_forever().await
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 20);
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "shield-ended");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_scope_whose_shield_another_task_drops_ends_at_once() {
    inside(open_nursery(async |nursery| {
        let start = Instant::now();
        let held: Rc<RefCell<Option<BoxedFuture>>> = Rc::new(RefCell::new(Some(Box::pin(shield(sleep_forever())))));
        let other = held.clone();
        nursery.start_soon(async move {
            sleep(ms(20)).await;
            drop(other.take());
        });
        let got = move_on_after(ms(10), async {
            poll_held_once(&held).await;
            sleep_forever().await
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 20);
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_nursery_moved_between_tasks_takes_its_children_along() {
    let log = Log::default();
    inside(async {
        let words = log.clone();
        let mut moved: BoxedFuture = Box::pin(async move {
            let _ = open_nursery(async |nursery| {
                let words = words.clone();
                nursery.start_soon(async move {
                    let _gone = words.at_drop("child-dropped");
                    sleep_forever().await
                });
                Ok(())
            })
            .await;
        });
        poll_once(&mut moved).await;
        open_nursery(async |other| {
            other.start_soon(moved);
            sleep(ms(5)).await;
            other.cancel();
            Ok(())
        })
        .await
        .unwrap();
    })
    .await;
    assert_eq!(log.said(), "child-dropped");
}

// ---- several scopes in one task

#[tokio::test(start_paused = true)]
async fn a_scope_in_join_is_cancelled_without_its_siblings() {
    inside(async {
        let scope = CancelScope::new();
        let (got, ()) = tokio::join!(scope.run(sleep_forever()), async {
            sleep(ms(5)).await;
            scope.cancel();
            sleep(ms(5)).await;
        });
        assert!(got.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_scope_inside_futures_unordered_is_woken_by_its_own_waker() {
    inside(async {
        let start = Instant::now();
        let scopes: Vec<_> = (0..3).map(|_| CancelScope::new()).collect();
        let mut running: FuturesUnordered<_> = scopes.iter().map(|scope| scope.run(sleep_forever())).collect();
        assert!(move_on_after(ms(1), running.next()).await.is_none());
        scopes[1].cancel();
        assert_eq!(running.next().await, Some(None));
        scopes[0].set_deadline(Some(start + ms(10)));
        assert_eq!(running.next().await, Some(None));
        assert_eq!((ms_since(start), running.len()), (10, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_nursery_inside_futures_unordered_ends_with_its_last_child_and_when_cancelled() {
    inside(async {
        let start = Instant::now();
        let scope = CancelScope::new();
        let nursery = |time| {
            Nursery::builder().concurrency_limit(1).open(async move |nursery: Nursery| {
                nursery.start_soon(time);
                nursery.start_soon(sleep_forever());
                foster_compat::Ok(())
            })
        };
        let mut running: FuturesUnordered<_> = [scope.run(nursery(shield(sleep(ms(30)))))].into_iter().collect();
        assert!(move_on_after(ms(1), running.next()).await.is_none());
        scope.cancel();
        assert!(matches!(running.next().await, Some(None)));
        assert_eq!(ms_since(start), 30);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shield_inside_futures_unordered_holds_up_its_scope_and_then_lets_go() {
    inside(async {
        let start = Instant::now();
        let got = move_on_after(ms(10), async {
            let mut running: FuturesUnordered<_> = [shield(sleep(ms(20)))].into_iter().collect();
            running.next().await;
            sleep_forever().await
        })
        .await;
        assert!(got.is_none());
        assert_eq!(ms_since(start), 20);
    })
    .await;
}

/// Polls a future once with the waker of the running task.
async fn poll_once(future: &mut BoxedFuture) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await
}

/// As [`poll_once`], for a future that others can reach between polls.
async fn poll_held_once(held: &RefCell<Option<BoxedFuture>>) {
    std::future::poll_fn(|cx| {
        assert!(held.borrow_mut().as_mut().unwrap().as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await
}
