//~ is no view function
//~ write `async fn`; wrap a function that blocks in `foster::app::blocking`

use foster::app::App;

fn main() {
    let mut app = App::new();
    app.get("/", || "hello");
}
