//! [`Authorization`]: who a client says it is.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::headers::Headers;
use super::quoted::{parameter, split_quoted};

/// The credentials of a request: Werkzeug's `Authorization`. Nothing of them is checked.
///
/// Shown with `Debug`, it is the scheme alone.
///
/// ```
/// use foster::http::Authorization;
///
/// let basic = Authorization::parse("Basic YWRhOmxvdmVsYWNl").expect("it is one");
/// assert_eq!((basic.username(), basic.password()), (Some("ada"), Some("lovelace")));
///
/// let bearer = Authorization::parse("Bearer abc.def").expect("it is one");
/// assert_eq!((bearer.scheme(), bearer.token()), ("bearer", Some("abc.def")));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    scheme: String,
    credentials: Credentials,
}

#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    Basic { username: String, password: String },
    Token(String),
    Parameters(Vec<(String, String)>),
}

impl Authorization {
    /// Reads the value of the field. `None` for `Basic` whose rest is not base64 of UTF-8.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim_ascii();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.trim_ascii());
        let credentials = if scheme == "basic" {
            let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (username, password) = text.split_once(':').unwrap_or((&text, ""));
            Credentials::Basic { username: username.to_owned(), password: password.to_owned() }
        } else if rest.trim_end_matches('=').contains('=') {
            let parameters = split_quoted(rest, b',').map(parameter);
            Credentials::Parameters(
                parameters.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect(),
            )
        } else {
            Credentials::Token(rest.to_owned())
        };
        Some(Authorization { scheme, credentials })
    }

    /// The scheme in lower case, as `basic` and `bearer`: Werkzeug's `type`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The name of the user, of `Basic` and of schemes with parameters, as `Digest`.
    pub fn username(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Basic { username, .. } => Some(username),
            _ => self.parameter("username"),
        }
    }

    /// The password of `Basic`; empty where there is no colon.
    pub fn password(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Basic { password, .. } => Some(password),
            _ => None,
        }
    }

    /// The token of `Bearer` and of every other scheme without parameters; it may be empty.
    pub fn token(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Token(token) => Some(token),
            _ => None,
        }
    }

    /// The parameter of that name, in lower case: Werkzeug's `parameters` and `get`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        match &self.credentials {
            Credentials::Parameters(parameters) => {
                parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
            }
            _ => None,
        }
    }
}

impl Headers<'_> {
    /// What `Authorization` says; `None` if there is no such field, or if it is not to be read.
    pub fn authorization(&self) -> Option<Authorization> {
        Authorization::parse(self.get("authorization")?)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}
