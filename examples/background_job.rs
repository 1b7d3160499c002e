//! Work that goes on behind the answer: the second program of Quart-Trio's README.
//!
//! ```text
//! cargo run --example background_job -- [--host HOST] [--port PORT]
//! curl -i localhost:5000
//! ```
//!
//! Ctrl-C waits for the jobs that are under way, for up to five seconds; a second one does not.

#[cfg(test)]
mod child;
mod options;

use std::time::Duration;

use foster::app::{App, current_app};
use foster::{Config, Result, run, sleep};
use options::{Options, announce_all};

/// Three seconds of work.
async fn background_task() {
    println!("job started");
    sleep(Duration::from_secs(3)).await;
    println!("job done");
}

fn app() -> App {
    let mut app = App::new();
    app.get("/", async || {
        current_app().nursery().start_soon(background_task());
        ("Started", 201)
    });
    app
}

fn main() -> Result<()> {
    let options = Options::from_args("background_job", 5000);
    let config = Config::new().bind(options.bind());
    run(app().run_task(config).on_serving(|server| announce_all(server.addresses())))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;

    use super::child::{Child, receive_all};

    /// Asks for a job, and stays connected.
    fn ask(server: &Child) -> TcpStream {
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the server reads");
        assert_eq!(server.line(), "job started");
        client
    }

    /// What the client got before the server let it go, as one of those it has nothing to say to any more.
    fn check_answer(client: &TcpStream) {
        let answer = receive_all(client);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 201 Created\r\n") && answer.ends_with("\r\n\r\nStarted"), "{answer}");
    }

    #[test]
    fn ctrl_c_waits_for_a_job_that_is_under_way() {
        let server = Child::serve("background_job");
        let client = ask(&server);
        server.signal("INT");
        check_answer(&client);
        let ended = server.ends();
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &["job done".to_owned()][..], &[][..]));
    }

    #[test]
    fn a_second_ctrl_c_does_not_wait() {
        let server = Child::serve("background_job");
        let client = ask(&server);
        server.signal("INT");
        // It has heard the first when it lets the client go.
        check_answer(&client);
        server.signal("INT");
        let ended = server.ends();
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), &[][..], &[][..]));
    }
}
