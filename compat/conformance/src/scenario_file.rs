//! Reads scenarios; what the language does not know is an error, so a misspelt option cannot go unnoticed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::load_error::LoadError;
use crate::peer_step::PeerStep;
use crate::scenario::{Completion, Expectation, Kind, Normalisation, Scenario, SocketOptions};
use crate::tls_side::TlsVersions;

/// Reads a file of scenarios.
///
/// # Errors
///
/// [`LoadError`] if the file cannot be read, is not a JSON list, or holds a scenario that does not follow the language.
pub fn load_scenarios(path: &Path) -> Result<Vec<Scenario>, LoadError> {
    let not_a_list = |found: String| LoadError::NotAList { path: path.to_owned(), found };
    let text = fs::read_to_string(path).map_err(|err| LoadError::Unreadable { path: path.to_owned(), err })?;
    match serde_json::from_str(&text) {
        Ok(Value::Array(scenarios)) => {
            scenarios.iter().enumerate().map(|(position, value)| read_scenario(position + 1, value)).collect()
        }
        Ok(other) => Err(not_a_list(type_name(&other).to_owned())),
        Err(err) => Err(not_a_list(err.to_string())),
    }
}

/// Reads one scenario, the `position`-th of its file.
pub(crate) fn read_scenario(position: usize, value: &Value) -> Result<Scenario, LoadError> {
    let name = match value.get("id").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => format!("number {position}"),
    };
    scenario_from(value).map_err(|problem| LoadError::InvalidScenario { scenario: name, problem })
}

fn scenario_from(value: &Value) -> Result<Scenario, String> {
    let map = value.as_object().ok_or("it is not an object")?;
    let is_known = |name: &str| RUNNER_FIELDS.contains(&name) || DRIVER_FIELDS.contains(&name);
    if let Some(name) = map.keys().find(|name| !is_known(name)) {
        return Err(format!("it has the unknown field \"{name}\""));
    }
    let fields = Fields(map);
    let kind_name = fields.text("kind")?;
    let kind =
        Kind::from_name(kind_name).ok_or_else(|| format!("its kind \"{kind_name}\" is not one of the language"))?;
    let wire = map
        .iter()
        .filter(|(name, _)| DRIVER_FIELDS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Scenario {
        id: fields.text("id")?.to_owned(),
        title: fields.text("title")?.to_owned(),
        group: fields.text("group")?.to_owned(),
        kind,
        wire: Value::Object(wire),
        peer: fields.list("peer")?.iter().map(PeerStep::from_json).collect::<Result<_, _>>()?,
        sockets: SocketOptions {
            receive_buffer: fields.number("rcvbuf")?.map(to_size).transpose()?,
            peer_closed: fields.flag("peer_closed")?,
            blackhole: fields.flag("blackhole")?,
            is_raw: fields.flag("raw")?,
            tls_versions: tls_versions_from(&fields)?,
        },
        completion: completion_from(kind, &fields)?,
        normalisation: Normalisation {
            merge: fields.flag("merge")?,
            merge_pipes: fields.flag("merge_pipes")?,
            collapse: fields.flag("collapse")?,
        },
        expect: expectation_from(&fields)?,
    })
}

fn tls_versions_from(fields: &Fields<'_>) -> Result<TlsVersions, String> {
    match fields.0.get("tls_max") {
        None => Ok(TlsVersions::All),
        Some(version) if version == "1.2" => Ok(TlsVersions::Only12),
        Some(other) => Err(format!("its field \"tls_max\" must be \"1.2\", not {other}")),
    }
}

fn completion_from(kind: Kind, fields: &Fields<'_>) -> Result<Completion, String> {
    let lost_count = fields.number("lost_count")?.map(to_size).transpose()?;
    let no_lost = fields.flag("no_lost")? || (kind == Kind::Program && lost_count.is_none());
    let limit = fields.number("limit")?.unwrap_or(LIMIT_SECONDS);
    let grace = fields.number("grace")?.unwrap_or(GRACE_MILLIS);
    Ok(Completion {
        limit: to_duration(limit)?,
        grace: to_duration(grace / 1000.0)?,
        n_lost: (!no_lost).then(|| lost_count.unwrap_or(1)),
    })
}

