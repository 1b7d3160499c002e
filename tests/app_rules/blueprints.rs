//! Blueprints: names, prefixes, subdomains, what they have for all requests.

use foster::app::{App, Blueprint, request};

use crate::site::{answers, bodies, site};
use crate::stage::{Log, paused};

/// Says where it is.
async fn view() -> String {
    let request = request();
    let blueprint = request.blueprint().unwrap_or("none");
    format!("{} of {blueprint} at {}", request.endpoint().unwrap_or("none"), request.path())
}

fn blueprint(name: &str) -> Blueprint {
    let mut blueprint = Blueprint::new(name);
    blueprint.get("/view", view);
    blueprint
}

#[test]
fn names_are_joined_with_dots_and_prefixes_with_slashes() {
    let mut inner = blueprint("c");
    inner.url_prefix("/c/");
    let mut outer = blueprint("p");
    outer.url_prefix("p/");
    outer.register_blueprint(&inner);
    outer.register_blueprint(&inner).name("d").url_prefix("d");
    let mut app = App::new();
    app.get("/view", view);
    app.register_blueprint(&outer);
    app.register_blueprint(&blueprint("plain")).url_prefix("/plain");
    let found = bodies(app, &["/view", "/p/view", "/p/c/view", "/p/d/view", "/plain/view"]);
    assert_eq!(
        found,
        [
            "view of none at /view",
            "p.view of p at /p/view",
            "p.c.view of p.c at /p/c/view",
            "p.d.view of p.d at /p/d/view",
            "plain.view of plain at /plain/view",
        ]
    );
}

#[test]
fn a_rule_in_a_blueprint_may_be_the_prefix_itself_or_have_no_slash() {
    let mut blueprint = Blueprint::new("b");
    blueprint.get("", async || "itself");
    blueprint.get("leaf", async || "a leaf");
    blueprint.get("/", async || "with a slash");
    let mut app = App::new();
    app.register_blueprint(&blueprint).url_prefix("/b");
    assert_eq!(bodies(app, &["/b", "/b/leaf", "/b/"]), ["itself", "a leaf", "with a slash"]);
}

#[test]
fn a_closure_has_its_pattern_for_an_endpoint_whatever_is_in_that() {
    let mut b = Blueprint::new("b");
    b.get("/robots.txt", async || view().await);
    let mut app = App::new();
    app.get("/favicon.ico", async || view().await);
    app.register_blueprint(&b).url_prefix("/b");
    let found = bodies(app, &["/favicon.ico", "/b/robots.txt"]);
    assert_eq!(found, ["/favicon.ico of none at /favicon.ico", "b./robots.txt of b at /b/robots.txt"]);
}

#[test]
fn closures_for_the_methods_of_one_path_do_not_collide() {
    let mut app = App::new();
    app.get("/jobs", async || "all");
    app.post("/jobs", async || ("one", 201));
    paused(async |nursery| {
        let site = site(&nursery, app);
        assert_eq!(site.get("/jobs").await.body, "all");
        assert_eq!(site.ask("POST", "/jobs", "").await.status, 201);
        Ok(())
    });
}

#[test]
fn what_is_added_behind_the_registration_is_not_taken_in() {
    let mut late = blueprint("late");
    let mut app = App::new();
    app.register_blueprint(&late);
    late.get("/too-late", async || "never");
    assert_eq!(answers(app, &["/view", "/too-late"])[1].0, 404);
}

