//~ is not what a hook, or a view of a WebSocket, gives: it is neither nothing nor maybe a response
//~ wrap a response in `Some`, as `Some(("not you", 403))`, and give `None` to go on to the view

use foster::app::App;

fn main() {
    let mut app = App::new();
    app.before_request(async || ("no", 403));
}
