//! The program as a user sees it.
#![cfg(unix)]

use std::process::{Command, Output};

#[test]
fn wrong_arguments_end_with_status_2_and_one_sentence() {
    for words in [
        &["--sing"][..],
        &["--jobs", "0"],
        &["--filter", "Q"],
        &["--driver", "'"],
        &["--scenarios", "/nowhere/scenarios.json"],
        &["--cpython", "--shared"],
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn list_shows_ids_kinds_and_titles() {
    let output = run(&["--list", "--filter", "U01"]);
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert!(text(&output.stdout).starts_with("U01 [unix] "));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_difference_is_one_line_and_the_last_line_counts() {
    let output = run(&["--driver", "true", "--filter", "A01,A03"]);
    let lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.last().map(String::as_str), Some("0 of 2 scenarios conform"));
    assert!(lines[0].starts_with("DIFF A01 (connect then close): trace line 1: expected factory; got (end)"));
    assert_eq!(output.status.code(), Some(1));
}

fn run(words: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_foster-conformance"));
    program.args(words).output().expect("the program can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints UTF-8")
}
