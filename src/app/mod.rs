//! The framework: Quart's model in Rust's clothes.

mod app;
mod background;
mod blueprint;
mod context;
mod debug_page;
mod dispatch;
mod error_handlers;
mod exception;
mod from_request;
mod globals;
mod handle;
mod hooks;
mod maybe_response;
mod request;
mod request_body;
mod route;
mod routed;
pub mod routing;
mod running;
mod scaffold;
mod setup;
mod setup_error;
mod shared;
mod state;
mod streaming;
mod teardown;
#[cfg(feature = "testing")]
pub mod testing;
mod type_map;
mod view;
mod view_args;
mod websocket;

pub use app::App;
pub use background::AppNursery;
pub use blueprint::{Blueprint, Registration};
pub use context::{
    after_this_request, current_app, g, has_app_context, has_request_context, has_websocket_context, request, websocket,
};
pub use exception::{HttpException, abort};
pub use from_request::{FromRequest, Requirements};
pub use globals::Globals;
pub use handle::AppHandle;
pub use maybe_response::MaybeResponse;
pub use request::Request;
pub use route::Route;
pub use setup_error::SetupError;
pub use shared::{DEFAULT_BACKGROUND_TASK_SHUTDOWN_TIMEOUT, DEFAULT_BODY_TIMEOUT, DEFAULT_MAX_CONTENT_LENGTH};
pub use state::State;
pub use view::{Arguments, View};
pub use view_args::ViewArgs;
pub use websocket::WebSocket;