fn expectation_from(fields: &Fields<'_>) -> Result<Expectation, String> {
    let map = fields.value("expect")?.as_object();
    let expect = Fields(map.ok_or("its field \"expect\" is not an object")?);
    if let Some(name) = expect.0.keys().find(|n| !EXPECT_FIELDS.contains(&n.as_str())) {
        return Err(format!("\"expect\" has the unknown field \"{name}\""));
    }
    let relaxed = match expect.0.get("relaxed") {
        Some(traces) => {
            list_of("relaxed", traces)?.iter().map(|lines| texts_of("relaxed", lines)).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    let order = match expect.0.get("order") {
        Some(pairs) => Some(list_of("order", pairs)?.iter().map(pair_from).collect::<Result<_, _>>()?),
        None => None,
    };
    Ok(Expectation {
        trace: texts_of("server", expect.value("server")?)?,
        peer: texts_of("peer", expect.value("peer")?)?,
        relaxed,
        order,
    })
}

fn pair_from(pair: &Value) -> Result<(String, String), String> {
    match texts_of("order", pair)?.as_slice() {
        [first, then] => Ok((first.clone(), then.clone())),
        other => Err(format!("\"order\" holds {} texts where a pair belongs", other.len())),
    }
}

/// The fields of an object, read with errors that name them.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn value(&self, name: &str) -> Result<&'a Value, String> {
        self.0.get(name).ok_or_else(|| format!("it has no field \"{name}\""))
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        let value = self.value(name)?;
        value.as_str().ok_or_else(|| wrong_type(name, "text", value))
    }

    fn list(&self, name: &str) -> Result<&'a [Value], String> {
        list_of(name, self.value(name)?)
    }

    /// False if the field is absent.
    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.0.get(name) {
            Some(value) => value.as_bool().ok_or_else(|| wrong_type(name, "true or false", value)),
            None => Ok(false),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>, String> {
        match self.0.get(name) {
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(wrong_type(name, "a number", value)),
            },
            None => Ok(None),
        }
    }
}

fn list_of<'a>(name: &str, value: &'a Value) -> Result<&'a [Value], String> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(wrong_type(name, "a list", other)),
    }
}

fn texts_of(name: &str, value: &Value) -> Result<Vec<String>, String> {
    list_of(name, value)?
        .iter()
        .map(|item| match item {
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong_type(name, "a list of texts", other)),
        })
        .collect()
}

fn to_size(number: f64) -> Result<usize, String> {
    if number >= 0.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX) {
        Ok(number as usize)
    } else {
        Err(format!("{number} is not a count"))
    }
}

fn to_duration(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|err| format!("{seconds} s cannot be waited for: {err}"))
}

fn wrong_type(name: &str, wanted: &str, found: &Value) -> String {
    format!("its field \"{name}\" must be {wanted}, not {}", type_name(found))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Far above what any scenario needs, so that only a missing line waits for it.
const LIMIT_SECONDS: f64 = 3.0;
/// Long enough for a superfluous callback to show up, short enough to wait for after every scenario.
const GRACE_MILLIS: f64 = 60.0;

/// The driver has no use for these, and must not know what is expected of it.
const RUNNER_FIELDS: [&str; 13] = [
    "id",
    "title",
    "group",
    "rules",
    "peer",
    "expect",
    "limit",
    "grace",
    "no_lost",
    "lost_count",
    "merge",
    "merge_pipes",
    "collapse",
];

/// The driver is sent these; the last five concern the peer and are ignored there.
const DRIVER_FIELDS: [&str; 23] = [
    "kind",
    "proto",
    "on",
    "on2",
    "proto2",
    "protocols",
    "program",
    "after_connect",
    "echo",
    "bufsize",
    "log_get_buffer",
    "lost_msg",
    "factory_raises",
    "sndbuf",
    "ssl_handshake_timeout",
    "ssl_shutdown_timeout",
    "verify",
    "debug",
    "rcvbuf",
    "raw",
    "tls_max",
    "peer_closed",
    "blackhole",
];

const EXPECT_FIELDS: [&str; 4] = ["server", "peer", "relaxed", "order"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scenario(kind: &str, more: Value) -> Result<Scenario, String> {
        let mut value = json!({
            "id": "X01", "title": "t", "group": "X", "kind": kind, "peer": [],
            "expect": {"server": [], "peer": []},
        });
        for (name, field) in more.as_object().expect("the test gives an object") {
            value[name] = field.clone();
        }
        read_scenario(1, &value).map_err(|err| err.to_string())
    }

    fn n_lost(kind: &str, more: Value) -> Option<usize> {
        scenario(kind, more).expect("the scenario of the test is valid").completion.n_lost
    }

    #[test]
    fn a_field_that_the_language_does_not_know_is_refused() {
        let problem = scenario("tcp", json!({"no_losst": true})).err();
        let expected = "scenario X01 is not valid: it has the unknown field \"no_losst\"";
        assert_eq!(problem.as_deref(), Some(expected));
    }

    #[test]
    fn a_kind_that_the_language_does_not_know_is_refused() {
        assert!(scenario("sctp", json!({})).is_err());
    }

    #[test]
    fn one_lost_line_completes_a_trace_but_programs_need_none() {
        assert_eq!(n_lost("tcp", json!({})), Some(1));
        assert_eq!(n_lost("tcp", json!({"lost_count": 2})), Some(2));
        assert_eq!(n_lost("tcp", json!({"no_lost": true})), None);
        assert_eq!(n_lost("program", json!({})), None);
        assert_eq!(n_lost("program", json!({"lost_count": 1})), Some(1));
    }

    #[test]
    fn the_driver_is_sent_neither_the_peer_nor_what_is_expected() {
        let scenario = scenario("tcp", json!({"on": {}, "rcvbuf": 4096, "merge": true}));
        let wire = scenario.expect("the scenario of the test is valid").wire;
        assert_eq!(wire, json!({"kind": "tcp", "on": {}, "rcvbuf": 4096}));
    }
}
