//! The real clients that the examples are tested with.
#![allow(dead_code, reason = "not every example is tested in every way")]

use std::env;
use std::io::{Write, stderr};
use std::process::Command;
use std::thread;

/// Set to `1` where a missing program is a failure and not a reason to leave a check out.
const REQUIRE: &str = "FOSTER_REQUIRE_CLIENTS";

/// A program to be run, or `None` where it is not installed: the check is then left out, which standard error says.
pub(crate) fn client(program: &str) -> Option<Command> {
    client_of(&[program])
}

/// As [`client`], for a program that has several names.
pub(crate) fn client_of(names: &[&str]) -> Option<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = names.iter().flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)));
    if let Some(found) = places.find(|place| place.is_file()) {
        return Some(Command::new(found));
    }
    let program = names.join(", ");
    assert!(env::var_os(REQUIRE).is_none_or(|value| value != "1"), "{program} is not installed, and {REQUIRE} is set");
    let thread = thread::current();
    // Not `eprintln!`, which is kept back from those who run a test that passes.
    let _ = writeln!(stderr(), "left out, for {program} is not installed: {}", thread.name().unwrap_or("a test"));
    None
}
