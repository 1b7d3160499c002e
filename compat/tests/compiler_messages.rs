//! Holds what the compiler says to users: each program in `compiler_messages/` must be refused in the words that its
//! `//~` lines give.
//!
//! Only our own words are compared, so that another version of the compiler may lay them out as it likes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_child_with_a_value_is_told_what_a_child_returns() {
    assert_refused("a_child_with_a_value");
}

#[test]
fn a_child_with_another_error_type_is_told_what_a_child_returns() {
    assert_refused("a_child_with_another_error_type");
}

#[test]
fn c20_text_is_not_written() {
    assert_refused("c20_text_is_not_written");
}

#[test]
fn e13_a_server_takes_no_datagram_socket() {
    assert_refused("e13_a_server_takes_no_datagram_socket");
}

#[cfg(feature = "tls")]
#[test]
fn e13_ssl_is_a_context() {
    assert_refused("e13_ssl_is_a_context");
}

#[cfg(feature = "tls")]
#[test]
fn t03_start_tls_takes_a_context_and_a_stream_transport() {
    assert_refused("t03_start_tls_takes_a_context_and_a_stream_transport");
}

#[test]
fn a_child_of_each_kind_compiles() {
    let (compiles, said) = check("a_child_of_each_kind");
    assert!(compiles, "the compiler says:\n{said}");
}

#[test]
fn a_type_that_is_no_line_receiver_is_told_what_to_implement() {
    assert_refused("a_type_that_is_no_line_receiver");
}

fn assert_refused(name: &str) {
    let (compiles, said) = check(name);
    assert!(!compiles, "{name} compiles");
    let program = fs::read_to_string(programs().join(name).with_extension("rs")).expect("the program was checked");
    for wanted in program.lines().filter_map(|line| line.strip_prefix("//~ ")) {
        assert!(said.contains(wanted), "{name}: wanted:\n{wanted}\nthe compiler says:\n{said}");
    }
}

/// Compiles a program against this package; gives whether it compiles and what the compiler said.
fn check(name: &str) -> (bool, String) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiler_messages").join(name);
    fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n[[bin]]\nname = {name:?}\npath = {program:?}\n\
         [dependencies]\nfoster-compat = {{ path = {package:?}, features = {features} }}\n[workspace]\n",
        features = if cfg!(feature = "tls") { "['tls']" } else { "[]" },
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compiler_messages")
}
