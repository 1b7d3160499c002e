//~ `&str` is not what a hook, or a view of a WebSocket, gives: it is neither nothing nor maybe a response
//~ give `()`, an `Option` of a response, or a `Result` of these

use foster::app::{App, WebSocket};

fn main() {
    let mut app = App::new();
    app.websocket("/", async |websocket: WebSocket| {
        let _ = websocket;
        "text"
    });
}