#[test]
fn values_of_a_registration_are_defaults_of_its_own_rules_alone() {
    async fn args() -> String {
        let mut args: Vec<_> = request().view_args().iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        args.sort();
        args.join(" ")
    }
    let mut inner = Blueprint::new("inner");
    inner.get("/inner", args);
    let mut outer = Blueprint::new("outer");
    outer.url_values_defaults([("lang", "en"), ("site", "main")]);
    outer.get("/own", args);
    outer.get("/said", args).endpoint("said").defaults([("lang", "fr")]);
    outer.register_blueprint(&inner);
    let mut app = App::new();
    app.register_blueprint(&outer);
    app.register_blueprint(&outer).name("de").url_prefix("/de").url_defaults([("lang", "de")]);
    let found = bodies(app, &["/own", "/said", "/inner", "/de/own", "/de/said"]);
    assert_eq!(
        found,
        [
            r#"lang=Str("en") site=Str("main")"#,
            r#"lang=Str("fr") site=Str("main")"#,
            "",
            r#"lang=Str("de") site=Str("main")"#,
            r#"lang=Str("fr") site=Str("main")"#,
        ]
    );
}

#[test]
fn subdomains_are_joined_the_inner_in_front() {
    let mut inner = blueprint("inner");
    inner.subdomain("api");
    inner.get("/own", async || "own").subdomain("own");
    let mut outer = blueprint("outer");
    outer.register_blueprint(&inner);
    let mut app = App::new();
    app.server_name("example.com").subdomain_matching(true);
    app.register_blueprint(&outer).subdomain("shop");
    app.register_blueprint(&outer).name("bare").url_prefix("/bare");
    paused(async |nursery| {
        let site = site(&nursery, app);
        let ask = async |host: &str, path: &str| {
            let answer = site.ask("GET", path, &format!("Host: {host}\r\n")).await;
            if answer.status == 200 { answer.body } else { answer.status.to_string() }
        };
        assert_eq!(ask("shop.example.com", "/view").await, "outer.view of outer at /view");
        assert_eq!(ask("api.shop.example.com", "/view").await, "outer.inner.view of outer.inner at /view");
        assert_eq!(ask("own.example.com", "/own").await, "own");
        assert_eq!(ask("example.com", "/bare/view").await, "bare.view of bare at /bare/view");
        assert_eq!(ask("api.example.com", "/bare/view").await, "bare.inner.view of bare.inner at /bare/view");
        assert_eq!(ask("example.com", "/view").await, "404");
        assert_eq!(ask("elsewhere.org", "/view").await, "404");
        Ok(())
    });
}

#[test]
fn what_is_for_all_requests_stands_where_the_blueprint_is_registered_and_once() {
    let said = Log::default();
    let hook = |word: &'static str| {
        let said = said.clone();
        move || {
            let said = said.clone();
            async move { said.say(word) }
        }
    };
    let mut inner = Blueprint::new("c");
    let before = hook("c for all");
    inner.before_app_request(async move || before().await);
    let mut outer = Blueprint::new("p");
    let (before, own) = (hook("p for all"), hook("p"));
    outer.before_app_request(async move || before().await);
    outer.before_request(async move || own().await);
    outer.register_blueprint(&inner);
    let mut app = App::new();
    app.get("/", async || "");
    let (first, last) = (hook("first"), hook("last"));
    app.before_request(async move || first().await);
    app.register_blueprint(&outer);
    app.before_request(async move || last().await);
    app.register_blueprint(&outer).name("again");
    assert_eq!(bodies(app, &["/"]), [""]);
    assert_eq!(said.words(), ["first", "p for all", "c for all", "last"]);
}

#[test]
fn a_handler_for_all_errors_takes_the_place_of_the_one_before() {
    let mut blueprint = Blueprint::new("b");
    blueprint.app_errorhandler(404, async |_| ("of the blueprint", 404));
    let mut app = App::new();
    app.errorhandler(404, async |_| ("of the application", 404));
    app.register_blueprint(&blueprint);
    assert_eq!(answers(app, &["/nowhere"]), [(404, "of the blueprint".to_owned())]);

    let mut app = App::new();
    app.register_blueprint(&blueprint);
    app.errorhandler(404, async |_| ("of the application", 404));
    assert_eq!(answers(app, &["/nowhere"]), [(404, "of the application".to_owned())]);
}
