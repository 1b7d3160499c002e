//! The URL of a [`Request`] and its pieces, with the names of Werkzeug's.
//!
//! Host and path are as the client says them, the path percent-encoded: Quart decodes what can be read.

use super::request::Request;

impl Request {
    /// The whole URL, with the query: `http://example.org/shop/cart?page=2`.
    pub fn url(&self) -> String {
        self.with_query(self.base_url())
    }

    /// The URL without the query: `http://example.org/shop/cart`.
    pub fn base_url(&self) -> String {
        let (root, path) = (self.head().root_path(), self.path());
        let url = self.host_url();
        if root.is_empty() { url + path.strip_prefix('/').unwrap_or(path) } else { url + &root[1..] + path }
    }

    /// Scheme and host: `http://example.org/`.
    ///
    /// A client of HTTP/1.0 may say no host: then it is the application's [`server_name`](super::App::server_name), else
    /// the own address of the connection, else `localhost`.
    pub fn host_url(&self) -> String {
        let own = || {
            self.state().connection.ends().sockname.as_ref().filter(|own| own.ip().is_some()).map(ToString::to_string)
        };
        let host =
            Some(self.host()).filter(|host| !host.is_empty()).or(self.context().shared.options.server_name.as_deref());
        let host = host.map(str::to_owned).or_else(own).unwrap_or_else(|| "localhost".to_owned());
        format!("{}://{host}/", self.scheme())
    }

    /// Scheme, host and what the application is mounted below: `http://example.org/shop/`. Quart's `root_url` and
    /// `url_root`.
    #[doc(alias = "root_url")]
    pub fn url_root(&self) -> String {
        match self.root_path().strip_prefix('/') {
            Some(root_path) => self.host_url() + root_path + "/",
            None => self.host_url(),
        }
    }

    /// [Path](Request::path) and query: `/shop/cart?page=2`. Quart's leaves out the `APPLICATION_ROOT`, and ends in a
    /// question mark where there is no query.
    pub fn full_path(&self) -> String {
        self.with_query(self.path().to_owned())
    }

    /// What the application is mounted below, without a slash at its end; empty if nothing: `/shop`.
    pub fn root_path(&self) -> &str {
        let (head, shared) = (self.head(), &self.context().shared);
        match shared.root_len(head.path()) {
            Some(n) => head.root_path_with(n),
            // The request is for something else, and URLs are of the application all the same.
            None if head.root_path().is_empty() => &shared.root_path,
            None => head.root_path(),
        }
    }

    fn with_query(&self, url: String) -> String {
        match self.head().query() {
            Some(query) => url + "?" + query,
            None => url,
        }
    }
}
