//! Who answers for which path, and what it sees of it.

use foster::app::{App, Request, url_for};
use foster::http::Response;

use crate::stage::paused;
use crate::{body_of, in_memory, said};

/// Says all that it sees of where a request goes.
async fn seen(request: foster::Request) -> Response {
    let query = request.query().map(|query| format!(" ?{query}")).unwrap_or_default();
    let head = request.head();
    assert_eq!(head.target_form().path(), request.path());
    assert_eq!(head.target_form().query(), request.query());
    let host = request.host().unwrap_or_default();
    Response::text(format!("{} + {}{query} = {} at {host}", request.root_path(), request.path(), request.target()))
}

/// One that begins what it says with a name.
fn named(name: &'static str) -> impl foster::Handler {
    move |request: foster::Request| async move { format!("{name}: {} + {}", request.root_path(), request.path()) }
}

#[test]
fn a_handler_sees_the_path_without_what_it_is_mounted_below() {
    paused(async |nursery| {
        let mut app = App::new();
        app.mount("/api", seen);
        let server = in_memory(&nursery, app);
        for (target, expected) in [
            ("/api/users", "/api + /users = /users at x"),
            ("/api/users?a=b?c", "/api + /users ?a=b?c = /users?a=b?c at x"),
            ("/api/", "/api + / = / at x"),
            ("/api/?", "/api + / ? = /? at x"),
            ("/api", "/api + / = / at x"),
            ("/api?a", "/api + / ?a = /?a at x"),
            ("/api?", "/api + / ? = /? at x"),
            ("/api//users/", "/api + //users/ = //users/ at x"),
            ("/api/a%2Fb/%C3%BC", "/api + /a%2Fb/%C3%BC = /a%2Fb/%C3%BC at x"),
            ("/%61pi/users", "/%61pi + /users = /users at x"),
            ("http://y:80/api/users?a", "/api + /users ?a = http://y:80/users?a at y:80"),
            ("http://y/api", "/api + / = http://y/ at y"),
            ("http://y/api?a", "/api + / ?a = http://y/?a at y"),
        ] {
            assert_eq!(body_of(&server, target).await, expected, "{target}");
        }
        Ok(())
    });
}

#[test]
fn the_longest_prefix_counts_and_ends_where_a_segment_does() {
    paused(async |nursery| {
        let mut app = App::new();
        app.get("/", async || "the application");
        app.get("/<path:rest>", async |request: Request| format!("the application at {}", request.path()));
        app.mount("/a/", named("a"))
            .mount("/a/b/c", named("abc"))
            .mount("/a/b", named("ab"))
            .mount("/grün", named("g"));
        let server = in_memory(&nursery, app);
        for (path, expected) in [
            ("/", "the application"),
            ("/a", "a: /a + /"),
            ("/a/", "a: /a + /"),
            ("/a/x", "a: /a + /x"),
            ("/a/bc", "a: /a + /bc"),
            ("/a/b", "ab: /a/b + /"),
            ("/a/b/x/c", "ab: /a/b + /x/c"),
            ("/a/b/c/d", "abc: /a/b/c + /d"),
            ("/ab", "the application at /ab"),
            ("/x/a/b", "the application at /x/a/b"),
            ("/a%2Fb/x", "the application at /a%2Fb/x"),
            ("/gr%C3%BCn/x", "g: /gr%C3%BCn + /x"),
            ("/gr%c3%bcn", "g: /gr%c3%bcn + /"),
            ("/A/x", "the application at /A/x"),
        ] {
            assert_eq!(body_of(&server, path).await, expected, "{path}");
        }
        for path in ["/gr%C3", "/gr%C3%zz/x"] {
            let answer = said(&server, crate::stage::get(path)).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        }
        assert!(said(&server, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
        Ok(())
    });
}

#[test]
fn an_application_in_an_application_in_an_application_builds_its_urls_with_all_of_it() {
    paused(async |nursery| {
        let mut inner = App::new();
        inner
            .get("/here/<int:n>", async |request: Request| {
                let url = url_for("here").value("n", 2).build().expect("it has a URL");
                let external = url_for("here").value("n", 3).external(true).build().expect("it has a URL");
                format!("{} + {} {url} {external} {}", request.root_path(), request.path(), request.url())
            })
            .endpoint("here");
        inner.get("/folder/", async || "a folder").endpoint("folder");
        let mut middle = App::new();
        middle.get("/", async |request: Request| format!("middle at {}", request.url()));
        middle.mount("/inner", inner.into_handler()?);
        let mut outer = App::new();
        outer.get("/", async || "outer");
        outer.mount("/middle", middle.into_handler()?);
        let server = in_memory(&nursery, outer);
        assert_eq!(body_of(&server, "/").await, "outer");
        assert_eq!(body_of(&server, "/middle").await, "middle at http://x/middle/");
        assert_eq!(
            body_of(&server, "/middle/inner/here/1").await,
            "/middle/inner + /here/1 /middle/inner/here/2 http://x/middle/inner/here/3 http://x/middle/inner/here/1"
        );
        assert_eq!(
            body_of(&server, "http://y/middle/inner/here/1").await,
            "/middle/inner + /here/1 /middle/inner/here/2 http://y/middle/inner/here/3 http://y/middle/inner/here/1"
        );
        let answer = said(&server, crate::stage::get("/middle/inner/folder")).await;
        assert!(
            answer.starts_with("HTTP/1.1 308 ") && answer.contains("location: /middle/inner/folder/\r\n")
                || answer.contains("location: http://x/middle/inner/folder/\r\n"),
            "{answer}"
        );
        Ok(())
    });
}

#[test]
fn what_the_application_itself_is_below_comes_first() {
    paused(async |nursery| {
        let mut inner = App::new();
        inner.application_root("/proxied");
        inner
            .get("/here", async |request: Request| {
                format!("{} {}", request.root_path(), url_for("here").build().expect("it has a URL"))
            })
            .endpoint("here");
        let mut app = App::new();
        app.application_root("/site");
        app.mount("/api", seen).mount("/app", inner.into_handler()?);
        let server = in_memory(&nursery, app);
        assert_eq!(body_of(&server, "/site/api/x").await, "/site/api + /x = /x at x");
        assert_eq!(body_of(&server, "/site/app/proxied/here").await, "/site/app/proxied /site/app/proxied/here");
        for path in ["/api/x", "/sitex/api", "/site/apix", "/site/app/here"] {
            assert!(said(&server, crate::stage::get(path)).await.starts_with("HTTP/1.1 404 "), "{path}");
        }
        Ok(())
    });
}

#[test]
fn a_head_without_room_for_another_target_is_refused_and_harms_nobody() {
    paused(async |nursery| {
        let mut app = App::new();
        app.mount("/api", seen);
        let limits = foster::http::Limits::default().max_head_size(65_535).max_request_line(65_535);
        let server = foster::testing::serve_http(&nursery, app.into_handler()?, crate::stage::config().limits(limits));
        let query = "q".repeat(40_000);
        // Only the target without a slash has to be written anew.
        assert!(said(&server, crate::stage::get(&format!("/api/?{query}"))).await.starts_with("HTTP/1.1 200 "));
        assert!(said(&server, crate::stage::get(&format!("/api?{query}"))).await.starts_with("HTTP/1.1 431 "));
        assert!(said(&server, crate::stage::get("/api?q")).await.starts_with("HTTP/1.1 200 "));
        Ok(())
    });
}
