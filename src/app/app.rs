//! [`App`]: an application while it is set up.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::background::{AppNursery, OwnNursery};
use super::background_task::BackgroundTask;
use super::blueprint::{Blueprint, Registration};
use super::exception::HttpException;
use super::lifespan::{ServingHooks, serving_hook_methods};
use super::maybe_response::MaybeResponse;
use super::mount::Mounts;
use super::request::Request;
use super::route::Route;
use super::routing::{ArgumentError, Arguments as ConverterArguments, Converter, Rule};
use super::scaffold::{Scaffold, scaffold_methods, verbs};
use super::shared::Options;
use super::type_map::TypeMap;
use super::url_for::OnBuildError;
use super::view::{Arguments, View};
use super::view_args::ViewArgs;
use super::while_serving::Serving;
use crate::http::{IntoResponse, Method, Response, StatusCode};
use crate::{Error, Outcome, websocket};

/// An application: routes, hooks, handlers of errors. Quart's `Quart`, while it is set up; [`run`](App::run) serves it.
///
/// What is wrong with it, as a rule that cannot be read, two that take the same requests, or a view whose state is
/// missing, is said when it starts, all at once.
///
/// ```
/// use foster::app::{App, Path, abort};
/// use foster::http::Json;
/// use serde_json::json;
///
/// let mut app = App::new();
/// app.get("/", async || "Hello, World!");
/// app.get("/users/<int:id>", async |Path(id): Path<i64>| Json(json!({ "id": id })));
/// app.post("/jobs", async || ("Started", 201));
/// app.errorhandler(404, async |_| ("There is nothing here", 404));
/// ```
pub struct App {
    pub(super) scaffold: Scaffold,
    pub(super) serving_hooks: ServingHooks,
    pub(super) blueprints: Vec<Registration>,
    pub(super) map: MapOptions,
    pub(super) options: Options,
    pub(super) states: TypeMap,
    pub(super) nursery: OwnNursery,
    pub(super) on_build_error: Vec<Rc<OnBuildError>>,
    pub(super) mounts: Mounts,
}

/// What the map of the routes is made with.
pub(super) struct MapOptions {
    pub(super) strict_slashes: bool,
    pub(super) merge_slashes: bool,
    pub(super) automatic_options: bool,
    pub(super) host_matching: bool,
    pub(super) subdomain_matching: bool,
    pub(super) converters: Vec<(String, Rc<ConverterFactory>)>,
}

pub(super) type ConverterFactory = dyn Fn(&ConverterArguments) -> Result<Rc<dyn Converter>, ArgumentError>;

impl Default for MapOptions {
    fn default() -> Self {
        MapOptions {
            strict_slashes: true,
            merge_slashes: true,
            automatic_options: true,
            host_matching: false,
            subdomain_matching: false,
            converters: Vec::new(),
        }
    }
}

impl App {
    /// One without routes, which answers everything with 404.
    pub fn new() -> Self {
        App {
            scaffold: Scaffold::default(),
            serving_hooks: ServingHooks::default(),
            blueprints: Vec::new(),
            map: MapOptions::default(),
            options: Options::default(),
            states: TypeMap::default(),
            nursery: OwnNursery::new(),
            on_build_error: Vec::new(),
            mounts: Mounts::default(),
        }
    }

    scaffold_methods!();

    /// Takes in the routes, the hooks and the handlers of errors that a blueprint has by now, and its blueprints. What
    /// can be said of it besides are the methods of the [`Registration`] that this gives.
    ///
    /// What the blueprint has for all requests stands behind what the application has by now; of a blueprint that is
    /// registered again, it is not taken in again.
    pub fn register_blueprint(&mut self, blueprint: &Blueprint) -> &mut Registration {
        blueprint.extend_app(&mut self.scaffold);
        Registration::add(&mut self.blueprints, blueprint)
    }

    serving_hook_methods!(serving_hooks: before_serving while_serving after_serving);

    /// A value for [`State`](super::State) arguments: one of each type.
    pub fn state<T: Any>(&mut self, value: T) -> &mut Self {
        self.states.insert(value);
        self
    }

    /// Where tasks are started that outlive a request: Quart-Trio's `app.nursery`. They run once the application does.
    pub fn nursery(&self) -> AppNursery {
        self.nursery.clone()
    }

    /// Starts a background task, once the application serves: Quart's `add_background_task`. It runs as every task of the
    /// [`nursery`](App::nursery) does; that it is a function lets it be started again. What is done when it fails is for
    /// the [`policy`](BackgroundTask::policy) of what this gives to say.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use foster::app::{App, BackgroundPolicy};
    /// use foster::sleep;
    ///
    /// async fn sweep() -> foster::Result<()> {
    ///     loop {
    ///         sleep(Duration::from_secs(60)).await;
    ///     }
    /// }
    ///
    /// let mut app = App::new();
    /// app.add_background_task(sweep).policy(BackgroundPolicy::Restart);
    /// ```
    pub fn add_background_task<F, R>(&mut self, task: F) -> BackgroundTask
    where
        F: AsyncFn() -> R + 'static,
        R: Outcome,
    {
        self.nursery.add(task)
    }

