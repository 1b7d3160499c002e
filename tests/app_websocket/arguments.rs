//! What the view of a WebSocket takes as arguments.

use std::future::{Future, ready};

use foster::app::{App, FromRequest, Path, Query, Request, State, WebSocket, abort};
use foster::{Result, websocket};

use crate::site::{in_memory, open_at, refused};
use crate::stage::paused;

/// A name that has to be given.
struct Name(String);

impl FromRequest for Name {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        let name = request.args().get("name").map(|name| Name(name.to_owned()));
        ready(name.ok_or_else(|| abort(400).description("a name, please").into()))
    }
}

#[test]
fn it_takes_websocket_request_state_and_what_is_its_own() {
    paused(async |nursery| {
        let mut app = App::new();
        app.state(7u32);
        app.websocket("/", async |ws: WebSocket, request: Request, state: State<u32>, Name(name): Name| {
            ws.send(format!("{name} {} {}", request.endpoint().unwrap_or_default(), *state)).await
        })
        .endpoint("chat");
        let server = in_memory(&nursery, app);
        assert_eq!(open_at(&server, "/?name=ada").await.text_message().await, "ada chat 7");
        let answer = refused(&server, "/", "").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("<p>a name, please</p>"), "{answer}");
        Ok(())
    });
}

#[test]
fn it_takes_values_of_the_path_and_of_the_query() {
    #[derive(serde::Deserialize)]
    struct Asked {
        name: String,
    }

    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/rooms/<int:room>", async |Path(room): Path<u32>, Query(asked): Query<Asked>| {
            foster::app::websocket().send(format!("{} in {room}", asked.name)).await
        });
        let server = in_memory(&nursery, app);
        assert_eq!(open_at(&server, "/rooms/7?name=ada").await.text_message().await, "ada in 7");
        assert!(refused(&server, "/rooms/7", "").await.starts_with("HTTP/1.1 400 "), "it has to say a name");
        assert!(refused(&server, "/rooms/x", "").await.starts_with("HTTP/1.1 404 "));
        Ok(())
    });
}

#[test]
fn a_handle_is_an_argument_too() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/", async |handle: websocket::WebSocket, ws: WebSocket| {
            assert_eq!(handle, ws.handle());
            handle.send("x").await
        });
        let server = in_memory(&nursery, app);
        assert_eq!(open_at(&server, "/").await.text_message().await, "x");
        Ok(())
    });
}

#[test]
fn the_head_is_there_before_and_after_it_is_accepted() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/a/b", async |ws: WebSocket| {
            assert_eq!((ws.request().path(), ws.head().is_none()), ("/a/b", true));
            ws.accept()?;
            let head = ws.handle().head().map(|head| head.target().to_owned());
            assert_eq!((ws.request().query_string(), head.as_deref()), ("c", Some("/a/b?c")));
            foster::Ok(())
        });
        let server = in_memory(&nursery, app);
        assert_eq!(open_at(&server, "/a/b?c").await.closed().await.0, 1000);
        Ok(())
    });
}
