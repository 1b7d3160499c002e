//! A handler with a lifespan made of closures, and a log of what happens to it.

use std::future::Future;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foster::http::Response;
use foster::{
    CancelScope, Config, Handler, HttpServer, Nursery, Request, Result, ScopeHandle, cancel_reason, run_here,
    sleep_forever,
};

use crate::served::{BOUND, Served, until};

pub(crate) const MOMENT: Duration = Duration::from_millis(1);

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// A handler with a lifespan made of closures.
pub(crate) struct App {
    log: Log,
    startup: Box<dyn Fn(Nursery, HttpServer) -> Boxed<Result<()>>>,
    shutdown: Box<dyn Fn() -> Boxed<Result<()>>>,
    max_body_size: Option<u64>,
    /// Cancelled to end a worker.
    scope: Option<ScopeHandle>,
}

impl App {
    pub(crate) fn new(log: &Log) -> Self {
        App {
            log: log.clone(),
            startup: Box::new(|_, _| Box::pin(async { Ok(()) })),
            shutdown: Box::new(|| Box::pin(async { Ok(()) })),
            max_body_size: None,
            scope: CancelScope::current(),
        }
    }

    /// With a limit of its own, or that of the configuration.
    pub(crate) fn with_max_body_size(mut self, limit: Option<u64>) -> Self {
        self.max_body_size = limit;
        self
    }

    pub(crate) fn on_startup<F: Future<Output = Result<()>> + 'static>(
        mut self,
        startup: impl Fn(Nursery, HttpServer) -> F + 'static,
    ) -> Self {
        self.startup = Box::new(move |nursery, server| Box::pin(startup(nursery, server)));
        self
    }

    pub(crate) fn on_shutdown<F: Future<Output = Result<()>> + 'static>(
        mut self,
        shutdown: impl Fn() -> F + 'static,
    ) -> Self {
        self.shutdown = Box::new(move || Box::pin(shutdown()));
        self
    }
}

impl Handler for App {
    type Future = Boxed<Result<Response>>;

    fn call(&self, mut request: Request) -> Self::Future {
        let (log, scope) = (self.log.clone(), self.scope.clone());
        Box::pin(async move {
            let path = request.path().to_owned();
            match &*path {
                "/polite" | "/never" => {
                    let _ended = log.at_the_end(&path);
                    log.say(format!("{path} begun"));
                    if path == "/never" {
                        sleep_forever().await;
                    }
                    request.shutdown().wait().await;
                }
                "/die" => scope.expect("a factory runs in its worker").cancel_with("a request asked for it"),
                "/length" => return Ok(Response::text(request.body_mut().bytes().await?.len().to_string())),
                _ => {}
            }
            Ok(Response::text(path))
        })
    }

    fn startup(&self, nursery: Nursery, server: HttpServer) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        self.log.say("startup");
        (self.startup)(nursery, server)
    }

    fn shutdown(&self) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        self.log.say("shutdown");
        (self.shutdown)()
    }

    fn max_body_size(&self, limit: Option<u64>) -> Option<u64> {
        self.max_body_size.or(limit)
    }
}

/// What happened, in order, from every thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, word: impl Into<String>) {
        self.0.lock().unwrap().push(word.into());
    }

    /// Says when it is dropped, and why it was cancelled if it was.
    pub(crate) fn at_the_end(&self, name: &str) -> AtTheEnd {
        AtTheEnd { log: self.clone(), name: name.to_owned() }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, word: &str) -> usize {
        self.all().iter().filter(|said| *said == word).count()
    }

    pub(crate) fn hears(&self, word: &str) {
        until(|| self.count(word) > 0);
    }
}

pub(crate) struct AtTheEnd {
    log: Log,
    name: String,
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let reason = cancel_reason().map_or("ended".to_owned(), |reason| reason.to_string());
        self.log.say(format!("{}: {reason}", self.name));
    }
}

pub(crate) fn config() -> Config {
    Config::new().bind("127.0.0.1:0").graceful_timeout(BOUND)
}

pub(crate) fn address_of(server: &HttpServer) -> SocketAddr {
    let address = &server.addresses()[0];
    SocketAddr::new(address.ip().unwrap(), address.port().unwrap())
}

pub(crate) fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|err| err.kind() == ErrorKind::ConnectionRefused)
}

pub(crate) fn begin(served: &Served, path: &str) -> TcpStream {
    let mut client = served.connect();
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    client
}

/// Runs on a loop whose clock is paused: nothing may come over a socket.
pub(crate) fn paused<T>(test: impl Future<Output = Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(run_here(test)).unwrap()
}

/// One whose task, which lives from its startup on, says when it ends.
pub(crate) fn with_a_task(log: &Log) -> App {
    let (task, log) = (log.clone(), log);
    App::new(log).on_startup(move |nursery, _| {
        let ended = task.at_the_end("task");
        nursery.start_soon(async move {
            let _ended = ended;
            sleep_forever().await;
        });
        async { Ok(()) }
    })
}
