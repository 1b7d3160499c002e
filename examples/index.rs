//! A view that does its work in children of its own: none of them outlives the answer.
//!
//! ```text
//! cargo run --example index -- [--host HOST] [--port PORT]
//! curl localhost:5000
//! ```

#[cfg(test)]
mod child;
mod options;

use std::cell::RefCell;
use std::time::Duration;

use foster::app::{App, g, request};
use foster::{Config, Result, open_nursery, run, sleep, sleep_forever};
use options::{Options, announce_all};

const MOMENT: Duration = Duration::from_millis(10);

/// What the children have found.
#[derive(Default)]
struct Found(RefCell<Vec<String>>);

async fn index() -> Result<String> {
    sleep(MOMENT).await;
    let found = open_nursery(async |nursery| {
        for name in ["ada", "grace"] {
            nursery.start_soon_named(name, look_up(name));
        }
        // A child that never ends by itself is cancelled when the others are done.
        nursery.start_background(sleep_forever());
        Ok(())
    });
    found.await?;
    let Found(found) = &*g().get_or_insert_with(Found::default);
    Ok(found.take().join("\n"))
}

/// In a child, request and `g` are those of the view.
async fn look_up(name: &'static str) {
    sleep(MOMENT).await;
    let found = g().get_or_insert_with(Found::default);
    found.0.borrow_mut().push(format!("{name} was asked for at {}", request().path()));
}

fn app() -> App {
    let mut app = App::new();
    app.get("/", index);
    app
}

fn main() -> Result<()> {
    let options = Options::from_args("index", 5000);
    let config = Config::new().bind(options.bind());
    run(app().run_task(config).on_serving(|server| announce_all(server.addresses())))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use foster::testing::{Peer, serve_http};
    use foster::{Nursery, dump, run_here};

    use super::child::{Child, receive_all};
    use super::*;

    const ASKED: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const ANSWER: &str = "\r\n\r\nada was asked for at /\ngrace was asked for at /";

    /// Runs a test with clients in memory and a clock that jumps.
    fn served(test: impl AsyncFnOnce(&dyn Fn() -> Peer) -> Result<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let served = open_nursery(async |nursery: Nursery| {
            let server = serve_http(&nursery, app().into_handler()?, Config::new());
            test(&|| server.connect()).await?;
            nursery.cancel();
            foster::Ok(())
        });
        runtime.expect("a runtime").block_on(run_here(async { foster::Ok(served.await.map(drop)?) })).expect("it ends");
    }

    async fn children_at_work() -> String {
        while !dump().contains("ada") {
            sleep(Duration::from_millis(1)).await;
        }
        dump()
    }

    #[test]
    fn no_child_is_left_behind_the_answer() {
        served(async |connect| {
            let client = connect();
            sleep(MOMENT).await;
            let before = dump();
            for _ in 0..10 {
                client.send(ASKED);
                assert!(children_at_work().await.contains("grace"));
                let mut all = String::new();
                while !all.ends_with(ANSWER) {
                    all += &String::from_utf8_lossy(&client.read().await);
                }
                assert_eq!(dump(), before);
            }
            Ok(())
        });
    }

    #[test]
    fn no_child_is_left_behind_a_client_that_has_gone() {
        served(async |connect| {
            let before = dump();
            for _ in 0..10 {
                let client = connect();
                client.send(ASKED);
                children_at_work().await;
                client.reset();
                while dump() != before {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Ok(())
        });
    }

    #[test]
    fn a_client_gets_what_the_children_have_found() {
        let server = Child::serve("index");
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("the server reads");
        let answer = receive_all(&client);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.ends_with(ANSWER), "{answer}");
    }
}
