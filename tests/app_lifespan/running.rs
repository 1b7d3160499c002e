//! How an application is served.

use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::ThreadId;

use foster::app::{App, BackgroundPolicy, SetupError, State, current_app};
use foster::{Config, Error, HttpServer, LoopThread, Result, run_in_thread, sleep};
use tokio::sync::Notify;

use crate::life::{SECOND, config};
use crate::served::{BOUND, ask, connect};
use crate::stage::paused;

/// Serves on a thread of its own.
fn serve(app: impl FnOnce() -> App + Send + 'static) -> (SocketAddr, LoopThread<()>) {
    start(|told| {
        run_in_thread(move || {
            app().run_task(config()).shutdown_trigger(pending()).on_serving(move |server| {
                told.send(address_of(&server)).unwrap();
            })
        })
    })
}

fn start(start: impl FnOnce(mpsc::Sender<SocketAddr>) -> Result<LoopThread<()>>) -> (SocketAddr, LoopThread<()>) {
    let (told, address) = mpsc::channel();
    let thread = start(told).unwrap();
    (address.recv_timeout(BOUND).expect("it serves"), thread)
}

fn address_of(server: &HttpServer) -> SocketAddr {
    let address = &server.addresses()[0];
    SocketAddr::new(address.ip().unwrap(), address.port().unwrap())
}

/// One whose view cannot have its state.
fn broken() -> App {
    let mut app = App::new();
    app.get("/", async |_: State<u8>| "never");
    app
}

#[test]
fn a_view_may_stop_the_application_and_is_answered() {
    let (address, thread) = serve(|| {
        let mut app = App::new();
        app.get("/stop", async || {
            current_app().shutdown();
            current_app().shutdown();
            sleep(SECOND / 100).await;
            "stopping"
        });
        app
    });
    let answer = ask(&mut connect(address), "/stop");
    assert_eq!((answer.status, &*answer.body), (200, "stopping"));
    thread.join().unwrap();
}

#[test]
fn a_background_task_that_a_request_starts_is_waited_for_when_the_server_stops() {
    let n = Arc::new(AtomicUsize::new(0));
    let counted = n.clone();
    let (address, thread) = serve(move || {
        let mut app = App::new();
        app.get("/", async move || {
            let counted = counted.clone();
            current_app().nursery().start_soon(async move {
                current_app().shutdown_event().wait().await;
                counted.fetch_add(1, Ordering::Relaxed);
            });
            current_app().shutdown();
            ("Started", 201)
        });
        app
    });
    let answer = ask(&mut connect(address), "/");
    assert_eq!((answer.status, &*answer.body), (201, "Started"));
    thread.join().unwrap();
    assert_eq!(n.load(Ordering::Relaxed), 1);
}

#[test]
fn an_application_that_cannot_be_set_up_says_so_instead_of_serving() {
    paused(async |_| {
        let serving = |_| panic!("it serves");
        let err = broken().run_task(config()).on_serving(serving).await.unwrap_err();
        assert!(err.is::<SetupError>(), "{err}");
        let n = Arc::new(AtomicUsize::new(0));
        let counted = n.clone();
        let factory = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            broken()
        };
        let err = App::run_workers(factory, config().workers(2)).on_serving(serving).await.unwrap_err();
        assert!(err.is::<SetupError>(), "{err}");
        assert_eq!(n.load(Ordering::Relaxed), 1, "no worker has asked for one");
        Ok(())
    });
}

#[test]
fn a_factory_that_gives_a_worker_something_else_ends_the_server_with_a_sentence() {
    let n = Arc::new(AtomicUsize::new(0));
    let (told, _) = mpsc::channel::<SocketAddr>();
    let thread = run_in_thread(move || {
        let factory = move || if n.fetch_add(1, Ordering::Relaxed) == 0 { App::new() } else { broken() };
        App::run_workers(factory, config()).on_serving(move |server| told.send(address_of(&server)).unwrap())
    });
    let err = thread.unwrap().join().unwrap_err().to_string();
    assert!(err.contains("the factory makes different applications: the application cannot start: "), "{err}");
}

#[test]
fn each_worker_has_a_lifespan_of_its_own() {
    let (said, heard) = mpsc::channel::<(&str, ThreadId)>();
    let (address, thread) = start(|told| {
        let app = move || {
            let mut app = App::new();
            let (before, after) = (said.clone(), said.clone());
            app.before_serving(async move || before.send(("before", std::thread::current().id())).unwrap());
            app.after_serving(async move || after.send(("after", std::thread::current().id())).unwrap());
            app.get("/stop", async || {
                current_app().shutdown();
                "stopping"
            });
            app
        };
        run_in_thread(move || {
            App::run_workers(app, config().workers(2))
                .shutdown_trigger(pending())
                .on_serving(move |server| told.send(address_of(&server)).unwrap())
        })
    });
    assert_eq!(ask(&mut connect(address), "/stop").status, 200);
    thread.join().unwrap();
    let heard: Vec<_> = heard.try_iter().collect();
    assert_eq!(heard.iter().map(|(word, _)| *word).collect::<Vec<_>>(), ["before", "before", "after", "after"]);
    assert_ne!(heard[0].1, heard[1].1);
    assert_ne!(heard[2].1, heard[3].1);
}

#[test]
fn a_background_task_that_stops_the_application_stops_all_workers() {
    let go = Arc::new(Notify::new());
    let thread = run_in_thread(move || {
        let gone = go.clone();
        let app = move || {
            let mut app = App::new();
            let gone = gone.clone();
            app.add_background_task(async move || {
                gone.notified().await;
                Err::<(), _>(Error::msg("it broke"))
            })
            .policy(BackgroundPolicy::StopApp);
            app.background_task_shutdown_timeout(None);
            app
        };
        // One of them hears it. Workers that serve already keep their errors for the log.
        let on_serving = move |_| go.notify_one();
        App::run_workers(app, config().workers(2)).shutdown_trigger(pending()).on_serving(on_serving)
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn it_is_served_where_quart_serves_unless_it_is_bound() {
    // Whoever has the port, this test or another program, it cannot be bound.
    let _taken = TcpListener::bind("127.0.0.1:5000");
    let of_task = run_in_thread(|| App::new().run_task(Config::new())).unwrap().join();
    for err in [of_task, App::new().run()].map(Result::unwrap_err) {
        assert!(err.is_os_error() && err.to_string().contains("127.0.0.1:5000"), "{err}");
    }
}
