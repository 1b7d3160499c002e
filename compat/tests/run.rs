//! `run` and `run_here`: where they refuse, what they return, and who may wake the loop.

mod log;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::{Error, checkpoint, open_nursery, run, run_here, sleep, sleep_forever};
use futures::FutureExt;
use tokio::sync::mpsc;

use crate::log::{Log, Numbered, inside, ms, numbered};

#[test]
fn run_gives_the_value_of_its_future() {
    assert_eq!(run(async { foster_compat::Ok(1) }).unwrap(), 1);
}

#[test]
fn run_gives_the_error_of_its_future() {
    let err = run(async { Err::<(), _>(Numbered(1)) }).unwrap_err();
    assert!(err.is::<Numbered>() && !err.is_interrupt() && err.signal().is_none());
}

#[test]
#[should_panic(expected = "boom")]
fn run_resumes_a_panic_of_its_future() {
    let _ = run(async { if true { panic!("boom") } else { foster_compat::Ok(()) } });
}

#[test]
fn run_lends_its_future_what_is_around_it() {
    let mut said = vec![];
    run(async {
        checkpoint().await;
        said.push("hello");
        foster_compat::Ok(())
    })
    .unwrap();
    assert_eq!(said, ["hello"]);
}

#[test]
fn run_can_be_called_again_after_it_has_returned() {
    for n in 0..3 {
        let ended = run(async move {
            sleep(Duration::from_micros(10)).await;
            foster_compat::Ok(n)
        });
        assert_eq!(ended.unwrap(), n);
    }
}

#[test]
fn run_inside_run_says_what_to_do() {
    let err = run(async { run(async { foster_compat::Ok(()) }) }).unwrap_err();
    assert!(err.to_string().contains("await the future instead"), "{err}");
}

#[tokio::test]
async fn run_inside_a_runtime_names_run_here_and_run_in_thread() {
    let text = run(async { foster_compat::Ok(()) }).unwrap_err().to_string();
    assert!(text.contains("run_here(future).await") && text.contains("run_in_thread"), "{text}");
}

#[tokio::test]
async fn run_here_inside_a_loop_says_what_to_do() {
    let err = run_here(run_here(async { foster_compat::Ok(()) })).await.unwrap_err();
    assert!(err.to_string().contains("await the future instead"), "{err}");
}

#[test]
fn run_here_outside_a_runtime_names_run() {
    let err = run_here(async { foster_compat::Ok(()) }).now_or_never().expect("it refuses at once").unwrap_err();
    assert!(err.to_string().contains("call run(future)"), "{err}");
}

#[test]
fn run_here_works_at_the_root_of_a_multi_threaded_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let got = runtime.block_on(run_here(async {
        sleep(Duration::from_millis(1)).await;
        foster_compat::Ok(1)
    }));
    assert_eq!(got.unwrap(), 1);
}

#[test]
#[should_panic(expected = "no foster loop is running on this thread")]
fn a_scope_outside_a_loop_says_so() {
    foster_compat::shield(async {}).now_or_never();
}

#[tokio::test(start_paused = true)]
async fn a_greedy_child_does_not_starve_the_others() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        sender.send(()).unwrap();
        let child = log.clone();
        nursery.start_soon(async move {
            // Always ready: only tokio's budget makes this suspend.
            for _ in 0..10_000 {
                receiver.recv().await.unwrap();
                sender.send(()).unwrap();
            }
            child.say("greedy-ended");
        });
        checkpoint().await;
        checkpoint().await;
        log.say("body");
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "body greedy-ended");
}

#[tokio::test(start_paused = true)]
async fn a_greedy_child_ends_at_its_deadline() {
    inside(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        sender.send(()).unwrap();
        let got = foster_compat::move_on_after(ms(5), async move {
            loop {
                receiver.recv().await.unwrap();
                sender.send(()).unwrap();
                tokio::time::advance(Duration::from_micros(100)).await;
            }
        })
        .await;
        let stopped: Option<()> = got;
        assert!(stopped.is_none());
    })
    .await;
}

#[test]
fn children_are_woken_by_other_threads() {
    let n_got = Rc::new(Cell::new(0));
    run(async {
        open_nursery(async |nursery| {
            for n in 0..100_u32 {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                std::thread::spawn(move || sender.send(n).unwrap());
                let n_got = n_got.clone();
                nursery.start_soon(async move {
                    assert_eq!(receiver.await.unwrap(), n);
                    n_got.set(n_got.get() + 1);
                });
            }
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(n_got.get(), 100);
}

#[test]
fn values_handed_over_by_threads_all_arrive_in_order() {
    const N_VALUES: u32 = 10_000;
    let (sender, mut receiver) = mpsc::channel(8);
    let thread = std::thread::spawn(move || {
        for n in 0..N_VALUES {
            sender.blocking_send(n).unwrap();
        }
    });
    run(async {
        for n in 0..N_VALUES {
            assert_eq!(receiver.recv().await, Some(n));
        }
        foster_compat::Ok(())
    })
    .unwrap();
    thread.join().unwrap();
}

#[test]
fn tasks_of_libraries_that_call_tokio_spawn_run_inside() {
    #[expect(clippy::disallowed_methods, reason = "stands for a library that knows only tokio")]
    let got = run(async { foster_compat::Ok(tokio::spawn(async { 1 }).await?) });
    assert_eq!(got.unwrap(), 1);
}

#[tokio::test]
async fn the_loop_is_woken_exactly_when_something_changes_outside_its_poll() {
    let handle = Rc::new(Cell::new(None));
    let kept = handle.clone();
    let mut run = tokio_test::task::spawn(run_here(async move {
        open_nursery(async |nursery| {
            kept.set(Some(nursery));
            sleep_forever().await;
            Ok(())
        })
        .await
    }));
    while run.poll().is_pending() && run.is_woken() {}
    assert!(!run.is_woken());
    let nursery = handle.take().unwrap();
    nursery.start_soon(async {});
    assert!(run.is_woken());
    while run.poll().is_pending() && run.is_woken() {}
    assert!(!run.is_woken());
    nursery.cancel();
    assert!(run.is_woken());
    let got = loop {
        if let std::task::Poll::Ready(got) = run.poll() {
            break got;
        }
        assert!(run.is_woken());
    };
    assert_eq!(got.unwrap(), None);
}

#[tokio::test]
async fn a_deadline_moved_outside_the_poll_wakes_the_loop() {
    let scope = foster_compat::CancelScope::new();
    let outside = scope.clone();
    let mut run = tokio_test::task::spawn(run_here(async move { foster_compat::Ok(scope.run(sleep_forever()).await) }));
    while run.poll().is_pending() && run.is_woken() {}
    outside.set_deadline(Some(tokio::time::Instant::now()));
    assert!(run.is_woken());
    while run.poll().is_pending() {
        assert!(run.is_woken());
    }
    assert!(outside.cancelled_caught());
}

#[test]
fn an_error_without_a_signal_exits_with_one() {
    let err: Error = numbered(1);
    assert_eq!(format!("{:?}", err.exit_code()), format!("{:?}", std::process::ExitCode::FAILURE));
}
