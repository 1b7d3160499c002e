//! Foster's driver conforms to the scenarios of `conforming.txt`, with either kind of protocol.

use std::num::NonZero;

use foster_conformance::{DriverCommand, Rule, Suite, Verdict, conforming_scenarios};

#[test]
fn shared_protocols_conform_line_by_line() {
    assert_conforms(Suite::new(driver().argument("--shared")));
}

#[test]
fn exclusive_protocols_conform_but_for_the_place_of_pause_writing() {
    assert_conforms(Suite::new(driver()).rule(Rule::Relaxed));
}

fn driver() -> DriverCommand {
    DriverCommand::new(env!("CARGO_BIN_EXE_foster-conformance-driver"))
}

fn assert_conforms(suite: Suite) {
    let scenarios = conforming_scenarios().expect("the list names existing scenarios");
    let results = suite.jobs(N_JOBS).run(&scenarios);
    let differing = results.iter().filter(|played| !played.verdict.conforms());
    let lines: Vec<String> = differing.map(|played| format!("{}: {}", played.id, played.verdict)).collect();
    assert!(lines.is_empty(), "{} of {} differ:\n{}", lines.len(), results.len(), lines.join("\n"));
    for played in results.iter().filter(|played| matches!(played.verdict, Verdict::Unstable(_))) {
        println!("unstable: {}: {}", played.id, played.verdict);
    }
}

/// Both tests play at the same time.
const N_JOBS: NonZero<usize> = NonZero::new(2).unwrap();
