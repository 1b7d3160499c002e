//! [`Routed`]: what the map says of a request.

use std::cell::RefCell;

use super::request::{RequestState, is_websocket};
use super::routing::{MatchRequest, Methods, NoMatch};
use super::shared::Shared;
use super::view_args::ViewArgs;
use crate::handler::Connected;
use crate::http::{Method, RequestHead};

/// The route of a request, or why there is none.
pub(super) struct Routed {
    /// The number of its entry.
    pub(super) nth: Result<usize, NoMatch>,
    pub(super) values: RefCell<ViewArgs>,
    /// The method is OPTIONS, and the route has not named it.
    pub(super) is_automatic_options: bool,
}

impl Shared {
    pub(super) fn route(&self, head: &RequestHead, connection: &dyn Connected) -> Routed {
        let found = match self.asked(head, connection) {
            Some(asked) => match self.map.match_request(&asked) {
                Err(NoMatch::Redirect { .. }) => self.map.match_request(&self.for_redirect(asked, head, connection)),
                found => found,
            },
            None => Err(NoMatch::NotFound),
        };
        match found {
            Ok(found) => {
                let nth = *found.value();
                let is_automatic_options = found.is_automatic() && *head.method() == Method::OPTIONS;
                let values = ViewArgs::matched(found.into_values().without_texts());
                Routed { nth: Ok(nth), values: RefCell::new(values), is_automatic_options }
            }
            Err(no_match) => Routed { nth: Err(no_match), values: RefCell::default(), is_automatic_options: false },
        }
    }

    /// What `Allow` says of a request.
    pub(super) fn allowed_methods(&self, state: &RequestState) -> Methods {
        let asked = self.asked(&state.head, &*state.connection);
        asked.map(|asked| self.map.allowed_methods(&asked)).unwrap_or_default()
    }

    /// What a request is matched by; `None` for one from outside of what the application is mounted below. What rules do
    /// not look at is not there.
    fn asked<'a>(&'a self, head: &'a RequestHead, connection: &dyn Connected) -> Option<MatchRequest<'a>> {
        let path = head.path();
        let path = &path[self.root_len(path)?..];
        let asked = MatchRequest { is_websocket: is_websocket(head), ..MatchRequest::new(head.method(), path) };
        Some(if self.map.looks_at_hosts() { with_host(asked, head, connection) } else { asked })
    }

    /// The same with what a URL is made of besides: each of it costs a look.
    fn for_redirect<'a>(
        &self,
        asked: MatchRequest<'a>,
        head: &'a RequestHead,
        connection: &dyn Connected,
    ) -> MatchRequest<'a> {
        let root_path = head.root_path_with(self.root_len(head.path()).unwrap_or_default());
        MatchRequest { query: head.query(), root_path, ..with_host(asked, head, connection) }
    }
}

fn with_host<'a>(asked: MatchRequest<'a>, head: &'a RequestHead, connection: &dyn Connected) -> MatchRequest<'a> {
    MatchRequest { host: head.host().unwrap_or_default(), is_secure: connection.ends().is_secure, ..asked }
}
