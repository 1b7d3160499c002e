//! The requests that everybody gets.

use serde_json::Value;

pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn all() -> Vec<Input> {
    let Ok(Value::Array(inputs)) = serde_json::from_str(include_str!("inputs.json")) else { panic!("a list") };
    inputs
        .iter()
        .map(|input| {
            let name = input["name"].as_str().expect("a name").to_owned();
            let bytes = match &input["input"] {
                Value::Array(pieces) => pieces.iter().flat_map(piece).collect(),
                text => piece(text),
            };
            Input { name, bytes }
        })
        .collect()
}

/// Text, or some that is repeated.
fn piece(piece: &Value) -> Vec<u8> {
    if let Some(text) = piece.as_str() {
        return text.chars().map(|byte| u8::try_from(byte).expect("a character is a byte")).collect();
    }
    let times = piece["times"].as_u64().expect("a number of times");
    piece["repeat"].as_str().expect("text").repeat(times as usize).into_bytes()
}

/// Bytes as text, each a character.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// What a server has made of an input: the requests that it took to their end, and the status that it refused the next
/// with, or "closed" if it did so without an answer.
pub(crate) fn verdict(requests: &[(String, String, Vec<u8>)], refusal: Option<&str>) -> String {
    let requests = requests.iter().map(|(method, target, body)| {
        let body = if body.is_empty() { String::new() } else { format!(" {}", Value::from(text(body))) };
        let target = if target.len() > MOST_SHOWN { format!("{}...", &target[..4]) } else { target.clone() };
        format!("{method} {target}{body}")
    });
    let parts: Vec<String> = requests.chain(refusal.map(str::to_owned)).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// A target that is longer is not told as a whole.
const MOST_SHOWN: usize = 100;
