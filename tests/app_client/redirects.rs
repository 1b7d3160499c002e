//! Redirects that are followed, and those that are not.

use foster::Nursery;
use foster::app::testing::{MAX_REDIRECTS, TestClientError};
use foster::app::{App, Request};
use foster::http::{HeaderValue, Method, Response, ResponseBody, StatusCode, header, redirect, redirect_with};
use std::cell::Cell;
use std::rc::Rc;

use crate::client_of;
use crate::stage::paused;

/// `/to/<status>` leads to the location in the query; everything else is shown.
fn app(app: &mut App) {
    let methods = [Method::GET, Method::POST, Method::PUT];
    app.route("/to/<int:status>", async |request: Request| {
        let status = request.view_args().get("status").and_then(|status| status.as_int()).unwrap();
        let location = request.args().get("location").unwrap_or_default().to_owned();
        let status = StatusCode::from_u16(status.try_into()?)?;
        let response = Response::text("elsewhere").with_status(status);
        foster::Ok(response.header(header::LOCATION, HeaderValue::from_str(&location)?))
    })
    .methods(methods.clone());
    app.route("/<path:rest>", async |request: Request| {
        let authorization = request.headers().get("authorization").is_some();
        let kind = request.headers().get("content-type").unwrap_or("no type").to_owned();
        let body = request.get_text().await?;
        let (method, target) = (request.method(), request.head().target());
        foster::Ok(format!("{method} {target} {} {kind} {body} {authorization}", request.host()))
    })
    .methods(methods);
}

#[test]
fn a_redirect_is_followed_only_on_request() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let response = client.get("/to/302").query_string([("location", "/a?b")]).await?;
        assert_eq!((response.status_code().as_u16(), response.location()), (302, Some("/a?b")));
        assert!(response.history().is_empty());
        let mut response = client.get("/to/302").query_string([("location", "/a?b#c")]).follow_redirects(true).await?;
        assert_eq!(response.text().await?, "GET /a?b localhost no type  false");
        assert_eq!(response.url(), "http://localhost/a?b");
        let [redirect] = response.history() else { panic!("one redirect") };
        assert_eq!((redirect.status_code().as_u16(), redirect.location()), (302, Some("/a?b#c")));
        assert_eq!(redirect.url(), "http://localhost/to/302?location=%2Fa%3Fb%23c");
        Ok(())
    });
}

#[test]
fn method_and_body_are_kept_for_307_and_308_alone() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        for (status, method, expected) in [
            (301, Method::POST, "GET /a localhost no type  false"),
            (302, Method::POST, "GET /a localhost no type  false"),
            (303, Method::PUT, "GET /a localhost no type  false"),
            (303, Method::GET, "GET /a localhost no type  false"),
            (307, Method::POST, "POST /a localhost text/x body false"),
            (308, Method::PUT, "PUT /a localhost text/x body false"),
        ] {
            let request = client.request(method, format!("/to/{status}?location=/a"));
            let request = request.data("body").header("content-type", "text/x").follow_redirects(true);
            assert_eq!(request.await?.text().await?, expected, "{status}");
        }
        let head = client.head("/to/302?location=/a").follow_redirects(true).await?;
        assert_eq!((head.status_code().as_u16(), head.history().len()), (200, 1));
        Ok(())
    });
}

#[test]
fn a_location_may_be_relative_or_whole() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        for (location, url) in [
            ("b", "http://localhost/to/b"),
            ("../c?d", "http://localhost/c?d"),
            ("http://localhost/e", "http://localhost/e"),
            ("https://localhost:81/f", "https://localhost:81/f"),
            ("//LOCALHOST/g", "http://LOCALHOST/g"),
            ("http://api.localhost/h", "http://api.localhost/h"),
        ] {
            let request = client.get("/to/302").query_string([("location", location)]).follow_redirects(true);
            assert_eq!(request.await?.url(), url);
        }
        Ok(())
    });
}

#[test]
fn credentials_go_to_no_other_host() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        for (location, has_credentials) in [("/a", true), ("http://api.localhost/a", false)] {
            let request = client.get("/to/307").query_string([("location", location)]).auth("ada", "x");
            let text = request.follow_redirects(true).await?.text().await?;
            assert!(text.ends_with(&format!(" {has_credentials}")), "{text}");
        }
        Ok(())
    });
}

#[test]
fn a_redirect_out_of_the_application_is_an_error() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        for location in ["http://example.org/", "//notlocalhost/", "mailto:a@b", "ftp://localhost/"] {
            let request = client.get("/to/302").query_string([("location", location)]).follow_redirects(true);
            let err = request.await.unwrap_err();
            let expected = TestClientError::Elsewhere(location.to_owned());
            assert_eq!(err.downcast_ref::<TestClientError>(), Some(&expected));
        }
        Ok(())
    });
}

#[test]
fn redirects_without_an_end_end() {
    paused(async |nursery: Nursery| {
        let n_asked = Rc::new(Cell::new(0));
        let n = n_asked.clone();
        let client = client_of(&nursery, move |app| {
            app.get("/round", async move || {
                n.set(n.get() + 1);
                redirect("/round")
            });
            app.get("/<int:n>", async |request: Request| {
                let n: i64 = request.path()[1..].parse().unwrap();
                if n == 0 { Response::text("there") } else { redirect(format!("/{}", n - 1)) }
            });
        });
        let err = client.get("/round").follow_redirects(true).await.unwrap_err();
        assert_eq!(err.downcast_ref::<TestClientError>(), Some(&TestClientError::TooManyRedirects));
        assert_eq!(n_asked.get(), MAX_REDIRECTS + 1);
        let mut longest = client.get(format!("/{MAX_REDIRECTS}")).follow_redirects(true).await?;
        assert_eq!((longest.text().await?.as_str(), longest.history().len()), ("there", MAX_REDIRECTS));
        Ok(())
    });
}

#[test]
fn what_leads_nowhere_is_the_response() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/302", async || StatusCode::FOUND);
            app.get("/304", async || (StatusCode::NOT_MODIFIED, [("location", "/a")]));
            app.get("/200", async || ("x", [("location", "/a")]));
        });
        for status in [302, 304, 200] {
            let response = client.get(format!("/{status}")).follow_redirects(true).await?;
            assert_eq!((response.status_code().as_u16(), response.history().len()), (status, 0));
        }
        Ok(())
    });
}

#[test]
fn the_body_of_a_redirect_is_kept_if_it_is_whole_and_ended_if_not() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/whole", async || redirect_with("/stream", StatusCode::SEE_OTHER));
            app.get("/stream", async || {
                let mut response = redirect("/there");
                response.set_body(ResponseBody::stream(futures::stream::pending::<foster::Result<bytes::Bytes>>()));
                response
            });
            app.get("/there", async || "there");
        });
        let mut response = client.get("/whole").follow_redirects(true).await?;
        assert_eq!(response.text().await?, "there");
        assert_eq!(response.history().len(), 2);
        Ok(())
    });
}
