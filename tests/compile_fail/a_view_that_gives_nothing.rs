//~ `()` is no response
//~ instead of `()` return a status, as `StatusCode::NO_CONTENT`

use foster::app::App;

async fn index() {
    println!("index");
}

fn main() {
    let mut app = App::new();
    app.get("/", index);
}
