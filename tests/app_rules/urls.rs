//! `url_for`.

use std::cell::RefCell;
use std::rc::Rc;

use foster::app::routing::{BuildError, Rule, Uuid};
use foster::app::{App, Blueprint, UrlFor, current_app, request, url_for};
use foster::http::Method;

use crate::site::{bodies, site};
use crate::stage::paused;

async fn user() -> String {
    format!("{:?}", request().view_args())
}

/// An application whose view at `/` answers with the URL.
fn building(url: impl Fn() -> UrlFor + 'static) -> App {
    let mut app = App::new();
    app.get("/", async move || url().build());
    app.get("/users/<int:id>", user);
    app.get("/files/<path:name>", async || "a file").endpoint("file");
    app.get("/things/<uuid:id>", async || "a thing").endpoint("thing");
    app.get("/jobs", async || "jobs").endpoint("jobs");
    app.post("/jobs/new", async || "a job").endpoint("new_job");
    app.put("/articles/<id>", async || "written").endpoint("write");
    app.websocket("/feed", async || ()).endpoint("feed");
    app
}

/// What such a view answers.
fn built(url: impl Fn() -> UrlFor + 'static) -> String {
    bodies(building(url), &["/"]).remove(0)
}

#[test]
fn a_url_has_the_values_of_its_rule_in_its_path_and_the_others_in_its_query() {
    assert_eq!(built(|| url_for("user").value("id", 7)), "/users/7");
    assert_eq!(built(|| url_for("user").value("tab", "a&b").value("id", 7)), "/users/7?tab=a%26b");
    assert_eq!(built(|| url_for("file").value("name", "a b/ü.txt")), "/files/a%20b/%C3%BC.txt");
    let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let id: Uuid = uuid.parse().expect("a UUID");
    assert_eq!(built(move || url_for("thing").value("id", id)), format!("/things/{uuid}"));
}

#[test]
fn several_values_of_one_name_are_so_many_pairs_of_the_query() {
    let url =
        || url_for("jobs").values([("tag", "a"), ("tag", "b")]).values(Some(("page", 2))).values(None::<(&str, i64)>);
    assert_eq!(built(url), "/jobs?tag=a&tag=b&page=2");
}

#[test]
fn an_anchor_stands_behind_the_query() {
    assert_eq!(built(|| url_for("jobs").anchor("part 2").value("q", "x")), "/jobs?q=x#part%202");
}

#[test]
fn an_external_url_has_scheme_and_host_of_the_request() {
    assert_eq!(built(|| url_for("jobs").external(true)), "http://x/jobs");
    assert_eq!(built(|| url_for("jobs").scheme("https")), "https://x/jobs");
    assert_eq!(built(|| url_for("jobs").external(false)), "/jobs");
}

#[test]
fn the_url_of_a_websocket_is_external_in_any_case() {
    assert_eq!(built(|| url_for("feed")), "ws://x/feed");
    assert_eq!(built(|| url_for("feed").scheme("https")), "wss://x/feed");
}

#[test]
fn an_external_url_has_the_name_of_the_server_where_there_is_one() {
    let mut app = building(|| url_for("jobs").external(true));
    app.server_name("example.com:8000");
    assert_eq!(bodies(app, &["/"]), ["http://example.com:8000/jobs"]);
}

#[test]
fn what_the_application_is_mounted_below_stands_in_front() {
    let mut app = building(|| url_for("jobs"));
    app.application_root("/app/");
    assert_eq!(bodies(app, &["/app/"]), ["/app/jobs"]);
}

#[test]
fn a_method_chooses_among_the_rules_of_an_endpoint() {
    async fn pages() -> &'static str {
        ""
    }
    let mut app = building(|| url_for("pages").method(Method::POST));
    app.post("/pages/new", pages);
    app.get("/pages", pages);
    app.get("/other", async || url_for("pages").build());
    assert_eq!(bodies(app, &["/", "/other"]), ["/pages/new", "/pages"]);
}

