//! The framework: Quart's model in Rust's clothes.

#[expect(clippy::module_inception, reason = "each file has the name of what is in it: here it is `App`")]
mod app;
mod background;
mod background_task;
mod blocking;
mod blueprint;
mod body_argument;
mod context;
mod debug_page;
mod dispatch;
mod error_handlers;
mod exception;
mod from_request;
mod globals;
mod handle;
mod hooks;
mod isolated;
mod lifespan;
mod maybe_response;
mod mount;
mod pairs_deserializer;
mod path;
mod path_deserializer;
mod query;
mod request;
mod request_body;
mod request_headers;
mod request_url;
mod route;
mod routed;
pub mod routing;
mod running;
mod scaffold;
#[cfg(feature = "tower")]
mod service;
mod setup;
mod setup_error;
mod shared;
mod state;
mod streaming;
mod teardown;
#[cfg(feature = "testing")]
pub mod testing;
mod type_map;
mod url_for;
mod view;
mod view_args;
mod websocket;
mod while_serving;

pub use app::App;
pub use background::AppNursery;
pub use background_task::{BackgroundPolicy, BackgroundTask};
pub use blocking::{Blocking, BlockingArguments, BlockingView, ToThread, blocking};
pub use blueprint::{Blueprint, Registration};
pub use context::{
    after_this_request, after_this_websocket, current_app, g, has_app_context, has_request_context,
    has_websocket_context, request, websocket,
};
pub use exception::{HttpException, abort};
pub use from_request::{FromRequest, Requirements};
pub use globals::Globals;
pub use handle::AppHandle;
pub use maybe_response::MaybeResponse;
pub use path::Path;
pub use query::Query;
pub use request::Request;
pub use route::Route;
pub use running::RunTask;
pub use setup_error::SetupError;
pub use shared::{DEFAULT_BACKGROUND_TASK_SHUTDOWN_TIMEOUT, DEFAULT_BODY_TIMEOUT, DEFAULT_MAX_CONTENT_LENGTH};
pub use state::State;
pub use url_for::{UrlFor, url_for};
pub use view::{Arguments, View};
pub use view_args::ViewArgs;
pub use websocket::WebSocket;
pub use while_serving::Serving;
