//! The library's warnings and errors as `LOG` lines.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::output::Output;

/// Prints events of the library at WARN and ERROR.
#[derive(Debug)]
pub(crate) struct LogLines {
    output: Output,
}

impl LogLines {
    pub(crate) fn new(output: Output) -> Self {
        LogLines { output }
    }

    pub(crate) fn install(self) -> Result<(), SetGlobalDefaultError> {
        tracing::subscriber::set_global_default(self)
    }
}

impl Subscriber for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "foster" && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let level = if *event.metadata().level() == Level::ERROR { "ERROR" } else { "WARNING" };
        let mut message = Message::default();
        event.record(&mut message);
        let line: String = message.text.lines().next().unwrap_or_default().chars().take(MAX_CHARS).collect();
        self.output.emit(format!("LOG {level} {line}"));
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// The message of an event; other fields are left out.
#[derive(Debug, Default)]
struct Message {
    text: String,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}

const MAX_CHARS: usize = 110;