#[test]
fn what_is_wrong_is_said_with_what_may_have_been_meant() {
    let error = |url: fn() -> UrlFor| {
        let mut app = building(url);
        app.get("/error", async move || url().build().expect_err("it cannot be built").to_string());
        bodies(app, &["/error"]).remove(0)
    };
    assert_eq!(error(|| url_for("usr")), r#"no rule has the endpoint "usr"; did you mean "user"?"#);
    assert_eq!(error(|| url_for("user")), r#"a URL of "user" needs values for "id""#);
    let twice = error(|| url_for("user").value("id", 1).value("id", 2));
    assert!(twice.contains("expected one value"), "{twice}");
    let wrong = error(|| url_for("user").value("id", "x"));
    assert!(wrong.starts_with(r#"the value Str("x") of "id" cannot stand in a URL of "user""#), "{wrong}");
}

#[test]
fn the_values_of_the_running_request_are_not_taken_over() {
    let mut app = building(|| url_for("jobs"));
    app.get("/of/<int:id>", async || match url_for("user").build() {
        Err(BuildError::MissingValues { missing, .. }) => format!("missing {missing:?}"),
        built => format!("{built:?}"),
    });
    assert_eq!(bodies(app, &["/of/7"]), [r#"missing ["id"]"#]);
}

#[test]
fn an_endpoint_that_begins_with_a_dot_is_one_of_the_same_blueprint() {
    async fn index() -> Result<String, BuildError> {
        Ok(format!("{} {}", url_for(".list").build()?, url_for("list").build()?))
    }
    let list = async || "";
    let mut inner = Blueprint::new("inner");
    inner.url_prefix("/inner");
    inner.get("/", index);
    inner.get("/list", list).endpoint("list");
    let mut outer = Blueprint::new("outer");
    outer.url_prefix("/outer");
    outer.get("/", index);
    outer.get("/list", list).endpoint("list");
    outer.register_blueprint(&inner);
    let mut app = App::new();
    app.get("/", index);
    app.get("/list", list).endpoint("list");
    app.register_blueprint(&outer);
    let found = bodies(app, &["/", "/outer/", "/outer/inner/"]);
    assert_eq!(found, ["/list /list", "/outer/list /list", "/outer/inner/list /list"]);
}

#[test]
fn hooks_add_values_those_of_the_application_before_those_of_the_blueprints() {
    let mut inner = Blueprint::new("c");
    inner.get("/c/<a>/<p>/<c>", async || "").endpoint("v");
    inner.url_defaults(|_, values| values.insert("c", format!("c after {}", values.get("p").is_some())));
    let mut outer = Blueprint::new("p");
    outer.register_blueprint(&inner);
    outer.url_defaults(|endpoint, values| values.insert("p", endpoint.to_owned()));
    outer.app_url_defaults(|_, values| values.insert("b", 1));
    let mut app = App::new();
    app.get("/", async || url_for("p.c.v").value("a", "mine").build());
    app.get("/plain", async || url_for("plain").build()).endpoint("plain");
    app.url_defaults(|_, values| {
        if !values.contains("a") {
            values.insert("a", "default");
        }
    });
    app.register_blueprint(&outer);
    assert_eq!(bodies(app, &["/", "/plain"]), ["/c/mine/p.c.v/c%20after%20true?b=1", "/plain?a=default&b=1"]);
}

#[test]
fn a_hook_may_know_a_url_where_none_can_be_built() {
    let mut app = App::new();
    app.get("/", async || url_for("wiki:rust").value("page", 2).build());
    app.get("/none", async || url_for("nothing").build().expect_err("nobody knows it").to_string());
    app.handle_url_build_error(|_, _, _| None);
    app.handle_url_build_error(|err, endpoint, values| {
        assert!(matches!(err, BuildError::UnknownEndpoint { .. }));
        let page = values.get("page")?.as_int()?;
        Some(format!("https://wiki.example/{}/{page}", endpoint.strip_prefix("wiki:")?))
    });
    app.handle_url_build_error(|_, endpoint, _| endpoint.starts_with("wiki:").then(|| "too late".to_owned()));
    let found = bodies(app, &["/", "/none"]);
    assert_eq!(found, ["https://wiki.example/rust/2", r#"no rule has the endpoint "nothing""#]);
}

#[test]
fn outside_a_request_a_url_is_external_and_needs_the_name_of_the_server() {
    let no_host = r#"an external URL of "jobs" needs a host: give one, or give the map a server_name"#;
    for (server_name, expected) in [(Some("example.com"), "https://example.com/jobs"), (None, no_host)] {
        let handle = Rc::new(RefCell::new(None));
        let kept = handle.clone();
        let mut app = building(|| url_for("jobs"));
        if let Some(name) = server_name {
            app.server_name(name);
        }
        app.preferred_url_scheme("https");
        app.get("/handle", async move || {
            let handle = current_app();
            let url = handle.url_for("jobs").build();
            kept.replace(Some(handle));
            url
        });
        paused(async |nursery| {
            let site = site(&nursery, app);
            assert_eq!(site.get("/handle").await.body, "/jobs");
            let handle = handle.take().expect("the view has put it there");
            let built = handle.url_for("jobs").build();
            assert_eq!(built.unwrap_or_else(|err| err.to_string()), expected);
            assert_eq!(handle.url_for("jobs").external(false).build()?, "/jobs");
            Ok(())
        });
    }
}

#[test]
#[should_panic = "url_for() is called where no application is at work"]
fn where_no_application_is_at_work_url_for_says_so() {
    let _ = url_for("jobs");
}

#[test]
fn the_rules_of_an_application_can_be_listed() {
    let mut users = Blueprint::new("users");
    users.get("/<name>", async || "").endpoint("show");
    let mut app = App::new();
    app.register_blueprint(&users).url_prefix("/users");
    app.post("/jobs", async || "").endpoint("jobs");
    app.get("/", async || {
        let app = current_app();
        let lines = app.iter_rules().map(|rule| {
            let methods = rule.methods().map(|methods| methods.to_string()).unwrap_or_default();
            format!("{} {} {methods}", rule.pattern(), rule.endpoint().unwrap_or_default())
        });
        lines.collect::<Vec<_>>().join("; ")
    });
    let listed = "/jobs jobs POST, OPTIONS; / / GET, HEAD, OPTIONS; /users/<name> users.show GET, HEAD, OPTIONS";
    assert_eq!(bodies(app, &["/"]), [listed]);
}

#[test]
fn a_rule_that_redirects_leads_to_another_host_only_if_its_target_says_so() {
    let app = || {
        let mut app = App::new();
        app.add_rule(Rule::new("/old/<path:page>").redirect_to("<path:page>"));
        app.add_rule(Rule::new("/mirror/<path:page>").redirect_to("https://mirror.example/<path:page>"));
        app.add_rule(Rule::new("/on/<host>").redirect_to("https://<host>/"));
        app
    };
    let rows = [
        ("/old/a/b", "/a/b"),
        ("/old/https://evil.example/", "/https://evil.example/"),
        ("/old/http://evil.example", "/http://evil.example"),
        ("/old//evil.example", "/old/evil.example"),
        ("/mirror/https://evil.example", "https://mirror.example/https://evil.example"),
        ("/on/a.example", "https://a.example/"),
    ];
    paused(async |nursery| {
        let site = site(&nursery, app());
        for (path, location) in rows {
            let answer = site.get(path).await;
            assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{path}");
        }
        Ok(())
    });
}
