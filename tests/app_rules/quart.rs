//! What `quart_peer.py` has asked applications of Quart, asked of the same applications here. Each disagreement stands
//! below with its reason: a new one fails, and one that has gone fails, too.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use foster::app::routing::{BuildError, Rule};
use foster::app::{App, Blueprint, HttpException, Path, abort, after_this_request, request, url_for};
use foster::http::time::Duration;
use foster::http::{Cookie, Method, Response, ResponseBody, SameSite, StatusCode, redirect};
use foster::{Error, Handler, Result};
use futures::{StreamExt, stream};
use serde_json::Value;

use crate::site::{Answer, Site, site};
use crate::stage::{Log, paused};

#[test]
fn every_disagreement_with_quart_stands_in_the_list() {
    let recorded: Value = serde_json::from_str(include_str!("quart.json")).expect("the record is JSON");
    let applications: [(&str, Make); 5] =
        [("hooks", hooks), ("errors", errors), ("plain", plain), ("urls", urls), ("cookies", cookies)];
    let mut found = Vec::new();
    let mut n_asked = 0;
    for (name, make) in applications {
        let of_name = list(&recorded, "applications").iter().find(|application| text(application, "name") == name);
        let requests = list(of_name.expect("it is recorded"), "requests");
        let said = Log::default();
        let app = make(&said);
        paused(async |nursery| {
            let site = site(&nursery, app);
            for asked in requests {
                let n_said = said.len();
                let outcome = ask(&site, asked).await;
                let ours = [outcome, said.words()[n_said..].join(", ")];
                let request = format!("{name}: {} {}", text(asked, "method"), text(asked, "path"));
                for (ours, theirs) in ours.iter().zip([text(asked, "outcome"), text(asked, "said")]) {
                    if ours != theirs {
                        let (ours, theirs) = where_they_part(ours, theirs);
                        found.push(format!("{request}\n    {ours}\n    {theirs}"));
                    }
                }
                n_asked += 1;
            }
            Ok(())
        });
    }
    let meant: Vec<String> = DISAGREEMENTS
        .iter()
        .map(|Disagreement { asked, ours, theirs, .. }| format!("{asked}\n    {ours}\n    {theirs}"))
        .collect();
    let new: Vec<&String> = found.iter().filter(|found| !meant.contains(found)).collect();
    let gone: Vec<&String> = meant.iter().filter(|meant| !found.contains(meant)).collect();
    let lines = |all: Vec<&String>| all.into_iter().fold(String::new(), |lines, line| lines + "\n" + line);
    assert!(new.is_empty() && gone.is_empty(), "new:{}\ngone:{}", lines(new), lines(gone));
    assert!(n_asked > 160, "{n_asked} only");
    assert!(DISAGREEMENTS.iter().all(|disagreement| !disagreement.reason.is_empty()));
}

/// Makes an application whose hooks say in the log that they are called.
type Make = fn(&Log) -> App;

/// What Foster does, what Quart does, and why.
struct Disagreement {
    asked: &'static str,
    ours: &'static str,
    theirs: &'static str,
    reason: &'static str,
}

const fn differs(asked: &'static str, ours: &'static str, theirs: &'static str, reason: &'static str) -> Disagreement {
    Disagreement { asked, ours, theirs, reason }
}

const DISAGREEMENTS: &[Disagreement] = &[
    differs(
        "hooks: GET /p/c/view?fail=before-p:tea",
        "teardown c with Tea, teardown p with Tea, teardown app2 with Tea, teardown app1 with Tea",
        "teardown c, teardown p, teardown app2, teardown app1",
        UNKNOWN,
    ),
    differs(
        "hooks: GET /p/c/view?fail=view:tea",
        "teardown c with Tea, teardown p with Tea, teardown app2 with Tea, teardown app1 with Tea",
        "teardown c, teardown p, teardown app2, teardown app1",
        UNKNOWN,
    ),
    differs(
        "hooks: GET /p/c/view?fail=after-p:tea",
        "after c 500, after p 500, teardown c with Tea, teardown p with Tea, teardown app2 with Tea, teardown app1 with Tea",
        "this 1, this 2, after c 500, after p 500, teardown c, teardown p, teardown app2, teardown app1",
        ONCE,
    ),
    differs(
        "hooks: GET /p/c/view?fail=after-p:milk",
        "handler of milk, after c 418, after p 418, teardown c with Milk, teardown p with Milk, teardown app2 with Milk, \
         teardown app1 with Milk",
        "this 1, this 2, after c 500, after p 500, teardown c, teardown p, teardown app2, teardown app1",
        "an error of a hook behind the view has handlers as any other",
    ),
    differs(
        "hooks: GET /p/c/view?fail=this-1:tea",
        "after c 500, after p 500, after app2 500, after app1 500, teardown c with Tea, teardown p with Tea, \
         teardown app2 with Tea, teardown app1 with Tea",
        "this 1, teardown c, teardown p, teardown app2, teardown app1",
        ONCE,
    ),
    differs(
        "hooks: GET /nowhere?fail=before-app1:tea",
        "teardown app2 with Tea, teardown app1 with Tea",
        "teardown app2, teardown app1",
        UNKNOWN,
    ),
    differs(
        "hooks: GET /stream",
        "first piece, last piece, teardown app2, teardown app1",
        "teardown app2, teardown app1, first piece, last piece",
        "a request is over when its body is, which may need what the hooks take away",
    ),
    differs(
        "urls: GET /build/wrong",
        "200 no url for the value",
        "500 a page",
        "a value that cannot stand in a URL is one more reason why none is built",
    ),
    differs(
        "urls: GET /build/unicode",
        "200 /text/%C3%BC%2Fx",
        "200 /text/%C3%BC/x",
        "a slash in a value is encoded, so that the URL is that of the rule",
    ),
];

