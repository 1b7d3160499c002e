//! The shortest application.
//!
//! ```text
//! cargo run --example hello -- [--host HOST] [--port PORT]
//! curl localhost:5000
//! ```

#[cfg(test)]
mod child;
mod options;

use foster::app::App;
use foster::{Config, Result, run};
use options::{Options, announce_all};

fn app() -> App {
    let mut app = App::new();
    app.route("/", async || "world");
    app
}

fn main() -> Result<()> {
    let options = Options::from_args("hello", 5000);
    let config = Config::new().bind(options.bind());
    run(app().run_task(config).on_serving(|server| announce_all(server.addresses())))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::child::{Child, receive_all};

    #[test]
    fn it_says_what_it_greets() {
        let server = Child::serve("hello");
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("the server reads");
        let answer = receive_all(&client);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nworld"), "{answer}");
    }
}
