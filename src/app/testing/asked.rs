//! [`Asked`]: a request, as it is made of what a test says of it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::error::TestClientError;
use super::url::Url;
use crate::Address;
use crate::http::{
    HeaderList, HeaderName, HeaderValue, HttpError, Method, Version, header, is_host, length_in, to_uri,
};

/// What a test says of a request, or of a WebSocket.
pub(super) struct Options {
    path: String,
    query: Option<String>,
    pub(super) headers: HeaderList,
    declared: Option<u64>,
    host: Option<String>,
    subdomain: Option<String>,
    is_secure: Option<bool>,
    root_path: String,
    version: Version,
    remote_addr: Option<Address>,
    /// The first thing that is wrong.
    pub(super) fault: Option<TestClientError>,
}

/// A request that is complete.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Without those that the client sets.
    pub(super) headers: HeaderList,
    pub(super) version: Version,
    pub(super) remote_addr: Option<Address>,
    pub(super) body: Option<Bytes>,
    /// What the test says with `Content-Length`.
    pub(super) declared: Option<u64>,
}

impl Options {
    pub(super) fn new(path: String) -> Self {
        Options {
            path,
            query: None,
            headers: HeaderList::new(),
            declared: None,
            host: None,
            subdomain: None,
            is_secure: None,
            root_path: String::new(),
            version: Version::HTTP_11,
            remote_addr: None,
            fault: None,
        }
    }

    pub(super) fn fail(&mut self, fault: TestClientError) {
        self.fault.get_or_insert(fault);
    }

    pub(super) fn query_string<N: AsRef<str>, V: AsRef<str>>(&mut self, pairs: impl IntoIterator<Item = (N, V)>) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs);
        self.query = Some(query.finish());
    }

    pub(super) fn header<N, V>(&mut self, name: N, value: V)
    where
        N: TryInto<HeaderName> + fmt::Debug + Clone,
        V: TryInto<HeaderValue>,
    {
        let Ok(parsed) = name.clone().try_into() else {
            return self.fail(TestClientError::HeaderName(format!("{name:?}")));
        };
        let Ok(value) = value.try_into() else { return self.fail(TestClientError::HeaderValue(parsed)) };
        match parsed {
            header::HOST => match value.to_str() {
                Ok(host) => self.host = Some(host.to_owned()),
                Err(_) => self.fail(TestClientError::HeaderValue(parsed)),
            },
            header::CONTENT_LENGTH => match length_in(&value) {
                Some(declared) if self.declared.is_none() => self.declared = Some(declared),
                _ => self.fail(TestClientError::Head(HttpError::ContentLength)),
            },
            header::TRANSFER_ENCODING => self.fail(TestClientError::OwnHeader(parsed)),
            _ => self.headers.append(parsed, value),
        }
    }

    pub(super) fn auth(&mut self, user: &str, password: &str) {
        if user.contains(':') {
            return self.fail(TestClientError::User);
        }
        let credentials = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut value = HeaderValue::try_from(credentials).expect("base64 is visible ASCII");
        value.set_sensitive(true);
        self.headers.set(header::AUTHORIZATION, value);
    }

    pub(super) fn scheme(&mut self, scheme: &str) {
        match scheme {
            "http" | "ws" => self.is_secure = Some(false),
            "https" | "wss" => self.is_secure = Some(true),
            other => self.fail(TestClientError::Scheme(other.to_owned())),
        }
    }

    pub(super) fn host(&mut self, host: String) {
        self.host = Some(host);
    }

    pub(super) fn subdomain(&mut self, subdomain: String) {
        self.subdomain = Some(subdomain);
    }

    pub(super) fn root_path(&mut self, path: &str) {
        self.root_path = path.trim_end_matches('/').to_owned();
    }

    pub(super) fn http_version(&mut self, version: Version) {
        self.version = version;
    }

    pub(super) fn remote_addr(&mut self, addr: Address) {
        self.remote_addr = Some(addr);
    }

    /// The whole request, for an application at `home`.
    pub(super) fn finish(mut self, method: Method, body: Option<Bytes>, home: &str) -> Result<Asked, TestClientError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let n_bytes = body.as_ref().map_or(0, |body| body.len() as u64);
        if let Some(declared) = self.declared.filter(|declared| *declared < n_bytes) {
            return Err(TestClientError::BodyLength { declared });
        }
        if !matches!(self.version, Version::HTTP_10 | Version::HTTP_11) {
            return Err(TestClientError::Head(HttpError::Version));
        }
        let url = self.url(home)?;
        let Options { headers, declared, version, remote_addr, .. } = self;
        Ok(Asked { method, url, headers, version, remote_addr, body, declared })
    }

    fn url(&mut self, home: &str) -> Result<Url, TestClientError> {
        let mut path = std::mem::take(&mut self.path);
        if path.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte == 0x7f) {
            return Err(TestClientError::Path(path));
        }
        if self.query.is_some() && path.contains('?') {
            return Err(TestClientError::TwoQueries(path));
        }
        if !path.is_ascii() {
            path = to_uri(&path);
        }
        let mut url = if path.starts_with('/') || path == "*" {
            Url { is_secure: false, host: home.to_owned(), target: path }
        } else {
            Url::parse(&path).ok_or(TestClientError::Path(path))?
        };
        if !self.root_path.is_empty() {
            url.target.insert_str(0, &self.root_path);
        }
        if let Some(query) = self.query.take() {
            url.target.push('?');
            url.target += &query;
        }
        url.is_secure = self.is_secure.unwrap_or(url.is_secure);
        if let Some(host) = self.host.take() {
            url.host = host;
        }
        if let Some(subdomain) = self.subdomain.take().filter(|subdomain| !subdomain.is_empty()) {
            url.host = format!("{subdomain}.{}", url.host);
        }
        if url.host.is_empty() || !is_host(url.host.as_bytes()) {
            return Err(TestClientError::Host(url.host));
        }
        Ok(url)
    }
}

