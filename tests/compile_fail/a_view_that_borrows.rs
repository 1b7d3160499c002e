//~ `name` does not live long enough
//~ borrowed for `'static`

use foster::app::App;

fn main() {
    let name = String::from("ada");
    let mut app = App::new();
    app.get("/", async || name.clone());
    foster::run(async { foster::Ok(app.into_handler().map(drop)?) }).unwrap();
}
