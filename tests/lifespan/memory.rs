//! Without a network.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use foster::testing::{Script, serve_http};
use foster::{Config, Error, TimeoutError, open_nursery, sleep};
use tokio::time::Instant;

use crate::app::{App, Log, MOMENT, paused};

#[test]
fn a_server_in_memory_has_a_lifespan_when_the_test_says_so() {
    let log = Log::default();
    let seen = Rc::new(RefCell::new(None));
    let told = seen.clone();
    let app = App::new(&log)
        .on_startup(move |_, server| {
            told.replace(Some(server));
            async { Ok(()) }
        })
        .on_shutdown(pending);
    paused(async {
        let ended = open_nursery(async |nursery| {
            let server = serve_http(&nursery, app, Config::new());
            assert!(log.all().is_empty());
            server.lifespan_startup().await?;
            let client = server.connect();
            let handle = seen.take().expect("it was started up");
            sleep(MOMENT).await;
            handle.shutdown();
            Script::new().expect_eof().run(&client).await?;
            assert_eq!(handle.stats().n_connections_total, 1);
            let began = Instant::now();
            let err = server.lifespan_shutdown().await.unwrap_err();
            assert!(err.is::<TimeoutError>());
            assert_eq!(began.elapsed(), Duration::from_secs(60));
            assert_eq!(log.all(), ["startup", "shutdown"]);
            Ok(())
        });
        ended.await.map_err(Error::from)
    });
}
