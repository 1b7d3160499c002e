//! Plays many scenarios and says which conform.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::compare::{Difference, Rule, compare};
use crate::driver_command::DriverCommand;
use crate::id_list::IdList;
use crate::runner::{Observation, play};
use crate::scenario::Scenario;

/// A driver, and how its traces are judged.
#[derive(Debug, Clone)]
pub struct Suite {
    driver: DriverCommand,
    rule: Rule,
    n_jobs: NonZero<usize>,
    n_retries: usize,
    known: IdList,
}

impl Suite {
    /// The strict rule, four scenarios at a time, one retry.
    pub fn new(driver: DriverCommand) -> Suite {
        Suite { driver, rule: Rule::Strict, n_jobs: USUAL_JOBS, n_retries: 1, known: IdList::default() }
    }

    /// Sets the rule of comparison.
    pub fn rule(mut self, rule: Rule) -> Suite {
        self.rule = rule;
        self
    }

    /// Sets how many scenarios are played at the same time.
    pub fn jobs(mut self, n_jobs: NonZero<usize>) -> Suite {
        self.n_jobs = n_jobs;
        self
    }

    /// Sets how often a differing scenario is played again, alone, before it counts as differing.
    pub fn retries(mut self, n_retries: usize) -> Suite {
        self.n_retries = n_retries;
        self
    }

    /// Names the differences that are known: they count all the same, but are not played again.
    pub fn known(mut self, known: IdList) -> Suite {
        self.known = known;
        self
    }

    /// Plays the scenarios; the results are in the order of the scenarios.
    pub fn run(&self, scenarios: &[Scenario]) -> Vec<Played> {
        let results: Vec<Mutex<Option<Played>>> = scenarios.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let play_all = || {
            loop {
                let position = next.fetch_add(1, Ordering::Relaxed);
                let (Some(scenario), Some(result)) = (scenarios.get(position), results.get(position)) else {
                    break;
                };
                let played = self.play_once(scenario);
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(played);
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.n_jobs.get().min(scenarios.len()) {
                scope.spawn(play_all);
            }
        });
        let results = results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        let retried = |(played, scenario): (Option<Played>, &Scenario)| {
            let played = played.unwrap_or_else(|| self.play_once(scenario));
            self.retry(played, scenario)
        };
        results.zip(scenarios).map(retried).collect()
    }

    fn play_once(&self, scenario: &Scenario) -> Played {
        let (seen, verdict) = match play(&self.driver, scenario) {
            Ok(seen) => {
                let differences = compare(scenario, &seen, self.rule);
                let verdict = if differences.is_empty() { Verdict::Conforms } else { Verdict::Differs(differences) };
                (seen, verdict)
            }
            Err(err) => {
                let complaint = format!("runner: the scenario cannot be set up: {err} (driver: {})", self.driver);
                let seen = Observation { complaints: vec![complaint.clone()], ..Observation::default() };
                (seen, Verdict::Differs(vec![Difference::Complaint(complaint)]))
            }
        };
        Played { id: scenario.id.clone(), seen, verdict }
    }

    /// Plays a differing scenario again, unless the difference is known or the driver itself is at fault.
    fn retry(&self, mut played: Played, scenario: &Scenario) -> Played {
        let is_known = self.known.remark(&scenario.id).is_some();
        for _ in 0..self.n_retries {
            if !matches!(played.verdict, Verdict::Differs(_)) || is_known || !played.seen.complaints.is_empty() {
                break;
            }
            let before = played.verdict;
            played = self.play_once(scenario);
            if let (Verdict::Differs(before), Verdict::Conforms) = (before, &played.verdict) {
                played.verdict = Verdict::Unstable(before);
            }
        }
        played
    }
}

/// A scenario that was played.
#[derive(Debug, Clone)]
pub struct Played {
    /// The id of the scenario.
    pub id: String,
    /// What was seen; empty if it could not be played.
    pub seen: Observation,
    /// What that means.
    pub verdict: Verdict,
}

/// Whether a scenario conforms.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// It does.
    Conforms,
    /// It does when played alone; before, it had these differences.
    Unstable(Vec<Difference>),
    /// It does not.
    Differs(Vec<Difference>),
}

impl Verdict {
    /// Whether the scenario counts as conforming: an unstable one does.
    pub fn conforms(&self) -> bool {
        matches!(self, Verdict::Conforms | Verdict::Unstable(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |differences: &[Difference]| {
            let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
            texts.join("; ")
        };
        match self {
            Verdict::Conforms => f.write_str("conforms"),
            Verdict::Unstable(before) => {
                write!(f, "conforms when played alone; before: {}", joined(before))
            }
            Verdict::Differs(differences) => f.write_str(&joined(differences)),
        }
    }
}

/// Scenarios mostly wait, so more of them than there are cores can be played at a time.
const USUAL_JOBS: NonZero<usize> = NonZero::new(4).unwrap();
