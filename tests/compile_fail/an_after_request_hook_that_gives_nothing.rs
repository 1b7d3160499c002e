//~ `()` is no response

use foster::app::App;

fn main() {
    let mut app = App::new();
    app.after_request(async |response| println!("{response:?}"));
}
