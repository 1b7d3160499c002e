//! What is called around views, and in which order.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use foster::app::{App, Blueprint, Globals, after_this_request, g, has_request_context, request, url_for};
use foster::http::{HeaderValue, Response, ResponseBody, StatusCode, header};
use foster::{Error, Result, TooSlow, checkpoint, sleep};
use futures::{Stream, StreamExt, stream};

use crate::site::{answers, bodies, site};
use crate::stage::{Log, paused, turns, until};

/// Says in the log what is called where.
macro_rules! say_hooks {
    ($said:ident, $to:ident, $name:literal) => {
        let said = $said.clone();
        $to.before_request(async move || said.say(concat!("before ", $name)));
        let said = $said.clone();
        $to.after_request(async move |response: Response| {
            said.say(concat!("after ", $name));
            response
        });
        let said = $said.clone();
        $to.teardown_request(async move |err: Option<Error>| {
            let err = err.map(|err| format!(" with {err}")).unwrap_or_default();
            said.say(format!("teardown {}{err}", $name));
        });
        let said = $said.clone();
        $to.url_value_preprocessor(move |request, _| {
            said.say(format!("values {} of {}", $name, request.endpoint().unwrap_or("nothing")));
        });
        let said = $said.clone();
        $to.before_websocket(async move || said.say(concat!("before socket ", $name)));
        let said = $said.clone();
        $to.after_websocket(async move |response: Option<Response>| {
            said.say(format!("after socket {} with {:?}", $name, response.as_ref().map(Response::status)));
            response
        });
        let said = $said.clone();
        $to.teardown_websocket(async move |_: Option<Error>| said.say(concat!("teardown socket ", $name)));
    };
}

/// Words, separated by commas.
fn words(text: &str) -> Vec<&str> {
    text.split(", ").collect()
}

#[test]
fn hooks_are_called_outside_in_before_a_view_and_inside_out_behind_it() {
    let said = Log::default();
    let viewed = said.clone();
    let view = async move || {
        viewed.say("view");
        for n in [1, 2] {
            let said = viewed.clone();
            after_this_request(async move |response: Response| {
                said.say(format!("after this {n}"));
                response
            });
        }
        "a view"
    };
    let mut inner = Blueprint::new("c");
    inner.get("/c", view.clone());
    say_hooks!(said, inner, "c");
    let mut outer = Blueprint::new("p");
    outer.get("/p", view.clone());
    say_hooks!(said, outer, "p");
    outer.register_blueprint(&inner);
    let mut other = Blueprint::new("other");
    say_hooks!(said, other, "other");
    let mut app = App::new();
    say_hooks!(said, app, "app1");
    app.get("/", view);
    app.register_blueprint(&outer);
    app.register_blueprint(&other);
    say_hooks!(said, app, "app2");

    let rows = [
        (
            "GET /c",
            "values app1 of p.c./c, values app2 of p.c./c, values p of p.c./c, values c of p.c./c, before app1, \
             before app2, before p, before c, view, after this 1, after this 2, after c, after p, after app2, after app1, \
             teardown c, teardown p, teardown app2, teardown app1",
        ),
        (
            "GET /p",
            "values app1 of p./p, values app2 of p./p, values p of p./p, before app1, before app2, before p, view, \
             after this 1, after this 2, after p, after app2, after app1, teardown p, teardown app2, teardown app1",
        ),
        (
            "GET /",
            "values app1 of /, values app2 of /, before app1, before app2, view, after this 1, after this 2, after app2, \
             after app1, teardown app2, teardown app1",
        ),
        (
            "GET /nowhere",
            "values app1 of nothing, values app2 of nothing, before app1, before app2, after app2, after app1, \
             teardown app2, teardown app1",
        ),
        (
            "POST /c",
            "values app1 of nothing, values app2 of nothing, before app1, before app2, after app2, after app1, \
             teardown app2, teardown app1",
        ),
        (
            "OPTIONS /c",
            "values app1 of p.c./c, values app2 of p.c./c, values p of p.c./c, values c of p.c./c, before app1, \
             before app2, before p, before c, after c, after p, after app2, after app1, teardown c, teardown p, \
             teardown app2, teardown app1",
        ),
        (
            "SOCKET /nowhere",
            "values app1 of nothing, values app2 of nothing, before socket app1, before socket app2, \
             after socket app2 with Some(404), after socket app1 with Some(404), teardown socket app2, \
             teardown socket app1",
        ),
    ];
    paused(async |nursery| {
        let site = site(&nursery, app);
        let mut n_said = 0;
        for (asked, expected) in rows {
            let (method, path) = asked.split_once(' ').expect("a method and a path");
            match method {
                "SOCKET" => site.say(&handshake(path)).await,
                method => site.ask(method, path, "").await,
            };
            assert_eq!(said.words()[n_said..], words(expected), "{asked}");
            n_said = said.len();
        }
        Ok(())
    });
}

fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

#[test]
fn the_first_hook_that_answers_ends_the_call_and_those_behind_the_view_are_called() {
    let said = Log::default();
    let viewed = said.clone();
    let mut blueprint = Blueprint::new("b");
    say_hooks!(said, blueprint, "b");
    blueprint.get("/", async move || {
        viewed.say("view");
        "a view"
    });
    let mut app = App::new();
    app.before_request(async || Some(("a hook", 403)));
    say_hooks!(said, app, "app");
    app.register_blueprint(&blueprint);
    assert_eq!(answers(app, &["/"]), [(403, "a hook".to_owned())]);
    assert_eq!(said.words(), words("values app of b./, values b of b./, after b, after app, teardown b, teardown app"));
}

#[test]
fn hooks_behind_the_view_may_change_the_response_and_put_another_in_its_place() {
    let mut app = App::new();
    app.get("/", async || {
        after_this_request(async |response: Response| {
            response.header(header::VIA, HeaderValue::from_static("this")).with_status(StatusCode::ACCEPTED)
        });
        "a view"
    });
    app.after_request(async |mut response: Response| match request().args().contains("other") {
        true => Response::text(format!("another behind {}", response.status())),
        false => {
            response.headers_mut().append(header::VIA, HeaderValue::from_static("after"));
            response
        }
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let answer = site.get("/").await;
        assert_eq!((answer.status, &*answer.body), (202, "a view"));
        assert!(answer.head.contains("via: this\r\nvia: after"), "{}", answer.head);
        assert_eq!(site.get("/?other").await.body, "another behind 202 Accepted");
        Ok(())
    });
}

#[test]
fn a_hook_may_call_for_what_comes_after_this_request_alone() {
    let mut app = App::new();
    app.get("/", async || "a view");
    app.before_request(async || {
        if request().args().contains("this") {
            after_this_request(async |response: Response| response.with_status(StatusCode::ACCEPTED));
        }
    });
    let found: Vec<_> = answers(app, &["/?this", "/"]).into_iter().map(|(status, _)| status).collect();
    assert_eq!(found, [202, 200]);
}

