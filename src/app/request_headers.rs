//! What a [`Request`] says in its header fields, with the names of Werkzeug's.

use super::request::Request;
use crate::Address;
use crate::http::{Accept, Authorization, MultiDict, parameter, split_quoted};

impl Request {
    /// `Content-Type` as it came: Quart's `content_type`.
    pub fn content_type(&self) -> Option<&str> {
        self.headers().get("content-type")
    }

    /// `Content-Type` without its parameters, in lower case; empty if there is none: Quart's `mimetype`.
    pub fn mimetype(&self) -> String {
        let value = self.content_type().unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether `Content-Type` says JSON: `application/json`, or `application/` with `+json` at its end.
    pub fn is_json(&self) -> bool {
        let mimetype = self.mimetype();
        mimetype == "application/json" || (mimetype.starts_with("application/") && mimetype.ends_with("+json"))
    }

    /// The parameters of `Content-Type`, as `charset`, their names in lower case: Quart's `mimetype_params`.
    pub fn mimetype_params(&self) -> MultiDict {
        let members = split_quoted(self.content_type().unwrap_or_default(), b';').skip(1);
        let parameters = members.filter(|member| member.contains('=')).map(parameter);
        parameters.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
    }

    /// `Content-Length`, if there is one.
    pub fn content_length(&self) -> Option<u64> {
        self.headers().get("content-length")?.parse().ok()
    }

    /// Which page the client comes from, as it says: the field `Referer`.
    pub fn referrer(&self) -> Option<&str> {
        self.headers().get("referer")
    }

    /// What the client says it is. Quart's is an object, whose `string` this is.
    pub fn user_agent(&self) -> Option<&str> {
        self.headers().get("user-agent")
    }

    /// Who the client says it is; `None` if it says nothing, or nothing that can be read.
    ///
    /// ```
    /// use foster::app::{App, HttpException, Request, abort};
    /// use foster::http::{HeaderValue, header};
    ///
    /// let mut app = App::new();
    /// app.get("/", async |request: Request| {
    ///     match request.authorization() {
    ///         Some(user) if user.username() == Some("ada") && user.password() == Some("lovelace") => Ok("Welcome"),
    ///         _ => Err(abort(401).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"engine\""))),
    ///     }
    /// });
    /// ```
    pub fn authorization(&self) -> Option<Authorization> {
        self.headers().authorization()
    }

    /// The media types that the client prefers.
    pub fn accept_mimetypes(&self) -> Accept<'_> {
        self.headers().accept_mimetypes()
    }

    /// The languages that the client prefers.
    pub fn accept_languages(&self) -> Accept<'_> {
        self.headers().accept_languages()
    }

    /// The encodings that the client takes.
    pub fn accept_encodings(&self) -> Accept<'_> {
        self.headers().accept_encodings()
    }

    /// The charsets that the client prefers; browsers have not sent them for long.
    pub fn accept_charsets(&self) -> Accept<'_> {
        self.headers().accept_charsets()
    }

    /// The addresses from the client to the last proxy, as `X-Forwarded-For` has them, else that of the peer.
    ///
    /// The field is what its senders made of it: without a proxy in front that writes it, the client says what it likes.
    pub fn access_route(&self) -> Vec<String> {
        let fields = self.headers().get_all("x-forwarded-for").filter_map(|field| std::str::from_utf8(field).ok());
        let members = fields.flat_map(|field| split_quoted(field, b','));
        let route: Vec<_> = members.map(|member| member.trim_matches('"').to_owned()).collect();
        if !route.is_empty() {
            return route;
        }
        let peer = self.remote_addr().as_ref().and_then(Address::ip);
        peer.map(|ip| ip.to_string()).into_iter().collect()
    }
}
