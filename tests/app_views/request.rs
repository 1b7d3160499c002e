//! What a request says of itself.

use foster::app::{App, Blueprint, Request, request, url_for};
use foster::http::StatusCode;

use crate::asking::{ask, get};

/// Asks with more fields, and shows what the request says.
fn says(fields: &str, show: impl Fn(&Request) -> String + 'static) -> String {
    says_of("/a%20b?x=1&y", "Host: example.org:8080\r\n", fields, App::new(), show)
}

fn says_of(
    target: &str,
    host: &str,
    fields: &str,
    mut app: App,
    show: impl Fn(&Request) -> String + 'static,
) -> String {
    app.get("/<path:any>", async move |request: Request| show(&request));
    ask(app, format!("GET {target} HTTP/1.1\r\n{host}{fields}\r\n")).fine()
}

#[test]
fn the_url_and_its_pieces() {
    let shown = says("", |request| {
        let (url, base, host) = (request.url(), request.base_url(), request.host_url());
        [url, base, host, request.url_root(), request.full_path(), request.root_path().to_owned()].join("\n")
    });
    let expected = "http://example.org:8080/a%20b?x=1&y\nhttp://example.org:8080/a%20b\nhttp://example.org:8080/\n\
                    http://example.org:8080/\n/a%20b?x=1&y\n";
    assert_eq!(shown, expected);
}

#[test]
fn the_url_of_what_is_mounted_below_a_path() {
    let mut app = App::new();
    app.application_root("/shop/");
    let shown = says_of("/shop/cart?", "Host: x\r\n", "", app, |request| {
        [request.url(), request.base_url(), request.url_root(), request.full_path(), request.root_path().to_owned()]
            .join("\n")
    });
    assert_eq!(shown, "http://x/shop/cart?\nhttp://x/shop/cart\nhttp://x/shop/\n/shop/cart?\n/shop");
}

#[test]
fn what_the_application_is_mounted_below_is_written_decoded_and_asked_for_as_clients_encode_it() {
    let app = || {
        let mut app = App::new();
        app.application_root("/un café");
        app.get("/menu/", async || foster::Ok([request().root_path(), &url_for("menu").build()?].join(" ")))
            .endpoint("menu");
        app
    };
    for target in ["/un%20caf%C3%A9/menu/", "/%75n%20caf%c3%a9/menu/"] {
        let answer = get(app(), target);
        let root = target.strip_suffix("/menu/").expect("it ends so");
        assert_eq!((answer.status, answer.body), (200, format!("{root} {root}/menu/")), "{target}");
    }
    for target in ["/un%20caf%C3%A8/menu/", "/un%20caf%C3%A9%2Fmenu/", "/un%20caf/menu/"] {
        assert_eq!(get(app(), target).status, 404, "{target}");
    }
    let mut outside = app();
    outside.errorhandler(404, async |_| ([request().root_path(), &request().url_root()].join(" "), 404));
    assert_eq!(get(outside, "/").body, "/un%20caf%C3%A9 http://example.org/un%20caf%C3%A9/");
}

#[test]
fn a_request_from_outside_is_told_the_same_of_what_the_application_is_mounted_below() {
    let app = || {
        let mut app = App::new();
        app.application_root("/long/shop");
        app.get("/", async || "").endpoint("index");
        app.errorhandler(404, async |_| {
            let request = request();
            let page = [request.root_path(), &request.url_root(), &url_for("index").build()?].join("\n");
            foster::Ok((page, 404))
        });
        app
    };
    for target in ["/", "/other", "/long/shopping", "/long", "/%ff"] {
        let answer = get(app(), target);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, "/long/shop\nhttp://example.org/long/shop/\n/long/shop/"),
            "{target}"
        );
    }
}

#[test]
fn the_host_of_the_target_stands_above_the_field() {
    let shown = says_of("http://other.org/a", "Host: x\r\n", "", App::new(), |request| request.url());
    assert_eq!(shown, "http://other.org/a");
}

#[test]
fn a_client_that_says_no_host_still_has_a_url() {
    let app = |name: Option<&str>| {
        let mut app = App::new();
        if let Some(name) = name {
            app.server_name(name);
        }
        app.get("/<a>", async |request: Request| request.url());
        app
    };
    assert_eq!(ask(app(Some("named.org")), "GET /a HTTP/1.0\r\n\r\n").fine(), "http://named.org/a");
    let own = ask(app(None), "GET /a HTTP/1.0\r\n\r\n").fine();
    assert!(own.starts_with("http://") && own.ends_with("/a") && own.len() > "http:///a".len(), "{own}");
}

