//~ User
//~ `#[derive(serde::Deserialize)]`

use foster::app::App;
use foster::http::Json;

struct User {
    id: i64,
}

fn main() {
    let mut app = App::new();
    app.post("/users", async |Json(user): Json<User>| user.id.to_string());
}
