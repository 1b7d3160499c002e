//! What keeps an application with WebSockets from starting.

use foster::app::{App, WebSocket};
use foster::http::Method;
use foster::websocket;

fn mistakes(set_up: impl FnOnce(&mut App)) -> Vec<String> {
    let mut app = App::new();
    set_up(&mut app);
    app.into_handler().err().map(|err| err.messages().to_vec()).unwrap_or_default()
}

#[test]
fn a_view_that_takes_a_websocket_and_is_for_none() {
    let messages = mistakes(|app| {
        app.get("/", async |_: WebSocket| "x");
    });
    assert_eq!(
        messages,
        ["the view at \"/\" takes a WebSocket, and is not for WebSockets: add it with app.websocket()"]
    );
    let messages = mistakes(|app| {
        app.before_request(async |_: websocket::WebSocket| ());
    });
    assert_eq!(
        messages,
        [
            "a hook of before_request of the application takes a WebSocket, and is not for WebSockets: add it with app.before_websocket()"
        ]
    );
    let messages = mistakes(|app| {
        app.before_websocket(async |_: WebSocket| ());
        app.websocket("/", async |_: WebSocket, _: websocket::WebSocket| ());
    });
    assert_eq!(messages, [] as [&str; 0]);
}

#[test]
fn a_configuration_of_websockets_for_a_route_that_takes_none() {
    let messages = mistakes(|app| {
        app.get("/", async || "x").websocket_config(websocket::Config::new());
    });
    assert_eq!(messages, ["the route \"/\" in the application has a websocket_config, and is not for WebSockets"]);
}

#[test]
fn a_websocket_with_a_method_of_its_own() {
    let messages = mistakes(|app| {
        app.websocket("/", async || ()).methods([Method::POST]);
    });
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn a_page_and_a_websocket_may_have_the_same_path() {
    let messages = mistakes(|app| {
        app.get("/", async || "x").endpoint("page");
        app.websocket("/", async || ()).endpoint("talk");
    });
    assert_eq!(messages, [] as [&str; 0]);
}
