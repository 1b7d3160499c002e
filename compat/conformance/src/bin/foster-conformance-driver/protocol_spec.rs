//! What a scenario says about one protocol.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::action::{Actions, parse_actions};
use crate::exception::Exception;

/// The fields that describe a protocol: sections 5.1 and 5.2 of `SCENARIOS.md`.
#[derive(Debug, Default)]
pub(crate) struct ProtocolSpec {
    pub(crate) kind: ProtocolKind,
    pub(crate) on: Events,
    pub(crate) echoes: bool,
    pub(crate) buffer_size: usize,
    pub(crate) logs_get_buffer: bool,
    pub(crate) shows_lost_message: bool,
    pub(crate) factory_raises: Option<Exception>,
    pub(crate) factory_line: FactoryLine,
}

/// Which callbacks it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProtocolKind {
    #[default]
    Stream,
    Buffered,
    Datagram,
    Process,
}

/// What the factory prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FactoryLine {
    #[default]
    Plain,
    Numbered,
    Quiet,
}

/// The actions by event.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) made: Actions,
    pub(crate) lost: Actions,
    pub(crate) eof: Actions,
    pub(crate) eof_return: bool,
    pub(crate) pause: Actions,
    pub(crate) resume: Actions,
    pub(crate) get_buffer: Actions,
    pub(crate) error: Actions,
    pub(crate) exited: Actions,
    data: ByKey,
    datagram: ByKey,
    pipe_data: ByKey,
    pipe_lost: ByKey,
}

/// The actions of an event by what came with it, `*` for all others.
#[derive(Debug, Default)]
struct ByKey(HashMap<String, Actions>);

impl ProtocolSpec {
    /// Reads the fields of a protocol; `on` and `proto` name those for its events and its kind.
    pub(crate) fn parse(
        fields: &Map<String, Value>,
        on: &str,
        proto: &str,
        usual: ProtocolKind,
    ) -> Result<Self, String> {
        let is_set = |key: &str| fields.get(key).and_then(Value::as_bool).unwrap_or(false);
        let kind = match fields.get(proto).and_then(Value::as_str) {
            None => usual,
            Some("stream") => ProtocolKind::Stream,
            Some("buffered") => ProtocolKind::Buffered,
            Some("dgram") => ProtocolKind::Datagram,
            Some("process") => ProtocolKind::Process,
            Some(other) => return Err(format!("unknown protocol kind {other}")),
        };
        let factory_raises = match fields.get("factory_raises").and_then(Value::as_str) {
            None => None,
            Some(name) => Some(Exception::new(name, "factory").ok_or_else(|| format!("unknown exception {name}"))?),
        };
        let buffer_size = fields.get("bufsize").and_then(Value::as_u64).unwrap_or(DEFAULT_BUFFER_SIZE);
        Ok(ProtocolSpec {
            kind,
            on: fields.get(on).map(Events::parse).transpose()?.unwrap_or_default(),
            echoes: is_set("echo"),
            buffer_size: usize::try_from(buffer_size).map_err(|_| "bufsize is too large")?,
            logs_get_buffer: is_set("log_get_buffer"),
            shows_lost_message: is_set("lost_msg"),
            factory_raises,
            factory_line: match (is_set("numbered"), is_set("quiet")) {
                (true, _) => FactoryLine::Numbered,
                (false, true) => FactoryLine::Quiet,
                (false, false) => FactoryLine::Plain,
            },
        })
    }
}

impl Events {
    fn parse(events: &Value) -> Result<Self, String> {
        let mut parsed = Events::default();
        for (event, value) in events.as_object().ok_or("the events of a protocol are no object")? {
            match event.as_str() {
                "made" => parsed.made = parse_actions(value)?,
                "lost" => parsed.lost = parse_actions(value)?,
                "eof" => parsed.eof = parse_actions(value)?,
                "eof_return" => parsed.eof_return = value.as_bool().unwrap_or(false),
                "pause" => parsed.pause = parse_actions(value)?,
                "resume" => parsed.resume = parse_actions(value)?,
                "get_buffer" => parsed.get_buffer = parse_actions(value)?,
                "error" => parsed.error = parse_actions(value)?,
                "data" => parsed.data = ByKey::parse(event, value)?,
                "dgram" => parsed.datagram = ByKey::parse(event, value)?,
                "exited" => parsed.exited = parse_actions(value)?,
                "pipe_data" => parsed.pipe_data = ByKey::parse(event, value)?,
                "pipe_lost" => parsed.pipe_lost = ByKey::parse(event, value)?,
                other => return Err(format!("unknown event {other}")),
            }
        }
        Ok(parsed)
    }

    /// The actions for a payload, which a scenario writes as Latin-1.
    pub(crate) fn data(&self, payload: &[u8]) -> Option<&Actions> {
        self.data.for_payload(payload)
    }

    /// The same for a datagram.
    pub(crate) fn datagram(&self, payload: &[u8]) -> Option<&Actions> {
        self.datagram.for_payload(payload)
    }

    /// The actions for output of a subprocess.
    pub(crate) fn pipe_data(&self, fd: i32) -> Option<&Actions> {
        self.pipe_data.get(&fd.to_string())
    }

    /// The actions for the end of a pipe to a subprocess.
    pub(crate) fn pipe_lost(&self, fd: i32) -> Option<&Actions> {
        self.pipe_lost.get(&fd.to_string())
    }
}

impl ByKey {
    fn parse(event: &str, value: &Value) -> Result<Self, String> {
        let mut parsed = HashMap::new();
        for (key, actions) in value.as_object().ok_or_else(|| format!("the event {event} is no object"))? {
            parsed.insert(key.clone(), parse_actions(actions)?);
        }
        Ok(ByKey(parsed))
    }

    fn get(&self, key: &str) -> Option<&Actions> {
        self.0.get(key).or_else(|| self.0.get("*"))
    }

    fn for_payload(&self, payload: &[u8]) -> Option<&Actions> {
        let text: String = payload.iter().map(|&byte| char::from(byte)).collect();
        self.get(&text)
    }
}

const DEFAULT_BUFFER_SIZE: u64 = 65_536;
