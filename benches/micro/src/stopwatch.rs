//! Wall time and the processor time of the calling thread.
#![expect(unsafe_code, reason = "the thread's processor clock has no safe interface in std; this is no library code")]

use std::time::{Duration, Instant};

pub(crate) struct Stopwatch {
    wall: Instant,
    processor: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed {
    pub(crate) wall: Duration,
    pub(crate) processor: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch { wall: Instant::now(), processor: thread_time() }
    }

    pub(crate) fn stop(self) -> Elapsed {
        Elapsed { processor: thread_time().saturating_sub(self.processor), wall: self.wall.elapsed() }
    }
}

impl Elapsed {
    pub(crate) fn ratio_to(&self, base: &Elapsed) -> f64 {
        self.processor.as_secs_f64() / base.processor.as_secs_f64()
    }
}

fn thread_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in the structure, which outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    assert_eq!(result, 0, "this kernel has no processor clock for threads");
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
