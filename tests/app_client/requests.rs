//! What a view sees of what a test says.

use foster::app::{App, Request, g};
use foster::http::{Method, Version};
use foster::{Nursery, sleep};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

use crate::client_of;
use crate::stage::paused;

/// Everything of a request, in lines.
async fn show(request: Request) -> String {
    let head = request.head();
    let mut lines = format!("{} {} {:?}\n", head.method(), head.target(), head.version());
    for (name, value) in head.headers().iter() {
        lines += &format!("{name}: {}\n", String::from_utf8_lossy(value));
    }
    lines += &format!("{} {}\n", request.scheme(), String::from_utf8_lossy(&request.get_data().await.unwrap()));
    lines
}

fn showing(app: &mut App) {
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"];
    let methods = methods.map(|method| Method::from_bytes(method.as_bytes()).unwrap());
    app.route("/<path:rest>", show).methods(methods.clone());
    app.route("/", show).methods(methods).endpoint("root");
}

#[test]
fn every_verb_arrives() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, showing);
        let asked = [
            (client.get("/"), "GET"),
            (client.post("/"), "POST"),
            (client.put("/"), "PUT"),
            (client.patch("/"), "PATCH"),
            (client.delete("/"), "DELETE"),
            (client.trace("/"), "TRACE"),
            (client.request(Method::from_bytes(b"PROPFIND").unwrap(), "/"), "PROPFIND"),
        ];
        for (request, method) in asked {
            let text = request.await?.text().await?;
            assert_eq!(text, format!("{method} / HTTP/1.1\nhost: localhost\nhttp \n"));
        }
        let mut options = client.options("/").await?;
        assert_eq!((options.status_code().as_u16(), options.get_data().await?.len()), (200, 0));
        assert!(options.header("allow").is_some_and(|allow| allow.contains("PROPFIND")));
        Ok(())
    });
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, showing);
        let mut got = client.get("/").await?;
        let n_bytes = got.get_data().await?.len();
        let mut head = client.head("/").await?;
        assert_eq!(head.status_code(), 200);
        assert_eq!(head.content_type(), got.content_type());
        // The method is one letter longer.
        assert_eq!(head.header("content-length"), Some(&*(n_bytes + 1).to_string()));
        assert_eq!(head.get_data().await?.len(), 0);
        Ok(())
    });
}

#[test]
fn json_data_and_header_fields_arrive() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, showing);
        let json = client.post("/a").json(&json!({ "a": [1] })).await?.text().await?;
        assert_eq!(
            json,
            "POST /a HTTP/1.1\nhost: localhost\ncontent-type: application/json\ncontent-length: 9\nhttp {\"a\":[1]}\n"
        );
        let data = client.put("/a").data("hello").header("content-type", "text/x").header("X-A", "1");
        let data = data.headers([("X-B", "2"), ("x-a", "3")]).await?.text().await?;
        let fields = "content-type: text/x\nx-a: 1\nx-b: 2\nx-a: 3\ncontent-length: 5";
        assert_eq!(data, format!("PUT /a HTTP/1.1\nhost: localhost\n{fields}\nhttp hello\n"));
        let own_type = client.post("/a").header("content-type", "application/x+json").json("x").await?.text().await?;
        assert!(own_type.contains("content-type: application/x+json\n"), "{own_type}");
        assert!(!own_type.contains("application/json"), "{own_type}");
        let empty = client.post("/a").data("").await?.text().await?;
        assert_eq!(empty, "POST /a HTTP/1.1\nhost: localhost\ncontent-length: 0\nhttp \n");
        Ok(())
    });
}

#[test]
fn a_view_reads_the_json_of_a_test() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.post("/", async |request: Request| {
                request.get_json::<Value>().await.map(|value| value["a"].to_string())
            });
        });
        assert_eq!(client.post("/").json(&json!({ "a": 7 })).await?.text().await?, "7");
        assert_eq!(client.post("/").data("{}").await?.status_code(), 415);
        let broken = client.post("/").data("{").header("content-type", "application/json").await?;
        assert_eq!(broken.status_code(), 400);
        Ok(())
    });
}

