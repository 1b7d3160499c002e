//! Requests that a test has got wrong.

use foster::Nursery;
use foster::app::testing::TestClientError;
use foster::http::{HttpError, Method, Version, header};
use serde::Serialize;

use crate::client_of;
use crate::stage::paused;

#[test]
fn a_request_that_is_wrong_says_how() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async || "x");
        });
        let path = |path: &str| TestClientError::Path(path.to_owned());
        let head = TestClientError::Head;
        let wrong = [
            (client.get(""), path("")),
            (client.get("users"), path("users")),
            (client.get("/a b"), path("/a b")),
            (client.get("/a\r\nx: y"), path("/a\r\nx: y")),
            (client.get("/a#b"), path("/a#b")),
            (client.get("ftp://a/"), path("ftp://a/")),
            (client.get("http:///a"), path("http:///a")),
            (client.get("*"), head(HttpError::Target)),
            (client.request(Method::CONNECT, "/"), head(HttpError::Target)),
            (client.get("/?a").query_string([("b", "c")]), TestClientError::TwoQueries("/?a".to_owned())),
            (client.get("/").host("a b"), TestClientError::Host("a b".to_owned())),
            (client.get("/").host(""), TestClientError::Host(String::new())),
            (client.get("/").subdomain("a/b"), TestClientError::Host("a/b.localhost".to_owned())),
            (client.get("/").host("a:99999"), TestClientError::Host("a:99999".to_owned())),
            (client.get("http://a@b/"), TestClientError::Host("a@b".to_owned())),
            (client.get("/").scheme("gopher"), TestClientError::Scheme("gopher".to_owned())),
            (client.get("/").header("a b", "c"), TestClientError::HeaderName("\"a b\"".to_owned())),
            (client.get("/").header("", "c"), TestClientError::HeaderName("\"\"".to_owned())),
            (client.get("/").header("etag", "a\r\nb"), TestClientError::HeaderValue(header::ETAG)),
            (client.get("/").headers([("etag", "a\0")]), TestClientError::HeaderValue(header::ETAG)),
            (
                client.post("/").header("transfer-encoding", "chunked"),
                TestClientError::OwnHeader(header::TRANSFER_ENCODING),
            ),
            (client.post("/").header("content-length", "-1"), head(HttpError::ContentLength)),
            (
                client.post("/").header("content-length", "1").header("content-length", "1"),
                head(HttpError::ContentLength),
            ),
            (client.post("/").header("content-length", "1").data("ab"), TestClientError::BodyLength { declared: 1 }),
            (client.post("/").data("a").json("b"), TestClientError::TwoBodies),
            (client.get("/").auth("a:b", "c"), TestClientError::User),
            (client.get("/").http_version(Version::HTTP_2), head(HttpError::Version)),
            (client.get(format!("/{}", "x".repeat(9000))), head(HttpError::RequestLineTooLong { limit: 8192 })),
            (client.get("/").header("x-a", "x".repeat(20_000)), head(HttpError::HeadTooLarge { limit: 16_384 })),
            (
                client.get("/").headers((0..200).map(|n| (format!("x-{n}"), "1"))),
                head(HttpError::TooManyHeaders { limit: 100 }),
            ),
            // The first counts.
            (client.get("a").scheme("x").header("a b", ""), TestClientError::Scheme("x".to_owned())),
        ];
        for (request, expected) in wrong {
            let shown = format!("{request:?}");
            let err = request.await.expect_err(&shown);
            assert_eq!(err.downcast_ref::<TestClientError>(), Some(&expected), "{err}");
            assert!(!err.to_string().is_empty());
        }
        assert_eq!(client.get("/").await?.status_code(), 200);
        Ok(())
    });
}

#[test]
fn a_value_without_a_form_in_json_says_so() {
    struct Never;
    impl Serialize for Never {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("there is none"))
        }
    }
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |_| {});
        let err = client.post("/").json(&Never).await.unwrap_err();
        assert_eq!(err.to_string(), "the value has no form in JSON: there is none");
        assert!(client.post("/").json(&Never).begin().is_err());
        Ok(())
    });
}

#[test]
fn a_wrong_request_that_is_begun_says_how_and_leaves_nothing() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |_| {});
        assert!(client.get("x").begin().is_err());
        assert!(client.get("*").begin().is_err());
        foster::checkpoint().await;
        foster::checkpoint().await;
        foster::checkpoint().await;
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn a_secret_is_not_told() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |_| {});
        let err = client.get("/").header("authorization", "secret\n").await.unwrap_err();
        assert!(!format!("{err:?}").contains("secret"));
        Ok(())
    });
}
