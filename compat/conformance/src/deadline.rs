//! Real time: the runner plays against other processes, which no paused clock governs.

use std::time::{Duration, Instant};

/// A moment in the future at which waiting ends.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The moment `timeout` from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the driver is another process, so only the machine's clock is shared with it"
    )]
    pub(crate) fn after(timeout: Duration) -> Self {
        Deadline(Instant::now() + timeout)
    }

    /// How long it is until then; zero when it has passed.
    pub(crate) fn left(self) -> Duration {
        let now = Deadline::after(Duration::ZERO);
        self.0.saturating_duration_since(now.0)
    }

    pub(crate) fn has_passed(self) -> bool {
        self.left().is_zero()
    }
}