#[test]
fn queries_paths_and_hosts_are_put_together() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, showing);
        let first = |text: String| text.lines().take(2).collect::<Vec<_>>().join(" ");
        let query = client.get("/a").query_string([("b", "c d"), ("e", "&=ä")]).await?.text().await?;
        assert_eq!(first(query), "GET /a?b=c+d&e=%26%3D%C3%A4 HTTP/1.1 host: localhost");
        let in_path = client.get("/a?b=%20&c").await?.text().await?;
        assert_eq!(first(in_path), "GET /a?b=%20&c HTTP/1.1 host: localhost");
        let encoded = client.get("/käse?ö").await?.text().await?;
        assert_eq!(first(encoded), "GET /k%C3%A4se?%C3%B6 HTTP/1.1 host: localhost");
        let host = client.get("/").host("example.org:81").subdomain("api").await?.text().await?;
        assert_eq!(first(host), "GET / HTTP/1.1 host: api.example.org:81");
        let field = client.get("/").header("Host", "example.com").await?.text().await?;
        assert_eq!(first(field), "GET / HTTP/1.1 host: example.com");
        let root = client.get("/a").root_path("/app/").await?.text().await?;
        assert_eq!(first(root), "GET /app/a HTTP/1.1 host: localhost");
        let whole = client.get("https://example.net/a?b").await?;
        assert_eq!(whole.url(), "https://example.net/a?b");
        let old = client.get("/").http_version(Version::HTTP_10).await?.text().await?;
        assert_eq!(first(old), "GET / HTTP/1.0 host: localhost");
        Ok(())
    });
}

#[test]
fn scheme_address_and_credentials_arrive() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async |request: Request| {
                let addr = request.remote_addr().unwrap();
                let authorization = request.headers().get("authorization").unwrap_or_default().to_owned();
                format!("{} {} {addr} {authorization}", request.scheme(), request.is_secure())
            });
        });
        assert_eq!(client.get("/").await?.text().await?, "http false 192.0.2.2:50000 ");
        let secure = client.get("/").scheme("https").auth("ada", "a:b").await?.text().await?;
        assert_eq!(secure, "https true 192.0.2.2:50000 Basic YWRhOmE6Yg==");
        let addr: SocketAddr = "[::1]:9".parse().unwrap();
        let from = client.get("/").remote_addr(addr).scheme("https").await?.text().await?;
        assert_eq!(from, "https true [::1]:9 ");
        Ok(())
    });
}

#[test]
fn an_application_has_the_host_of_its_name() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.server_name("example.org").subdomain_matching(true);
            app.get("/", async |request: Request| request.host().to_owned());
            app.get("/", async |request: Request| format!("api {}", request.host())).subdomain("api").endpoint("api");
        });
        assert_eq!(client.get("/").await?.text().await?, "example.org");
        assert_eq!(client.get("/").subdomain("api").await?.text().await?, "api api.example.org");
        assert_eq!(client.get("/").host("other.net").await?.status_code(), 404);
        Ok(())
    });
}

#[test]
fn an_application_root_is_asked_for_with_root_path() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.application_root("/app");
            app.get("/a", async || "here");
        });
        assert_eq!(client.get("/a").root_path("/app").await?.text().await?, "here");
        assert_eq!(client.get("/app/a").await?.text().await?, "here");
        assert_eq!(client.get("/a").await?.status_code(), 404);
        Ok(())
    });
}

#[test]
fn the_limit_of_bodies_holds() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.max_content_length(Some(4));
            app.post("/", async |request: Request| request.get_data().await);
        });
        assert_eq!(client.post("/").data("1234").await?.get_data().await?, "1234");
        assert_eq!(client.post("/").data("12345").await?.status_code(), 413);
        // Said to be too long, and never sent.
        assert_eq!(client.post("/").header("content-length", "5").await?.status_code(), 413);
        // Broken off.
        assert_eq!(client.post("/").data("12").header("content-length", "3").await?.status_code(), 400);
        Ok(())
    });
}

#[test]
fn an_hour_of_a_view_is_no_time() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/slow", async || {
                sleep(Duration::from_secs(3600)).await;
                "at last"
            });
        });
        let began = tokio::time::Instant::now();
        assert_eq!(client.get("/slow").await?.text().await?, "at last");
        assert_eq!(began.elapsed().as_secs(), 3600);
        Ok(())
    });
}

#[test]
fn requests_side_by_side_have_contexts_of_their_own() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/<int:id>", async |request: Request| {
                g().insert(request.path().to_owned());
                sleep(Duration::from_secs(1)).await;
                assert_eq!(foster::app::request().path(), request.path());
                g().get::<String>().unwrap().to_string()
            });
        });
        let answers = futures::future::try_join_all((0..20).map(|n| {
            let request = client.get(format!("/{n}"));
            async move { request.await?.text().await }
        }));
        let expected: Vec<_> = (0..20).map(|n| format!("/{n}")).collect();
        assert_eq!(answers.await?, expected);
        Ok(())
    });
}
