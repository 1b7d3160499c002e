//! `create_task` and `gather`: children with results.

mod log;

use foster_compat::{
    CancelScope, Cancelled, Nursery, NurseryError, gather, move_on_after, open_nursery, sleep, sleep_forever,
};
use tokio::time::Instant;

use crate::log::{Log, Numbered, inside, ms, ms_since, numbered};

#[tokio::test(start_paused = true)]
async fn awaiting_a_task_gives_its_value() {
    inside(open_nursery(async |nursery| {
        let task = nursery.create_task(async {
            sleep(ms(5)).await;
            42
        });
        assert!(!task.is_finished());
        assert_eq!(task.await, Ok(42));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_gives_its_value_at_once() {
    inside(open_nursery(async |nursery| {
        let task = nursery.create_task(async { 42 });
        sleep(ms(1)).await;
        assert!(task.is_finished());
        assert_eq!(task.await, Ok(42));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_value_belongs_to_the_handle_and_not_to_the_nursery() {
    let got = inside(open_nursery(async |nursery| {
        let task = nursery.create_task(async { Err::<(), _>(Numbered(1)) });
        assert_eq!(task.await, Ok(Err(Numbered(1))));
        Ok(())
    }))
    .await;
    assert!(got.is_ok());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "boom")]
async fn a_panic_of_a_task_belongs_to_the_nursery() {
    inside(open_nursery(async |nursery| {
        let _task = nursery.create_task(async { panic!("boom") });
        sleep_forever().await;
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_lets_the_task_run_on() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let log = log.clone();
        drop(nursery.create_task(async move {
            sleep(ms(5)).await;
            log.say("ended");
        }));
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "ended");
}

#[tokio::test(start_paused = true)]
async fn awaiting_a_cancelled_task_gives_cancelled() {
    inside(open_nursery(async |nursery| {
        let task = nursery.create_task(sleep_forever());
        sleep(ms(1)).await;
        task.cancel();
        task.cancel();
        assert_eq!(task.await, Err(Cancelled));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_cancelled_before_its_first_step_runs_to_its_first_suspension() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let child = log.clone();
        let task = nursery.create_task(async move {
            child.say("first-step");
            sleep(ms(1)).await;
            child.say("NOT");
        });
        task.cancel();
        assert_eq!(task.await, Err(Cancelled));
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "first-step");
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_task_after_its_end_changes_nothing() {
    inside(open_nursery(async |nursery| {
        let task = nursery.create_task(async { 1 });
        sleep(ms(1)).await;
        // Takes the place that the ended task had.
        let other = nursery.create_task(async {
            sleep(ms(1)).await;
            2
        });
        task.cancel();
        assert_eq!((task.await, other.await), (Ok(1), Ok(2)));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_task_that_waits_for_the_limit_drops_it_without_a_step() {
    let log = Log::default();
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        nursery.start_soon(sleep(ms(10)));
        let child = log.clone();
        let waiting = nursery.create_task(async move { child.say("NOT") });
        waiting.cancel();
        assert_eq!(waiting.await, Err(Cancelled));
        assert_eq!(nursery.n_children(), 1);
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_had_to_wait_for_the_limit_can_be_cancelled_while_it_runs() {
    inside(async {
        let start = Instant::now();
        Nursery::builder()
            .concurrency_limit(1)
            .open(async |nursery: Nursery| {
                nursery.start_soon(sleep(ms(10)));
                let task = nursery.create_task(sleep_forever());
                sleep(ms(20)).await;
                task.cancel();
                assert_eq!(task.await, Err(Cancelled));
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(ms_since(start), 20);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_cancelled_nursery_is_cancelled() {
    inside(async {
        let task = open_nursery(async |nursery| {
            nursery.cancel();
            Ok(nursery.create_task(sleep_forever()))
        })
        .await
        .unwrap()
        .unwrap();
        assert!(task.is_finished());
        assert_eq!(task.await, Err(Cancelled));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_whoever_awaits_a_task_leaves_the_task_alone() {
    inside(open_nursery(async |nursery| {
        let mut task = nursery.create_task(async {
            sleep(ms(10)).await;
            1
        });
        assert!(move_on_after(ms(5), &mut task).await.is_none());
        assert_eq!(task.await, Ok(1));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_has_the_name_it_was_given() {
    inside(open_nursery(async |nursery| {
        let task = nursery.create_task_named("heartbeat", async {});
        assert_eq!((task.name(), format!("{task:?}").as_str()), ("heartbeat", "Task(heartbeat, running)"));
        Ok(())
    }))
    .await
    .unwrap();
}

// ---- gather

#[tokio::test(start_paused = true)]
async fn gather_gives_results_in_the_order_of_its_arguments() {
    inside(async {
        let start = Instant::now();
        let slept = gather([30, 10, 20].map(async |n| {
            sleep(ms(n)).await;
            Ok(n)
        }))
        .await;
        assert_eq!((slept.unwrap(), ms_since(start)), (vec![30, 10, 20], 30));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gathering_nothing_gives_nothing() {
    let got = inside(async { gather(Vec::<std::future::Ready<_>>::new()).await.map(|all: Vec<u32>| all.len()) }).await;
    assert_eq!(got.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_in_gather_cancels_the_others_and_comes_as_a_group() {
    inside(async {
        let start = Instant::now();
        let err: NurseryError = gather([1_u32, 1000].map(async |n| {
            sleep(ms(n.into())).await;
            Err::<(), _>(numbered(n))
        }))
        .await
        .unwrap_err();
        assert_eq!((err.errors().len(), ms_since(start)), (1, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gather_can_give_errors_in_the_place_of_results() {
    inside(async {
        let got = gather([0_u32, 1, 2].map(async |n| if n == 1 { Err(numbered(n)) } else { Ok(n) })).return_errors();
        let shown: Vec<_> = got.await.into_iter().map(|result| result.map_err(|err| err.to_string())).collect();
        assert_eq!(shown, [Ok(0), Err("number 1".to_owned()), Ok(2)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gather_runs_no_more_at_a_time_than_its_limit() {
    inside(async {
        let start = Instant::now();
        gather((0..6).map(async |_| {
            sleep(ms(10)).await;
            Ok(())
        }))
        .concurrency_limit(2)
        .await
        .unwrap();
        assert_eq!(ms_since(start), 30);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_member_of_gather_that_cancels_itself_is_an_error_and_not_a_gap() {
    inside(async {
        let got = gather([0_u32, 1, 2].map(async |n| {
            if n == 1 {
                CancelScope::current().unwrap().cancel();
                sleep_forever().await;
            }
            Ok(n)
        }))
        .await;
        assert!(got.unwrap_err().contains::<Cancelled>());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_gather_does_not_return() {
    let log = Log::default();
    inside(async {
        let got = move_on_after(ms(5), async {
            let _ = gather([async {
                sleep_forever().await;
                Ok(())
            }])
            .return_errors()
            .await;
            log.say("NOT");
        })
        .await;
        assert!(got.is_none());
    })
    .await;
    assert_eq!(log.said(), "");
}
