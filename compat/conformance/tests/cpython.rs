//! Plays a few scenarios of each kind on the CPython at hand, whose traces are known.

use std::num::NonZero;
use std::process::Command;

use foster_conformance::{DriverCommand, Filter, Played, Rule, Suite, cpython_driver, load_scenarios, scenarios_file};

#[test]
fn the_reference_driver_conforms_in_every_kind() {
    let Some(driver) = driver() else { return };
    let suite = Suite::new(driver).jobs(N_JOBS).retries(N_RETRIES);
    let results = play(suite, "A05,A11,C35,D01,F01,G01,G10,H01,H06,H18,H19,H24,J04,K01,L11,T01,U01");
    assert_eq!(results.len(), 17);
    for played in results {
        assert!(played.verdict.conforms(), "{}: {}", played.id, played.verdict);
    }
}

#[test]
fn a_late_pause_writing_conforms_under_the_relaxed_rule_only() {
    let Some(driver) = driver() else { return };
    let suite = Suite::new(driver.argument("--defer").argument("callbacks")).retries(0);
    let conforms = |suite: Suite| play(suite, "D01").iter().all(|played| played.verdict.conforms());
    assert!(conforms(suite.clone().rule(Rule::Relaxed)));
    assert!(!conforms(suite));
}

fn play(suite: Suite, filter: &str) -> Vec<Played> {
    let mut scenarios = load_scenarios(&scenarios_file()).expect("the scenarios are valid");
    let filter = Filter::parse(filter);
    scenarios.retain(|scenario| filter.selects(scenario));
    suite.run(&scenarios)
}

/// None, and a word about it, where there is no CPython that is new enough for the driver.
fn driver() -> Option<DriverCommand> {
    let check = "import sys; sys.exit(sys.version_info < (3, 11))";
    let status = Command::new("python3").args(["-c", check]).status();
    if status.is_ok_and(|status| status.success()) {
        Some(DriverCommand::new("python3").argument(cpython_driver()))
    } else {
        println!("left out: there is no python3 of version 3.11 or later");
        None
    }
}

/// An interpreter is slow to start, and the slower the more of them start at a time.
const N_JOBS: NonZero<usize> = NonZero::new(2).unwrap();
/// On a busy machine it may miss the peer's time-outs.
const N_RETRIES: usize = 3;
