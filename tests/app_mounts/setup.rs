//! What keeps an application with mounted handlers from starting.

use foster::Request;
use foster::app::{App, Blueprint};

async fn handler(_: Request) -> &'static str {
    "x"
}

fn mistakes(set_up: impl FnOnce(&mut App)) -> Vec<String> {
    let mut app = App::new();
    set_up(&mut app);
    app.into_handler().err().map(|err| err.messages().to_vec()).unwrap_or_default()
}

#[test]
fn a_prefix_that_is_none() {
    for prefix in ["api", "/a//b", "//a", "/a//", "/a?b", "/a#b", "/a%20b", "/<name>"] {
        assert_eq!(
            mistakes(|app| {
                app.mount(prefix, handler);
            }),
            [format!(
                "a handler is mounted at {prefix:?}: a prefix begins with one slash, and is neither encoded nor a rule"
            )]
        );
    }
    for prefix in ["", "/"] {
        assert_eq!(
            mistakes(|app| {
                app.mount(prefix, handler);
            }),
            ["a handler is mounted at \"/\", where no route would be left"]
        );
    }
}

#[test]
fn a_prefix_that_is_there_twice() {
    let messages = mistakes(|app| {
        app.mount("/a", handler).mount("/b", handler).mount("/a/", handler);
    });
    assert_eq!(messages, ["two handlers are mounted at \"/a\""]);
}

#[test]
fn a_route_that_nobody_would_reach() {
    let messages = mistakes(|app| {
        let mut blueprint = Blueprint::new("users");
        blueprint.url_prefix("/api/users");
        blueprint.get("/<int:id>", async || "x");
        app.get("/api", async || "x").endpoint("api");
        app.websocket("/api/feed", async || ()).endpoint("feed");
        app.get("/apiary", async || "x").endpoint("apiary");
        app.get("/<path:rest>", async || "x").endpoint("rest");
        app.register_blueprint(&blueprint);
        app.mount("/api", handler);
    });
    let hidden = ["/api", "/api/feed", "/api/users/<int:id>"];
    let expected = hidden.map(|rule| format!("the handler that is mounted at \"/api\" hides the route {rule:?}"));
    assert_eq!(messages, expected);
}
