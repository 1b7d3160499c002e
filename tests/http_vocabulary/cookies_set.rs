//! Cookies that are set, beside `werkzeug.http.dump_cookie`: the order of the attributes is another one.

use foster::http::time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset};
use foster::http::{
    Cookie, CookieError, Cookies, HeaderValue, MAX_COOKIE_SIZE, Response, SameSite, StatusCode, header,
};
use foster::testing::serve_http;
use foster::{Request, Result};
use proptest::proptest;

use crate::sent;
use crate::stage::{config, paused, text};

fn set<'c>(cookie: impl Into<Cookie<'c>>) -> Result<String, CookieError> {
    let mut response = Response::new(StatusCode::OK);
    response.set_cookie(cookie)?;
    Ok(only_field(&response))
}

fn only_field(response: &Response) -> String {
    let fields: Vec<_> = response.headers().iter().collect();
    let [(name, value)] = fields[..] else { panic!("{fields:?}") };
    assert_eq!(name, header::SET_COOKIE);
    value.to_str().expect("visible ASCII").to_owned()
}

#[test]
fn values_are_written_as_werkzeug_writes_them() {
    for (value, written) in [
        ("v", "v"),
        ("", ""),
        ("a b", "\"a b\""),
        (" ", "\" \""),
        ("a\"b", r#""a\"b""#),
        ("\"q\"", r#""\"q\"""#),
        ("a;b,c\\d", r#""a\073b\054c\\d""#),
        ("caf\u{e9}", r#""caf\303\251""#),
        ("\u{1f600}", r#""\360\237\230\200""#),
        ("\r\nSet-Cookie: x=y", r#""\015\012Set-Cookie: x=y""#),
        ("\0\u{7f}", r#""\000\177""#),
        ("!#$%&'()*+-./:<=>?@[]^`{|}~_", "!#$%&'()*+-./:<=>?@[]^`{|}~_"),
    ] {
        assert_eq!(set(("k", value)), Ok(format!("k={written}; Path=/")), "{value:?}");
    }
    // Werkzeug leaves these six as they are, which no header field may hold.
    assert_eq!(set(("k", "\x1a\x1f")).as_deref(), Ok(r#"k="\032\037"; Path=/"#));
}

#[test]
fn attributes_are_those_that_were_given_and_a_path() {
    let cookie = || Cookie::build(("k", "v"));
    for (cookie, written) in [
        (cookie(), "k=v; Path=/"),
        (cookie().path("/a b;c"), "k=v; Path=/a%20b%3Bc"),
        (cookie().path("/\u{e9}/%20"), "k=v; Path=/%C3%A9/%20"),
        (cookie().path(""), "k=v; Path="),
        (cookie().domain(".example.com"), "k=v; Path=/; Domain=example.com"),
        (cookie().domain("localhost"), "k=v; Path=/; Domain=localhost"),
        (cookie().max_age(Duration::minutes(2)), "k=v; Path=/; Max-Age=120"),
        (cookie().max_age(Duration::milliseconds(1999)), "k=v; Path=/; Max-Age=1"),
        (cookie().http_only(true).secure(true).same_site(SameSite::Lax), "k=v; HttpOnly; SameSite=Lax; Secure; Path=/"),
        (cookie().partitioned(true), "k=v; Partitioned; Secure; Path=/"),
        (cookie().same_site(SameSite::None), "k=v; SameSite=None; Secure; Path=/"),
        (cookie().expires(OffsetDateTime::UNIX_EPOCH), "k=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        (cookie().expires(None), "k=v; Path=/"),
    ] {
        assert_eq!(set(cookie).as_deref(), Ok(written));
    }
}

#[test]
fn a_deleted_cookie_is_an_empty_one_that_has_expired() {
    let mut response = Response::new(StatusCode::OK);
    response.delete_cookie("k").expect("a name");
    assert_eq!(only_field(&response), "k=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");

    let mut response = Response::new(StatusCode::OK);
    let like = Cookie::build(("k", "the old value")).path("/admin").domain("example.com").secure(true);
    response.delete_cookie(like).expect("a name");
    assert_eq!(
        only_field(&response),
        "k=; Secure; Path=/admin; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    );
}

#[test]
fn every_cookie_has_a_field_of_its_own() {
    let two = || {
        let mut response = Response::new(StatusCode::OK);
        response.set_cookie(("a", "1"))?;
        response.set_cookie(("b", "2"))?;
        response.set_cookie(("a", "3"))?;
        foster::Ok(response)
    };
    assert_eq!(
        sent(two),
        "HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/\r\nset-cookie: b=2; Path=/\r\nset-cookie: a=3; Path=/\r\n\
         content-length: 0\r\n\r\n"
    );
}

#[test]
fn what_would_be_another_cookie_is_refused_and_nothing_is_set() {
    let mut response = Response::new(StatusCode::OK);
    for name in ["", "a b", "a=b", "a;b", "a\r\nSet-Cookie: x", "caf\u{e9}", "a,b", "\"a\""] {
        let expected = CookieError::Name(name.to_owned());
        assert_eq!(response.set_cookie((name, "v")), Err(expected.clone()));
        assert_eq!(response.delete_cookie(name), Err(expected.clone()));
        assert!(!expected.to_string().contains(['\r', '\n']), "{expected}");
    }
    for domain in ["", "a; Secure", "a\r\nx: y", "example.com:80", "[::1]", "b\u{fc}cher.example", "a b"] {
        let cookie = Cookie::build(("k", "v")).domain(domain);
        assert_eq!(response.set_cookie(cookie), Err(CookieError::Domain(domain.to_owned())));
    }
    assert!(response.headers().is_empty());
    assert_eq!(
        CookieError::Domain("example.com:80".into()).to_string(),
        "\"example.com:80\" is no domain of a cookie: it is made of letters, digits, hyphens and dots"
    );
}

#[test]
fn a_cookie_that_browsers_would_drop_is_an_error() {
    let n_around = "k=; Path=/".len();
    let fits = "x".repeat(MAX_COOKIE_SIZE - n_around);
    assert_eq!(set(("k", fits.as_str())).map(|field| field.len()), Ok(MAX_COOKIE_SIZE));
    let err = set(("k", format!("{fits}x"))).expect_err("one byte too many");
    assert_eq!(err, CookieError::TooLarge { name: "k".into(), size: MAX_COOKIE_SIZE + 1 });
    assert!(err.to_string().contains("4094 bytes") && err.to_string().contains("up to 4093"), "{err}");
}

#[test]
fn a_time_that_has_no_date_is_sent_as_one_that_has() {
    let noon = |date: Date| date.with_time(Time::MIDNIGHT);
    let ahead = |hours| UtcOffset::from_hms(hours, 0, 0).expect("an offset");
    for (time, written) in [
        (noon(Date::MIN).assume_offset(ahead(12)), "Thu, 01 Jan 1970 00:00:00 GMT"),
        (noon(Date::MAX).assume_offset(ahead(-25)), "Fri, 31 Dec 9999 23:59:59 GMT"),
        (
            noon(Date::from_calendar_date(2026, Month::May, 1).expect("a date")).assume_offset(ahead(2)),
            "Thu, 30 Apr 2026 22:00:00 GMT",
        ),
    ] {
        let cookie = Cookie::build(("k", "v")).expires(time);
        assert_eq!(set(cookie), Ok(format!("k=v; Path=/; Expires={written}")));
    }
}

proptest! {
    #[test]
    fn no_cookie_says_more_than_it_was_given(
        name in "[ -~]{0,3}|.*",
        value in ".*|[\\x00-\\x7f]*",
        path in ".*|[\\x00-\\x7f]*",
        domain in "[a-z.]*|.*",
    ) {
        if let Ok(field) = set(Cookie::build((name.as_str(), value)).path(path).domain(domain)) {
            let mut parts = field.split("; ");
            let begin = format!("{name}=");
            assert!(parts.next().is_some_and(|pair| pair.starts_with(&begin) && !pair.contains([';', ','])), "{field}");
            assert!(parts.next().is_some_and(|path| path.starts_with("Path=") && !path.contains(';')), "{field}");
            assert!(parts.next().is_some_and(|domain| domain.starts_with("Domain=") && !domain.contains(';')), "{field}");
            assert_eq!(parts.next(), None, "{field}");
            assert!(field.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{field}");
        }
    }
}

/// Sends back what it reads as a cookie.
async fn again(request: Request) -> Result<Response> {
    let cookies: Cookies<'_> = request.headers().cookies();
    let mut response = Response::new(StatusCode::OK);
    for (name, value) in cookies.iter() {
        response.set_cookie((name, value))?;
    }
    Ok(response.header(header::VARY, HeaderValue::from_static("cookie")))
}

#[test]
fn what_was_set_is_read_back_as_it_was() {
    for value in ["", " ", "plain", "a b", "\"", "\\", "\\\"", "\\073", ";,=", "\r\n\0", "caf\u{e9} \u{1f600}", "\"q\""]
    {
        paused(async |nursery| {
            let field = set(("k", value))?;
            let pair = field.strip_suffix("; Path=/").expect("the path is last");
            let peer = serve_http(&nursery, again, config()).connect();
            peer.send(format!("GET / HTTP/1.0\r\nCookie: {pair}\r\n\r\n"));
            let response = text(peer.read_to_end().await);
            assert!(response.contains(&format!("\r\nset-cookie: {field}\r\n")), "{value:?}: {response}");
            Ok(())
        });
    }
}
