//! [`Teardown`]: what is called when a request is over, however it ended.

use std::time::Duration;

use super::dispatch::caught;
use super::hooks::Kind;
use super::request::Request;
use super::shared::Scope;
use crate::{Cancelled, Error, TooSlow, move_on_after, shield};

/// How long the hooks of one request have.
const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The hooks of a request that is not over yet. Dropped, because its client has gone or its server stops, it has them
/// called in the nursery of the application, with [`Cancelled`] for the error.
pub(super) struct Teardown {
    /// Absent once they are called.
    request: Option<Request>,
    kind: Kind,
}

impl Teardown {
    /// `None` where there are no hooks.
    pub(super) fn of(request: &Request, scope: &Scope, kind: Kind) -> Option<Self> {
        let is_empty = scope.hooks.around(kind).teardown.is_empty();
        (!is_empty).then(|| Teardown { request: Some(request.clone()), kind })
    }

    /// Calls the hooks.
    pub(super) async fn run(mut self, err: Option<Error>) {
        if let Some(request) = self.request.take() {
            call(request, self.kind, err).await;
        }
    }

    /// Has the hooks called where nobody waits for them.
    pub(super) fn run_elsewhere(mut self, err: Option<Error>) {
        self.start(err);
    }

    fn start(&mut self, err: Option<Error>) {
        if let Some(request) = self.request.take() {
            let nursery = request.context().shared.nursery.clone();
            nursery.start_in(request.context(), call(request.clone(), self.kind, err));
        }
    }
}

impl Drop for Teardown {
    fn drop(&mut self) {
        self.start(Some(Cancelled.into()));
    }
}

/// Calls the hooks one by one, also if one fails, and to their end, if the request is cancelled meanwhile.
async fn call(request: Request, kind: Kind, err: Option<Error>) {
    let calls = async {
        for hook in &request.scope().hooks.around(kind).teardown {
            if let Err(err) = caught(hook.call(err.clone())).await {
                request.report("a teardown hook failed", err);
            }
        }
    };
    if shield(move_on_after(TEARDOWN_TIMEOUT, calls)).await.is_none() {
        request.report("teardown hooks took too long, and were cancelled", TooSlow.into());
    }
}
