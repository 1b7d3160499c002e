//~ `i64` is neither the status nor the header fields of a response
//~ a status is a `StatusCode` or a number that fits `u16`

use foster::app::App;

async fn index() -> (&'static str, i64) {
    ("created", 201)
}

fn main() {
    let mut app = App::new();
    app.get("/", index);
}
