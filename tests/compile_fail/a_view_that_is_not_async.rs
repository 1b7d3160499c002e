//~ {user}` is no view function
//~ a view is an `async fn`, or an `async` closure, of up to eight arguments that come from the request
//~ write `async fn`; wrap a function that blocks in `foster::app::blocking`

use foster::app::{App, Path};

fn user(Path(id): Path<i64>) -> String {
    format!("user {id}")
}

fn main() {
    let mut app = App::new();
    app.get("/users/<int:id>", user);
}