const UNKNOWN: &str = "the error that nothing knows reaches teardown hooks, as Flask's documentation has it";
const ONCE: &str = "what was asked for once is called once, also where a hook behind the view fails";

/// Both from the first word on that is not the same.
fn where_they_part(ours: &str, theirs: &str) -> (String, String) {
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.split(", ").collect(), theirs.split(", ").collect());
    let n_same = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
    (ours[n_same..].join(", "), theirs[n_same..].join(", "))
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

async fn ask<H: Handler>(site: &Site<H>, asked: &Value) -> String {
    let mut fields = String::from("Host: example.com\r\n");
    if let Some(cookie) = asked["headers"]["Cookie"].as_str() {
        fields += &format!("Cookie: {cookie}\r\n");
    }
    outcome(&site.ask(text(asked, "method"), text(asked, "path"), &fields).await)
}

/// In the form of `quart_peer.py`.
fn outcome(answer: &Answer) -> String {
    let body = if answer.body.starts_with("<!doctype") { "a page" } else { answer.body.as_str() };
    let mut shown = format!("{} {body}", answer.status).trim_end().to_owned();
    for name in ["Location", "Allow", "X-One"] {
        let Some(value) = answer.header(name) else { continue };
        let mut parts: Vec<&str> = value.split(", ").collect();
        parts.sort_unstable();
        let value = value.strip_prefix("http://example.com").unwrap_or(value);
        shown += &format!(" | {name}: {}", if name == "Allow" { parts.join(", ") } else { value.to_owned() });
    }
    for cookie in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
        let mut parts = cookie.split("; ").filter(|part| !part.starts_with("Expires"));
        let first = parts.next().unwrap_or_default();
        let mut rest: Vec<&str> = parts.collect();
        rest.sort_unstable();
        rest.insert(0, first);
        shown += &format!(" | Set-Cookie: {}", rest.join("; "));
    }
    shown
}

/// Errors of types of their own.
macro_rules! errors {
    ($($name:ident)*) => {$(
        #[derive(Debug)]
        struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl std::error::Error for $name {}
    )*};
}

errors! { Tea Milk Other }

fn error(name: &str) -> Error {
    match name {
        "tea" => Tea.into(),
        "milk" => Milk.into(),
        _ => Other.into(),
    }
}

/// Fails where the argument `fail` says so.
fn fails(place: &str) -> Result<()> {
    match request().args().get("fail").and_then(|fail| fail.split_once(':')) {
        Some((failing, how)) if failing == place => Err(error(how)),
        _ => Ok(()),
    }
}

macro_rules! say_hooks {
    ($to:ident, $said:ident, $name:literal) => {
        let said = $said.clone();
        $to.url_value_preprocessor(move |request, _| {
            said.say(format!("values {} of {}", $name, request.endpoint().unwrap_or("None")));
        });
        let said = $said.clone();
        $to.before_request(async move || {
            said.say(concat!("before ", $name));
            fails(concat!("before-", $name))?;
            let is_stopping = request().args().get("stop") == Some($name);
            foster::Ok(is_stopping.then_some((concat!("stopped by ", $name), 203)))
        });
        let said = $said.clone();
        $to.after_request(async move |response: Response| {
            said.say(format!("after {} {}", $name, response.status().as_u16()));
            fails(concat!("after-", $name))?;
            foster::Ok(response)
        });
        let said = $said.clone();
        $to.teardown_request(async move |err: Option<Error>| {
            let err = err.map(|err| format!(" with {err}")).unwrap_or_default();
            said.say(format!("teardown {}{err}", $name));
        });
    };
}

