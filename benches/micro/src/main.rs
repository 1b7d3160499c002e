//! `micro [--rounds N] [--tasks N] [--connections N]`: nanoseconds per child of a group of tasks, and per connection that
//! is made and closed, on one thread.
//!
//! Every implementation runs once in each round, one after the other, so that a disturbance of the machine falls on
//! all of them; printed are medians over the rounds and the medians of the ratios within each round. Ratios are of
//! processor time: on a shared machine wall time says little.

#[cfg(feature = "foster")]
mod foster;
mod local_server;
mod peers;
mod stopwatch;

use std::time::Duration;

use stopwatch::Elapsed;

/// One implementation of one measurement.
struct Contender {
    name: &'static str,
    /// Runs once on a runtime of its own, with the given number of children; only the part in question is timed.
    run: fn(usize) -> Elapsed,
}

struct Measurement {
    title: &'static str,
    n_children: usize,
    contenders: Vec<Contender>,
    /// The contenders to which ratios are given.
    references: &'static [&'static str],
}

fn main() {
    let n_rounds = option("--rounds").unwrap_or(5).max(1);
    let n_tasks = option("--tasks").unwrap_or(1_000_000).max(WINDOW);
    let n_connections = option("--connections").unwrap_or(20_000).max(1);
    println!("{n_rounds} rounds, {n_tasks} tasks; ns per child, medians; ratios of processor time\n");
    for measurement in measurements(n_tasks, n_connections) {
        measurement.run(n_rounds);
    }
}

fn measurements(n_tasks: usize, n_connections: usize) -> Vec<Measurement> {
    #[cfg_attr(not(feature = "foster"), expect(unused_mut, reason = "only Foster's rows are added later"))]
    let mut measurements = peers::measurements(n_tasks, n_connections);
    #[cfg(feature = "foster")]
    for measurement in &mut measurements {
        measurement.contenders.extend(foster::contenders(measurement.title));
    }
    measurements
}

impl Measurement {
    fn run(&self, n_rounds: usize) {
        // One round more than asked for: the first warms the allocator and the caches and is not kept.
        let rounds: Vec<Vec<Elapsed>> = (0..=n_rounds)
            .map(|_| self.contenders.iter().map(|contender| (contender.run)(self.n_children)).collect())
            .skip(1)
            .collect();
        println!("### {}\n", self.title);
        print!("| implementation | wall | processor |");
        self.references.iter().for_each(|reference| print!(" to {reference} |"));
        println!("\n|---|--:|--:|{}", "--:|".repeat(self.references.len()));
        for (index, contender) in self.contenders.iter().enumerate() {
            let per_child = |of: fn(&Elapsed) -> Duration| {
                median(rounds.iter().map(|round| of(&round[index]).as_nanos() as f64 / self.n_children as f64))
            };
            print!("| {} | {:.1} | {:.1} |", contender.name, per_child(|it| it.wall), per_child(|it| it.processor));
            for reference in self.references {
                let base = self.contenders.iter().position(|contender| contender.name == *reference);
                let ratio = base.map(|base| median(rounds.iter().map(|round| round[index].ratio_to(&round[base]))));
                print!(" {:.2} |", ratio.unwrap_or(f64::NAN));
            }
            println!();
        }
        println!();
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn option(name: &str) -> Option<usize> {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} needs a number, not {value:?}")))
}

const AT_ONCE: &str = "start and join, all at once";
const WINDOWS: &str = "start and join, in windows of 1,000";
const CANCEL_WAITING: &str = "cancel 10,000 that wait for ever";
const CANCEL_SLEEPING: &str = "cancel 10,000 that sleep for an hour";
const DEADLINE: &str = "a deadline around a ready future";
const CONNECT: &str = "connect to a server of this machine and close, one after the other";
const CONNECT_AT_ONCE: &str = "connect to a server of this machine and close, 32 at a time";

/// Children of one group at a time, few enough to stay in the caches.
const WINDOW: usize = 1_000;

/// Connections that are made at a time, where it is not one.
const N_CLIENTS: usize = 32;

const HOUR: Duration = Duration::from_secs(3600);

/// Long enough for 10,000 children to have been polled once.
const SETTLE: Duration = Duration::from_millis(50);
