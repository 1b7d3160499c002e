//! Who a client says it is.

use foster::http::Authorization;

#[test]
fn basic_has_a_name_and_a_password() {
    for (field, username, password) in [
        ("Basic dXNlcjpwYTpzcw==", "user", "pa:ss"),
        ("basic dXNlcg==", "user", ""),
        ("BASIC   dXNlcjo= ", "user", ""),
        ("Basic w6k6w6k=", "é", "é"),
        ("Basic ", "", ""),
    ] {
        let basic = Authorization::parse(field).expect(field);
        assert_eq!((basic.scheme(), basic.username(), basic.password()), ("basic", Some(username), Some(password)));
        assert_eq!(basic.token(), None);
    }
}

#[test]
fn basic_that_cannot_be_read_is_none() {
    for field in ["Basic !!!", "Basic dXNlcg", "Basic é", "Basic /////w==", "Basic dXNlcg== x"] {
        assert_eq!(Authorization::parse(field), None, "{field}");
    }
}

#[test]
fn any_other_has_a_token_or_parameters() {
    for (field, scheme, token) in [
        ("Bearer abc==", "bearer", "abc=="),
        ("bearer a b", "bearer", "a b"),
        ("Bearer", "bearer", ""),
        ("Token ", "token", ""),
        ("", "", ""),
    ] {
        let read = Authorization::parse(field).expect(field);
        assert_eq!((read.scheme(), read.token(), read.username()), (scheme, Some(token), None), "{field}");
    }
    let digest = Authorization::parse(r#"Digest Username="a\"b", realm="x, y", nc=1, stale"#).expect("parameters");
    assert_eq!(
        (digest.username(), digest.parameter("realm"), digest.parameter("nc")),
        (Some("a\"b"), Some("x, y"), Some("1"))
    );
    assert_eq!((digest.parameter("stale"), digest.parameter("other"), digest.token()), (Some(""), None, None));
}

#[test]
fn what_it_says_is_not_shown() {
    let shown = format!("{:?}", Authorization::parse("Basic dXNlcjpwYTpzcw=="));
    assert_eq!(shown, "Some(Authorization { scheme: \"basic\", .. })");
}
