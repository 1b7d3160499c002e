//~ `User` cannot be an argument of a view: it cannot be taken from a request
//~ a view takes `Path<T>`, `Query<T>`, `Json<T>`, `State<T>`, `Request`, `Bytes`, `String` or `Body`
//~ `Path<User>` for values of the path, `Query<User>` for those of the query, `Json<User>` for the body
//~ or implement `foster::app::FromRequest` for it

use foster::app::App;
use serde::Deserialize;

#[derive(Deserialize)]
struct User {
    id: i64,
}

fn main() {
    let mut app = App::new();
    app.post("/users", async |user: User| user.id.to_string());
}