fn hooks(said: &Log) -> App {
    let (mut app, mut p, mut c) = (App::new(), Blueprint::new("p"), Blueprint::new("c"));
    let mut other = Blueprint::new("other");
    say_hooks!(app, said, "app1");
    say_hooks!(p, said, "p");
    say_hooks!(c, said, "c");
    say_hooks!(other, said, "other");
    let viewed = said.clone();
    let view = async move || {
        viewed.say("view");
        fails("view")?;
        for n in [1, 2] {
            let said = viewed.clone();
            after_this_request(async move |response: Response| {
                said.say(format!("this {n}"));
                fails(&format!("this-{n}"))?;
                foster::Ok(response)
            });
        }
        foster::Ok("a view")
    };
    let streamed = said.clone();
    let stream = async move || {
        let said = streamed.clone();
        ResponseBody::stream(stream::iter([("first", "one "), ("last", "two")]).map(move |(which, piece)| {
            said.say(format!("{which} piece"));
            foster::Ok(Bytes::from_static(piece.as_bytes()))
        }))
    };
    app.get("/view", view.clone()).endpoint("view");
    p.get("/view", view.clone()).endpoint("view");
    c.get("/view", view).endpoint("view");
    app.get("/stream", stream).endpoint("stream");
    p.register_blueprint(&c).url_prefix("/c");
    app.register_blueprint(&p).url_prefix("/p");
    app.register_blueprint(&other).url_prefix("/other");
    say_hooks!(app, said, "app2");
    let handled = said.clone();
    app.errorhandler_for(async move |_: Arc<Milk>| {
        handled.say("handler of milk");
        ("no milk", 418)
    });
    app
}

/// What the handlers of the application `errors` say of an exception.
fn said_of(name: &str, err: &HttpException) -> (String, StatusCode) {
    let name_of = |err: &Error| match err.downcast_ref().and_then(|err: &HttpException| err.status().canonical_reason())
    {
        Some(reason) => format!(" for {reason}"),
        None => format!(" for {err}"),
    };
    let original = err.original().map(name_of).unwrap_or_default();
    (format!("{name} {}{original}", err.status().as_u16()), err.status())
}

fn errors(_: &Log) -> App {
    async fn fail(Path(what): Path<String>) -> Result<&'static str> {
        Err(error(&what))
    }
    async fn aborts(Path(status): Path<u16>) -> Result<&'static str> {
        Err(abort(status).into())
    }
    async fn post() -> &'static str {
        ""
    }
    let (mut app, mut b, mut c) = (App::new(), Blueprint::new("b"), Blueprint::new("c"));
    let mut d = Blueprint::new("d");
    macro_rules! add {
        ($($to:ident)*) => {$(
            $to.get("/fail/<what>", fail);
            $to.get("/abort/<int:status>", aborts);
        )*};
    }
    add!(app b c d);
    app.post("/post", post);
    b.post("/post", post);
    app.errorhandler(404, async |err| said_of("app 404", &err));
    app.errorhandler(410, async |err| said_of("app 410", &err));
    app.errorhandler(500, async |err| said_of("app 500", &err));
    app.errorhandler_for(async |err: Arc<HttpException>| said_of("app exception", &err));
    app.errorhandler_for(async |_: Arc<Tea>| ("app tea", 418));
    b.errorhandler(404, async |err| said_of("b 404", &err));
    b.errorhandler_for(async |err: Arc<HttpException>| said_of("b exception", &err));
    b.errorhandler_for(async |_: Arc<Milk>| ("b milk", 418));
    c.errorhandler(410, async |err| said_of("c 410", &err));
    d.errorhandler_for(async |_: Arc<Tea>| Err::<&str, _>(Milk));
    d.errorhandler_for(async |_: Arc<Milk>| Err::<&str, _>(abort(410)));
    b.register_blueprint(&c).url_prefix("/c");
    app.register_blueprint(&b).url_prefix("/b");
    app.register_blueprint(&d).url_prefix("/d");
    app
}

