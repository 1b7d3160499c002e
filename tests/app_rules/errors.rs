//! Which handler answers an error, and what happens where there is none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use foster::app::{App, Blueprint, HttpException, abort, request};
use foster::http::{BodyError, HeaderValue, IntoResponse, MultiDict, Response, StatusCode, header};
use foster::{Error, NurseryError, Panicked, Result, open_nursery, sleep};

use crate::site::{Answer, site};
use crate::stage::{Log, paused, turns, until};

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

errors! { OutOfTea OutOfMilk OutOfWater }

/// What each path is answered with, and what was reported.
fn asked(app: App, paths: &[&str]) -> (Vec<Answer>, Vec<String>) {
    let (mut answers, mut reports) = (Vec::new(), Vec::new());
    paused(async |nursery| {
        let site = site(&nursery, app);
        for path in paths {
            answers.push(site.get(path).await);
        }
        reports = site.reports.words();
        Ok(())
    });
    (answers, reports)
}

/// The status and the body of an answer to one path, where nothing is reported.
fn one(app: App, path: &str) -> (u16, String) {
    let (mut answers, reports) = asked(app, &[path]);
    assert_eq!(reports, [""; 0]);
    let answer = answers.remove(0);
    (answer.status, answer.body)
}

async fn fails<E: std::error::Error + Send + Sync + 'static>(err: E) -> Result<&'static str> {
    Err(err.into())
}

/// The layers of an application that may know an error, from the one that is asked first to the last, and the error.
struct Row {
    /// `b` for the blueprint, `a` for the application, and what its handler is for.
    handlers: &'static [&'static str],
    view: fn() -> Error,
    answered_by: &'static str,
}

#[test]
fn a_status_is_asked_before_a_type_and_a_blueprint_before_the_application() {
    let teapot = || abort(418).into();
    let tea = || OutOfTea.into();
    let rows = [
        Row { handlers: &["a status", "b status"], view: teapot, answered_by: "b status" },
        Row { handlers: &["b exception", "a status"], view: teapot, answered_by: "a status" },
        Row { handlers: &["a exception", "b if"], view: teapot, answered_by: "b if" },
        Row { handlers: &["b if", "b exception"], view: teapot, answered_by: "b exception" },
        Row { handlers: &["a exception"], view: teapot, answered_by: "a exception" },
        Row { handlers: &["a status 500", "b type"], view: tea, answered_by: "b type" },
        Row { handlers: &["a type", "b type"], view: tea, answered_by: "b type" },
        Row { handlers: &["b if", "b type"], view: tea, answered_by: "b type" },
        Row { handlers: &["a type", "b if"], view: tea, answered_by: "b if" },
        Row { handlers: &["a if", "a exception"], view: tea, answered_by: "a if" },
        Row { handlers: &["a exception", "b status"], view: tea, answered_by: "a exception 500" },
        Row { handlers: &["a exception", "b status 500"], view: tea, answered_by: "b status 500" },
    ];
    for Row { handlers, view, answered_by } in rows {
        let mut app = App::new();
        let mut blueprint = Blueprint::new("b");
        blueprint.get("/", async move || Err::<&str, _>(view()));
        for &handler in handlers {
            macro_rules! add {
                ($to:ident) => {
                    match &handler[2..] {
                        "status" => $to.errorhandler(418, async move |_| handler),
                        "status 500" => $to.errorhandler(500, async move |_| handler),
                        "type" => $to.errorhandler_for(async move |_: Arc<OutOfTea>| handler),
                        "exception" => $to.errorhandler_for(async move |err: Arc<HttpException>| match err.status() {
                            StatusCode::INTERNAL_SERVER_ERROR => format!("{handler} 500"),
                            _ => handler.to_owned(),
                        }),
                        _ => $to.errorhandler_if(
                            |err| err.is::<OutOfTea>() || err.is::<HttpException>(),
                            async move |_| handler,
                        ),
                    }
                };
            }
            if handler.starts_with('a') {
                add!(app);
            } else {
                add!(blueprint);
            }
        }
        app.register_blueprint(&blueprint);
        let (answers, _) = asked(app, &["/"]);
        assert_eq!(answers[0].body, answered_by, "{handlers:?}");
    }
}

