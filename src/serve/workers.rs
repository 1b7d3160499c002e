//! [`serve_workers`]: a handler for each of several loops, each in a thread of its own.

use std::cell::RefCell;
use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use foster_compat::{
    LoopThread, Nursery, NurseryError, Panicked, Result, RuntimeError, finally_within, move_on_after, open_nursery,
    run_in_thread,
};
use futures::FutureExt;
use futures::future::{Either, select, try_join_all};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::config::Config;
use super::http_server::HttpServer;
use super::lifespan::serve_within;
use super::reservation::Reservation;
use super::serve::{Options, logged, serve_options};
use super::stats::Counters;
use super::worker::Worker;
use crate::handler::Handler;

/// How long workers that were cancelled may take to end: three times the bound of one clean-up
/// ([`DEFAULT_CLEANUP_TIMEOUT`](foster_compat::DEFAULT_CLEANUP_TIMEOUT)), because those of the connections and the shutdown
/// of the handler, one after the other, run within it.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves over HTTP/1.1 from [`Config::workers`] loops, each in a thread of its own with a handler of its own, which
/// `factory` makes there: a handler need not be `Send`. Await the builder in a loop, which only watches over them.
/// Hypercorn's `workers`, which are processes.
///
/// A port is bound by each worker, and the kernel shares the connections out (`SO_REUSEPORT`); sockets that were given,
/// and Unix sockets, are shared. A worker whose loop fails or panics is reported and started again after a pause, of
/// 0.1 s at first and up to 5 s, with a startup of its own; a handler that panics costs its own request alone. It stops as [`serve`](crate::serve())
/// does, in every worker at once. Limits such as [`Config::max_connections`] are each worker's own. A handler that never
/// yields stops its worker from stopping; when it is cancelled, such a worker is left behind after 15 s, with a warning.
///
/// # Errors
///
/// An address that cannot be bound; a worker that cannot start the first time, be it that `factory` panics or that the
/// [`startup`](Handler::startup) of its handler fails. What goes wrong in a worker after that, a shutdown included, is
/// logged.
///
/// # Cancel safety
///
/// Cancelled, it stops all workers before it returns: their connections are aborted.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// use foster::http::Response;
/// use foster::{Config, Request, run, serve_workers};
///
/// let counter = || {
///     let n = Cell::new(0); // one for each worker
///     move |_: Request| {
///         n.set(n.get() + 1);
///         let n = n.get();
///         async move { Response::text(n.to_string()) }
///     }
/// };
/// let config = Config::new().bind("127.0.0.1:0").workers(2);
/// run(serve_workers(counter, config).on_serving(|server| server.shutdown()))?;
/// # foster::Ok(())
/// ```
pub fn serve_workers<F, H>(factory: F, config: Config) -> ServeWorkers<F>
where
    F: Fn() -> H + Send + Sync + 'static,
    H: Handler,
{
    ServeWorkers { factory, config, options: Options::default() }
}

/// What [`serve_workers`] will serve; await it.
#[must_use = "nothing is served until it is awaited"]
pub struct ServeWorkers<F> {
    factory: F,
    config: Config,
    options: Options,
}

impl<F, H> ServeWorkers<F>
where
    F: Fn() -> H + Send + Sync + 'static,
    H: Handler,
{
    serve_options!();

    #[cfg(feature = "app")]
    pub(crate) fn with_options(self, options: Options) -> Self {
        ServeWorkers { options, ..self }
    }

    async fn run(self) -> Result<()> {
        let ServeWorkers { factory, config, options } = self;
        let access_log = config.access_log.clone();
        let served = open_nursery(async |nursery: Nursery| {
            let reservation = Reservation::make(&nursery, &config).await?;
            let server = HttpServer::new(reservation.addresses()?);
            // A listener that is kept here would go on listening after the workers have closed it.
            let config = Config { bind: Vec::new(), ..config };
            let n_workers = config.workers.max(1);
            let crew = Rc::new(Crew { factory: Arc::new(factory), config, reservation, server });
            let mut starts = Vec::with_capacity(n_workers);
            for number in 1..=n_workers {
                let (started, start) = oneshot::channel();
                nursery.start_soon(crew.clone().keep_running(number, started));
                starts.push(start);
            }
            // A watcher that ends without a word was cancelled, and so is this, or its worker was told to stop.
            let starts = starts.into_iter().map(async |start| start.await.unwrap_or(Ok(())));
            try_join_all(starts).await?;
            if !crew.server.is_stopping() {
                options.begin(&nursery, &crew.server)?;
            }
            crew.server.told_to_stop().await;
            crew.reservation.release();
            Ok(())
        });
        logged(access_log, served).await.map(drop).map_err(NurseryError::into_error)
    }
}

