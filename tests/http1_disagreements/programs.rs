//! The verdicts of other languages: a program gets the inputs as JSON and prints its verdicts as JSON.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::clients::client;
use crate::inputs::{Input, text, verdict};

/// h11's verdicts, unless Python or h11 is missing.
pub(crate) fn h11(inputs: &[Input]) -> Option<Vec<String>> {
    // Beside `tmp`, where `.ci/run` puts it.
    let library: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("h11");
    if !library.join("h11").is_dir() {
        assert!(env::var_os("FOSTER_REQUIRE_CLIENTS").is_none_or(|value| value != "1"), "no h11 in {library:?}");
        let _ = writeln!(std::io::stderr(), "left out, for there is no h11 in {library:?}: see .ci/run");
        return None;
    }
    let mut python = client("python3")?;
    python.arg("tests/http1_disagreements/h11_peer.py").env("PYTHONPATH", library).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(ask(python, inputs))
}

/// The verdicts of Node's server, which is llhttp, unless Node is missing.
pub(crate) fn node(inputs: &[Input]) -> Option<Vec<String>> {
    let mut node = client("node")?;
    node.arg("tests/http1_disagreements/llhttp_peer.js");
    Some(ask(node, inputs))
}

fn ask(mut program: Command, inputs: &[Input]) -> Vec<String> {
    let question: Value = inputs.iter().map(|input| json!(text(&input.bytes))).collect();
    let mut child = program
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(question.to_string().as_bytes()).expect("the program reads");
    let answer = child.wait_with_output().expect("the program ends");
    assert!(answer.status.success(), "{program:?} failed");
    let Ok(Value::Array(verdicts)) = serde_json::from_slice(&answer.stdout) else { panic!("no list of verdicts") };
    verdicts.iter().map(told).collect()
}

/// A verdict of `{"requests": [[method, target, body], ...], "refusal": status}`.
fn told(told: &Value) -> String {
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    let requests: Vec<_> = told["requests"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|request| {
            let body = word(&request[2]).chars().map(|byte| u8::try_from(byte).expect("a byte")).collect();
            (word(&request[0]), word(&request[1]), body)
        })
        .collect();
    verdict(&requests, told["refusal"].as_str())
}
