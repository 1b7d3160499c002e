//! What keeps an application from starting is said at once, and all of it.

use foster::app::routing::Rule;
use foster::app::{App, Blueprint, State, url_for};

use crate::site::site;
use crate::stage::paused;

/// What is said of an application that does not start.
fn mistakes(app: App) -> Vec<String> {
    let Err(err) = app.into_handler() else { panic!("the application starts") };
    err.messages().to_vec()
}

async fn view() -> &'static str {
    "a view"
}

async fn of_numbers(_: State<Vec<u8>>) -> &'static str {
    "numbers"
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut outer = Blueprint::new("outer");
    outer.register_blueprint(&Blueprint::new("a.b"));
    let mut app = App::new();
    app.server_name("http://example.com");
    app.application_root("app");
    app.get("/users/<int:id", view);
    app.get("/numbers", of_numbers);
    app.before_request(async |_: State<String>| ());
    app.register_blueprint(&Blueprint::new(""));
    app.register_blueprint(&outer);
    let mut twin = Blueprint::new("twin");
    twin.before_websocket(async |_: State<u64>| ());
    app.register_blueprint(&twin).url_prefix("/one");
    app.register_blueprint(&twin).url_prefix("/two");
    let mistakes = mistakes(app);
    let expected = [
        r#"the server_name is "http://example.com": it is a host and maybe a port, as "example.com:8000""#,
        r#"the application_root is "app": it begins with one slash, and is not percent-encoded"#,
        r#"a blueprint in the application is called "": a name is not empty, and has no dots"#,
        r#"a blueprint in the blueprint "outer" is called "a.b": a name is not empty, and has no dots"#,
        r#"two blueprints in the application are called "twin": register one of them with another .name()"#,
        "/users/<int:id",
        r#"the view at "/numbers" takes a State<alloc::vec::Vec<u8>>, which nobody has given: app.state(value) does"#,
        "a hook of before_request of the application takes a State<alloc::string::String>, which nobody has given: \
         app.state(value) does",
        r#"a hook of before_websocket of the blueprint "twin" takes a State<u64>, which nobody has given"#,
    ];
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(expected), "{mistake}");
    }
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
}

#[test]
fn two_views_with_one_endpoint_are_a_mistake_and_one_view_twice_is_none() {
    mod other {
        pub(super) async fn view() -> &'static str {
            "another view"
        }
    }
    let mut app = App::new();
    app.get("/a", view);
    app.get("/b", view);
    app.get("/c", other::view);
    app.get("/d", async || "a closure").endpoint("view");
    assert_eq!(mistakes(app), [r#"two views have the endpoint "view": give one of them another with .endpoint()"#]);

    let mut blueprint = Blueprint::new("b");
    blueprint.get("/c", other::view);
    let mut app = App::new();
    app.get("/a", view);
    app.get("/b", view);
    app.register_blueprint(&blueprint);
    assert!(app.into_handler().is_ok());
}

#[test]
fn views_for_the_methods_of_one_rule_may_share_an_endpoint() {
    let mut app = App::new();
    app.get("/people", view).endpoint("people");
    app.get("/persons", view).endpoint("people");
    app.post("/people", async || ("made", 201)).endpoint("people");
    assert!(app.into_handler().is_ok());

    let mut app = App::new();
    app.get("/users", view).endpoint("users");
    app.post("/users", async || ("made", 201)).endpoint("users");
    app.delete("/users/<int:id>", async || "deleted").endpoint("users");
    assert_eq!(mistakes(app), [r#"two views have the endpoint "users": give one of them another with .endpoint()"#]);
}

#[test]
fn a_rule_without_a_view_redirects_or_builds_urls() {
    let mut app = App::new();
    app.add_rule("/nothing");
    app.add_rule(Rule::new("/blog/<slug>").redirect_to("/articles/<slug>"));
    let cure = "give it one, or have it redirect_to another, or be build_only";
    assert_eq!(mistakes(app), [format!(r#"the rule "/nothing" has no view: {cure}"#)]);

    let mut app = App::new();
    app.get("/articles/<slug>", view).endpoint("article");
    app.add_rule(Rule::new("/blog/<slug>").redirect_to("/articles/<slug>"));
    app.add_rule(Rule::new("/assets/<path:name>").build_only()).endpoint("asset");
    app.get("/", async || url_for("asset").value("name", "a/b.css").build());
    paused(async |nursery| {
        let site = site(&nursery, app);
        assert_eq!(site.get("/").await.body, "/assets/a/b.css");
        assert_eq!(site.get("/assets/a/b.css").await.status, 404);
        for method in ["GET", "POST"] {
            let answer = site.ask(method, "/blog/x?q=1", "").await;
            assert_eq!((answer.status, answer.header("location")), (308, Some("/articles/x")));
        }
        Ok(())
    });
}

#[test]
fn an_endpoint_is_not_empty_and_has_no_dots() {
    let mut blueprint = Blueprint::new("b");
    blueprint.get("/b", view).endpoint("x.y");
    let mut app = App::new();
    app.add_url_rule("/a", "", view);
    app.register_blueprint(&blueprint);
    let rule = "it is not empty, and has no dots, which stand behind the names of blueprints";
    let first = format!(r#"the endpoint of "/a" in the application is "": {rule}"#);
    let second = format!(r#"the endpoint of "/b" in the blueprint "b" is "x.y": {rule}"#);
    assert_eq!(mistakes(app), [first, second]);
}

#[test]
fn rules_that_take_the_same_requests_are_a_mistake() {
    let mut app = App::new();
    app.get("/a/<int:id>", async || "one");
    app.get("/a/<int:number>", async || "another");
    let mistakes = mistakes(app);
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].contains("/a/<int:number>"), "{}", mistakes[0]);
}

#[test]
fn one_mistake_is_one_sentence_and_several_are_a_list() {
    let mut app = App::new();
    app.server_name("a b");
    let err = app.into_handler().err().expect("it does not start").to_string();
    let said = r#"the server_name is "a b": it is a host and maybe a port, as "example.com:8000""#;
    assert_eq!(err, format!("the application cannot start: {said}"));

    let mut app = App::new();
    app.server_name("a b");
    app.application_root("app");
    let err = app.into_handler().err().expect("it does not start").to_string();
    let root = r#"the application_root is "app": it begins with one slash, and is not percent-encoded"#;
    assert_eq!(err, format!("the application cannot start for 2 reasons:\n{said}\n{root}"));
}
