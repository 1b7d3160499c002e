//! `nursery.start` and `TaskStatus`.

mod log;

use std::cell::RefCell;
use std::rc::Rc;

use foster_compat::{
    CancelScope, Closed, NotStarted, Nursery, TaskStatus, checkpoint, finally, move_on_after, open_nursery, shield,
    sleep, sleep_forever,
};
use tokio::time::Instant;

use crate::log::{Log, Numbered, inside, ms, ms_since, numbered};

#[tokio::test(start_paused = true)]
async fn start_returns_the_value_given_to_started_while_the_child_runs_on() {
    inside(async {
        let start = Instant::now();
        open_nursery(async |nursery| {
            let value = nursery
                .start(async |status: TaskStatus<u32>| {
                    sleep(ms(5)).await;
                    status.started(7);
                    sleep(ms(10)).await;
                    Ok(())
                })
                .await?;
            assert_eq!((value, ms_since(start), nursery.n_children()), (7, 5, 1));
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(ms_since(start), 15);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_before_started_comes_back_from_start_as_it_is() {
    let got = inside(open_nursery(async |nursery| {
        let err = nursery.start(async |_: TaskStatus<()>| Err(numbered(1))).await.unwrap_err();
        assert!(err.is::<Numbered>());
        Ok(())
    }))
    .await;
    assert!(got.is_ok());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "early")]
async fn a_panic_before_started_is_resumed_by_start() {
    inside(open_nursery::<(), _>(async |nursery| {
        nursery.start(async |_: TaskStatus<()>| panic!("early")).await?;
        unreachable!()
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn ending_without_started_is_an_error_of_start() {
    inside(open_nursery(async |nursery| {
        let err = nursery.start(async |_: TaskStatus<()>| Ok(())).await.unwrap_err();
        assert!(err.is::<NotStarted>());
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_after_started_belongs_to_the_nursery() {
    let err = inside(open_nursery(async |nursery| {
        let value = nursery
            .start(async |status: TaskStatus<u32>| {
                status.started(1);
                sleep(ms(5)).await;
                Err(numbered(1))
            })
            .await?;
        assert_eq!(value, 1);
        sleep_forever().await;
        Ok(())
    }))
    .await
    .unwrap_err();
    assert!(err.errors()[0].is::<Numbered>());
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_step_that_called_started_belongs_to_the_nursery() {
    let err = inside(open_nursery(async |nursery| {
        let value = nursery
            .start(async |status: TaskStatus<u32>| {
                status.started(1);
                Err(numbered(1))
            })
            .await;
        assert_eq!(value.unwrap(), 1);
        Ok(())
    }))
    .await
    .unwrap_err();
    assert!(err.errors()[0].is::<Numbered>());
}

#[tokio::test(start_paused = true)]
async fn a_pending_start_keeps_the_nursery_open() {
    inside(async {
        let start = Instant::now();
        open_nursery(async |helper| {
            open_nursery(async |target: Nursery| {
                helper.start_soon(async move {
                    let value = target
                        .start(async |status: TaskStatus<u32>| {
                            sleep(ms(10)).await;
                            status.started(1);
                            sleep(ms(10)).await;
                            Ok(())
                        })
                        .await;
                    assert_eq!(value.unwrap(), 1);
                });
                checkpoint().await;
                Ok(())
            })
            .await?;
            assert_eq!(ms_since(start), 20);
            Ok(())
        })
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_pending_start_cancels_the_child() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        let got = move_on_after(ms(5), async {
            let _ = nursery
                .start(async move |status: TaskStatus<()>| {
                    let _gone = child.at_drop("child-dropped");
                    sleep(ms(10)).await;
                    status.started(());
                    Ok(())
                })
                .await;
            log.say("NOT");
        })
        .await;
        assert!(got.is_none());
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "child-dropped");
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_caller_was_cancelled_first_stays_with_the_caller() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        let got = move_on_after(ms(5), async {
            nursery
                .start(async move |status: TaskStatus<()>| {
                    let _gone = child.at_drop("dropped");
                    shield(sleep(ms(10))).await;
                    status.started(());
                    child.say("started");
                    sleep(ms(10)).await;
                    child.say("NOT");
                    Ok(())
                })
                .await
        })
        .await;
        assert!(got.is_none());
        assert_eq!(log.said(), "started dropped");
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_started_child_outlives_the_scope_of_its_caller() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        move_on_after(ms(20), async {
            nursery
                .start(async move |status: TaskStatus<()>| {
                    status.started(());
                    sleep(ms(50)).await;
                    child.say("ended");
                    Ok(())
                })
                .await?;
            sleep_forever().await;
            foster_compat::Ok(())
        })
        .await;
        log.say("caller-stopped");
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "caller-stopped ended");
}

#[tokio::test(start_paused = true)]
async fn a_child_started_into_a_cancelled_nursery_is_cancelled_at_its_next_suspension() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        shield(async {
            nursery.cancel();
            let value = nursery
                .start(async move |status: TaskStatus<u32>| {
                    sleep(ms(5)).await;
                    child.say("before");
                    status.started(1);
                    child.say("after");
                    checkpoint().await;
                    child.say("NOT");
                    Ok(())
                })
                .await;
            log.say(value.unwrap().to_string());
        })
        .await;
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "before after 1");
}

#[tokio::test(start_paused = true)]
async fn start_in_a_closed_nursery_is_an_error() {
    inside(async {
        let nursery = open_nursery(async |nursery| Ok(nursery)).await.unwrap().unwrap();
        let err = nursery.start(async |_: TaskStatus<()>| Ok(())).await.unwrap_err();
        assert!(err.is::<Closed>());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_may_cancel_the_scope_of_its_caller_and_still_start() {
    inside(open_nursery(async |nursery| {
        let scope = CancelScope::new();
        let inner = scope.clone();
        let got = scope
            .run(async {
                nursery
                    .start(async move |status: TaskStatus<u32>| {
                        inner.cancel();
                        status.started(1);
                        Ok(())
                    })
                    .await
            })
            .await;
        // The child ended well in the caller's nursery, so its value is kept.
        assert_eq!(got.unwrap().unwrap(), 1);
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_child_and_of_its_own_clean_up_come_back_together() {
    inside(open_nursery(async |nursery| {
        let err = nursery
            .start(async |_: TaskStatus<()>| {
                open_nursery(async |inner| {
                    inner.start_soon(async { Err(numbered(1)) });
                    inner.start_soon(async {
                        finally(sleep_forever(), sleep(ms(1))).await;
                    });
                    inner.start_soon(async { Err(numbered(2)) });
                    Ok(())
                })
                .await?;
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(err.to_string(), "2 errors in a nursery: (1) number 1; (2) number 2");
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_status_kept_beyond_the_end_of_everything_is_harmless() {
    let kept = Rc::new(RefCell::new(None));
    inside(open_nursery(async |nursery| {
        let keep = kept.clone();
        let child = async move |status: TaskStatus<u32>| {
            keep.borrow_mut().replace(status);
            Ok(())
        };
        assert!(nursery.start(child).await.unwrap_err().is::<NotStarted>());
        Ok(())
    }))
    .await
    .unwrap();
    kept.take().unwrap().started(1);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_foreign_code_drops_takes_its_child_along() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        tokio::select! {
            _ = nursery.start(async move |status: TaskStatus<()>| {
                let _gone = child.at_drop("child-dropped");
                sleep(ms(10)).await;
                status.started(());
                Ok(())
            }) => log.say("NOT"),
            () = sleep(ms(5)) => log.say("selected"),
        }
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "child-dropped selected");
}

#[tokio::test(start_paused = true)]
async fn a_started_child_takes_no_place_under_the_concurrency_limit() {
    let log = Log::default();
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        nursery
            .start(async |status: TaskStatus<()>| {
                status.started(());
                Ok(())
            })
            .await?;
        for name in ["a", "b"] {
            let log = log.clone();
            nursery.start_soon(async move {
                log.say(format!("{name}-begins"));
                sleep(ms(1)).await;
                log.say(format!("{name}-ends"));
            });
        }
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "a-begins a-ends b-begins b-ends");
}
