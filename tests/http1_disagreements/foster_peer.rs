//! Foster's verdict.

use foster::http::{HttpError, Limits};

use crate::inputs;
use crate::wire::{Event, play};

pub(crate) fn verdict(input: &[u8]) -> String {
    let outcome = play(&Limits::default(), [input]);
    let (mut requests, mut body) = (Vec::new(), Vec::new());
    let mut head = None;
    for event in &outcome.events {
        match event {
            Event::Request(request) => head = Some((request.method.clone(), request.target.clone())),
            Event::Data(data) => body.extend_from_slice(data),
            Event::End(_) => {
                let (method, target) = head.take().expect("a head comes before its end");
                requests.push((method, target, std::mem::take(&mut body)));
            }
            Event::Error(_) => {}
        }
    }
    let refusal = outcome.error().map(|err| match err {
        HttpError::Incomplete => "closed".to_owned(),
        err => err.status().as_u16().to_string(),
    });
    inputs::verdict(&requests, refusal.as_deref())
}
