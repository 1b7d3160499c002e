//! What Foster's driver does besides playing: it refuses what it does not know, and ends when its input does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

#[test]
fn an_unknown_action_ends_the_driver_with_a_failure() {
    let program = r#"{"kind": "program", "program": [["call_soon", [["sing", 1]]]]}"#;
    assert_eq!(refusal(program), "foster-conformance-driver: unknown action sing\n");
}

#[test]
fn every_action_and_kind_of_the_language_is_known() {
    let language = include_str!("../SCENARIOS.md");
    let kinds = first_cells(between(language, "## 3. ", "## 4. "));
    assert_eq!(kinds.len(), 9);
    for kind in kinds {
        let said = refusal_or_nothing(&format!(r#"{{"kind": "{kind}", "on": {{}}, "program": []}}"#));
        assert!(!said.contains("unknown kind"), "{said}");
    }
    let actions = between(language, "## 6. ", "## 7. ");
    let mut names: Vec<&str> = actions.split("[\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() > 80, "{names:?}");
    for name in names {
        // Never run: nobody gives the future a result.
        let program = format!(r#"[["future", "f"], ["add_done_callback", "f", [["{name}"]]]]"#);
        let said = refusal_or_nothing(&format!(r#"{{"kind": "program", "program": {program}}}"#));
        assert!(!said.contains("unknown action"), "{said}");
    }
}

#[test]
fn an_unknown_kind_ends_the_driver_with_a_failure() {
    assert_eq!(refusal(r#"{"kind": "opera"}"#), "foster-conformance-driver: unknown kind opera\n");
}

#[test]
fn the_end_of_the_input_ends_the_driver_well_whatever_still_runs() {
    let program = r#"{"kind": "program", "program": [["mark", "before"], ["wait", "ever"], ["mark", "after"]]}"#;
    let mut driver = start(program);
    let mut lines = BufReader::new(driver.stdout.take().expect("the output is a pipe")).lines();
    let mut line = || lines.next().transpose().expect("the output is text");
    assert_eq!(line().as_deref(), Some("READY"));
    assert_eq!(line().as_deref(), Some("mark before"));
    drop(driver.stdin.take());
    assert_eq!(line(), None);
    assert!(driver.wait().expect("the driver can be waited for").success());
}

/// What the driver writes to stderr when it refuses a scenario.
fn refusal(scenario: &str) -> String {
    let output = start(scenario).wait_with_output().expect("the driver can be waited for");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the driver writes to stderr about a scenario, at the latest when its input ends.
fn refusal_or_nothing(scenario: &str) -> String {
    let output = start(scenario).wait_with_output().expect("the driver can be waited for");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).expect("the text has this section").1;
    rest.split_once(end).expect("the section ends").0
}

/// The names in the first column of a table.
fn first_cells(section: &str) -> Vec<&str> {
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

/// Starts the driver with a scenario; its input stays open.
fn start(scenario: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foster-conformance-driver"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut driver = command.spawn().expect("the driver starts");
    let message = format!(r#"{{"version": 1, "scenario": {scenario}, "params": {{"dir": "/nonexistent"}}}}"#);
    let input = driver.stdin.as_mut().expect("the input is a pipe");
    writeln!(input, "{message}").expect("the driver reads its start message");
    driver
}
