//! Text made safe for HTML, beside `markupsafe.escape`.

use std::borrow::Cow;

use foster::http::escape;

#[test]
fn the_five_characters_of_markup_become_references() {
    for (text, escaped) in [
        ("", ""),
        ("plain, caf\u{e9} \u{1f600}\0\n", "plain, caf\u{e9} \u{1f600}\0\n"),
        ("&", "&amp;"),
        ("&amp;", "&amp;amp;"),
        ("<>\"'", "&lt;&gt;&#34;&#39;"),
        ("caf\u{e9}<b>\u{1f600}</b>", "caf\u{e9}&lt;b&gt;\u{1f600}&lt;/b&gt;"),
        ("x' onload='alert(1)", "x&#39; onload=&#39;alert(1)"),
    ] {
        assert_eq!(escape(text), escaped);
    }
}

#[test]
fn text_without_markup_is_not_copied() {
    assert!(matches!(escape("caf\u{e9}"), Cow::Borrowed("caf\u{e9}")));
}
