use foster::app::{App, Path};
use foster::http::Json;
use foster::{Config, run, serve};
use serde::Serialize;

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

/// An application of the framework. The text and the JSON of its views are allocations of theirs, one each.
pub(crate) fn serve_app(port: u16) {
    let mut app = App::new();
    app.get("/users/<int:id>", async |Path(id): Path<i64>| id.to_string()).endpoint("user");
    app.get("/json", async || Json(Greeting { message: "Hello, World!" })).endpoint("json");
    app.get("/static", async || "Hello, World!").endpoint("static");
    let handler = app.into_handler().expect("the application is set up");
    let config = Config::new().bind(format!("127.0.0.1:{port}")).keep_alive_max_requests(u32::MAX);
    run(serve(handler, config)).expect("the server runs until the process ends");
}
