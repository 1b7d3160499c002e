//! [`answer`]: a request of a test answered as a server has it answered.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::dispatch::{Answered, UNKNOWN, answer_unreported};
use crate::app::mount;
use crate::app::request::Request;
use crate::app::shared::Shared;
use crate::{Error, handler};

/// What a handler that is mounted in the application says of its failure, which it answers itself.
pub(super) struct Overheard {
    /// Errors go to the test.
    is_wanted: bool,
    is_listening: Cell<bool>,
    err: RefCell<Option<Error>>,
}

impl Overheard {
    pub(super) fn new(is_wanted: bool) -> Self {
        Overheard { is_wanted, is_listening: Cell::new(false), err: RefCell::default() }
    }

    /// Keeps the first error that nothing knew; gives all else, to be reported.
    pub(super) fn listen(&self, message: &str, err: Error) -> Option<Error> {
        let is_failure = message == UNKNOWN || message == mount::FAILED;
        if self.is_listening.get() && is_failure && self.err.borrow().is_none() {
            self.err.replace(Some(err));
            return None;
        }
        Some(err)
    }
}

/// Answers, and gives what nothing knew, also in what is mounted there.
pub(super) async fn answer(shared: Rc<Shared>, request: handler::Request, overheard: &Overheard) -> Answered {
    if let Some((mount, n)) = shared.mounted(|| request.path()) {
        overheard.is_listening.set(overheard.is_wanted);
        let response = mount.answer(n, request).await;
        overheard.is_listening.set(false);
        return Answered { response: Some(response), unknown: overheard.err.take() };
    }
    let mut answered = Answered::default();
    answer_unreported(&Request::new(shared, request), &mut answered).await;
    answered
}
