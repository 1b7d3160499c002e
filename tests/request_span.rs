//! The `tracing` span that each request is answered in.

#![cfg(feature = "http1")]

mod served;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use foster::http::{Response, StatusCode};
use foster::{Config, Request, sleep};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::served::Served;

/// What a subscriber was told of each span that it was asked to keep.
#[derive(Clone, Default)]
struct Spans {
    last: Arc<AtomicU64>,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    spans: HashMap<u64, String>,
    metadata: Option<&'static Metadata<'static>>,
    entered: Vec<u64>,
    events: Vec<(String, Option<u64>)>,
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("foster") || metadata.target() == "own"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let mut text = attributes.metadata().name().to_owned();
        assert_eq!(*attributes.metadata().level(), Level::DEBUG);
        attributes.record(&mut Text(&mut text));
        let mut told = self.told.lock().unwrap();
        told.metadata = Some(attributes.metadata());
        told.spans.insert(id, text);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut told = self.told.lock().unwrap();
        values.record(&mut Text(told.spans.get_mut(&id.into_u64()).unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "own" {
            let mut text = String::new();
            event.record(&mut Text(&mut text));
            let mut told = self.told.lock().unwrap();
            let within = told.entered.last().copied();
            told.events.push((text, within));
        }
    }

    fn enter(&self, id: &Id) {
        self.told.lock().unwrap().entered.push(id.into_u64());
    }

    fn current_span(&self) -> Current {
        let told = self.told.lock().unwrap();
        match (told.entered.last(), told.metadata) {
            (Some(id), Some(metadata)) => Current::new(Id::from_u64(*id), metadata),
            _ => Current::none(),
        }
    }

    fn exit(&self, id: &Id) {
        assert_eq!(self.told.lock().unwrap().entered.pop(), Some(id.into_u64()));
    }
}

#[test]
fn a_request_is_answered_in_a_span_that_says_what_and_how() {
    let spans = Spans::default();
    tracing::subscriber::set_global_default(spans.clone()).unwrap();
    let handler = |request: Request| async move {
        tracing::info!(target: "own", "before");
        sleep(std::time::Duration::from_millis(1)).await;
        tracing::info!(target: "own", "after");
        if request.path() == "/none" { Response::new(StatusCode::NOT_FOUND) } else { Response::text("x") }
    };
    let served = Served::new(move || handler, Config::new().bind("127.0.0.1:0"));
    assert_eq!(served.get("/a?b=c").status, 200);
    assert_eq!(served.get("/none").status, 404);
    served.stop().unwrap();

    let told = spans.told.lock().unwrap();
    assert!(told.entered.is_empty());
    let texts = [&told.spans[&1], &told.spans[&2]];
    assert!(texts[0].starts_with("request method=GET path=\"/a\" peer=127.0.0.1:"), "{texts:?}");
    assert!(texts[0].ends_with(" status=200"), "{texts:?}");
    assert!(texts[1].contains(" path=\"/none\" ") && texts[1].ends_with(" status=404"), "{texts:?}");
    let within: Vec<_> = told.events.iter().map(|(_, within)| *within).collect();
    assert_eq!(within, [Some(1), Some(1), Some(2), Some(2)]);
}
