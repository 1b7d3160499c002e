//~ Response` can neither go to the thread that a `blocking` view runs on nor come back from it
//~ return text, bytes, `Json` or a `Result` of these

use foster::app::{App, blocking};
use foster::http::Response;

fn main() {
    let mut app = App::new();
    app.get("/", blocking(|| Response::text("hello")));
}
