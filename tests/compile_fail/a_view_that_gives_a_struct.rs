//~ `User` is no response
//~ a value of your own is wrapped: `Json(value)`, if it is `Serialize`

use foster::app::App;

struct User;

fn main() {
    let mut app = App::new();
    app.get("/", async || User);
}