#[test]
fn the_type_of_the_body_and_its_parameters() {
    let fields = "Content-Type: Text/HTML ; Charset=\"UTF-8\"; b = c;d;e=\"x;\\\"y\"\r\n";
    let shown = says(fields, |request| {
        let parameters = request.mimetype_params();
        format!("{} {:?}", request.mimetype(), parameters.iter().collect::<Vec<_>>())
    });
    assert_eq!(shown, r#"text/html [("charset", "UTF-8"), ("b", "c"), ("e", "x;\"y")]"#);
    let shown = says("", |request| {
        format!("{:?} {:?} {}", request.mimetype(), request.content_type(), request.mimetype_params().is_empty())
    });
    assert_eq!(shown, "\"\" None true");
}

#[test]
fn who_asks_and_from_where() {
    let fields = "Referer: http://a/b\r\nUser-Agent: tester/1\r\nAuthorization: Basic YTpi\r\n";
    let shown = says(fields, |request| {
        let user = request.authorization().expect("there is one");
        format!("{:?} {:?} {:?} {:?}", request.referrer(), request.user_agent(), user.username(), user.password())
    });
    assert_eq!(shown, r#"Some("http://a/b") Some("tester/1") Some("a") Some("b")"#);
    let shown = says("", |request| {
        format!("{:?} {:?} {:?}", request.referrer(), request.user_agent(), request.authorization())
    });
    assert_eq!(shown, "None None None");
}

#[test]
fn preferences_of_several_fields_are_one() {
    let fields = "Accept: text/html;q=0.5\r\nAccept-Language: de\r\nAccept: application/json\r\n\
                  Accept-Encoding: gzip\r\nAccept-Charset: utf-8\r\n";
    let shown = says(fields, |request| {
        let kind = request.accept_mimetypes().best_match(["text/html", "application/json"]);
        let language = request.accept_languages().best_match(["en", "de"]);
        let (encoding, charset) = (request.accept_encodings().best(), request.accept_charsets().best());
        format!("{kind:?} {language:?} {encoding:?} {charset:?}")
    });
    assert_eq!(shown, r#"Some("application/json") Some("de") Some("gzip") Some("utf-8")"#);
}

#[test]
fn the_way_that_a_request_took() {
    let fields = "X-Forwarded-For: 192.0.2.1, \"[2001:db8::1]:80\"\r\nX-Forwarded-For: , 192.0.2.2\r\n";
    let shown = says(fields, |request| request.access_route().join(" "));
    assert_eq!(shown, "192.0.2.1 [2001:db8::1]:80 192.0.2.2");
    let peer = says("", |request| format!("{}", request.access_route().len() == request.remote_addr().iter().len()));
    assert_eq!(peer, "true");
}

#[test]
fn the_blueprints_of_a_route_innermost_first() {
    fn show(request: &Request) -> String {
        let rule = request.url_rule().map(|rule| rule.pattern());
        format!("{:?} {:?} {rule:?}", request.blueprint(), request.blueprints().collect::<Vec<_>>())
    }
    let app = || {
        let mut inner = Blueprint::new("inner");
        inner.get("/file.txt", async |request: Request| show(&request));
        inner.get("/named", async |request: Request| show(&request)).endpoint("named");
        let mut outer = Blueprint::new("outer");
        outer.url_prefix("/outer");
        outer.register_blueprint(&inner);
        let mut app = App::new();
        app.get("/file.txt", async |request: Request| show(&request));
        app.errorhandler(404, async |_| (show(&foster::app::request()), StatusCode::OK));
        app.register_blueprint(&outer);
        app
    };
    let nested = |path: &str| format!(r#"Some("outer.inner") ["outer.inner", "outer"] Some("{path}")"#);
    assert_eq!(get(app(), "/outer/file.txt").fine(), nested("/outer/file.txt"));
    assert_eq!(get(app(), "/outer/named").fine(), nested("/outer/named"));
    assert_eq!(get(app(), "/file.txt").fine(), r#"None [] Some("/file.txt")"#);
    assert_eq!(get(app(), "/nothing").fine(), "None [] None");
}
