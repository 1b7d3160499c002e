//! [`Blueprint`]: a part of an application.

use std::rc::Rc;
use std::sync::Arc;

use super::exception::HttpException;
use super::lifespan::{ServingHooks, serving_hook_methods};
use super::maybe_response::MaybeResponse;
use super::request::Request;
use super::route::Route;
use super::routing::{PathValue, Rule};
use super::scaffold::{Scaffold, scaffold_methods, verbs};
use super::view::{Arguments, View};
use super::view_args::ViewArgs;
use super::while_serving::Serving;
use crate::http::{IntoResponse, Method, Response, StatusCode};
use crate::{Error, Outcome};

/// A part of an application, with routes, hooks and handlers of errors of its own: Quart's `Blueprint`.
///
/// Its endpoints begin with its name and a dot. Its hooks are called for its routes alone, behind those of what it stands
/// in; those whose names have `app` in them for all requests. Blueprints may stand in blueprints: their names are joined
/// with dots, their prefixes with slashes. One may be registered several times, under different names.
///
/// ```
/// use foster::app::{App, Blueprint, url_for};
///
/// let mut users = Blueprint::new("users");
/// users.url_prefix("/users");
/// users.get("/", async || url_for(".list").build()).endpoint("list");
///
/// let mut app = App::new();
/// app.register_blueprint(&users);
/// app.register_blueprint(&users).name("people").url_prefix("/people");
/// ```
#[derive(Clone)]
pub struct Blueprint {
    pub(super) name: String,
    pub(super) url_prefix: String,
    pub(super) subdomain: Option<String>,
    /// Values for each of its rules.
    pub(super) url_values_defaults: ViewArgs,
    pub(super) scaffold: Scaffold,
    /// For all requests of the application.
    pub(super) app_scaffold: Scaffold,
    pub(super) app_serving_hooks: ServingHooks,
    pub(super) blueprints: Vec<Registration>,
}

/// A blueprint as it is registered: what can be said of it besides, with the names of Quart's keyword arguments.
#[derive(Clone)]
pub struct Registration {
    pub(super) blueprint: Blueprint,
}

impl Blueprint {
    /// One without routes. The name has neither dots nor nothing.
    pub fn new(name: impl Into<String>) -> Self {
        Blueprint {
            name: name.into(),
            url_prefix: String::new(),
            subdomain: None,
            url_values_defaults: ViewArgs::default(),
            scaffold: Scaffold::default(),
            app_scaffold: Scaffold::default(),
            app_serving_hooks: ServingHooks::default(),
            blueprints: Vec::new(),
        }
    }

    scaffold_methods!();

    /// Takes in a blueprint: as [`App::register_blueprint`](super::App::register_blueprint).
    pub fn register_blueprint(&mut self, blueprint: &Blueprint) -> &mut Registration {
        Registration::add(&mut self.blueprints, blueprint)
    }

    serving_hook_methods!(app_serving_hooks: before_app_serving while_app_serving after_app_serving);
    /// As [`before_request`](Self::before_request), before every request of the application.
    pub fn before_app_request<F, Args>(&mut self, hook: F) -> &mut Self
    where
        F: View<Args>,
        Args: Arguments,
        F::Output: MaybeResponse,
    {
        self.app_scaffold.before_request(hook);
        self
    }

    /// As [`after_request`](Self::after_request), after every request of the application.
    pub fn after_app_request<F, R>(&mut self, hook: F) -> &mut Self
    where
        F: AsyncFn(Response) -> R + 'static,
        R: IntoResponse,
    {
        self.app_scaffold.after_request(hook);
        self
    }

    /// As [`teardown_request`](Self::teardown_request), for every request of the application.
    pub fn teardown_app_request<F, R>(&mut self, hook: F) -> &mut Self
    where
        F: AsyncFn(Option<Error>) -> R + 'static,
        R: Outcome,
    {
        self.app_scaffold.teardown_request(hook);
        self
    }

    /// As [`before_websocket`](Self::before_websocket), before every WebSocket of the application.
    pub fn before_app_websocket<F, Args>(&mut self, hook: F) -> &mut Self
    where
        F: View<Args>,
        Args: Arguments,
        F::Output: MaybeResponse,
    {
        self.app_scaffold.before_websocket(hook);
        self
    }

    /// As [`after_websocket`](Self::after_websocket), after every WebSocket of the application.
    pub fn after_app_websocket<F, R>(&mut self, hook: F) -> &mut Self
    where
        F: AsyncFn(Option<Response>) -> R + 'static,
        R: MaybeResponse,
    {
        self.app_scaffold.after_websocket(hook);
        self
    }

