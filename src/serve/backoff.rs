//! [`Backoff`]: how long what fails again and again is out for.

use std::time::Duration;

/// The pauses before what has failed is started again: 0.1 s, twice as long each time, up to 5 s; 0.1 s again after a
/// life of 10 s.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Backoff { next: FIRST_PAUSE }
    }

    /// The pause behind a life that was so long.
    pub(crate) fn pause_after(&mut self, life: Duration) -> Duration {
        let pause = if life >= LONG_LIFE { FIRST_PAUSE } else { self.next };
        self.next = (2 * pause).min(LONGEST_PAUSE);
        pause
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has lived for so long is none that fails again and again.
const LONG_LIFE: Duration = Duration::from_secs(10);