#[test]
fn a_later_handler_for_the_same_takes_the_place_of_the_one_before() {
    let mut app = App::new();
    app.get("/", async || fails(OutOfTea).await);
    app.errorhandler_for(async |_: Arc<OutOfTea>| "first");
    app.errorhandler_for(async |_: Arc<OutOfTea>| "second");
    assert_eq!(one(app, "/"), (200, "second".to_owned()));
}

#[test]
fn what_no_rule_takes_is_answered_by_the_application_alone() {
    let mut blueprint = Blueprint::new("b");
    blueprint.errorhandler(404, async |_| ("of the blueprint", 404));
    blueprint.errorhandler(405, async |_| ("of the blueprint", 405));
    blueprint.post("/here", async || "");
    let mut app = App::new();
    app.register_blueprint(&blueprint).url_prefix("/b");
    app.errorhandler(404, async |_| ("of the application", 404));
    app.errorhandler(405, async |err: HttpException| {
        let allow = err.headers().get(&header::ALLOW).cloned();
        (format!("of the application: {allow:?}"), 405)
    });
    let (answers, _) = asked(app, &["/b/nowhere", "/b/here"]);
    assert_eq!((answers[0].status, &*answers[0].body), (404, "of the application"));
    assert_eq!((answers[1].status, &*answers[1].body), (405, r#"of the application: Some("POST, OPTIONS")"#));
}

#[test]
fn an_exception_is_a_page_with_its_description_and_its_fields() {
    let mut app = App::new();
    app.get("/", async || {
        let err = abort(503).description("Back at <noon>.").header(header::RETRY_AFTER, HeaderValue::from_static("9"));
        Err::<&str, _>(err)
    });
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!(reports, [""; 0]);
    assert_eq!(answers[0].status, 503);
    assert_eq!(answers[0].header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answers[0].header("retry-after"), Some("9"));
    let page = "<!doctype html>\n<html lang=en>\n<title>503 Service Unavailable</title>\n<h1>Service Unavailable</h1>\n\
                <p>Back at &lt;noon&gt;.</p>\n";
    assert_eq!(answers[0].body, page);
}

#[test]
fn an_error_that_nothing_knows_is_reported_and_its_page_says_nothing() {
    let mut app = App::new();
    app.get("/", async || fails(OutOfTea).await);
    app.get("/panic", async || -> &str { panic!("the kettle is broken") });
    let (answers, reports) = asked(app, &["/", "/panic"]);
    let page = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n\
                <h1>Internal Server Error</h1>\n";
    for answer in answers {
        assert_eq!((answer.status, &*answer.body), (500, page));
    }
    assert_eq!(reports, ["a view failed: OutOfTea", "a view failed: panicked: the kettle is broken"]);
}

#[test]
fn the_handler_for_500_sees_what_it_stands_for_and_that_is_reported_all_the_same() {
    let mut app = App::new();
    app.get("/", async || fails(OutOfTea).await);
    app.get("/panic", async || -> &str { panic!("the kettle is broken") });
    app.get("/aborted", async || Err::<&str, _>(abort(500)));
    app.errorhandler(500, async |err: HttpException| {
        let original = err.original().map(|err| (err.is::<Panicked>(), err.to_string()));
        (format!("{original:?}"), 500)
    });
    let (answers, reports) = asked(app, &["/", "/panic", "/aborted"]);
    let bodies: Vec<_> = answers.iter().map(|answer| (answer.status, answer.body.as_str())).collect();
    let panicked = r#"Some((true, "panicked: the kettle is broken"))"#;
    assert_eq!(bodies, [(500, r#"Some((false, "OutOfTea"))"#), (500, panicked), (500, "None")]);
    assert_eq!(reports, ["a view failed: OutOfTea", "a view failed: panicked: the kettle is broken"]);
}

#[test]
fn an_error_of_a_handler_is_500_and_both_errors_are_reported() {
    let mut app = App::new();
    app.get("/tea", async || fails(OutOfTea).await);
    app.get("/aborted", async || Err::<&str, _>(abort(418)));
    app.errorhandler_for(async |_: Arc<OutOfTea>| fails(OutOfMilk).await);
    app.errorhandler(418, async |_| -> &str { panic!("the handler is broken") });
    app.errorhandler(500, async |err: HttpException| (err.original().map(Error::to_string).unwrap_or_default(), 500));
    let (answers, reports) = asked(app, &["/tea", "/aborted"]);
    assert_eq!((answers[0].status, &*answers[0].body), (500, "OutOfMilk"));
    assert_eq!((answers[1].status, &*answers[1].body), (500, "panicked: the handler is broken"));
    let expected = [
        "the error that a handler of errors has failed at: OutOfTea",
        "a view failed: OutOfMilk",
        "a view failed: panicked: the handler is broken",
    ];
    assert_eq!(reports, expected);
}

#[test]
fn an_error_of_the_handler_for_500_leaves_the_page_that_says_nothing() {
    let mut app = App::new();
    app.get("/", async || fails(OutOfTea).await);
    app.errorhandler(500, async |_| fails(OutOfMilk).await);
    let (answers, reports) = asked(app, &["/"]);
    assert!(answers[0].status == 500 && answers[0].body.contains("<h1>Internal Server Error</h1>"));
    assert_eq!(reports, ["a handler of errors failed: OutOfMilk", "a view failed: OutOfTea"]);
}

#[test]
fn errors_of_hooks_are_answered_like_those_of_views() {
    let mut app = App::new();
    app.get("/", async || "a view");
    app.before_request(async || if request().args().contains("before") { Err(OutOfTea) } else { Ok(()) });
    app.after_request(async |response: Response| {
        if request().args().contains("after") && response.status() == StatusCode::OK {
            return fails(OutOfTea).await.into_response();
        }
        Ok(response.header(header::VIA, HeaderValue::from_static("after")))
    });
    app.errorhandler_for(async |_: Arc<OutOfTea>| ("no tea", 418));
    let (answers, reports) = asked(app, &["/?before", "/?after", "/"]);
    for answer in &answers[..2] {
        assert_eq!((answer.status, &*answer.body, answer.header("via")), (418, "no tea", Some("after")));
    }
    assert_eq!(answers[2].body, "a view");
    assert_eq!(reports, [""; 0]);
}

#[test]
fn a_hook_that_fails_again_sees_nothing_of_what_is_sent_and_all_errors_are_reported() {
    let mut app = App::new();
    app.get("/", async || fails(OutOfTea).await);
    app.after_request(async |_| fails(OutOfWater).await);
    app.errorhandler(500, async |_| ("mine", 500, [("X-Handled", "yes")]));
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!((answers[0].status, answers[0].header("x-handled")), (500, None));
    assert_eq!(reports, ["a view failed: OutOfWater", "a view failed: OutOfWater", "a view failed: OutOfTea"]);
}

#[test]
fn what_the_client_is_to_blame_for_has_a_status_and_a_type() {
    let app = || {
        let mut app = App::new();
        app.post("/body", async || {
            request().get_data().await?;
            foster::Ok("read")
        });
        app.get("/pairs", async || {
            MultiDict::parse_query_within("a&b&c", 2)?;
            foster::Ok("parsed")
        });
        app.max_content_length(Some(3));
        app
    };
    let ask = |app: App| {
        let mut answers = Vec::new();
        paused(async |nursery| {
            let site = site(&nursery, app);
            for (method, path) in [("POST", "/body"), ("GET", "/pairs")] {
                let request = format!("{method} {path} HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd");
                let answer = site.say(&request).await;
                answers.push((answer.status, answer.body.lines().last().unwrap_or_default().to_owned()));
            }
            assert_eq!(site.reports.words(), [""; 0]);
            Ok(())
        });
        answers
    };
    let plain = ask(app());
    assert_eq!((plain[0].0, plain[1].0), (413, 413));
    assert!(plain[0].1.starts_with("<p>The body is"), "{plain:?}");
    assert_eq!(plain[1].1, "<p>A query or a form has more than 2 pairs of names and values.</p>");

    let mut by_status = app();
    by_status.errorhandler(413, async |err: HttpException| {
        let original = err.original().map(|err| err.is::<BodyError>());
        (format!("{original:?}"), 413)
    });
    let expected = [(413, "Some(true)".to_owned()), (413, "Some(false)".to_owned())];
    assert_eq!(ask(by_status), expected);

    let mut by_type = app();
    by_type.errorhandler_for(async |_: Arc<BodyError>| ("a body", 400));
    by_type.errorhandler_for(async |err: Arc<HttpException>| (err.status().to_string(), err.status()));
    let expected = [(400, "a body".to_owned()), (413, "413 Payload Too Large".to_owned())];
    assert_eq!(ask(by_type), expected);
}

/// A view whose children fail, each in its way and in the order of the list.
fn group(errors: &[fn() -> Error]) -> impl AsyncFn() -> Result<&'static str> + 'static + use<> {
    let errors = errors.to_vec();
    async move || {
        open_nursery(async |nursery| {
            for &err in &errors {
                nursery.start_soon(async move { Err(err()) });
            }
            Ok(())
        })
        .await?;
        Ok("all is well")
    }
}

const TEA: fn() -> Error = || OutOfTea.into();
const MILK: fn() -> Error = || OutOfMilk.into();
const WATER: fn() -> Error = || OutOfWater.into();
const GONE: fn() -> Error = || abort(410).into();

const BESIDE: &str = "an error beside the one that was answered";

#[test]
fn group_of_errors_gives_the_same_answer_a_thousand_times() {
    let mut app = App::new();
    app.get("/", group(&[WATER, MILK, TEA, GONE]));
    app.errorhandler_for(async |_: Arc<OutOfTea>| ("no tea", 500));
    app.errorhandler_for(async |_: Arc<OutOfMilk>| ("no milk", 500));
    paused(async |nursery| {
        let site = site(&nursery, app);
        for nth in 0..1000 {
            let answer = site.get("/").await;
            assert_eq!((answer.status, &*answer.body), (500, "no milk"));
            let expected = ["OutOfWater", "OutOfTea", "410 Gone"].map(|other| format!("{BESIDE}: {other}"));
            assert_eq!(site.reports.words()[3 * nth..], expected);
        }
        Ok(())
    });
}

#[test]
fn of_a_group_the_first_in_time_is_answered() {
    let mut app = App::new();
    app.get("/", async || {
        open_nursery(async |nursery| {
            for (err, delay) in [(TEA, 3), (MILK, 1), (WATER, 2)] {
                nursery.start_soon(async move {
                    // Told to stop, each still fails in its way.
                    foster::shield(sleep(Duration::from_millis(delay))).await;
                    Err(err())
                });
            }
            Ok(())
        })
        .await?;
        foster::Ok("all is well")
    });
    app.errorhandler_for(async |_: Arc<OutOfTea>| "tea");
    app.errorhandler_for(async |_: Arc<OutOfWater>| "water");
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!(answers[0].body, "water");
    assert_eq!(reports, [format!("{BESIDE}: OutOfMilk"), format!("{BESIDE}: OutOfTea")]);
}

#[test]
fn a_group_in_a_group_is_searched_and_exceptions_need_no_handler() {
    let mut app = App::new();
    app.get("/", async || {
        open_nursery(async |nursery| {
            nursery.start_soon(async {
                group(&[WATER, GONE])().await?;
                Ok(())
            });
            nursery.start_soon(async { Err(TEA()) });
            Ok(())
        })
        .await?;
        foster::Ok("all is well")
    });
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!(answers[0].status, 410);
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports.contains(&format!("{BESIDE}: OutOfWater")) && reports.contains(&format!("{BESIDE}: OutOfTea")));
}

#[test]
fn a_group_of_which_nobody_knows_anything_is_500_and_reported_as_a_whole() {
    let mut app = App::new();
    app.get("/", group(&[TEA, MILK]));
    app.errorhandler(500, async |err: HttpException| {
        let group = err.original().and_then(|err| err.downcast_ref::<NurseryError>());
        (group.map(|group| group.errors().len()).unwrap_or_default().to_string(), 500)
    });
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!((answers[0].status, &*answers[0].body), (500, "2"));
    assert_eq!(reports, ["a view failed: 2 errors in a nursery: (1) OutOfTea; (2) OutOfMilk"]);
}

#[test]
fn a_panic_in_a_child_is_one_in_its_view_and_the_errors_beside_it_are_reported() {
    let mut app = App::new();
    app.get("/", async || {
        open_nursery(async |nursery| {
            nursery.start_soon(async { Err(TEA()) });
            nursery.start_soon(async { panic!("the kettle is broken") });
            Ok(())
        })
        .await?;
        foster::Ok("all is well")
    });
    app.errorhandler_for(async |_: Arc<Panicked>| ("a panic", 500));
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!((answers[0].status, &*answers[0].body), (500, "a panic"));
    assert!(reports.len() == 1 && reports[0].ends_with("OutOfTea"), "{reports:?}");
}

#[test]
fn a_handler_for_groups_gets_those_of_which_no_member_is_known() {
    let app = || {
        let mut app = App::new();
        app.get("/", group(&[TEA, MILK]));
        app.errorhandler_for(async |group: Arc<NurseryError>| format!("{} errors", group.errors().len()));
        app
    };
    assert_eq!(one(app(), "/"), (200, "2 errors".to_owned()));

    let mut app = app();
    app.errorhandler_for(async |_: Arc<OutOfMilk>| "milk");
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!(answers[0].body, "milk");
    assert_eq!(reports, [format!("{BESIDE}: OutOfTea")]);
}

#[test]
fn an_error_whose_predicate_panics_is_500() {
    let mut app = App::new();
    app.get("/", async || fails(OutOfTea).await);
    app.errorhandler_if(
        |err| if err.is::<OutOfTea>() { panic!("the predicate is broken") } else { false },
        async |_| "",
    );
    let (answers, reports) = asked(app, &["/"]);
    assert_eq!(answers[0].status, 500);
    let failed_at = "the error that a handler of errors has failed at: OutOfTea";
    assert_eq!(reports, [failed_at, "a view failed: panicked: the predicate is broken"]);
}

#[test]
fn the_debug_page_shows_everything_as_text() {
    let mut app = App::new();
    app.debug(true);
    app.errorhandler(500, async |_| "not while debugging");
    app.get("/<name>/<int:id>.html", async || {
        open_nursery(async |nursery| {
            nursery.start_soon_named("stirring", sleep(Duration::from_secs(9)));
            nursery.start_soon(async { Err(Error::msg("<script>alert(1)</script>")) });
            Ok(())
        })
        .await?;
        foster::Ok("all is well")
    });
    let fields = "X-Evil: <b>\"bold\"</b>\r\n";
    paused(async |nursery| {
        let site = site(&nursery, app);
        let answer = site.ask("GET", "/%3Ci%3E/7.html?q=<u>", fields).await;
        assert_eq!((answer.status, answer.header("content-type")), (500, Some("text/html; charset=utf-8")));
        let page = answer.body;
        for shown in [
            "1 error in a nursery: &lt;script&gt;alert(1)&lt;/script&gt;</h1>",
            "<li>&lt;script&gt;alert(1)&lt;/script&gt;",
            "GET /%3Ci%3E/7.html?q=&lt;u&gt; HTTP/1.1",
            "X-Evil: &lt;b&gt;&#34;bold&#34;&lt;/b&gt;",
            "endpoint /&lt;name&gt;/&lt;int:id&gt;.html, values {&#34;name&#34;: Str(&#34;&lt;i&gt;&#34;), &#34;id&#34;: Int(7)}",
            "<h2>Tasks</h2>\n<pre>loop\n",
        ] {
            assert!(page.contains(shown), "{shown}\n{page}");
        }
        for tag in ["<script", "<b>", "<i>", "<u>"] {
            assert!(!page.contains(tag), "{page}");
        }
        Ok(())
    });
}

#[test]
fn a_view_that_is_cancelled_calls_no_handler_of_errors() {
    let said = Log::default();
    let (handled, torn_down) = (said.clone(), said.clone());
    let mut app = App::new();
    app.get("/", async || {
        sleep(Duration::from_secs(3600)).await;
        "a view"
    });
    app.errorhandler_if(
        |_| true,
        async move |err| {
            handled.say(format!("handled {err}"));
            "handled"
        },
    );
    app.teardown_request(async move |err: Option<Error>| torn_down.say(format!("torn down with {err:?}")));
    paused(async |nursery| {
        let site = site(&nursery, app);
        let client = site.connect();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        turns(5).await;
        assert_eq!(said.len(), 0);
        client.reset();
        until(|| said.len() > 0).await;
        assert_eq!(said.words(), ["torn down with Some(cancelled)"]);
        assert_eq!(site.reports.words(), [""; 0]);
        Ok(())
    });
}
