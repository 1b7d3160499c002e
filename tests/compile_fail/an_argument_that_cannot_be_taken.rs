//~ `&'static str` cannot be an argument of a view: it cannot be taken from a request
//~ an argument owns what it has: a `String`, and no `&str`

use foster::app::{App, Path};

async fn user(Path(id): Path<i64>, name: &'static str) -> String {
    format!("user {id} {name}")
}

fn main() {
    let mut app = App::new();
    app.get("/users/<int:id>", user);
}