/// What can be said of requests and of WebSockets alike, with the names of Quart's keyword arguments, for what has a field
/// `options`.
macro_rules! options_methods {
    () => {
        /// The query, in pairs: percent-encoded as a form is. One in the path beside it is an error.
        pub fn query_string<N, V>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self
        where
            N: AsRef<str>,
            V: AsRef<str>,
        {
            self.options.query_string(pairs);
            self
        }

        /// One more header field. `Host` is the [`host`](Self::host).
        pub fn header<N, V>(mut self, name: N, value: V) -> Self
        where
            N: TryInto<HeaderName> + fmt::Debug + Clone,
            V: TryInto<HeaderValue>,
        {
            self.options.header(name, value);
            self
        }

        /// More header fields.
        pub fn headers<N, V>(mut self, fields: impl IntoIterator<Item = (N, V)>) -> Self
        where
            N: TryInto<HeaderName> + fmt::Debug + Clone,
            V: TryInto<HeaderValue>,
        {
            for (name, value) in fields {
                self.options.header(name, value);
            }
            self
        }

        /// `Authorization`, of the kind `Basic`.
        pub fn auth(mut self, user: &str, password: &str) -> Self {
            self.options.auth(user, password);
            self
        }

        /// The host that is asked, with a port if there is one: [`App::server_name`](super::super::App::server_name), or
        /// `localhost`, unless set.
        pub fn host(mut self, host: impl Into<String>) -> Self {
            self.options.host(host.into());
            self
        }

        /// What stands in front of the host, with a dot.
        pub fn subdomain(mut self, subdomain: impl Into<String>) -> Self {
            self.options.subdomain(subdomain.into());
            self
        }

        /// `https`, or `wss`, is as if the connection were encrypted. `http` or `ws` unless set.
        pub fn scheme(mut self, scheme: &str) -> Self {
            self.options.scheme(scheme);
            self
        }

        /// What the path is put behind, for an application with an
        /// [`application_root`](super::super::App::application_root): as a proxy in front asks that passes the whole path
        /// on. In Quart the path has it already.
        pub fn root_path(mut self, path: &str) -> Self {
            self.options.root_path(path);
            self
        }

        /// The address of the client: one of the range for documentation unless set. Quart's `scope_base`.
        pub fn remote_addr(mut self, addr: impl Into<Address>) -> Self {
            self.options.remote_addr(addr.into());
            self
        }
    };
}
pub(super) use options_methods;
