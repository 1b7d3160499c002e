//! [`Shared`]: an application that is set up, as all its requests share it.

use std::rc::Rc;
use std::time::Duration;

use super::background::OwnNursery;
use super::error_handlers::ErrorHandlers;
use super::hooks::Hooks;
use super::lifespan::ServingHooks;
use super::mount::{Mount, Mounts, prefix_len};
use super::route::{Settings, Target};
use super::routing::Map;
use super::type_map::TypeMap;
use super::url_for::OnBuildError;
use crate::websocket;

pub(super) struct Shared {
    /// With the number of an entry beside each rule.
    pub(super) map: Map<usize>,
    pub(super) entries: Vec<Entry>,
    /// The application's, then those of its blueprints.
    pub(super) scopes: Vec<Scope>,
    pub(super) options: Options,
    /// The root of the application, percent-encoded.
    pub(super) root_path: String,
    pub(super) states: TypeMap,
    pub(super) nursery: OwnNursery,
    pub(super) serving_hooks: ServingHooks,
    pub(super) on_build_error: Vec<Rc<OnBuildError>>,
    pub(super) mounts: Mounts,
}

/// A route that is set up.
pub(super) struct Entry {
    pub(super) endpoint: String,
    pub(super) target: Target,
    pub(super) settings: Settings,
    /// For those of WebSockets.
    pub(super) websocket_config: websocket::Config,
    /// The number of its scope.
    pub(super) scope: usize,
}

/// What holds in the application, or in a blueprint with all that it stands in.
pub(super) struct Scope {
    /// Of the blueprint, dotted; empty for the application.
    pub(super) name: String,
    /// In the order they are called.
    pub(super) hooks: Hooks,
    /// Innermost first.
    pub(super) error_handlers: Vec<Rc<ErrorHandlers>>,
}

/// What the application says, with Quart's defaults.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) debug: bool,
    pub(super) max_content_length: Option<u64>,
    pub(super) body_timeout: Option<Duration>,
    /// Not percent-encoded, and without a slash at its end.
    pub(super) application_root: String,
    pub(super) preferred_url_scheme: String,
    pub(super) server_name: Option<String>,
    pub(super) background_task_shutdown_timeout: Option<Duration>,
    pub(super) websocket: websocket::Config,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            debug: false,
            max_content_length: Some(DEFAULT_MAX_CONTENT_LENGTH),
            body_timeout: Some(DEFAULT_BODY_TIMEOUT),
            application_root: String::new(),
            preferred_url_scheme: "http".to_owned(),
            server_name: None,
            background_task_shutdown_timeout: Some(DEFAULT_BACKGROUND_TASK_SHUTDOWN_TIMEOUT),
            websocket: websocket::Config::default(),
        }
    }
}

/// In bytes: Quart's `MAX_CONTENT_LENGTH`.
pub const DEFAULT_MAX_CONTENT_LENGTH: u64 = 16 * 1024 * 1024;

/// Quart's `BODY_TIMEOUT`.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Quart's `BACKGROUND_TASK_SHUTDOWN_TIMEOUT`.
pub const DEFAULT_BACKGROUND_TASK_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

impl Shared {
    /// How many bytes of a path, as it came, are the root of the application; `None` if it lies elsewhere.
    pub(super) fn root_len(&self, path: &str) -> Option<usize> {
        let root = self.options.application_root.as_str();
        if root.is_empty() { Some(0) } else { prefix_len(path, root) }
    }

    /// What is mounted where a path leads, and how much of that is its prefix. The path costs a look, and is asked for
    /// only where something is mounted.
    pub(super) fn mounted<'p>(&self, path: impl FnOnce() -> &'p str) -> Option<(&Mount, usize)> {
        if self.mounts.is_empty() {
            return None;
        }
        let path = path();
        let n_root = self.root_len(path)?;
        let (mount, n) = self.mounts.find(&path[n_root..])?;
        Some((mount, n_root + n))
    }

    pub(super) fn entry(&self, nth: usize) -> &Entry {
        &self.entries[nth]
    }

    /// The scope of a route, or of what no route takes.
    pub(super) fn scope(&self, entry: Option<&Entry>) -> &Scope {
        &self.scopes[entry.map_or(0, |entry| entry.scope)]
    }

    /// The scope of an endpoint, be there one of that name or not.
    pub(super) fn scope_of_endpoint(&self, endpoint: &str) -> &Scope {
        let prefixes = endpoint.rmatch_indices('.').map(|(dot, _)| &endpoint[..dot]);
        let mut known = prefixes.filter_map(|name| self.scopes.iter().find(|scope| scope.name == name));
        known.next().unwrap_or(&self.scopes[0])
    }
}
