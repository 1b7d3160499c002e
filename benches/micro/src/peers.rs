//! tokio's and futures' groups, on tokio's current-thread runtime.

use std::future::{Future, pending};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::local_server::LocalServer;
use crate::stopwatch::{Elapsed, Stopwatch};
use crate::{
    AT_ONCE, CANCEL_SLEEPING, CANCEL_WAITING, CONNECT, CONNECT_AT_ONCE, Contender, DEADLINE, HOUR, Measurement,
    N_CLIENTS, SETTLE, WINDOW, WINDOWS,
};

pub(crate) fn measurements(n_tasks: usize, n_connections: usize) -> Vec<Measurement> {
    vec![
        Measurement {
            title: AT_ONCE,
            n_children: n_tasks,
            references: &["JoinSet", "tokio::spawn"],
            contenders: vec![
                Contender { name: "JoinSet", run: |n| on_tokio(join_set(n, n)) },
                Contender { name: "tokio::spawn", run: |n| on_tokio(spawn(n, n)) },
                Contender { name: "FuturesUnordered", run: |n| on_tokio(unordered(n, n)) },
            ],
        },
        Measurement {
            title: WINDOWS,
            n_children: n_tasks / WINDOW * WINDOW,
            references: &["JoinSet", "tokio::spawn"],
            contenders: vec![
                Contender { name: "JoinSet", run: |n| on_tokio(join_set(n, WINDOW)) },
                Contender { name: "tokio::spawn", run: |n| on_tokio(spawn(n, WINDOW)) },
                Contender { name: "FuturesUnordered", run: |n| on_tokio(unordered(n, WINDOW)) },
            ],
        },
        Measurement {
            title: CANCEL_WAITING,
            n_children: 10_000,
            references: &["JoinSet", "tokio::spawn"],
            contenders: vec![
                Contender { name: "JoinSet", run: |n| on_tokio(cancel_join_set(n, pending)) },
                Contender { name: "tokio::spawn", run: |n| on_tokio(cancel_spawned(n, pending)) },
                Contender { name: "FuturesUnordered", run: |n| on_tokio(cancel_unordered(n, pending::<()>)) },
            ],
        },
        Measurement {
            title: CANCEL_SLEEPING,
            n_children: 10_000,
            references: &["JoinSet", "tokio::spawn"],
            contenders: vec![
                Contender { name: "JoinSet", run: |n| on_tokio(cancel_join_set(n, || sleep(HOUR))) },
                Contender { name: "tokio::spawn", run: |n| on_tokio(cancel_spawned(n, || sleep(HOUR))) },
                Contender { name: "FuturesUnordered", run: |n| on_tokio(cancel_unordered(n, || sleep(HOUR))) },
            ],
        },
        Measurement {
            title: DEADLINE,
            n_children: n_tasks,
            references: &["timeout"],
            contenders: vec![Contender { name: "timeout", run: |n| on_tokio(timeout_of_ready(n)) }],
        },
        Measurement {
            title: CONNECT,
            n_children: n_connections,
            references: &["TcpStream::connect"],
            contenders: vec![Contender { name: "TcpStream::connect", run: |n| on_tokio(connect(n, 1)) }],
        },
        Measurement {
            title: CONNECT_AT_ONCE,
            n_children: n_connections / N_CLIENTS * N_CLIENTS,
            references: &["TcpStream::connect"],
            contenders: vec![Contender { name: "TcpStream::connect", run: |n| on_tokio(connect(n, N_CLIENTS)) }],
        },
    ]
}

async fn join_set(n_children: usize, window: usize) -> Elapsed {
    let stopwatch = Stopwatch::start();
    for _ in 0..n_children / window {
        let mut set = JoinSet::new();
        for _ in 0..window {
            set.spawn(async {});
        }
        while let Some(result) = set.join_next().await {
            result.expect("no child panics");
        }
    }
    stopwatch.stop()
}

async fn spawn(n_children: usize, window: usize) -> Elapsed {
    let stopwatch = Stopwatch::start();
    let mut handles = Vec::with_capacity(window);
    for _ in 0..n_children / window {
        handles.extend((0..window).map(|_| tokio::spawn(async {})));
        for handle in handles.drain(..) {
            handle.await.expect("no child panics");
        }
    }
    stopwatch.stop()
}

async fn unordered(n_children: usize, window: usize) -> Elapsed {
    let stopwatch = Stopwatch::start();
    for _ in 0..n_children / window {
        let mut group: FuturesUnordered<_> = (0..window).map(|_| async {}).collect();
        while group.next().await.is_some() {}
    }
    stopwatch.stop()
}

async fn cancel_join_set<F>(n_children: usize, child: fn() -> F) -> Elapsed
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut set = JoinSet::new();
    for _ in 0..n_children {
        set.spawn(child());
    }
    sleep(SETTLE).await;
    let stopwatch = Stopwatch::start();
    set.abort_all();
    while set.join_next().await.is_some() {}
    stopwatch.stop()
}

async fn cancel_spawned<F>(n_children: usize, child: fn() -> F) -> Elapsed
where
    F: Future<Output = ()> + Send + 'static,
{
    let handles: Vec<_> = (0..n_children).map(|_| tokio::spawn(child())).collect();
    sleep(SETTLE).await;
    let stopwatch = Stopwatch::start();
    handles.iter().for_each(|handle| handle.abort());
    for handle in handles {
        handle.await.expect_err("every child waits until it is cancelled");
    }
    stopwatch.stop()
}

async fn cancel_unordered<F: Future<Output = ()>>(n_children: usize, child: fn() -> F) -> Elapsed {
    let mut group: FuturesUnordered<_> = (0..n_children).map(|_| child()).collect();
    timeout(SETTLE, group.next()).await.expect_err("every child waits");
    let stopwatch = Stopwatch::start();
    drop(group);
    stopwatch.stop()
}

async fn timeout_of_ready(n_children: usize) -> Elapsed {
    let stopwatch = Stopwatch::start();
    for index in 0..n_children {
        let ready = timeout(Duration::from_secs(1), async { black_box(index) });
        black_box(ready.await.expect("a ready future is in time"));
    }
    stopwatch.stop()
}

async fn connect(n_connections: usize, n_clients: usize) -> Elapsed {
    let server = Arc::new(LocalServer::start());
    let stopwatch = Stopwatch::start();
    let mut clients = JoinSet::new();
    for client in 0..n_clients {
        let server = server.clone();
        clients.spawn(async move {
            for index in (client..n_connections).step_by(n_clients) {
                let stream = TcpStream::connect((server.host(index), server.port)).await;
                // As asyncio has it, and so Foster.
                stream.and_then(|stream| stream.set_nodelay(true)).expect("the server accepts");
            }
        });
    }
    while let Some(result) = clients.join_next().await {
        result.expect("no client panics");
    }
    stopwatch.stop()
}

/// As a task and not inside `block_on`: a server's work runs in tasks, and a task takes its turn in the queue behind
/// the children it has started.
fn on_tokio(work: impl Future<Output = Elapsed> + Send + 'static) -> Elapsed {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::spawn(work).await.expect("the measurement does not panic") })
}
