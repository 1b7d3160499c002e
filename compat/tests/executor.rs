//! `run_in_executor`: whose the call is when nobody waits for it any more.

mod journal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use foster_compat::{Loop, checkpoint, get_running_loop, move_on_after, open_nursery, run, run_here};

use crate::journal::{in_loop, ms};

#[tokio::test(start_paused = true)]
async fn a_call_that_has_begun_goes_on_when_who_awaits_is_cancelled() {
    in_loop(async |loop_, _| {
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let ((go, wait), (done, is_done)) = (mpsc::channel::<()>(), mpsc::channel());
        let inner = loop_.clone();
        let task = loop_.create_task(async move {
            let call = move || {
                begun.send(()).expect("somebody waits");
                wait.recv().expect("somebody sends");
                done.send("done").expect("somebody waits");
            };
            inner.run_in_executor(call).await;
            Ok(())
        });
        has_begun.await?;
        task.cancel();
        checkpoint().await;
        assert!(task.cancelled());
        go.send(())?;
        assert_eq!(loop_.run_in_executor(move || is_done.recv()).await, Ok("done"));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_does_not_wait_for_the_thread() {
    in_loop(async |loop_, _| {
        let (go, wait) = mpsc::channel::<()>();
        let call = loop_.run_in_executor(move || wait.recv());
        let cut = open_nursery(async |nursery| {
            nursery.cancel();
            Ok(call.await)
        });
        assert!(cut.await?.is_none());
        go.send(())?;
        Ok(())
    })
    .await;
}

#[test]
fn a_call_that_waits_for_a_thread_is_not_made_once_who_awaits_is_cancelled() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    let made = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
    let flags = made.clone();
    let body = async move {
        let loop_ = get_running_loop()?;
        let (go, wait) = mpsc::channel::<()>();
        let busy = loop_.run_in_executor(move || wait.recv());
        let [cancelled, unawaited, awaited] = flags.map(|flag| move || flag.store(true, Ordering::SeqCst));
        let inner = loop_.clone();
        let task = loop_.create_task(async move {
            inner.run_in_executor(cancelled).await;
            Ok(())
        });
        checkpoint().await;
        checkpoint().await;
        task.cancel();
        checkpoint().await;
        // Whoever never awaits leaves the call to itself.
        drop(loop_.run_in_executor(unawaited));
        go.send(())?;
        busy.await?;
        loop_.run_in_executor(awaited).await;
        foster_compat::Ok(())
    };
    runtime.expect("a runtime").block_on(run_here(body)).expect("it ends well");
    assert_eq!(made.map(|flag| flag.load(Ordering::SeqCst)), [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_nobody_awaits_harms_nobody() {
    in_loop(async |loop_, journal| {
        drop(loop_.run_in_executor(|| -> () { panic!("nobody hears this") }));
        assert!(move_on_after(ms(1), loop_.run_in_executor(|| ())).await.is_some());
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[test]
fn the_end_of_the_loop_waits_for_a_call_that_has_begun() {
    let is_done = Arc::new(AtomicBool::new(false));
    let (flag, (go, wait)) = (is_done.clone(), mpsc::channel::<()>());
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (over, is_over) = mpsc::channel();
    let releases = std::thread::spawn(move || {
        is_over.recv().expect("the root ends");
        // By now the end is waiting, or it will not wait at all.
        (0..1000).for_each(|_| std::thread::yield_now());
        go.send(()).expect("the call waits");
    });
    run(async {
        open_nursery(async |nursery| {
            let call = move || {
                begun.send(()).expect("somebody waits");
                wait.recv().expect("somebody sends");
                flag.store(true, Ordering::SeqCst);
            };
            drop(Loop::new(&nursery).run_in_executor(call));
            has_begun.await?;
            over.send(())?;
            Ok(())
        })
        .await
    })
    .expect("it ends well");
    assert!(is_done.load(Ordering::SeqCst));
    releases.join().expect("no panic");
}