    /// As [`teardown_websocket`](Self::teardown_websocket), for every WebSocket of the application.
    pub fn teardown_app_websocket<F, R>(&mut self, hook: F) -> &mut Self
    where
        F: AsyncFn(Option<Error>) -> R + 'static,
        R: Outcome,
    {
        self.app_scaffold.teardown_websocket(hook);
        self
    }

    /// As [`errorhandler`](Self::errorhandler), for the whole application, in the place of a handler that it has for
    /// that status.
    ///
    /// # Panics
    ///
    /// If the number is no status.
    #[track_caller]
    pub fn app_errorhandler<F, R>(&mut self, status: impl TryInto<StatusCode>, handler: F) -> &mut Self
    where
        F: AsyncFn(HttpException) -> R + 'static,
        R: IntoResponse,
    {
        self.app_scaffold.errorhandler(status, handler);
        self
    }

    /// As [`errorhandler_for`](Self::errorhandler_for), for the whole application.
    pub fn app_errorhandler_for<E, F, R>(&mut self, handler: F) -> &mut Self
    where
        F: AsyncFn(Arc<E>) -> R + 'static,
        E: std::error::Error + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.app_scaffold.errorhandler_for(handler);
        self
    }

    /// As [`errorhandler_if`](Self::errorhandler_if), for the whole application.
    pub fn app_errorhandler_if<F, R>(&mut self, predicate: impl Fn(&Error) -> bool + 'static, handler: F) -> &mut Self
    where
        F: AsyncFn(Error) -> R + 'static,
        R: IntoResponse,
    {
        self.app_scaffold.errorhandler_if(predicate, handler);
        self
    }

    /// As [`url_value_preprocessor`](Self::url_value_preprocessor), for every request of the application.
    pub fn app_url_value_preprocessor(&mut self, hook: impl Fn(&Request, &mut ViewArgs) + 'static) -> &mut Self {
        self.app_scaffold.url_value_preprocessor(Rc::new(hook));
        self
    }

    /// As [`url_defaults`](Self::url_defaults), for every URL of the application.
    pub fn app_url_defaults(&mut self, hook: impl Fn(&str, &mut ViewArgs) + 'static) -> &mut Self {
        self.app_scaffold.url_defaults(Rc::new(hook));
        self
    }

    /// What the paths of its rules begin with.
    pub fn url_prefix(&mut self, prefix: impl Into<String>) -> &mut Self {
        self.url_prefix = prefix.into();
        self
    }

    /// The subdomain of its rules that say none. In a blueprint that has one, too, it stands in front of that:
    /// `api` in `example` is `api.example`.
    pub fn subdomain(&mut self, subdomain: impl Into<String>) -> &mut Self {
        self.subdomain = Some(subdomain.into());
        self
    }

    /// Values for each of its own rules that does not say another: `url_defaults` among the arguments of Quart's
    /// `Blueprint`. The rules of its blueprints do not have them.
    pub fn url_values_defaults<N, V>(&mut self, values: impl IntoIterator<Item = (N, V)>) -> &mut Self
    where
        N: Into<String>,
        V: Into<PathValue<'static>>,
    {
        for (name, value) in values {
            self.url_values_defaults.insert(name, value);
        }
        self
    }

    /// Adds what is for all requests, this blueprint's before that of its blueprints.
    pub(super) fn extend_app(&self, app: &mut Scaffold) {
        app.hooks.extend(&self.app_scaffold.hooks);
        app.error_handlers.extend(&self.app_scaffold.error_handlers);
        for registration in &self.blueprints {
            registration.blueprint.extend_app(app);
        }
    }
}

impl Registration {
    pub(super) fn add<'a>(registrations: &'a mut Vec<Self>, blueprint: &Blueprint) -> &'a mut Self {
        registrations.push(Registration { blueprint: blueprint.clone() });
        registrations.last_mut().expect("pushed in the line above")
    }

    /// The name, in the place of the blueprint's.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.blueprint.name = name.into();
        self
    }

    /// What the paths of its rules begin with, in the place of the blueprint's.
    pub fn url_prefix(&mut self, prefix: impl Into<String>) -> &mut Self {
        self.blueprint.url_prefix = prefix.into();
        self
    }

    /// The subdomain of its rules that say none, in the place of the blueprint's; joined as that.
    pub fn subdomain(&mut self, subdomain: impl Into<String>) -> &mut Self {
        self.blueprint.subdomain = Some(subdomain.into());
        self
    }

    /// Values for each of its own rules that does not say another, in the place of the blueprint's under these names.
    pub fn url_defaults<N, V>(&mut self, values: impl IntoIterator<Item = (N, V)>) -> &mut Self
    where
        N: Into<String>,
        V: Into<PathValue<'static>>,
    {
        self.blueprint.url_values_defaults(values);
        self
    }
}
