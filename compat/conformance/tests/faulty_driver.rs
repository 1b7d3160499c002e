//! What the runner says about drivers that do not keep to their protocol. They are shell scripts.
#![cfg(unix)]

use std::io::ErrorKind;

use foster_conformance::{DriverCommand, Observation, Scenario, load_scenarios, play, scenarios_file};

#[test]
fn a_driver_that_ends_at_once_is_complained_about() {
    let seen = observe("exit 0", "A01");
    assert_eq!(seen.complaints, ["driver: no ADDR or READY line (it ended)"]);
}

#[test]
fn a_server_that_tells_no_address_is_complained_about() {
    let seen = observe("read start; echo READY; cat > /dev/null", "A01");
    assert_eq!(seen.complaints, ["driver: no ADDR or READY line"]);
}

#[test]
fn a_driver_that_ends_before_its_input_does_is_complained_about() {
    let seen = observe("read start; echo READY; echo mark a; exit 7", "K01");
    assert_eq!(seen.complaints, ["driver: ended before the end of its input, exit status: 7"]);
    assert_eq!(seen.trace, ["mark a", "(program not done within limit)"]);
}

#[test]
fn a_driver_that_fails_at_the_end_is_complained_about() {
    let seen = observe("read start; echo READY; echo DONE; cat > /dev/null; exit 7", "K01");
    assert_eq!(seen.complaints, ["driver: exit status: 7"]);
}

#[test]
fn lines_after_the_end_of_input_are_not_part_of_the_trace() {
    let script = "read start; echo READY; echo mark a; echo DONE; cat > /dev/null; echo mark b";
    let seen = observe(script, "K01");
    assert_eq!(seen.trace, ["mark a"]);
    assert!(seen.complaints.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_does_not_end_is_killed_with_its_children() {
    let script = "read start; echo READY; sleep 600 & echo $$; echo $!; echo DONE; wait";
    let seen = observe(script, "K01");
    let complaint = "driver: did not end within 3 s of the end of its input";
    assert_eq!(seen.complaints, [complaint]);
    assert_eq!(seen.trace.len(), 2);
    for process in seen.trace {
        assert!(ends(&process), "process {process} still runs");
    }
}

#[test]
fn a_driver_that_cannot_be_started_is_an_error() {
    let result = play(&DriverCommand::new("/nowhere/driver"), &scenario("A01"));
    assert_eq!(result.map_err(|err| err.kind()).err(), Some(ErrorKind::NotFound));
}

fn observe(script: &str, id: &str) -> Observation {
    let driver = DriverCommand::new("sh").argument("-c").argument(script);
    play(&driver, &scenario(id)).expect("sh can be started")
}

fn scenario(id: &str) -> Scenario {
    let scenarios = load_scenarios(&scenarios_file()).expect("the scenarios are valid");
    scenarios.into_iter().find(|scenario| scenario.id() == id).expect("the scenario exists")
}

/// Whether the process ends within a second: a killed one may take a moment.
#[cfg(target_os = "linux")]
fn ends(process: &str) -> bool {
    let has_ended = |_| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        // A zombie only waits to be reaped.
        let has_ended = stat.map_or(true, |stat| stat.contains(") Z "));
        if !has_ended {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        has_ended
    };
    (0..100).any(has_ended)
}
