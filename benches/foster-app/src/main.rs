//! `foster-app --port P [--routes N] [--plain]`: an application of the framework, on one thread, on 127.0.0.1.
//!
//! A hook before and one behind each request are in place, but for `--plain`. With `--routes` it has that many more, of
//! several segments each.

use bytes::Bytes;
use foster::app::{App, Path, g};
use foster::http::{Json, Response};
use foster::{Config, Result, run, serve};
use serde::Serialize;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

fn main() -> Result<()> {
    let number = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1)?.parse().ok();
    let port: u16 = number("--port").ok_or_else(|| foster::Error::msg("--port needs a number"))?;
    let handler = app(number("--routes").unwrap_or(0), !std::env::args().any(|argument| argument == "--plain"))?;
    let config = Config::new()
        .bind(format!("127.0.0.1:{port}"))
        .backlog(4096)
        .keep_alive_max_requests(u32::MAX)
        .keep_alive_timeout(std::time::Duration::from_secs(75));
    run(serve(handler, config))
}

/// What a request notes before its view.
struct Seen;

fn app(n_more: u16, has_hooks: bool) -> Result<impl foster::Handler> {
    let mut app = App::new();
    app.get("/", async || "Hello, World!").endpoint("hello");
    app.get("/json", async || Json(Greeting { message: "Hello, World!" })).endpoint("json");
    app.get("/users/<int:id>", async |Path(id): Path<i64>| id.to_string()).endpoint("user");
    app.post("/echo", async |body: Bytes| body).endpoint("echo");
    for n in 0..n_more {
        let path = format!("/area{}/thing{n}/<int:id>/part", n % 20);
        app.get(path, async |Path(id): Path<i64>| id.to_string());
    }
    if has_hooks {
        app.before_request(async || {
            g().insert(Seen);
        });
        app.after_request(async |response: Response| response);
    }
    Ok(app.into_handler()?)
}
