//! [`Scaffold`]: what an application and a blueprint have in common, as Flask calls it.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::error_handlers::{ErrorHandlers, OfAny, OfStatus, OfType};
use super::exception::HttpException;
use super::hooks::{AfterResponse, AfterWebSocket, Hooks, UrlDefaults, UrlValues};
use super::maybe_response::MaybeResponse;
use super::route::{Function, Route, Target};
use super::routing::Rule;
use super::view::{Arguments, Callable, Erased, View};
use crate::http::{IntoResponse, Method, Response, StatusCode};
use crate::{Error, Outcome};

/// Routes, hooks and handlers of errors, in the order they were added.
#[derive(Clone, Default)]
pub(super) struct Scaffold {
    pub(super) routes: Vec<Route>,
    pub(super) hooks: Hooks,
    pub(super) error_handlers: ErrorHandlers,
}

impl Scaffold {
    pub(super) fn add_route<F, Args>(&mut self, rule: Rule, methods: Option<&[Method]>, view: F) -> &mut Route
    where
        F: View<Args>,
        Args: Arguments,
        F::Output: IntoResponse,
    {
        let rule = match methods {
            Some(methods) => rule.methods(methods.iter().cloned()),
            None => rule,
        };
        let function = Function::of::<F>(view.type_name());
        let view: Erased<F, Args, _> = Erased::new(view, |output: F::Output| output.into_response().map(Some));
        self.push(Route::new(rule, function, Target::View(Rc::new(view))))
    }

    pub(super) fn add_websocket<F, Args>(&mut self, rule: Rule, view: F) -> &mut Route
    where
        F: View<Args>,
        Args: Arguments,
        F::Output: MaybeResponse,
    {
        let function = Function::of::<F>(view.type_name());
        self.push(Route::new(rule.websocket(), function, Target::WebSocket(maybe_responding(view))))
    }

    pub(super) fn add_rule(&mut self, rule: Rule) -> &mut Route {
        self.push(Route::without_view(rule))
    }

    pub(super) fn before_request<F, Args>(&mut self, hook: F)
    where
        F: View<Args>,
        Args: Arguments,
        F::Output: MaybeResponse,
    {
        self.hooks.http.before.push(maybe_responding(hook));
    }

    pub(super) fn after_request<F, R>(&mut self, hook: F)
    where
        F: AsyncFn(Response) -> R + 'static,
        R: IntoResponse,
    {
        self.hooks.http.after.push(Rc::new(AfterResponse(hook)));
    }

    pub(super) fn teardown_request<F, R>(&mut self, hook: F)
    where
        F: AsyncFn(Option<Error>) -> R + 'static,
        R: Outcome,
    {
        self.hooks.http.teardown.push(Rc::new(hook));
    }

    pub(super) fn before_websocket<F, Args>(&mut self, hook: F)
    where
        F: View<Args>,
        Args: Arguments,
        F::Output: MaybeResponse,
    {
        self.hooks.websocket.before.push(maybe_responding(hook));
    }

    pub(super) fn after_websocket<F, R>(&mut self, hook: F)
    where
        F: AsyncFn(Option<Response>) -> R + 'static,
        R: MaybeResponse,
    {
        self.hooks.websocket.after.push(Rc::new(AfterWebSocket(hook)));
    }

    pub(super) fn teardown_websocket<F, R>(&mut self, hook: F)
    where
        F: AsyncFn(Option<Error>) -> R + 'static,
        R: Outcome,
    {
        self.hooks.websocket.teardown.push(Rc::new(hook));
    }

    #[track_caller]
    pub(super) fn errorhandler<F, R>(&mut self, status: impl TryInto<StatusCode>, handler: F)
    where
        F: AsyncFn(HttpException) -> R + 'static,
        R: IntoResponse,
    {
        let status = status.try_into().ok().expect("errorhandler is given a status, which has three digits");
        self.error_handlers.add_status(status, Rc::new(OfStatus(handler)));
    }

