//! The framework: Quart's model in Rust's clothes.
//!
//! An [`App`] is set up, then served: by [`run`](App::run), by [`run_task`](App::run_task) inside a nursery of the
//! program's, by [`run_workers`](App::run_workers) on several threads, or as a [handler](App::into_handler). A view is an
//! `async` function that takes [what it needs from the request](FromRequest), or takes nothing and asks the context:
//! [`request()`], [`websocket()`], [`g()`] and [`current_app()`] are there in the view and in every task that it starts
//! in a nursery.
//!
//! ```
//! use foster::app::{App, Path, abort, g, request};
//! use foster::http::Json;
//! use foster::{Nursery, open_nursery, run};
//! use serde_json::json;
//!
//! struct User(String);
//!
//! async fn page(Path(number): Path<u32>) -> Result<Json<serde_json::Value>, foster::Error> {
//!     if number > 9 {
//!         return Err(abort(404).description("There are nine pages.").into());
//!     }
//!     let user = g().get::<User>().map_or_else(String::new, |user| user.0.clone());
//!     Ok(Json(json!({ "page": number, "for": user, "at": request().path() })))
//! }
//!
//! let mut app = App::new();
//! app.before_request(async || {
//!     g().insert(User("ada".to_owned()));
//! });
//! app.get("/pages/<int:number>", page);
//!
//! # #[cfg(feature = "testing")]
//! run(open_nursery(async |nursery: Nursery| {
//!     let client = app.test_client(&nursery)?;
//!     let response = client.get("/pages/3").await?;
//!     assert_eq!(response.status_code(), 200);
//!     assert_eq!(client.get("/pages/10").await?.status_code(), 404);
//!     foster::Ok(())
//! }))?;
//! # foster::Ok(())
//! ```
//!
//! | what | where |
//! | --- | --- |
//! | routes, hooks, handlers of errors | [`App`], [`Route`], and [`Blueprint`] for a part of an application |
//! | arguments of views | [`Path`], [`Query`], [`Json`](crate::http::Json), [`State`], [`Request`], [`WebSocket`], [`FromRequest`] for more |
//! | what views give | [`IntoResponse`](crate::http::IntoResponse); hooks and views of WebSockets, [`MaybeResponse`] |
//! | errors | [`abort`], [`HttpException`], [`App::errorhandler`] |
//! | URLs | [`url_for`], [`routing`] |
//! | background work, start and end | [`AppNursery`], [`App::add_background_task`], [`App::while_serving`] |
//! | other handlers, tower | [`App::mount`], and the module `tower`, with the feature of that name |
//! | tests | `testing`, with the feature of that name |
//!
//! `docs/quart.md` in the repository has every feature of Quart's with its name here, and what differs.

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
mod one_value;
mod pairs_deserializer;
mod pairs_error;
mod path;
mod path_deserializer;
mod path_error;
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
