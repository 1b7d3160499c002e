//~ Request` can neither go to the thread that a `blocking` view runs on nor come back from it
//~ take values of the path, the query or the body, as `Path<T>`, `Query<T>`, `Json<T>`, `Bytes` or `String`
//~ `foster::to_thread::run_sync` for the part that blocks

use foster::app::{App, Request, blocking};

fn index(request: Request) -> String {
    request.path().to_owned()
}

fn main() {
    let mut app = App::new();
    app.get("/", blocking(index));
}
