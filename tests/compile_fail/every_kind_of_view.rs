//! Compiles.

use bytes::Bytes;
use foster::app::{App, HttpException, Path, Query, Request, State, WebSocket, blocking};
use foster::http::{Body, IntoResponse, Json, Response};

async fn nothing() -> &'static str {
    ""
}

async fn body(_: Body, _: Option<Bytes>, _: foster::Result<String>) -> foster::Result<Response> {
    Ok(Response::text(""))
}

async fn opaque(Json(_): Json<Vec<u8>>, Query(()): Query<()>) -> impl IntoResponse + use<> {
    ("", 201)
}

fn main() {
    let mut app = App::new();
    app.state(7_u8);
    app.get("/", nothing);
    app.post("/body", body);
    app.post("/opaque", opaque);
    app.get("/<int:id>", async |Path(id): Path<u8>, _: Request| Ok::<_, HttpException>(id.to_string()));
    app.get("/blocking", blocking(|Path(()): Path<()>| "slow"));
    app.websocket("/ws", async |_: WebSocket, _: State<u8>| ());
    app.before_request(async || None::<&str>);
    app.before_request(blocking(|| ()));
    app.before_websocket(async |_: Request| foster::Ok(Some(("no", 403))));
}
