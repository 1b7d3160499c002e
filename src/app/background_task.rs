//! [`BackgroundTask`]: work beside the requests, and what becomes of it when it fails.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::background::{AppNursery, expect_open};
use super::isolated::{Isolated, Procedure, report};
use crate::serve::Backoff;
use crate::{Outcome, get_running_loop, move_on_after};

/// What is done when a background task fails, by an error or a panic. One that ends well has ended, whatever stands here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackgroundPolicy {
    /// It is reported, and everybody else goes on: Quart's way.
    #[default]
    Isolate,
    /// It is reported, and started again after a pause of 0.1 s, which doubles with each failure up to 5 s, and is 0.1 s
    /// again after a life of 10 s. Not once the application shuts down.
    Restart,
    /// The server is told to stop, as by a signal, and the error is that of the server: of
    /// [`run_task`](super::App::run_task), of [`run`](super::App::run), of [`serve`](crate::serve()).
    /// [`serve_workers`](crate::serve_workers) stops all workers and logs it.
    StopApp,
}

/// A background task that was added: what can be said of it besides.
#[derive(Debug)]
pub struct BackgroundTask {
    policy: Rc<Cell<BackgroundPolicy>>,
}

impl BackgroundTask {
    /// What is done when it fails: [`BackgroundPolicy::Isolate`] unless set.
    pub fn policy(&self, policy: BackgroundPolicy) -> &Self {
        self.policy.set(policy);
        self
    }
}

impl AppNursery {
    /// Adds what [`App::add_background_task`](super::App::add_background_task) says.
    #[track_caller]
    pub(super) fn add<F, R>(&self, task: F) -> BackgroundTask
    where
        F: AsyncFn() -> R + 'static,
        R: Outcome,
    {
        let policy = Rc::new(Cell::new(BackgroundPolicy::default()));
        let (task, for_task): (Rc<dyn Procedure>, _) = (Rc::new(task), policy.clone());
        let supervised = |nursery| supervise(nursery, task, for_task);
        expect_open(self.start(std::any::type_name::<F>(), supervised));
        BackgroundTask { policy }
    }
}

async fn supervise(nursery: AppNursery, task: Rc<dyn Procedure>, policy: Rc<Cell<BackgroundPolicy>>) {
    let mut backoff = Backoff::new();
    loop {
        let began = now();
        let life = {
            let task = task.clone();
            Isolated::new(async move { task.call().await })
        };
        let Err(err) = life.await else { return };
        match policy.get() {
            BackgroundPolicy::StopApp => return nursery.fail(err),
            BackgroundPolicy::Restart if !nursery.stopping().is_set() => {}
            BackgroundPolicy::Restart | BackgroundPolicy::Isolate => return report("a background task failed", err),
        }
        let pause = backoff.pause_after(now().saturating_sub(began));
        report(format!("a background task failed, and is started again in {pause:?}"), err);
        if move_on_after(pause, nursery.stopping().wait()).await.is_some() {
            return;
        }
    }
}

/// The time of the loop.
fn now() -> Duration {
    get_running_loop().map_or(Duration::ZERO, |running| Duration::from_secs_f64(running.time()))
}