#[test]
fn a_preprocessor_takes_values_out_of_the_path_and_puts_some_in() {
    struct Lang(String);

    let mut app = App::new();
    app.get("/<lang>/about", async || {
        let args = request().view_args();
        let lang = g().get::<Lang>().map(|lang| lang.0.clone()).unwrap_or_default();
        format!("{lang} {args:?} {}", url_for("/<lang>/about").build().unwrap_or_default())
    });
    app.url_value_preprocessor(|_, args| {
        let lang = args.remove("lang").and_then(|lang| lang.as_str().map(str::to_owned));
        let globals: Globals = g();
        globals.insert(Lang(lang.unwrap_or_default()));
        args.insert("extra", 1);
    });
    app.url_defaults(|_, values| {
        if let Some(lang) = g().get::<Lang>() {
            values.insert("lang", lang.0.clone());
        }
    });
    assert_eq!(bodies(app, &["/de/about"]), [r#"de {"extra": Int(1)} /de/about"#]);
}

#[test]
fn a_preprocessor_sees_in_the_request_what_those_before_it_have_made_of_the_values() {
    let mut app = App::new();
    app.get("/<lang>/about", async || "a view");
    let said = Log::default();
    for name in ["first", "second"] {
        let said = said.clone();
        app.url_value_preprocessor(move |request, args| {
            args.insert(name, 1);
            said.say(format!("{:?}", request.view_args()));
        });
    }
    assert_eq!(bodies(app, &["/de/about"]), ["a view"]);
    assert_eq!(said.words(), [r#"{"lang": Str("de")}"#, r#"{"lang": Str("de"), "first": Int(1)}"#]);
}

#[test]
fn a_preprocessor_that_panics_is_answered_with_500() {
    let mut app = App::new();
    app.get("/", async || "a view");
    app.url_value_preprocessor(|_, _| panic!("the hook is broken"));
    paused(async |nursery| {
        let site = site(&nursery, app);
        assert_eq!(site.get("/").await.status, 500);
        assert_eq!(site.reports.words(), ["a view failed: panicked: the hook is broken"]);
        Ok(())
    });
}

/// A body of two pieces, which says when it begins and ends and whether it sees its request.
fn body(said: &Log) -> ResponseBody {
    let said = said.clone();
    let ending = Word(said.clone());
    let pieces = stream::iter(["one ", "two"]).then(move |piece| {
        let (said, _ending) = (said.clone(), &ending);
        said.say(format!("piece {piece:?} of {}", request().path()));
        async move {
            checkpoint().await;
            foster::Ok(Bytes::from_static(piece.as_bytes()))
        }
    });
    ResponseBody::stream(pieces)
}

/// Says when it is dropped, and whether that is in its request.
struct Word(Log);

impl Drop for Word {
    fn drop(&mut self) {
        self.0.say(format!("body dropped in its request: {}", has_request_context()));
    }
}

#[test]
fn teardown_runs_after_the_streamed_body() {
    let said = Log::default();
    let streamed = said.clone();
    let mut app = App::new();
    say_hooks!(said, app, "app");
    app.get("/", async move || {
        streamed.say("view");
        body(&streamed)
    });
    assert_eq!(bodies(app, &["/"]), ["one two"]);
    let expected = [
        "values app of /",
        "before app",
        "view",
        "after app",
        r#"piece "one " of /"#,
        r#"piece "two" of /"#,
        "body dropped in its request: true",
        "teardown app",
    ];
    assert_eq!(said.words(), expected);
}

#[test]
fn the_answer_to_head_is_torn_down_without_its_body() {
    let said = Log::default();
    let streamed = said.clone();
    let mut app = App::new();
    let torn_down = said.clone();
    app.teardown_request(async move |err: Option<Error>| torn_down.say(format!("teardown {err:?}")));
    app.get("/", async move || body(&streamed));
    paused(async |nursery| {
        let site = site(&nursery, app);
        assert_eq!(site.ask("HEAD", "/", "").await.status, 200);
        until(|| said.len() == 2).await;
        turns(5).await;
        assert_eq!(said.words(), ["body dropped in its request: true", "teardown None"]);
        Ok(())
    });
}

/// Pieces without an end, one a second, each larger than what is held back.
fn endless(said: &Log) -> ResponseBody {
    let word = Word(said.clone());
    ResponseBody::stream(stream::repeat(()).then(move |()| {
        let _ = &word;
        async {
            sleep(Duration::from_secs(1)).await;
            foster::Ok(Bytes::from_static(b"tick"))
        }
    }))
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_body_leaves_no_request_open() {
    let said = Log::default();
    let (streamed, torn_down) = (said.clone(), said.clone());
    let mut app = App::new();
    app.get("/", async move || endless(&streamed));
    app.teardown_request(async move |err: Option<Error>| {
        sleep(Duration::from_secs(1)).await;
        torn_down.say(format!("teardown {err:?} of {}", request().path()));
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        until(|| String::from_utf8_lossy(&client.received()).contains("tick")).await;
        assert_eq!(said.len(), 0);
        client.reset();
        until(|| said.len() == 2).await;
        sleep(Duration::from_secs(10)).await;
        let expected = ["body dropped in its request: true", "teardown Some(cancelled) of /"];
        assert_eq!(said.words(), expected);
        assert_eq!(site.reports.words(), [""; 0]);
        Ok(())
    });
}

#[test]
fn a_view_that_is_cancelled_is_torn_down_once() {
    let said = Log::default();
    let torn_down = said.clone();
    let mut app = App::new();
    app.get("/", async || -> &str { pending().await });
    app.teardown_request(async move |err: Option<Error>| {
        sleep(Duration::from_secs(1)).await;
        torn_down.say(format!("teardown {err:?}"));
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        turns(5).await;
        client.reset();
        until(|| said.len() > 0).await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(said.words(), ["teardown Some(cancelled)"]);
        Ok(())
    });
}

/// One piece, and then an end that is no good one.
fn broken(end: fn() -> Poll<Option<Result<Bytes>>>) -> ResponseBody {
    let pieces = stream::iter([foster::Ok(Bytes::from_static(b"one"))]).chain(
        stream::once(poll_fn(move |_| end())).map(|end: Option<Result<Bytes>>| end.unwrap_or_else(|| Ok(Bytes::new()))),
    );
    ResponseBody::stream(Box::pin(pieces) as std::pin::Pin<Box<dyn Stream<Item = Result<Bytes>>>>)
}

#[test]
fn the_error_of_a_body_is_that_of_the_request_and_cuts_the_connection() {
    let said = Log::default();
    let torn_down = said.clone();
    let mut app = App::new();
    app.get("/error", async || broken(|| Poll::Ready(Some(Err(Error::msg("the source is dry"))))));
    app.get("/panic", async || broken(|| panic!("the source is broken")));
    app.teardown_request(async move |err: Option<Error>| {
        checkpoint().await;
        torn_down.say(format!("teardown {err:?}"));
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        for (path, err) in [("/error", "the source is dry"), ("/panic", "panicked: the source is broken")] {
            let n_reports = site.reports.len();
            let client = site.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
            let all = String::from_utf8_lossy(&client.read_to_end().await).into_owned();
            assert!(all.ends_with("\r\n\r\n3\r\none\r\n"), "{all}");
            assert_eq!(said.words().last(), Some(&format!("teardown Some({err})")));
            assert_eq!(site.reports.words()[n_reports..], [format!("a response could not be completed: {err}")]);
        }
        assert_eq!(said.len(), 2);
        Ok(())
    });
}

#[test]
fn a_streamed_page_for_an_error_is_torn_down_with_that_error() {
    let said = Log::default();
    let (streamed, torn_down) = (said.clone(), said.clone());
    let mut app = App::new();
    app.get("/", async || Err::<&str, _>(Error::msg("no tea")));
    app.errorhandler(500, async move |_| (body(&streamed), 500));
    app.teardown_request(async move |err: Option<Error>| torn_down.say(format!("teardown {err:?}")));
    paused(async |nursery| {
        let site = site(&nursery, app);
        let answer = site.get("/").await;
        assert_eq!((answer.status, &*answer.body), (500, "one two"));
        assert_eq!(said.words().last().map(String::as_str), Some("teardown Some(no tea)"));
        Ok(())
    });
}

#[test]
fn teardown_hooks_hinder_neither_each_other_nor_the_response() {
    let said = Log::default();
    let (first, last) = (said.clone(), said.clone());
    let mut app = App::new();
    app.get("/", async || "a view");
    app.get("/unknown", async || Err::<&str, _>(Error::msg("no tea")));
    app.teardown_request(async move |err: Option<Error>| first.say(format!("{err:?}")));
    app.teardown_request(async |_| -> () { panic!("the hook is broken") });
    app.teardown_request(async move |err: Option<Error>| {
        last.say(format!("{err:?}"));
        Err(Error::msg("the hook has failed"))
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        assert_eq!(site.get("/").await.body, "a view");
        assert_eq!(said.words(), ["None", "None"]);
        let failed =
            ["a teardown hook failed: the hook has failed", "a teardown hook failed: panicked: the hook is broken"];
        assert_eq!(site.reports.words(), failed);
        assert_eq!(site.get("/unknown").await.status, 500);
        assert_eq!(said.words()[2..], ["Some(no tea)", "Some(no tea)"]);
        Ok(())
    });
}

#[test]
fn teardown_hooks_that_take_too_long_are_cancelled_and_reported() {
    let mut app = App::new();
    app.get("/", async || "a view");
    app.teardown_request(async |_| -> () { pending().await });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let began = tokio::time::Instant::now();
        assert_eq!(site.get("/").await.body, "a view");
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert_eq!(site.reports.words(), [format!("teardown hooks took too long, and were cancelled: {TooSlow}")]);
        Ok(())
    });
}

#[test]
fn what_a_hook_keeps_is_there_in_the_view_and_in_the_body() {
    let mut app = App::new();
    app.before_request(async || {
        g().insert(Rc::new(RefCell::new(7)));
    });
    app.get("/", async || {
        let number = |by: i32| {
            let kept = g().get::<Rc<RefCell<i32>>>().expect("the hook has put it there");
            *kept.borrow_mut() += by;
            kept.take().to_string()
        };
        let first = number(1);
        ResponseBody::stream(stream::iter([0, 1]).map(move |nth| {
            let text = if nth == 0 { first.clone() } else { number(2) };
            foster::Ok(Bytes::from(text + " "))
        }))
    });
    assert_eq!(bodies(app, &["/"]), ["8 2 "]);
}

#[test]
fn what_a_view_holds_is_dropped_in_its_request_when_the_client_goes() {
    let said = Log::default();
    let viewed = said.clone();
    let mut app = App::new();
    app.get("/", async move || -> &str {
        let _held = Word(viewed.clone());
        pending().await
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        turns(5).await;
        client.reset();
        until(|| said.len() > 0).await;
        assert_eq!(said.words(), ["body dropped in its request: true"]);
        Ok(())
    });
}

#[test]
fn teardown_behind_a_streamed_body_comes_to_its_end_when_the_client_goes_meanwhile() {
    let said = Log::default();
    let (streamed, torn_down) = (said.clone(), said.clone());
    let mut app = App::new();
    app.get("/", async move || body(&streamed));
    app.teardown_request(async move |err: Option<Error>| {
        torn_down.say(format!("teardown {err:?}"));
        sleep(Duration::from_secs(1)).await;
        torn_down.say(format!("torn down {}", request().path()));
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        until(|| said.words().iter().any(|word| word == "teardown None")).await;
        client.reset();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(said.words().last().map(String::as_str), Some("torn down /"));
        assert_eq!(site.reports.words(), [""; 0]);
        Ok(())
    });
}

/// Says whether somebody holds it still.
fn held(token: &Rc<RefCell<Option<Weak<()>>>>) -> bool {
    token.borrow().as_ref().is_some_and(|token| token.strong_count() > 0)
}

#[test]
fn a_call_for_after_this_request_that_has_the_request_does_not_keep_it_when_the_client_goes() {
    let kept = Rc::<RefCell<Option<Weak<()>>>>::default();
    let keep = kept.clone();
    let mut app = App::new();
    app.get("/", async move || -> &str {
        let (request, token) = (request(), Rc::new(()));
        keep.replace(Some(Rc::downgrade(&token)));
        after_this_request(async move |response: Response| {
            let _ = (&request, &token);
            response
        });
        pending().await
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        turns(5).await;
        assert!(held(&kept));
        client.reset();
        sleep(Duration::from_secs(1)).await;
        assert!(!held(&kept));
        Ok(())
    });
}

#[test]
fn what_comes_too_late_for_after_this_request_is_let_go() {
    for place in ["after", "body", "teardown"] {
        let kept = Rc::<RefCell<Option<Weak<()>>>>::default();
        let keep = kept.clone();
        let late = Rc::new(move |now: &str| {
            if now != place {
                return;
            }
            let (request, token) = (request(), Rc::new(()));
            keep.replace(Some(Rc::downgrade(&token)));
            after_this_request(async move |_: Response| {
                let _ = (&request, &token);
                "nobody gets this"
            });
        });
        let mut app = App::new();
        let call = late.clone();
        app.after_request(async move |response: Response| {
            call("after");
            response
        });
        let call = late.clone();
        app.teardown_request(async move |_: Option<Error>| call("teardown"));
        app.get("/", async move || {
            let call = late.clone();
            ResponseBody::stream(stream::once(async move {
                call("body");
                foster::Ok(Bytes::from_static(b"a view"))
            }))
        });
        assert_eq!(bodies(app, &["/"]), ["a view"]);
        assert!(kept.borrow().is_some() && !held(&kept), "{place}");
    }
}

#[test]
fn trailers_are_made_in_their_request() {
    let mut app = App::new();
    app.get("/", async || {
        let pieces = stream::iter([foster::Ok(Bytes::from_static(b"a view"))]);
        ResponseBody::stream(pieces).with_trailers(|| {
            let path = HeaderValue::from_str(request().path()).expect("it came in a head");
            [(header::ETAG, path)].into_iter().collect()
        })
    });
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n");
        let all = String::from_utf8_lossy(&client.read_to_end().await).into_owned();
        assert!(all.ends_with("\r\n0\r\netag: /\r\n\r\n"), "{all}");
        assert_eq!(site.reports.words(), [""; 0]);
        Ok(())
    });
}
