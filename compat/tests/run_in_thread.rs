//! `run_in_thread`: a loop on a thread of its own.

mod log;

use std::sync::mpsc;
use std::time::Duration;

use foster_compat::{Cancelled, run_in_thread, sleep, sleep_forever};

use crate::log::{AtDrop, Numbered};

#[test]
fn join_gives_the_value() {
    assert_eq!(run_in_thread(|| async { foster_compat::Ok(1) }).unwrap().join().unwrap(), 1);
}

#[test]
fn join_gives_the_error() {
    let thread = run_in_thread(|| async { Err::<(), _>(Numbered(1)) }).unwrap();
    assert!(thread.join().unwrap_err().is::<Numbered>());
}

#[test]
#[should_panic(expected = "boom")]
fn join_resumes_the_panic() {
    let thread = run_in_thread(|| async { if true { panic!("boom") } else { foster_compat::Ok(()) } }).unwrap();
    let _ = thread.join();
}

#[test]
fn the_future_need_not_be_send() {
    let thread = run_in_thread(|| {
        let local = std::rc::Rc::new(5);
        async move {
            sleep(Duration::from_micros(10)).await;
            foster_compat::Ok(*local)
        }
    });
    assert_eq!(thread.unwrap().join().unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handle_can_be_awaited_from_a_multi_threaded_runtime() {
    #[expect(clippy::disallowed_methods, reason = "the handle is moved to another thread of the host's runtime")]
    let got = tokio::spawn(async { run_in_thread(|| async { foster_compat::Ok(1) })?.await }).await;
    assert_eq!(got.unwrap().unwrap(), 1);
}

#[test]
fn cancelling_the_handle_cancels_the_future() {
    let thread = run_in_thread(|| async {
        sleep_forever().await;
        foster_compat::Ok(())
    })
    .unwrap();
    thread.cancel();
    assert!(thread.join().unwrap_err().is::<Cancelled>());
}

#[test]
fn dropping_the_handle_cancels_the_future() {
    let (sender, receiver) = mpsc::channel();
    let thread = run_in_thread(|| async move {
        let _gone = AtDrop(move || sender.send("dropped").unwrap());
        sleep_forever().await;
        foster_compat::Ok(())
    });
    drop(thread.unwrap());
    assert_eq!(receiver.recv(), Ok("dropped"));
}

#[test]
fn a_detached_loop_runs_on() {
    let (go, wait) = tokio::sync::oneshot::channel();
    let (sender, receiver) = mpsc::channel();
    let thread = run_in_thread(|| async move {
        let got: u32 = wait.await?;
        sender.send(got)?;
        foster_compat::Ok(())
    });
    thread.unwrap().detach();
    go.send(7_u32).unwrap();
    assert_eq!(receiver.recv(), Ok(7));
}

#[test]
fn a_loop_may_start_another_in_a_thread_and_await_it() {
    let got = foster_compat::run(async { run_in_thread(|| async { foster_compat::Ok(1) })?.await });
    assert_eq!(got.unwrap(), 1);
}