fn plain(_: &Log) -> App {
    async fn page(Path(number): Path<i64>) -> String {
        format!("page {number}")
    }
    let mut app = App::new();
    app.route("/", async || "index");
    app.route("/branch/", async || "branch");
    app.route("/leaf", async || "leaf");
    app.get("/get", async || "get");
    app.post("/post", async || "post");
    let several = [Method::GET, Method::PUT, Method::DELETE];
    app.route(Rule::new("/several").methods(several), async || request().method().to_string());
    let options = [Method::OPTIONS, Method::GET];
    app.route("/options", async || "mine").methods(options).provide_automatic_options(false);
    app.get("/verbs", async || "got");
    app.post("/verbs", async || "posted");
    app.route("/int/<int:value>", async |Path(value): Path<i64>| value.to_string());
    app.route("/text/<value>", async |Path(value): Path<String>| format!("text {value}"));
    app.route("/text/fixed", async || "fixed");
    app.route("/path/<path:value>", async |Path(value): Path<String>| format!("path {value}"));
    app.route("/any/<any(one,two):value>", async |Path(value): Path<String>| format!("any {value}"));
    app.route("/page/", page).defaults([("number", 1)]);
    app.route("/page/<int:number>", page);
    app.route("/to/<path:target>", async |Path(target): Path<String>| redirect(format!("/{target}")));
    app.route("/status/<int:code>", async |Path(code): Path<u16>| ("body", code));
    app.route("/fields", async || ("body", 202, [("X-One", "1")]));
    app.route("/fail", async || Err::<&str, _>(Tea));
    app.websocket("/socket", async || ());
    app
}

fn urls(_: &Log) -> App {
    async fn nothing() -> &'static str {
        ""
    }
    async fn build(Path(what): Path<String>) -> Result<String> {
        let url = match what.as_str() {
            "index" => url_for("index"),
            "user" => url_for("users.show").value("id", 7),
            "query" => url_for("users.show").value("id", 7).value("q", "a b&c").value("page", 2),
            "list" => url_for("index").values([("tag", "a"), ("tag", "b")]),
            "anchor" => url_for("index").anchor("x y"),
            "anchor and query" => url_for("index").anchor("top").value("q", 1),
            "external" => url_for("users.show").value("id", 7).external(true),
            "scheme" => url_for("index").external(true).scheme("https"),
            "missing" => url_for("users.show"),
            "wrong" => url_for("users.show").value("id", "x"),
            "unknown" => url_for("nowhere"),
            "method" => url_for("many").method(Method::POST),
            "no method" => url_for("many"),
            "default" => url_for("page").value("number", 1),
            "no default" => url_for("page").value("number", 2),
            "path" => url_for("path").value("name", "a b/c?d"),
            "unicode" => url_for("text").value("name", "ü/x"),
            "relative" => url_for(".here"),
            "relative down" => url_for(".inner.here"),
            "lang" => url_for("users.inner.lang"),
            "lang given" => url_for("users.inner.lang").value("lang", "fr"),
            "socket" => url_for("socket"),
            other => return Err(Error::msg(format!("there is no {other}"))),
        };
        match url.build() {
            Err(BuildError::BadValue { .. }) => Ok("no url for the value".to_owned()),
            built => Ok(built.unwrap_or_else(|_| "no url".to_owned())),
        }
    }
    let (mut app, mut users, mut inner) = (App::new(), Blueprint::new("users"), Blueprint::new("inner"));
    macro_rules! add {
        ($($to:ident)*) => {$(
            $to.get("/build/<what>", build);
            $to.get("/here", nothing).endpoint("here");
        )*};
    }
    add!(app users inner);
    app.get("/", nothing).endpoint("index");
    app.get("/many", nothing).endpoint("many");
    app.post("/many/new", nothing).endpoint("many");
    app.get("/page/", nothing).endpoint("page").defaults([("number", 1)]);
    app.get("/page/<int:number>", nothing).endpoint("page");
    app.get("/path/<path:name>", nothing).endpoint("path");
    app.get("/text/<name>", nothing).endpoint("text");
    app.websocket("/socket", async || ()).endpoint("socket");
    users.get("/<int:id>", nothing).endpoint("show");
    inner.get("/<lang>", nothing).endpoint("lang");
    users.url_defaults(|endpoint, values| {
        if endpoint.ends_with("lang") && !values.contains("lang") {
            values.insert("lang", "en");
        }
    });
    users.register_blueprint(&inner).url_prefix("/inner");
    app.register_blueprint(&users).url_prefix("/users");
    app
}

fn cookies(_: &Log) -> App {
    async fn set(Path(how): Path<String>) -> Result<Response> {
        let mut response = Response::text("set");
        let cookie = match how.as_str() {
            "plain" => Cookie::new("name", "value"),
            "quoted" => Cookie::new("name", r#"a b,c;"d""#),
            "unicode" => Cookie::new("name", "ü"),
            "age" => Cookie::build(("name", "value")).max_age(Duration::seconds(60)).build(),
            "all" => {
                let cookie = Cookie::build(("name", "value")).path("/p").domain("example.com");
                cookie.secure(true).http_only(true).same_site(SameSite::Strict).build()
            }
            _ => {
                response.delete_cookie("name")?;
                return Ok(response);
            }
        };
        response.set_cookie(cookie)?;
        Ok(response)
    }
    let mut app = App::new();
    app.route("/set/<how>", set);
    app.route("/read", async || {
        let request = request();
        let pairs = request.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        pairs.join("; ")
    });
    app
}
