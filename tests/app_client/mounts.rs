//! Tests of what is mounted in an application.

use foster::app::{App, Request, WebSocket};
use foster::http::Method;
use foster::websocket::Message;
use foster::{Nursery, ValueError};

use crate::client_of;
use crate::stage::{paused, reports_of};

fn shop() -> App {
    let mut shop = App::new();
    shop.get("/cart", async |request: Request| format!("{} in {}", request.path(), request.root_path()));
    shop.get("/error", async || foster::Result::<&str>::Err(ValueError::new("seven").into()));
    shop.get("/panic", async || -> &str { panic!("the view has panicked") });
    shop.websocket("/ws", async |websocket: WebSocket| -> foster::Result<()> {
        websocket.send(websocket.request().path().to_owned()).await?;
        Err(ValueError::new("eight").into())
    });
    shop
}

fn mounted(nursery: &Nursery) -> foster::app::testing::TestClient {
    client_of(nursery, |app| {
        app.mount("/shop", shop().into_handler().expect("the shop is set up well"));
        app.mount("/raw", |_: foster::Request| async { foster::Result::<&str>::Err(ValueError::new("nine").into()) });
        app.get("/", async || "home");
    })
}

#[test]
fn what_is_mounted_is_asked_too() {
    paused(async |nursery: Nursery| {
        let client = mounted(&nursery);
        assert_eq!(client.get("/").await?.text().await?, "home");
        assert_eq!(client.get("/shop/cart").await?.text().await?, "/cart in /shop");
        assert_eq!(client.get("/shop/none").await?.status_code(), 404);
        let begun = client.request(Method::GET, "/shop/cart").begin()?;
        assert_eq!(begun.as_response().await?.text().await?, "/cart in /shop");
        let websocket = client.websocket("/shop/ws").await?;
        assert_eq!(websocket.receive().await?, Message::text("/ws"));
        Ok(())
    });
}

#[test]
fn the_errors_of_what_is_mounted_come_out_too() {
    paused(async |nursery: Nursery| {
        let reports = reports_of(&nursery);
        let client = mounted(&nursery);
        assert_eq!(client.get("/shop/error").await.unwrap_err().to_string(), "seven");
        assert_eq!(client.get("/raw").await.unwrap_err().to_string(), "nine");
        assert_eq!(client.get("/shop/error").begin()?.as_response().await.unwrap_err().to_string(), "seven");
        let websocket = client.websocket("/shop/ws").await?;
        websocket.receive().await?;
        assert_eq!(websocket.receive().await.unwrap_err().to_string(), "eight");
        assert_eq!(reports.words(), [] as [&str; 0]);
        client.propagate_errors(false);
        for path in ["/shop/error", "/raw"] {
            assert_eq!(client.get(path).await?.status_code(), 500, "{path}");
        }
        assert_eq!(reports.words(), ["a view failed: seven", "a mounted handler failed: nine"]);
        Ok(())
    });
}