impl<F, H> IntoFuture for ServeWorkers<F>
where
    F: Fn() -> H + Send + Sync + 'static,
    H: Handler,
{
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// What those who watch over the workers share.
struct Crew<F> {
    factory: Arc<F>,
    config: Config,
    reservation: Reservation,
    server: HttpServer,
}

type Started = oneshot::Sender<Result<()>>;

impl<F, H> Crew<F>
where
    F: Fn() -> H + Send + Sync + 'static,
    H: Handler,
{
    /// Watches over one worker until the server stops. `started` is told how its first start went.
    async fn keep_running(self: Rc<Self>, number: usize, started: Started) {
        let mut started = Some(started);
        let mut backoff = Backoff::new();
        loop {
            let began = Instant::now();
            let ended = self.run_worker(&mut started).await;
            let is_stopping = self.server.is_stopping();
            let err = match ended {
                Ok(()) if is_stopping => return,
                Ok(()) => RuntimeError::new("its loop was cancelled").into(),
                Err(err) => err,
            };
            if let Some(started) = started.take() {
                // Who waits for it may be cancelled.
                let _ = started.send(Err(err));
                return;
            }
            if is_stopping {
                tracing::error!("worker {number} died while the server was stopping: {err:#}");
                return;
            }
            let pause = backoff.pause_after(began.elapsed());
            tracing::error!("worker {number} died, and is started again in {pause:?}: {err:#}");
            if move_on_after(pause, self.server.told_to_stop()).await.is_some() {
                return;
            }
        }
    }

    /// Runs a worker until it ends, or until this is cancelled, and then ends it.
    async fn run_worker(&self, started: &mut Option<Started>) -> Result<()> {
        let counters: Arc<Counters> = Arc::default();
        let (ready, is_ready) = oneshot::channel();
        let thread = RefCell::new(Some(self.start_thread(counters.clone(), ready)?));
        self.server.add_counters(counters.clone());
        let serve = async {
            let ended = match select(is_ready, pin!(end_of(&thread))).await {
                Either::Left((Ok(()), ended)) => {
                    if let Some(started) = started.take() {
                        // Who waits for it may be cancelled.
                        let _ = started.send(Ok(()));
                    }
                    ended.await
                }
                // It has gone without being ready: its end says why.
                Either::Left((Err(_), ended)) => ended.await,
                Either::Right((ended, _)) => ended,
            };
            self.server.retire_counters(&counters);
            ended
        };
        let stop = async {
            let is_alive = thread.borrow().as_ref().map(LoopThread::cancel).is_some();
            if is_alive {
                // It was told to.
                let _ = end_of(&thread).await;
            }
        };
        finally_within(STOP_TIMEOUT, serve, stop).await
    }

    fn start_thread(&self, counters: Arc<Counters>, ready: oneshot::Sender<()>) -> Result<LoopThread<()>> {
        let (factory, config, server) = (self.factory.clone(), self.config.clone(), self.server.clone());
        let spots = self.reservation.spots()?;
        run_in_thread(move || async move {
            let served = open_nursery(async |app: Nursery| {
                let handler = factory();
                let bind = async move |nursery: &Nursery| {
                    Ok((Worker::bind(nursery, handler, &config, spots, counters).await?, server))
                };
                let on_serving = |_: &HttpServer| {
                    // Nobody waits for it any more if this is about to be cancelled.
                    let _ = ready.send(());
                    Ok(())
                };
                serve_within(&app, bind, on_serving).await
            });
            served.await.map(drop).map_err(NurseryError::into_error)
        })
    }
}

/// Waits for the end of a thread, a panic included, and forgets it then.
async fn end_of(thread: &RefCell<Option<LoopThread<()>>>) -> Result<()> {
    let ended = poll_fn(|cx| {
        let mut slot = thread.borrow_mut();
        let Some(running) = &mut *slot else { return Poll::Ready(Ok(Ok(()))) };
        let polled = catch_unwind(AssertUnwindSafe(|| running.poll_unpin(cx)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(ended)) => Ok(ended),
            Err(payload) => Err(payload),
        };
        *slot = None;
        Poll::Ready(ended)
    });
    match ended.await {
        Ok(ended) => ended,
        Err(payload) => Err(RuntimeError::new(format!("its loop {}", Panicked::new(payload))).into()),
    }
}
