//~ `User` is no response

use foster::app::{App, HttpException};

struct User;

async fn index() -> Result<User, HttpException> {
    Ok(User)
}

fn main() {
    let mut app = App::new();
    app.get("/", index);
}
