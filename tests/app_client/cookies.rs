//! The cookies that a client keeps.

use foster::app::{App, Request};
use foster::http::{Cookie, CookieError, Response, time};
use foster::{Nursery, sleep};
use std::time::Duration;

use crate::client_of;
use crate::stage::paused;

/// Sets what the query says, and shows what comes.
fn app(app: &mut App) {
    app.get("/set/<path:rest>", async |request: Request| {
        let mut response = Response::text("");
        for (_, cookie) in request.args().iter() {
            let value = foster::http::HeaderValue::from_str(cookie).unwrap();
            response.headers_mut().append(foster::http::header::SET_COOKIE, value);
        }
        response
    });
    app.get("/<path:rest>", show);
    app.get("/", show).endpoint("root");
    app.get("/login", async || {
        let mut response = foster::http::redirect("/home");
        response.set_cookie(("user", "ada lovelace")).unwrap();
        response
    });
}

async fn show(request: Request) -> String {
    request.headers().get("cookie").unwrap_or_default().to_owned()
}

#[test]
fn cookies_are_kept_and_sent() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        assert_eq!(client.get("/").await?.text().await?, "");
        client.get("/set/a").query_string([("", "a=1; Path=/"), ("", "b=2; Path=/; HttpOnly")]).await?;
        assert_eq!(client.get("/").await?.text().await?, "a=1; b=2");
        client.get("/set/a").query_string([("", "a=3; Path=/")]).await?;
        assert_eq!(client.get("/").await?.text().await?, "a=3; b=2");
        client.get("/set/a").query_string([("", "a=; Path=/; Max-Age=0")]).await?;
        assert_eq!(client.get("/").await?.text().await?, "b=2");
        // A clone has the same, another client its own.
        assert_eq!(client.clone().get("/").await?.text().await?, "b=2");
        assert_eq!(client.test_client().get("/").await?.text().await?, "");
        Ok(())
    });
}

#[test]
fn a_cookie_that_is_set_on_the_way_is_sent_on_the_way() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let mut home = client.get("/login").follow_redirects(true).await?;
        assert_eq!(home.text().await?, "user=\"ada lovelace\"");
        let kept = client.get_cookie("user").expect("it is kept");
        assert_eq!((kept.value(), kept.path()), ("ada lovelace", Some("/")));
        assert_eq!(client.get_cookie("other"), None);
        Ok(())
    });
}

#[test]
fn path_domain_and_encryption_say_who_gets_a_cookie() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let cookies = [
            "folder=1",
            "deep=1; Path=/set/b",
            "wide=1; Path=/; Domain=example.org",
            "dotted=1; Path=/; Domain=.example.org",
            "host=1; Path=/",
            "secure=1; Path=/; Secure",
            "foreign=1; Path=/; Domain=other.org",
            "part=1; Path=/; Domain=ample.org",
        ];
        let set = client.get("/set/a").host("example.org").query_string(cookies.map(|cookie| ("", cookie)));
        set.await?;
        let sent = async |url: &str| -> foster::Result<String> { client.get(url).await?.text().await };
        assert_eq!(sent("http://example.org/").await?, "wide=1; dotted=1; host=1");
        assert_eq!(sent("http://EXAMPLE.org:81/").await?, "wide=1; dotted=1; host=1");
        assert_eq!(sent("https://example.org/").await?, "wide=1; dotted=1; host=1; secure=1");
        assert_eq!(sent("http://api.example.org/").await?, "wide=1; dotted=1");
        assert_eq!(sent("http://other.org/").await?, "");
        assert_eq!(sent("http://ample.org/").await?, "");
        assert_eq!(sent("http://example.org/setb").await?, "wide=1; dotted=1; host=1");
        Ok(())
    });
}

#[test]
fn what_says_no_path_is_for_the_folder() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/a/b/set", async || {
                let mut response = Response::text("");
                let value = foster::http::HeaderValue::from_static("x=1");
                response.headers_mut().append(foster::http::header::SET_COOKIE, value);
                response
            });
            app.get("/<path:rest>", show);
        });
        client.get("/a/b/set").await?;
        client.set_cookie(Cookie::build(("deep", "1")).path("/a/b/c"))?;
        client.set_cookie(("root", "1"))?;
        // The longest path first.
        for (path, sent) in
            [("/a/b", "x=1; root=1"), ("/a/b/c/d", "deep=1; x=1; root=1"), ("/a/bc", "root=1"), ("/a", "root=1")]
        {
            assert_eq!(client.get(path).await?.text().await?, sent, "{path}");
        }
        Ok(())
    });
}

#[test]
fn a_cookie_ends_on_the_clock_of_the_loop() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let later = time::OffsetDateTime::now_utc() + time::Duration::hours(2);
        let mut response = Response::text("");
        response.set_cookie(Cookie::build(("expires", "1")).expires(later))?;
        let expires = response.headers().iter().next().unwrap().1.to_str()?.to_owned();
        let both = format!("both=1; Path=/; Max-Age=10; {}", expires.split("; ").last().unwrap());
        let cookies = ["age=1; Path=/; Max-Age=60", &expires, &both, "past=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"];
        client.get("/set/a").query_string(cookies.map(|cookie| ("", cookie))).await?;
        assert_eq!(client.get("/").await?.text().await?, "age=1; expires=1; both=1");
        sleep(Duration::from_secs(30)).await;
        assert_eq!(client.get("/").await?.text().await?, "age=1; expires=1");
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(client.get("/").await?.text().await?, "expires=1");
        assert_eq!(client.get_cookie("age"), None);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(client.get("/").await?.text().await?, "");
        Ok(())
    });
}

#[test]
fn a_test_sets_and_deletes_cookies() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        client.set_cookie(("a", "x y"))?;
        client.set_cookie(Cookie::build(("b", "2")).path("/set"))?;
        client.set_cookie(Cookie::build(("c", "3")).domain("example.org").secure(true))?;
        assert_eq!(client.get("/").await?.text().await?, "a=\"x y\"");
        assert_eq!(client.get("https://www.example.org/").await?.text().await?, "c=3");
        assert_eq!(client.get_cookie("a").unwrap().value(), "x y");
        client.delete_cookie("a")?;
        // Another path is another cookie.
        client.delete_cookie("b")?;
        assert_eq!(client.get("/").await?.text().await?, "");
        assert!(client.get_cookie("b").is_some());
        client.delete_cookie(Cookie::build("b").path("/set"))?;
        assert!(client.get_cookie("b").is_none());
        assert_eq!(client.set_cookie(("a b", "1")), Err(CookieError::Name("a b".to_owned())));
        Ok(())
    });
}

#[test]
fn a_client_may_keep_no_cookies() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        client.set_cookie(("a", "1"))?;
        client.use_cookies(false);
        client.set_cookie(("b", "1"))?;
        client.get("/set/a").query_string([("", "c=1; Path=/")]).await?;
        assert_eq!(client.get("/").await?.text().await?, "");
        client.use_cookies(true);
        assert_eq!(client.get("/").await?.text().await?, "");
        client.set_cookie(("d", "1"))?;
        client.use_cookies(true);
        assert_eq!(client.get("/").await?.text().await?, "d=1");
        Ok(())
    });
}

#[test]
fn what_is_no_cookie_is_left_out() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        client
            .get("/set/a")
            .query_string([("", ""), ("", ";;;"), ("", "=x; Path=/"), ("", "ok=1; Path=/; Max-Age=x")])
            .await?;
        assert_eq!(client.get("/").await?.text().await?, "ok=1");
        Ok(())
    });
}
