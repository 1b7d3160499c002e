//! Queries and forms, beside Python's `parse_qsl(keep_blank_values=True, errors="replace")`.

use foster::http::{MAX_PAIRS, MultiDict, StatusCode, TooManyPairs};
use proptest::proptest;

fn args(query: impl AsRef<[u8]>) -> MultiDict {
    MultiDict::parse_query(query).expect("few pairs")
}

#[test]
fn a_query_is_read_as_python_reads_it() {
    for (query, expected) in [
        ("", &[][..]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=a", &[("", "a")]),
        ("=", &[("", "")]),
        ("&&a=1&&", &[("a", "1")]),
        ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a+b=c+d", &[("a b", "c d")]),
        ("a=%2B%20", &[("a", "+ ")]),
        ("a=%", &[("a", "%")]),
        ("a=%4", &[("a", "%4")]),
        ("a=%zz", &[("a", "%zz")]),
        ("%=%", &[("%", "%")]),
        ("a=%ff", &[("a", "\u{fffd}")]),
        ("a=%E2%82", &[("a", "\u{fffd}")]),
        ("a=1;b=2", &[("a", "1;b=2")]),
        ("caf%C3%A9=%F0%9F%98%80", &[("caf\u{e9}", "\u{1f600}")]),
        ("a=caf\u{e9}", &[("a", "caf\u{e9}")]),
        ("a=%00", &[("a", "\0")]),
        ("a%3Db=%26", &[("a=b", "&")]),
        ("a=%2525", &[("a", "%25")]),
        ("?a=1", &[("?a", "1")]),
    ] {
        assert_eq!(args(query).iter().collect::<Vec<_>>(), expected, "{query}");
    }
    assert_eq!(args(b"a=\xff").get("a"), Some("\u{fffd}"));
}

#[test]
fn the_first_value_of_a_name_is_the_value() {
    let args = args("a=1&b=2&a=3&A=4");
    assert_eq!(args.get("a"), Some("1"));
    assert_eq!(args.get_all("a").collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!((args.len(), args.is_empty()), (4, false));
}

#[test]
fn a_name_that_is_not_there_has_no_value() {
    let args = args("a=1");
    assert_eq!((args.get("b"), args.get_as::<u8>("b"), args.get_all("b").count()), (None, None, 0));
    assert!(!args.contains("b") && args.contains("a"));
    assert!(MultiDict::new().is_empty() && MultiDict::new().get("").is_none());
}

#[test]
fn a_value_of_another_type_is_there_or_not() {
    let args = args("page=2&big=300&neg=-1&text=x&blank=&yes=true&page=9");
    assert_eq!(args.get_as("page"), Some(2u8));
    assert_eq!(args.get_as::<u8>("big"), None);
    assert_eq!((args.get_as::<u8>("neg"), args.get_as("neg")), (None, Some(-1)));
    assert_eq!((args.get_as::<i32>("text"), args.get_as::<i32>("blank")), (None, None));
    assert_eq!(args.get_as("yes"), Some(true));
    assert_eq!(args.get_as::<String>("blank"), Some(String::new()));
}

#[test]
fn only_the_first_value_is_asked_for_its_type() {
    assert_eq!(args("n=x&n=1").get_as::<u8>("n"), None);
}

#[test]
fn more_pairs_than_the_limit_are_an_error_and_as_many_are_not() {
    let query = |n_pairs| vec!["a=1"; n_pairs].join("&");
    assert_eq!(args(query(MAX_PAIRS)).len(), MAX_PAIRS);
    let err = MultiDict::parse_query(query(MAX_PAIRS + 1)).expect_err("one too many");
    assert_eq!((err, err.status()), (TooManyPairs { limit: MAX_PAIRS }, StatusCode::PAYLOAD_TOO_LARGE));
    assert_eq!(err.to_string(), "a query or a form has more than 1000 pairs of names and values");
    assert_eq!(MultiDict::parse_query_within("a&b", 1), Err(TooManyPairs { limit: 1 }));
    assert_eq!(MultiDict::parse_query_within("", 0), Ok(MultiDict::new()));
    // Empty pieces are no pairs.
    assert_eq!(args("&".repeat(10 * MAX_PAIRS)).len(), 0);
}

#[test]
fn a_multi_dict_is_made_of_pairs_too() {
    let mut made: MultiDict = [("a", "1"), ("b", "2")].into_iter().collect();
    made.append("a", String::from("3"));
    assert_eq!(made, args("a=1&b=2&a=3"));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(query: Vec<u8>) {
        let n_pieces = query.split(|&byte| byte == b'&').filter(|piece| !piece.is_empty()).count();
        assert_eq!(args(query).len(), n_pieces);
    }
}
