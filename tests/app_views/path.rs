//! `Path`: values of the path as arguments.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::num::NonZeroU8;

use foster::app::routing::{Converter, Parsed, PathValue, Uuid};
use foster::app::{App, Blueprint, Path, Request, request};
use foster::http::Json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::asking::{Answer, get};

/// Asks for a target, with a view that says what it was given.
fn taken<T: DeserializeOwned + std::fmt::Debug + 'static>(rule: &str, target: &str) -> Answer {
    let mut app = App::new();
    app.get(rule, async |Path(value): Path<T>| format!("{value:?}"));
    get(app, target)
}

#[test]
fn an_integer_is_taken_as_the_converter_gives_it() {
    assert_eq!(taken::<i64>("/<int:id>", "/007").fine(), "7");
    assert_eq!(taken::<i64>("/<int(signed=True):id>", "/-7").fine(), "-7");
    assert_eq!(taken::<u64>("/<int:id>", "/9223372036854775807").fine(), "9223372036854775807");
    assert_eq!(taken::<u8>("/<int:id>", "/255").fine(), "255");
    assert_eq!(taken::<i128>("/<int:id>", "/1").fine(), "1");
    assert_eq!(taken::<f64>("/<int:id>", "/1").fine(), "1.0");
}

#[test]
fn an_integer_that_its_type_does_not_take_is_not_found() {
    for target in ["/256", "/300", "/9223372036854775807"] {
        assert_eq!(taken::<u8>("/<int:id>", target).refused(404), "", "{target}");
    }
    assert_eq!(taken::<u32>("/<int(signed=True):id>", "/-1").status, 404);
    assert_eq!(taken::<i8>("/<int(signed=True):id>", "/-129").status, 404);
    assert_eq!(taken::<NonZeroU8>("/<int:id>", "/0").status, 404);
    assert_eq!(taken::<i64>("/<int:id>", "/9223372036854775808").status, 404);
}

#[test]
fn text_is_decoded_once() {
    assert_eq!(taken::<String>("/<name>", "/caf%C3%A9").fine(), "\"café\"");
    assert_eq!(taken::<String>("/<name>", "/a%2Fb").fine(), "\"a/b\"");
    assert_eq!(taken::<String>("/<name>", "/a%252Fb").fine(), "\"a%2Fb\"");
    assert_eq!(taken::<String>("/<name>", "/a+b").fine(), "\"a+b\"");
    assert_eq!(taken::<String>("/<path:name>", "/a/b%20c/d").fine(), "\"a/b c/d\"");
    assert_eq!(taken::<Box<str>>("/<name>", "/x").fine(), "\"x\"");
    assert_eq!(taken::<char>("/<name>", "/%E2%82%AC").fine(), "'€'");
    assert_eq!(taken::<char>("/<name>", "/ab").status, 404);
    assert_eq!(taken::<String>("/<name>", "/%FF").status, 404);
}

#[test]
fn a_float_and_a_truth_are_taken() {
    assert_eq!(taken::<f64>("/<float:x>", "/1.5").fine(), "1.5");
    assert_eq!(taken::<f32>("/<float:x>", "/0.25").fine(), "0.25");
    assert_eq!(taken::<bool>("/<any(true, false):x>", "/true").fine(), "true");
    assert_eq!(taken::<bool>("/<x>", "/false").fine(), "false");
    assert_eq!(taken::<bool>("/<x>", "/maybe").status, 404);
}

#[test]
fn a_uuid_is_taken_as_itself_and_as_text() {
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let target = format!("/{uuid}");
    assert_eq!(taken::<Uuid>("/<uuid:id>", &target).fine(), format!("{:?}", uuid.parse::<Uuid>().unwrap()));
    assert_eq!(taken::<String>("/<uuid:id>", &target.to_uppercase()).fine(), format!("{uuid:?}"));
    assert_eq!(taken::<Uuid>("/<id>", &target).status, 200);
    assert_eq!(taken::<Uuid>("/<id>", "/nothing").status, 404);
    let json = serde_json::to_value(uuid.parse::<Uuid>().unwrap()).unwrap();
    assert_eq!(json, Value::from(uuid));
}