    pub(super) fn errorhandler_for<E, F, R>(&mut self, handler: F)
    where
        F: AsyncFn(Arc<E>) -> R + 'static,
        E: std::error::Error + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.error_handlers.add_type::<E>(Rc::new(OfType(handler, PhantomData::<fn(E)>)));
    }

    pub(super) fn errorhandler_if<F, R>(&mut self, predicate: impl Fn(&Error) -> bool + 'static, handler: F)
    where
        F: AsyncFn(Error) -> R + 'static,
        R: IntoResponse,
    {
        self.error_handlers.add_predicate(Rc::new(predicate), Rc::new(OfAny(handler)));
    }

    pub(super) fn url_value_preprocessor(&mut self, hook: Rc<UrlValues>) {
        self.hooks.url_value_preprocessors.push(hook);
    }

    pub(super) fn url_defaults(&mut self, hook: Rc<UrlDefaults>) {
        self.hooks.url_defaults.push(hook);
    }

    fn push(&mut self, route: Route) -> &mut Route {
        self.routes.push(route);
        self.routes.last_mut().expect("pushed in the line above")
    }
}

/// A view, or a hook, that may give a response.
fn maybe_responding<F, Args>(view: F) -> Rc<dyn Callable>
where
    F: View<Args>,
    Args: Arguments,
    F::Output: MaybeResponse,
{
    let view: Erased<F, Args, _> = Erased::new(view, |output: F::Output| output.maybe_response());
    Rc::new(view)
}

