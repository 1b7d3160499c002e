//! The lifespan of a handler: its startup, its shutdown, and the nursery that it has in between.

use std::cell::Cell;

use foster_compat::{Nursery, NurseryError, Result, TimeoutError, finally, move_on_after, open_nursery};

use super::config::Config;
use super::http_server::HttpServer;
use super::worker::Worker;
use crate::handler::Handler;

/// Serves from one loop, in a nursery of its own inside `app`, which is the handler's: what lives in `app` ends last.
///
/// `bind` makes the worker, which accepts nothing yet. `on_serving` is called once it does, unless the server was told to
/// stop before.
pub(super) async fn serve_within<H: Handler>(
    app: &Nursery,
    bind: impl AsyncFnOnce(&Nursery) -> Result<(Worker<H>, HttpServer)>,
    on_serving: impl FnOnce(&HttpServer) -> Result<()>,
) -> Result<()> {
    // Who takes the site out of here shuts the handler down: it was started up, and no shutdown has begun.
    let started = Cell::new(None);
    let serve = async {
        let served = open_nursery(async |nursery: Nursery| {
            let (worker, server) = bind(&nursery).await?;
            start_up(&worker.site.handler, &worker.site.config, app, &server).await?;
            started.set(Some(worker.site.clone()));
            if !server.is_stopping() {
                worker.accept()?;
                on_serving(&server)?;
            }
            worker.serve(&nursery, &server).await;
            Ok(())
        });
        let served = served.await.map(drop).map_err(NurseryError::into_error);
        let shut_down = match started.take() {
            Some(site) => shut_down(&site.handler, &site.config).await,
            None => Ok(()),
        };
        served.and(shut_down)
    };
    let clean_up = async {
        if let Some(site) = started.take() {
            if let Err(err) = site.handler.shutdown().await {
                tracing::error!("the shutdown of a server that was cancelled failed: {err:#}");
            }
        }
    };
    let served = finally(serve, clean_up).await;
    app.cancel_scope().cancel_with("the server has shut down");
    served
}

/// Starts a handler up, in bounded time.
pub(crate) async fn start_up<H: Handler>(
    handler: &H,
    config: &Config,
    app: &Nursery,
    server: &HttpServer,
) -> Result<()> {
    let timeout = config.startup_timeout;
    move_on_after(timeout, handler.startup(app.clone(), server.clone())).await.unwrap_or_else(|| {
        Err(TimeoutError::new(format!("the startup took longer than startup_timeout, {timeout:?}")).into())
    })
}

/// Shuts a handler down, in bounded time.
pub(crate) async fn shut_down<H: Handler>(handler: &H, config: &Config) -> Result<()> {
    let timeout = config.shutdown_timeout;
    move_on_after(timeout, handler.shutdown()).await.unwrap_or_else(|| {
        Err(TimeoutError::new(format!("the shutdown took longer than shutdown_timeout, {timeout:?}")).into())
    })
}