    /// Whether errors that nothing knows are shown to the client, with the request and the tree of tasks: Quart's
    /// `debug`. They are not, unless set; never set it where strangers can ask. Handlers for 500 are not asked then, as
    /// Quart's are not.
    pub fn debug(&mut self, is_on: bool) -> &mut Self {
        self.options.debug = is_on;
        self
    }

    /// The longest body of a request in bytes, declared or not; `None` for any. 16 MiB unless set: Quart's
    /// `MAX_CONTENT_LENGTH`. A longer one is answered with 413 when it is read. A [route](Route::max_content_length) and
    /// a [request](Request::set_max_content_length) may say otherwise.
    pub fn max_content_length(&mut self, limit: Option<u64>) -> &mut Self {
        self.options.max_content_length = limit;
        self
    }

    /// How long a body that is read as a whole may take; `None` for as long as something comes. 60 s unless set: Quart's
    /// `BODY_TIMEOUT`. A later one is answered with 408.
    pub fn body_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.options.body_timeout = timeout;
        self
    }

    /// How long background tasks may go on once the server has stopped, before they are cancelled; `None` for not at
    /// all. 5 s unless set: Quart's `BACKGROUND_TASK_SHUTDOWN_TIMEOUT`.
    pub fn background_task_shutdown_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.options.background_task_shutdown_timeout = timeout;
        self
    }

    /// What the application is mounted below, by a proxy that passes the whole path on: Quart's `APPLICATION_ROOT`. It is
    /// written decoded, as rules are. A request for a path elsewhere is answered with 404.
    pub fn application_root(&mut self, path: &str) -> &mut Self {
        self.options.application_root = path.trim_end_matches('/').to_owned();
        self
    }

    /// The host, with its port if it is not that of the scheme, of external URLs, which have what the client calls it
    /// unless this is set, and below which subdomains lie: Quart's `SERVER_NAME`. Requests for other hosts are answered
    /// all the same, unless rules are for subdomains.
    pub fn server_name(&mut self, host: impl Into<String>) -> &mut Self {
        self.options.server_name = Some(host.into());
        self
    }

    /// The scheme of URLs that are built outside a request: `http` unless set. Quart's `PREFERRED_URL_SCHEME`.
    pub fn preferred_url_scheme(&mut self, scheme: impl Into<String>) -> &mut Self {
        self.options.preferred_url_scheme = scheme.into();
        self
    }

    /// How WebSockets are served: limits, time-outs, subprotocols, origins. A [route](Route::websocket_config) may say
    /// otherwise.
    pub fn websocket_config(&mut self, config: websocket::Config) -> &mut Self {
        self.options.websocket = config;
        self
    }

    /// Whether the slash at the end of rules makes a difference. It does, unless set: `url_map.strict_slashes`.
    pub fn strict_slashes(&mut self, is_strict: bool) -> &mut Self {
        self.map.strict_slashes = is_strict;
        self
    }

    /// Whether a path with several slashes in a row is redirected to one with single slashes. It is, unless set:
    /// `url_map.merge_slashes`.
    pub fn merge_slashes(&mut self, is_merging: bool) -> &mut Self {
        self.map.merge_slashes = is_merging;
        self
    }

    /// Whether OPTIONS is answered for routes that do not name it. It is, unless set: Quart's
    /// `PROVIDE_AUTOMATIC_OPTIONS`.
    pub fn provide_automatic_options(&mut self, is_automatic: bool) -> &mut Self {
        self.map.automatic_options = is_automatic;
        self
    }

    /// Whether rules are for hosts; every route needs a [`host`](Route::host) then.
    pub fn host_matching(&mut self, is_matching: bool) -> &mut Self {
        self.map.host_matching = is_matching;
        self
    }

    /// Whether rules are for subdomains of the [`server_name`](App::server_name).
    pub fn subdomain_matching(&mut self, is_matching: bool) -> &mut Self {
        self.map.subdomain_matching = is_matching;
        self
    }

    /// Adds a converter for rules, under a name: `url_map.converters[name]`. See
    /// [`MapBuilder::converter`](super::routing::MapBuilder::converter).
    pub fn converter<F>(&mut self, name: impl Into<String>, factory: F) -> &mut Self
    where
        F: Fn(&ConverterArguments) -> Result<Rc<dyn Converter>, ArgumentError> + 'static,
    {
        self.map.converters.push((name.into(), Rc::new(factory)));
        self
    }
}

impl Default for App {
    fn default() -> Self {
        App::new()
    }
}
