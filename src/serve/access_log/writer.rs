//! [`Writer`]: the thread that writes lines, and what waits for it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use foster_compat::Result;
use tokio::sync::oneshot;

/// Lines that wait to be written, in bytes: beyond it whoever takes them is not slow but stuck.
const MAX_WAITING: usize = 1024 * 1024;

/// How long lines are gathered before they are written at once. It bounds how often the thread wakes.
const GATHER: Duration = Duration::from_millis(10);

/// A buffer that has grown beyond this is given back.
const MAX_KEPT: usize = 64 * 1024;

type Sink = Box<dyn Write + Send>;

/// The end that lines are given to. Dropped, it lets its thread write what waits and end.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Until the thread has it.
    sink: Mutex<Option<Sink>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    n_lost: u64,
    /// Whoever waits until everything is written.
    flushes: Vec<oneshot::Sender<()>>,
    is_over: bool,
}

impl Waiting {
    fn is_urgent(&self) -> bool {
        self.is_over || !self.flushes.is_empty()
    }
}

impl Writer {
    pub(super) fn new(sink: Sink) -> Self {
        Writer { shared: Arc::default(), sink: Mutex::new(Some(sink)) }
    }

    /// Starts the thread, if it does not run.
    ///
    /// # Errors
    ///
    /// An error of the operating system when there can be no thread.
    pub(super) fn start(&self) -> Result<()> {
        let mut slot = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sink) = slot.take() else { return Ok(()) };
        let shared = self.shared.clone();
        // A sink that cannot be handed over is lost with the server, which does not start.
        thread::Builder::new().name("foster access log".to_owned()).spawn(move || shared.write_on(sink))?;
        Ok(())
    }

    /// Takes a whole line, its end included.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.shared.lock();
        if waiting.lines.len() + line.len() > MAX_WAITING {
            waiting.n_lost += 1;
            return;
        }
        let was_empty = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.shared.changed.notify_one();
        }
    }

    /// Waits until everything is written that was pushed.
    pub(super) async fn flushed(&self) {
        let (sender, flushed) = oneshot::channel();
        let is_running = self.sink.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        if is_running {
            self.shared.lock().flushes.push(sender);
            self.shared.changed.notify_one();
            // Without an answer the thread has ended, and nothing more is written.
            let _ = flushed.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does, until the writer is dropped.
    fn write_on(&self, mut sink: Sink) {
        let mut lines = Vec::new();
        let mut has_failed = false;
        loop {
            let (flushes, n_lost, is_over) = self.next(&mut lines);
            if n_lost > 0 {
                tracing::warn!("{n_lost} lines of the access log were lost: they are not taken fast enough");
            }
            has_failed = !lines.is_empty() && write(&mut sink, &lines, has_failed);
            lines.clear();
            if lines.capacity() > MAX_KEPT {
                lines = Vec::new();
            }
            for flush in flushes {
                // Who waits may have been cancelled.
                let _ = flush.send(());
            }
            if is_over {
                return;
            }
        }
    }

    /// Waits for lines, and swaps them with the empty buffer.
    fn next(&self, lines: &mut Vec<u8>) -> (Vec<oneshot::Sender<()>>, u64, bool) {
        let waiting = self.lock();
        let has_nothing = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.is_urgent();
        let waiting = self.changed.wait_while(waiting, has_nothing).unwrap_or_else(PoisonError::into_inner);
        let gathered = self.changed.wait_timeout_while(waiting, GATHER, |waiting| !waiting.is_urgent());
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.lines, lines);
        (std::mem::take(&mut waiting.flushes), std::mem::take(&mut waiting.n_lost), waiting.is_over)
    }
}

/// Writes lines; gives whether that failed. Reports it if it did not fail before.
fn write(sink: &mut Sink, lines: &[u8], has_failed: bool) -> bool {
    let written = catch_unwind(AssertUnwindSafe(|| sink.write_all(lines).and_then(|()| sink.flush())));
    let failure = match written {
        Ok(Ok(())) => return false,
        Ok(Err(err)) => err.to_string(),
        Err(_) => "its writer panicked".to_owned(),
    };
    if !has_failed {
        tracing::error!("the access log cannot be written: {failure}");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{MAX_WAITING, Writer};

    #[test]
    fn lines_that_nobody_takes_are_dropped_beyond_a_bound() {
        let writer = Writer::new(Box::new(std::io::sink()));
        let line = [b'x'; 1000];
        for _ in 0..2 * MAX_WAITING / line.len() {
            writer.push(&line);
        }
        let waiting = writer.shared.lock();
        assert_eq!(waiting.lines.len(), MAX_WAITING / line.len() * line.len());
        assert_eq!(waiting.n_lost as usize, 2 * MAX_WAITING / line.len() - MAX_WAITING / line.len());
    }
}
