//! Holds what the compiler says to who writes a wrong view: each program in `compile_fail/` must be refused in the words
//! that its `//~` lines give.
//!
//! Only our own words are compared, so that another version of the compiler may lay them out as it likes.

#![cfg(feature = "app")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn every_kind_of_view_compiles() {
    let (compiles, said) = check("every_kind_of_view");
    assert!(compiles, "the compiler says:\n{said}");
}

#[test]
fn a_view_that_is_not_async_is_told_of_blocking() {
    assert_refused("a_view_that_is_not_async");
}

#[test]
fn a_closure_that_is_not_async_is_told_of_blocking() {
    assert_refused("a_closure_that_is_not_async");
}

#[test]
fn a_view_of_nine_arguments_is_told_how_many_there_may_be() {
    assert_refused("a_view_of_nine_arguments");
}

#[test]
fn an_argument_that_borrows_is_told_to_own() {
    assert_refused("an_argument_that_cannot_be_taken");
}

#[test]
fn an_argument_of_ones_own_is_told_how_to_be_wrapped() {
    assert_refused("an_argument_that_has_to_be_wrapped");
}

#[test]
fn an_argument_without_deserialize_is_told_to_derive_it() {
    assert_refused("an_argument_without_deserialize");
}

#[test]
fn a_view_that_gives_nothing_is_told_of_a_status() {
    assert_refused("a_view_that_gives_nothing");
}

#[test]
fn a_view_that_gives_a_struct_is_told_of_json() {
    assert_refused("a_view_that_gives_a_struct");
}

#[test]
fn a_view_that_gives_a_result_of_a_struct_is_told_which_half_is_wrong() {
    assert_refused("a_view_that_gives_a_result_of_a_struct");
}

#[test]
fn a_status_of_another_type_is_told_of_its_type() {
    assert_refused("a_status_behind_a_body_that_is_no_u16");
}

#[test]
fn a_hook_with_a_bare_response_is_told_to_wrap_it() {
    assert_refused("a_hook_with_a_bare_response");
}

#[test]
fn a_websocket_view_with_a_bare_response_is_told_what_to_give() {
    assert_refused("a_websocket_view_with_a_bare_response");
}

#[test]
fn a_hook_that_takes_the_response_away_is_told_to_give_one() {
    assert_refused("an_after_request_hook_that_gives_nothing");
}

#[test]
fn a_view_that_borrows_is_told_what_it_borrows() {
    assert_refused("a_view_that_borrows");
}

#[test]
fn a_blocking_view_with_a_request_is_told_what_to_take() {
    assert_refused("a_blocking_view_with_a_request");
}

#[test]
fn a_blocking_view_that_gives_a_response_is_told_what_to_give() {
    assert_refused("a_blocking_view_that_gives_a_response");
}

#[test]
fn a_blocking_view_that_holds_an_rc_is_told_which() {
    assert_refused("a_blocking_view_that_holds_an_rc");
}

#[test]
fn every_program_has_a_test() {
    let tests = include_str!("compile_fail.rs");
    for entry in fs::read_dir(programs()).expect("the folder is there") {
        let path = entry.expect("the folder is readable").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("programs have names");
        assert!(tests.contains(&format!("(\"{name}\")")), "no test checks {name}");
    }
}

fn assert_refused(name: &str) {
    let (compiles, said) = check(name);
    assert!(!compiles, "{name} compiles");
    let program = fs::read_to_string(programs().join(name).with_extension("rs")).expect("the program was checked");
    let wanted: Vec<_> = program.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
    assert!(!wanted.is_empty(), "{name} does not say in which words it is to be refused");
    for wanted in wanted {
        assert!(said.contains(wanted), "{name}: wanted:\n{wanted}\nthe compiler says:\n{said}");
    }
}

/// Compiles a program against this package; gives whether it compiles and what the compiler said.
fn check(name: &str) -> (bool, String) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail").join(name);
    fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n[[bin]]\nname = {name:?}\npath = {program:?}\n\
         [dependencies]\nbytes = \"1\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\
         foster = {{ path = {package:?}, default-features = false, features = [\"app\"] }}\n[workspace]\n",
        program = programs().join(name).with_extension("rs"),
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the folder was made above");
    // The versions that this test was built with, so that nothing is looked up or downloaded.
    if let Some(lock) = package.ancestors().map(|folder| folder.join("Cargo.lock")).find(|lock| lock.exists()) {
        fs::copy(lock, folder.join("Cargo.lock")).expect("the folder was made above");
    }
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--color=never", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", folder.with_file_name("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs: it has started this test");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail")
}
