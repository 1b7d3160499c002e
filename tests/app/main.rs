//! The framework from outside, over connections in memory.

use foster::app::{App, Request, State, abort};
use foster::testing::serve_http;
use foster::{Config, Nursery, open_nursery, run};

#[test]
fn smoke() {
    run(open_nursery(async |nursery: Nursery| {
        let mut app = App::new();
        app.state(7u32);
        app.get("/", async || "hello");
        app.get("/users/<int:id>", async |request: Request, state: State<u32>| {
            format!("{:?} {} {}", request.view_args(), *state, foster::app::request().path())
        });
        app.post("/jobs", async || ("Started", 201));
        app.get("/missing", async || Err::<&str, _>(abort(404)));
        app.errorhandler(404, async |_| ("nothing here", 404));
        app.before_request(async || ());
        let config = Config::new().include_date_header(false);
        let server = serve_http(&nursery, app.into_handler()?, config);
        let client = server.connect();
        for path in ["/", "/users/5", "/jobs", "/missing", "/users/x", "/users/5/"] {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            foster::sleep(std::time::Duration::from_millis(20)).await;
        }
        println!("{}", String::from_utf8_lossy(&client.received()));
        foster::Ok(())
    }))
    .unwrap();
}
