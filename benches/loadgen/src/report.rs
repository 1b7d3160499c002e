use std::io;
use std::time::{Duration, Instant};

use crate::Options;
use crate::histogram::Histogram;

/// The clock and the counters of one run: load starts at once and counts after the warm-up.
pub(crate) struct Report {
    warm_at: Instant,
    end_at: Instant,
    measured_since: Option<Instant>,
    latencies: Histogram,
    n_measured: u64,
    /// With those of the warm-up: what the server's processor time is divided by.
    n_all: u64,
}

impl Report {
    pub(crate) fn start(options: &Options) -> Report {
        let warm_at = Instant::now() + options.warm_up;
        Report {
            warm_at,
            end_at: warm_at + options.duration,
            measured_since: None,
            latencies: Histogram::new(),
            n_measured: 0,
            n_all: 0,
        }
    }

    /// Called once for each batch of events; false when the run is over.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        if self.measured_since.is_none() && now >= self.warm_at {
            self.measured_since = Some(now);
        }
        now < self.end_at
    }

    #[inline]
    pub(crate) fn add(&mut self, latency: Duration, n_messages: u64) {
        self.n_all += n_messages;
        if self.measured_since.is_some() {
            self.n_measured += n_messages;
            self.latencies.add(latency, n_messages);
        }
    }

    pub(crate) fn print(&self, size: usize) -> io::Result<()> {
        let elapsed = self.measured_since.map(|since| since.elapsed().as_secs_f64()).unwrap_or_default();
        if self.n_measured == 0 || elapsed == 0.0 {
            return Err(io::Error::other("nothing came back in the measured time"));
        }
        let rate = self.n_measured as f64 / elapsed;
        println!(
            "{{\"rate\":{rate:.1},\"mb_s\":{:.2},\"p50_us\":{:.1},\"p99_us\":{:.1},\"max_us\":{:.1},\
             \"n_all\":{},\"secs\":{elapsed:.3}}}",
            rate * size as f64 / 1e6,
            self.latencies.quantile_us(0.5),
            self.latencies.quantile_us(0.99),
            self.latencies.largest_us(),
            self.n_all,
        );
        Ok(())
    }
}
