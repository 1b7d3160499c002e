//~ `Rc<String>` cannot be sent between threads safely
//~ required by this bound in `blocking`

use std::rc::Rc;

use foster::app::{App, blocking};

fn main() {
    let mut app = App::new();
    let name = Rc::new(String::from("ada"));
    app.get("/", blocking(move || name.to_string()));
}