/// The methods of Flask's `Scaffold`, for an application and a blueprint, which have a field `scaffold`.
macro_rules! scaffold_methods {
    () => {
        /// Adds a view for a rule: Quart's `route`. It takes GET, HEAD and OPTIONS unless the rule names
        /// [methods](Rule::methods).
        ///
        /// What can be said of it besides are the methods of the [`Route`] that this gives. What is wrong with it is
        /// said when the application starts.
        pub fn route<F, Args>(&mut self, rule: impl Into<Rule>, view: F) -> &mut Route
        where
            F: View<Args>,
            Args: Arguments,
            F::Output: IntoResponse,
        {
            self.scaffold.add_route(rule.into(), None, view)
        }

        /// Adds a view for a rule: as [`route`](Self::route), in the words of Quart's `add_url_rule`.
        pub fn add_url_rule<F, Args>(&mut self, rule: impl Into<Rule>, endpoint: &str, view: F) -> &mut Route
        where
            F: View<Args>,
            Args: Arguments,
            F::Output: IntoResponse,
        {
            self.scaffold.add_route(rule.into(), None, view).endpoint(endpoint)
        }

        /// Adds a rule that no view is for: one that [redirects](Rule::redirect_to), or that
        /// [builds URLs only](Rule::build_only) of what somebody else serves. It takes every method unless it names some.
        /// Quart's `url_map.add`.
        ///
        /// ```
        /// use foster::app::App;
        /// use foster::app::routing::Rule;
        ///
        /// let mut app = App::new();
        /// app.add_rule(Rule::new("/blog/<slug>").redirect_to("/articles/<slug>"));
        /// app.add_rule(Rule::new("/assets/<path:name>").build_only()).endpoint("asset");
        /// ```
        pub fn add_rule(&mut self, rule: impl Into<Rule>) -> &mut Route {
            self.scaffold.add_rule(rule.into())
        }

        verbs! {
            get GET "GET, and with it HEAD",
            post POST "POST",
            put PUT "PUT",
            patch PATCH "PATCH",
            delete DELETE "DELETE",
        }

        /// Adds a view for WebSockets: Quart's `websocket`. It takes a [`WebSocket`](super::WebSocket), or asks
        /// [`websocket()`](super::websocket) for it; whatever it does first accepts it, and its end closes it, with 1011
        /// if it failed. A response that it gives before it has accepted answers the handshake instead.
        pub fn websocket<F, Args>(&mut self, rule: impl Into<Rule>, view: F) -> &mut Route
        where
            F: View<Args>,
            Args: Arguments,
            F::Output: MaybeResponse,
        {
            self.scaffold.add_websocket(rule.into(), view)
        }

        /// Calls `hook` before each request's view, in the order they are added, those of the application before those
        /// of its blueprints. A response that it gives is the answer, and neither later hooks nor the view are called.
        pub fn before_request<F, Args>(&mut self, hook: F) -> &mut Self
        where
            F: View<Args>,
            Args: Arguments,
            F::Output: MaybeResponse,
        {
            self.scaffold.before_request(hook);
            self
        }

        /// Calls `hook` with each response, of handlers of errors, too, and sends what it gives: the last added first,
        /// those of blueprints before those of the application.
        pub fn after_request<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn(Response) -> R + 'static,
            R: IntoResponse,
        {
            self.scaffold.after_request(hook);
            self
        }

        /// Calls `hook` when a request is over: after the last piece of a streamed body, and also when the client has
        /// gone or the server stops. It gets the error that nothing knew, or that the body ended with, if there was one,
        /// and [`Cancelled`](crate::Cancelled) where the view or the body did not come to its end. It has 5 seconds, with
        /// the others. In the order of [`after_request`](Self::after_request). Its own error is reported and hinders
        /// nobody.
        pub fn teardown_request<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn(Option<Error>) -> R + 'static,
            R: Outcome,
        {
            self.scaffold.teardown_request(hook);
            self
        }

        /// As [`before_request`](Self::before_request), for WebSockets: a response answers the handshake.
        pub fn before_websocket<F, Args>(&mut self, hook: F) -> &mut Self
        where
            F: View<Args>,
            Args: Arguments,
            F::Output: MaybeResponse,
        {
            self.scaffold.before_websocket(hook);
            self
        }

        /// As [`after_request`](Self::after_request), for WebSockets: there is a response if it was not accepted.
        pub fn after_websocket<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn(Option<Response>) -> R + 'static,
            R: MaybeResponse,
        {
            self.scaffold.after_websocket(hook);
            self
        }

        /// As [`teardown_request`](Self::teardown_request), for WebSockets.
        pub fn teardown_websocket<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn(Option<Error>) -> R + 'static,
            R: Outcome,
        {
            self.scaffold.teardown_websocket(hook);
            self
        }

        /// Answers errors with that status: [`abort`](super::abort)ed ones, those of routing, of bodies and of arguments,
        /// and with 500 those that nothing else knows. In the place of a handler that was there.
        ///
        /// Of several handlers for an error, the one of the innermost blueprint answers; one for its status before one
        /// for its type, one for its type before one with a predicate. An error of the handler is answered with 500.
        ///
        /// # Panics
        ///
        /// If the number is no status.
        #[track_caller]
        pub fn errorhandler<F, R>(&mut self, status: impl TryInto<StatusCode>, handler: F) -> &mut Self
        where
            F: AsyncFn(HttpException) -> R + 'static,
            R: IntoResponse,
        {
            self.scaffold.errorhandler(status, handler);
            self
        }

        /// Answers errors of one type, alone or among those of a [`NurseryError`](crate::NurseryError), of which the
        /// first in time that a handler knows is answered and the rest are reported. `HttpException` stands for all
        /// statuses.
        pub fn errorhandler_for<E, F, R>(&mut self, handler: F) -> &mut Self
        where
            F: AsyncFn(Arc<E>) -> R + 'static,
            E: std::error::Error + Send + Sync + 'static,
            R: IntoResponse,
        {
            self.scaffold.errorhandler_for(handler);
            self
        }

        /// Answers errors that `predicate` says.
        pub fn errorhandler_if<F, R>(&mut self, predicate: impl Fn(&Error) -> bool + 'static, handler: F) -> &mut Self
        where
            F: AsyncFn(Error) -> R + 'static,
            R: IntoResponse,
        {
            self.scaffold.errorhandler_if(predicate, handler);
            self
        }

        /// Calls `hook` with the values of the path of each request, before anything else looks at them: it may take
        /// some out, and put some in. That of the application is called also where no rule matches.
        pub fn url_value_preprocessor(&mut self, hook: impl Fn(&Request, &mut ViewArgs) + 'static) -> &mut Self {
            self.scaffold.url_value_preprocessor(Rc::new(hook));
            self
        }

        /// Calls `hook` with the endpoint and the values of each URL that is [built](super::url_for): it may put some in.
        pub fn url_defaults(&mut self, hook: impl Fn(&str, &mut ViewArgs) + 'static) -> &mut Self {
            self.scaffold.url_defaults(Rc::new(hook));
            self
        }
    };
}
pub(super) use scaffold_methods;

/// The shortcuts for one method each.
macro_rules! verbs {
    ($($name:ident $method:ident $takes:literal,)*) => {$(
        #[doc = concat!("Adds a view for ", $takes, ": [`route`](Self::route) with that method.")]
        pub fn $name<F, Args>(&mut self, rule: impl Into<Rule>, view: F) -> &mut Route
        where
            F: View<Args>,
            Args: Arguments,
            F::Output: IntoResponse,
        {
            self.scaffold.add_route(rule.into(), Some(&[Method::$method]), view)
        }
    )*};
}
pub(super) use verbs;
