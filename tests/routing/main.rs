//! The router, seen from outside: beside Werkzeug, and where it is stricter.

#![cfg(feature = "app")]

mod converters;
mod hostile;
mod mistakes;
mod paths;
mod requests;
mod round_trips;
mod urls;
mod werkzeug;

use foster::app::routing::{Map, MatchRequest, NoMatch, Rule};
use foster::http::Method;

/// A map of rules whose endpoints and values are their patterns.
fn map_of(patterns: &[&'static str]) -> Map<&'static str> {
    let rules = patterns.iter().map(|pattern| (Rule::new(*pattern).endpoint(*pattern), *pattern));
    Map::builder().rules(rules).build().unwrap_or_else(|err| panic!("{err}"))
}

/// What comes of GET: the value of the rule and its values, or why there is none.
fn get<T: std::fmt::Display>(map: &Map<T>, path: &str) -> String {
    shown(map, &MatchRequest::new(&Method::GET, path))
}

fn shown<T: std::fmt::Display>(map: &Map<T>, request: &MatchRequest<'_>) -> String {
    match map.match_request(request) {
        Ok(found) => {
            let mut shown = found.value().to_string();
            for (name, value) in found.values().iter() {
                shown += &format!(" {name}={value:?}");
            }
            shown
        }
        Err(NoMatch::Redirect { location }) => format!("308 {location}"),
        Err(NoMatch::MethodNotAllowed { allowed }) => format!("405 {allowed}"),
        Err(err) => err.status().as_u16().to_string(),
    }
}
