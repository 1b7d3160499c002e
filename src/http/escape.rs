//! [`escape`].

use std::borrow::Cow;

/// Text as a piece of HTML, between tags or in a quoted attribute: `markupsafe.escape`. The five characters `&`, `<`,
/// `>`, `"` and `'` become references, and text without them is not copied.
///
/// It makes no text safe in a script, in a style, in an attribute without quotes, or as a URL of the scheme
/// `javascript`.
///
/// ```
/// use foster::http::escape;
///
/// assert_eq!(escape("<a href='?a&b'>\"x\"</a>"), "&lt;a href=&#39;?a&amp;b&#39;&gt;&#34;x&#34;&lt;/a&gt;");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(|found| reference(found).is_some()) else { return Cow::Borrowed(text) };
    let (plain, rest) = text.split_at(first);
    let mut escaped = String::with_capacity(text.len() + ROOM);
    escaped.push_str(plain);
    for found in rest.chars() {
        match reference(found) {
            Some(reference) => escaped.push_str(reference),
            None => escaped.push(found),
        }
    }
    Cow::Owned(escaped)
}

/// For a few references, so that most text is copied once.
const ROOM: usize = 32;

fn reference(found: char) -> Option<&'static str> {
    Some(match found {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&#34;",
        '\'' => "&#39;",
        _ => return None,
    })
}