#[test]
fn a_type_that_reads_text_reads_text() {
    assert_eq!(taken::<Ipv4Addr>("/<address>", "/127.0.0.1").fine(), "127.0.0.1");
    assert_eq!(taken::<Ipv4Addr>("/<address>", "/127.0.0.256").status, 404);
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

#[test]
fn a_variant_is_taken_by_its_name() {
    assert_eq!(taken::<Order>("/<order>", "/newest").fine(), "Newest");
    assert_eq!(taken::<Order>("/<order>", "/oldest").fine(), "Oldest");
    assert_eq!(taken::<Order>("/<order>", "/best").status, 404);
}

#[derive(Debug, Deserialize)]
struct Id(#[expect(dead_code, reason = "shown")] u32);

/// At most eight letters.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Short(#[expect(dead_code, reason = "shown")] String);

impl TryFrom<String> for Short {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.len() <= 8 { Ok(Short(text)) } else { Err("too long") }
    }
}

#[test]
fn a_type_around_another_is_taken_as_that_one() {
    assert_eq!(taken::<Id>("/<int:id>", "/3").fine(), "Id(3)");
    assert_eq!(taken::<(Id, Id)>("/<int:id>/<int:other>", "/3/4").fine(), "(Id(3), Id(4))");
    assert_eq!(taken::<Short>("/<name>", "/abc").fine(), "Short(\"abc\")");
    assert_eq!(taken::<Short>("/<name>", "/abcdefghi").status, 404);
}

#[test]
fn a_tuple_and_a_list_are_taken_in_the_order_of_the_rule() {
    assert_eq!(taken::<(String, i64)>("/<name>/<int:id>", "/a/1").fine(), "(\"a\", 1)");
    assert_eq!(taken::<(i64,)>("/<int:id>", "/1").fine(), "(1,)");
    assert_eq!(taken::<Vec<String>>("/<a>/<b>/<c>", "/x/y/z").fine(), "[\"x\", \"y\", \"z\"]");
    let many = "/<int:a>/<int:b>/<int:c>/<int:d>/<int:e>/<int:f>";
    assert_eq!(taken::<[i64; 6]>(many, "/1/2/3/4/5/6").fine(), "[1, 2, 3, 4, 5, 6]");
    assert_eq!(taken::<(u8, u8)>("/<int:a>/<int:b>", "/1/256").status, 404);
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[expect(dead_code, reason = "shown")]
    year: u16,
    #[expect(dead_code, reason = "shown")]
    slug: String,
    #[expect(dead_code, reason = "shown")]
    page: Option<u8>,
}

#[test]
fn a_struct_and_a_map_are_taken_by_name() {
    let shown = taken::<Entry>("/<slug>/<int:year>", "/a%20b/2026").fine();
    assert_eq!(shown, "Entry { year: 2026, slug: \"a b\", page: None }");
    let shown = taken::<Entry>("/<slug>/<int:year>/<int:page>", "/a/2026/2").fine();
    assert_eq!(shown, "Entry { year: 2026, slug: \"a\", page: Some(2) }");
    assert_eq!(taken::<Entry>("/<slug>/<int:year>/<int:page>", "/a/2026/256").status, 404);
    let shown = taken::<BTreeMap<String, String>>("/<b>/<a>", "/1/2").fine();
    assert_eq!(shown, "{\"a\": \"2\", \"b\": \"1\"}");
    let values = taken::<HashMap<String, Value>>("/<int:n>", "/1").fine();
    assert_eq!(values, "{\"n\": Number(1)}");
}

#[test]
fn a_struct_may_leave_values_out() {
    #[derive(Debug, Deserialize)]
    struct Slug {
        #[expect(dead_code, reason = "shown")]
        slug: String,
    }
    assert_eq!(taken::<Slug>("/<int:year>/<slug>", "/2026/a").fine(), "Slug { slug: \"a\" }");
}

#[test]
fn what_says_itself_what_it_is_gets_the_only_value_or_all() {
    assert_eq!(taken::<Value>("/<int:n>", "/1").fine(), "Number(1)");
    let all: Value = json!({ "a": 1, "b": "x" });
    assert_eq!(taken::<Value>("/<int:a>/<b>", "/1/x").fine(), format!("{all:?}"));

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Key {
        #[expect(dead_code, reason = "shown")]
        Number(i64),
        #[expect(dead_code, reason = "shown")]
        Name(String),
    }
    assert_eq!(taken::<Key>("/<int:key>", "/1").fine(), "Number(1)");
    assert_eq!(taken::<Key>("/<key>", "/1").fine(), "Name(\"1\")");
}

#[test]
fn defaults_count_as_values() {
    let mut app = App::new();
    app.get("/<int:id>", async |Path((id, page)): Path<(i64, u8)>| format!("{id} {page}")).defaults([("page", 1)]);
    assert_eq!(get(app, "/7").fine(), "7 1");

    let mut app = App::new();
    app.get("/all", async |Path(page): Path<u8>| page.to_string()).defaults([("page", 1)]);
    assert_eq!(get(app, "/all").fine(), "1");
}

#[test]
fn a_whole_that_may_be_missing_is_none_where_the_rule_has_no_values() {
    assert_eq!(taken::<Option<i64>>("/all", "/all").fine(), "None");
    assert_eq!(taken::<Option<i64>>("/<int:id>", "/1").fine(), "Some(1)");
    assert_eq!(taken::<()>("/all", "/all").fine(), "()");
}

#[test]
fn the_variables_of_the_host_come_first() {
    let mut app = App::new();
    app.host_matching(true);
    app.get("/<int:id>", async |Path((tenant, id)): Path<(String, i64)>| format!("{tenant} {id}"))
        .host("<tenant>.example.org");
    let request = "GET /7 HTTP/1.1\r\nHost: acme.example.org\r\n\r\n";
    assert_eq!(crate::asking::ask(app, request).fine(), "acme 7");
}

/// Two hexadecimal digits.
struct Hex;

struct Byte(u8);

impl Converter for Hex {
    fn parse(&self, text: &str) -> Option<Parsed> {
        u8::from_str_radix(text, 16).ok().map(|byte| Parsed::custom(Byte(byte)))
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.downcast_ref::<Byte>().map(|byte| format!("{:02x}", byte.0))
    }
}

fn with_hex() -> App {
    let mut app = App::new();
    app.converter("hex", |_| Ok(std::rc::Rc::new(Hex)));
    app
}

#[test]
fn a_value_of_a_type_of_ones_own_is_taken_from_the_arguments() {
    let mut app = with_hex();
    app.get("/<hex:byte>", async |request: Request| {
        request
            .view_args()
            .get("byte")
            .and_then(|byte| byte.downcast_ref::<Byte>().map(|byte| byte.0.to_string()))
            .expect("the converter gives one")
    });
    assert_eq!(get(app, "/ff").fine(), "255");

    let mut app = with_hex();
    app.get("/<hex:byte>", async |Path(byte): Path<String>| byte);
    let said = get(app, "/ff").failed();
    assert!(said.contains("\"/<hex:byte>\"") && said.contains("take it from request.view_args()"), "{said}");
}

#[test]
fn a_struct_leaves_out_a_value_of_a_type_of_ones_own() {
    #[derive(Deserialize)]
    struct Id {
        id: i64,
    }
    let mut app = with_hex();
    app.get("/<hex:byte>/<int:id>", async |Path(Id { id }): Path<Id>| id.to_string());
    assert_eq!(get(app, "/ff/3").fine(), "3");
}

#[test]
fn a_value_that_does_not_fit_the_rule_names_rule_variable_and_types() {
    let mut app = App::new();
    // The check at the start does not know what the hook leaves.
    app.url_value_preprocessor(|_, _| ());
    app.get("/users/<id>", async |Path(id): Path<i64>| id.to_string());
    let said = get(app, "/users/7").failed();
    for part in ["Path<i64>", "\"/users/<id>\"", "\"id\" is text where i64 is expected", "write <int:id>"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn what_a_hook_takes_away_is_not_there_and_what_it_adds_is() {
    let mut blueprint = Blueprint::new("site");
    blueprint.url_prefix("/<lang>");
    blueprint.url_value_preprocessor(|_, values| {
        values.remove("lang");
    });
    blueprint.get("/<int:id>", async |Path(id): Path<i64>| id.to_string());
    let mut app = App::new();
    app.register_blueprint(&blueprint);
    assert_eq!(get(app, "/de/7").fine(), "7");

    let mut app = App::new();
    app.url_value_preprocessor(|_, values| values.insert("page", 2));
    app.get("/<name>", async |Path((name, page)): Path<(String, u8)>| format!("{name} {page}"));
    assert_eq!(get(app, "/x").fine(), "x 2");
}

#[test]
fn a_hook_takes_values_where_there_are_some() {
    let app = || {
        let mut app = App::new();
        app.before_request(async |path: Option<Path<i64>>| path.filter(|path| path.0 == 13).map(|_| ("unlucky", 403)));
        app.get("/<int:id>", async || "fine");
        app
    };
    assert_eq!(get(app(), "/12").fine(), "fine");
    assert_eq!(get(app(), "/13").status, 403);
    assert_eq!(get(app(), "/nothing").status, 404);
}

#[test]
fn one_value_is_read_by_its_name() {
    #[derive(Serialize)]
    struct Seen {
        id: u8,
        name: String,
        page: Option<u8>,
    }
    let app = || {
        let mut app = App::new();
        app.get("/<name>/<int:id>", async |request: Request| {
            let (id, name) = (request.view_arg("id")?, request.view_arg("name")?);
            foster::Ok(Json(Seen { id, name, page: request.view_arg("page")? }))
        });
        app.get("/wrong/<name>", async || foster::Ok(request().view_arg::<i64>("nmae")?.to_string()));
        app
    };
    assert_eq!(get(app(), "/a/3").fine(), r#"{"id":3,"name":"a","page":null}"#);
    assert_eq!(get(app(), "/a/300").status, 404);
    let said = get(app(), "/wrong/x").failed();
    assert!(said.contains("there is no value \"nmae\""), "{said}");
}

#[test]
fn one_value_is_no_list_of_all_values() {
    let mut app = App::new();
    app.get("/<a>/<b>", async || foster::Ok(format!("{:?}", request().view_arg::<Vec<String>>("b")?)));
    let said = get(app, "/x/y").failed();
    assert!(said.contains("\"b\" is text where a sequence is expected"), "{said}");
    let mut app = App::new();
    app.get("/<a>/<b>", async || foster::Ok(format!("{:?}", request().view_arg::<(String, String)>("b")?)));
    let said = get(app, "/x/y").failed();
    assert!(said.contains("\"b\" is text where a tuple of size 2 is expected"), "{said}");
}

#[test]
fn a_deserialize_may_ask_the_request_for_its_values() {
    #[derive(Debug)]
    struct Nosy;

    impl<'de> Deserialize<'de> for Nosy {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            String::deserialize(deserializer)?;
            if foster::app::has_request_context() {
                assert!(request().view_args().contains("name"));
            }
            Ok(Nosy)
        }
    }
    assert_eq!(taken::<Nosy>("/<name>", "/x").fine(), "Nosy");
}
