//! The first line that the runner sends.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::action::{Actions, parse_actions};
use crate::kind::Kind;
use crate::params::Params;
use crate::protocol_spec::{ProtocolKind, ProtocolSpec};
use crate::tls::TlsTimeouts;

/// The scenario and its surroundings: section 2 of `SCENARIOS.md`.
#[derive(Debug)]
pub(crate) struct StartMessage {
    pub(crate) kind: Kind,
    /// Protocol A of a scenario that is no program.
    pub(crate) protocol: Rc<ProtocolSpec>,
    /// Protocol B, to which A may hand its transport.
    pub(crate) other_protocol: Option<Rc<ProtocolSpec>>,
    /// The protocols of a program, by name.
    pub(crate) protocols: HashMap<String, Rc<ProtocolSpec>>,
    pub(crate) program: Actions,
    /// What a client does once it is connected.
    pub(crate) after_connect: Actions,
    pub(crate) send_buffer_size: Option<usize>,
    pub(crate) tls_timeouts: TlsTimeouts,
    /// Whether a TLS client verifies the certificate.
    pub(crate) verifies: bool,
    pub(crate) params: Params,
}

impl StartMessage {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let message: Value = serde_json::from_str(text).map_err(|err| format!("the start message: {err}"))?;
        let version = message.get("version").and_then(Value::as_u64);
        if version != Some(VERSION) {
            return Err(format!("version {version:?} of the start message, not {VERSION}"));
        }
        let scenario = object(&message, "scenario")?;
        let other_protocol = match scenario.contains_key("on2") {
            true => Some(Rc::new(ProtocolSpec::parse(scenario, "on2", "proto2", ProtocolKind::Stream)?)),
            false => None,
        };
        let kind = Kind::parse(scenario.get("kind").and_then(Value::as_str).unwrap_or_default())?;
        let mut protocols = HashMap::new();
        for (name, fields) in scenario.get("protocols").and_then(Value::as_object).into_iter().flatten() {
            let fields = fields.as_object().ok_or_else(|| format!("protocol {name} is no object"))?;
            protocols.insert(name.clone(), Rc::new(ProtocolSpec::parse(fields, "on", "proto", ProtocolKind::Stream)?));
        }
        let actions = |key: &str| scenario.get(key).map(parse_actions).transpose();
        let seconds = |key: &str| scenario.get(key).map(seconds_of).transpose();
        let send_buffer_size = scenario.get("sndbuf").and_then(Value::as_u64);
        Ok(StartMessage {
            kind,
            protocol: Rc::new(ProtocolSpec::parse(scenario, "on", "proto", kind.usual_protocol())?),
            other_protocol,
            protocols,
            program: actions("program")?.unwrap_or_default(),
            after_connect: actions("after_connect")?.unwrap_or_default(),
            send_buffer_size: send_buffer_size.and_then(|size| usize::try_from(size).ok()),
            tls_timeouts: TlsTimeouts {
                handshake: seconds("ssl_handshake_timeout")?,
                shutdown: seconds("ssl_shutdown_timeout")?,
            },
            verifies: scenario.get("verify").and_then(Value::as_bool).unwrap_or(false),
            params: Params::parse(object(&message, "params")?)?,
        })
    }
}

fn object<'a>(message: &'a Value, key: &str) -> Result<&'a Map<String, Value>, String> {
    message.get(key).and_then(Value::as_object).ok_or_else(|| format!("the start message has no {key}"))
}

fn seconds_of(value: &Value) -> Result<Duration, String> {
    let seconds = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("not a number of seconds: {value}"))
}

const VERSION: u64 = 1;
