//~ {index}` is no view function
//~ of up to eight arguments that come from the request

use foster::app::{App, Request};

type R = Request;

async fn index(_: R, _: R, _: R, _: R, _: R, _: R, _: R, _: R, _: R) -> &'static str {
    ""
}

fn main() {
    let mut app = App::new();
    app.get("/", index);
}
