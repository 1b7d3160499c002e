//! Foster's rows.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::{Protocol, Result, create_connection, move_on_after, open_nursery, run, sleep, sleep_forever};

use crate::local_server::LocalServer;
use crate::stopwatch::{Elapsed, Stopwatch};
use crate::{
    AT_ONCE, CANCEL_SLEEPING, CANCEL_WAITING, CONNECT, CONNECT_AT_ONCE, Contender, DEADLINE, HOUR, N_CLIENTS, SETTLE,
    WINDOW, WINDOWS,
};

/// Foster's row for the measurement of this title.
pub(crate) fn contenders(title: &str) -> Vec<Contender> {
    match title {
        AT_ONCE => vec![Contender { name: "foster nursery", run: |n| elapsed(run(start_and_join(n, n))) }],
        WINDOWS => vec![Contender { name: "foster nursery", run: |n| elapsed(run(start_and_join(n, WINDOW))) }],
        CANCEL_WAITING => vec![Contender { name: "foster nursery", run: |n| elapsed(run(cancel_waiting(n))) }],
        CANCEL_SLEEPING => vec![Contender { name: "foster nursery", run: |n| elapsed(run(cancel_sleeping(n))) }],
        DEADLINE => vec![Contender { name: "foster move_on_after", run: |n| elapsed(run(deadline_of_ready(n))) }],
        CONNECT => vec![Contender { name: "foster create_connection", run: |n| elapsed(run(connect(n, 1))) }],
        CONNECT_AT_ONCE => {
            vec![Contender { name: "foster create_connection", run: |n| elapsed(run(connect(n, N_CLIENTS))) }]
        }
        _ => Vec::new(),
    }
}

async fn start_and_join(n_children: usize, window: usize) -> Result<Elapsed> {
    let stopwatch = Stopwatch::start();
    for _ in 0..n_children / window {
        open_nursery(async |nursery| {
            for _ in 0..window {
                nursery.start_soon(async {});
            }
            Ok(())
        })
        .await
        .expect("no child fails");
    }
    Ok(stopwatch.stop())
}

async fn cancel_waiting(n_children: usize) -> Result<Elapsed> {
    let mut stopwatch = None;
    open_nursery(async |nursery| {
        for _ in 0..n_children {
            nursery.start_soon(async { sleep_forever().await });
        }
        move_on_after(SETTLE, sleep_forever()).await;
        stopwatch = Some(Stopwatch::start());
        nursery.cancel();
        Ok(())
    })
    .await
    .expect("no child fails");
    Ok(stopwatch.expect("the body ran to its end").stop())
}

async fn cancel_sleeping(n_children: usize) -> Result<Elapsed> {
    let mut stopwatch = None;
    open_nursery(async |nursery| {
        for _ in 0..n_children {
            nursery.start_soon(sleep(HOUR));
        }
        move_on_after(SETTLE, sleep_forever()).await;
        stopwatch = Some(Stopwatch::start());
        nursery.cancel();
        Ok(())
    })
    .await
    .expect("no child fails");
    Ok(stopwatch.expect("the body ran to its end").stop())
}

async fn deadline_of_ready(n_children: usize) -> Result<Elapsed> {
    let stopwatch = Stopwatch::start();
    for index in 0..n_children {
        let ready = move_on_after(Duration::from_secs(1), async { black_box(index) });
        black_box(ready.await.expect("a ready future is in time"));
    }
    Ok(stopwatch.stop())
}

#[derive(Default)]
struct Silent;

impl Protocol for Silent {}

async fn connect(n_connections: usize, n_clients: usize) -> Result<Elapsed> {
    let server = Rc::new(LocalServer::start());
    let stopwatch = Stopwatch::start();
    open_nursery(async |nursery| {
        for client in 0..n_clients {
            let (server, inner) = (server.clone(), nursery.clone());
            nursery.start_soon(async move {
                for index in (client..n_connections).step_by(n_clients) {
                    let (host, port) = (server.host(index), server.port);
                    let (transport, _) = create_connection(&inner, Silent::default, host, port).await?;
                    transport.close();
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    Ok(stopwatch.stop())
}

fn elapsed(result: Result<Elapsed>) -> Elapsed {
    result.expect("the measurement does not fail")
}
