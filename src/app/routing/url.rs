//! Building URLs: Werkzeug's `MapAdapter.build`.

use std::borrow::Cow;

use super::bound::{BoundRule, Op};
use super::build_error::BuildError;
use super::build_options::BuildOptions;
use super::map::Map;
use super::methods::MethodKey;
use super::nearest::nearest;
use super::quote;
use super::value::PathValue;
use crate::http::Method;

/// What a rule makes of values.
pub(super) struct Built<'m> {
    pub(super) rule: &'m BoundRule,
    pub(super) domain: String,
    /// From its slash on.
    pub(super) path: String,
    /// With its question mark, if there is anything.
    pub(super) query: String,
}

impl<T> Map<T> {
    /// A URL for an endpoint.
    ///
    /// Of the rules of the endpoint it is the first whose values are all given, rules with many before those with
    /// few, and one whose defaults are among the values before one that has them in its path. Values that the rule
    /// does not know become the query, in order. Text is taken for a number or a UUID if it reads as one. What is
    /// built matches its rule with the same values.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what is missing or wrong for the rule that comes closest. A value that would be `.` or `..`
    /// between slashes is wrong: clients take such segments out of a URL, however they are encoded.
    pub fn build(
        &self,
        endpoint: &str,
        values: &[(&str, PathValue<'_>)],
        options: &BuildOptions<'_>,
    ) -> Result<String, BuildError> {
        let Some(numbers) = self.endpoints.get(endpoint) else {
            let near = nearest(endpoint, self.endpoints.keys().map(String::as_str)).map(str::to_owned);
            return Err(BuildError::UnknownEndpoint { endpoint: endpoint.to_owned(), near });
        };
        let here = options.host.and_then(|host| self.domain_of(host, options.is_secure()));
        let mut closest: Option<BuildError> = None;
        let passes: &[Option<&Method>] = match options.method {
            Some(method) => &[Some(method)],
            None => &[Some(&Method::GET), None],
        };
        for method in passes {
            let mut elsewhere = None;
            for &nth in numbers {
                match self.assemble(&self.rules[nth], values, *method) {
                    Ok(built) if !self.options.host_matching || here.as_deref() == Some(&built.domain) => {
                        return self.finish(built, options);
                    }
                    Ok(built) => {
                        elsewhere.get_or_insert(built);
                    }
                    Err(err) if closest.as_ref().is_none_or(|closest| err.distance() < closest.distance()) => {
                        closest = Some(err);
                    }
                    Err(_) => {}
                }
            }
            if let Some(built) = elsewhere {
                return self.finish(built, options);
            }
        }
        let unknown = || BuildError::UnknownEndpoint { endpoint: endpoint.to_owned(), near: None };
        Err(closest.unwrap_or_else(unknown))
    }

    /// What one rule makes of the values, if it takes the method.
    fn assemble<'m>(
        &self,
        rule: &'m BoundRule,
        values: &[(&str, PathValue<'_>)],
        method: Option<&Method>,
    ) -> Result<Built<'m>, BuildError> {
        let endpoint = rule.endpoint().unwrap_or_default();
        if let Some(method) = method.filter(|method| rule.takes(MethodKey::of(method)).is_none()) {
            let (endpoint, method) = (endpoint.to_owned(), method.clone());
            return Err(BuildError::Method { endpoint, method, allowed: rule.methods().unwrap_or_default() });
        }
        let value_of = |name: &str| values.iter().find(|(other, _)| *other == name).map(|(_, value)| value.borrowed());
        let missing: Vec<String> = rule
            .arguments()
            .filter(|name| rule.default(name).is_none() && value_of(name).is_none())
            .map(str::to_owned)
            .collect();
        if let Some(first) = missing.first() {
            let unknown = values.iter().map(|(name, _)| *name).filter(|name| !rule.arguments.contains(*name));
            let near = nearest(first, unknown).map(str::to_owned);
            return Err(BuildError::MissingValues { endpoint: endpoint.to_owned(), missing, near });
        }
        for (nth, (name, value)) in values.iter().enumerate().filter(|(_, (name, _))| rule.arguments.contains(*name)) {
            if values[..nth].iter().any(|(before, _)| before == name) {
                return Err(bad_value(rule, name, value, "one value".to_owned()));
            }
            if let Some(default) = rule.default(name).filter(|default| !default.reads_as(value)) {
                return Err(bad_value(rule, name, value, format!("{default:?}, the default of {:?}", rule.pattern())));
            }
        }
        let (domain, path) = fill(rule, &value_of)?;
        let query = self.query(rule, values)?;
        Ok(Built { rule, domain, path, query })
    }

    /// The values that the rule does not know.
    fn query(&self, rule: &BoundRule, values: &[(&str, PathValue<'_>)]) -> Result<String, BuildError> {
        let mut pairs = Vec::new();
        for (name, value) in values.iter().filter(|(name, _)| !rule.arguments.contains(*name)) {
            let Some(text) = value.text() else {
                return Err(bad_value(rule, name, value, "a value that can be shown as text".to_owned()));
            };
            pairs.push((*name, text));
        }
        if self.options.sort_parameters {
            pairs.sort();
        }
        let mut query = String::new();
        for (name, text) in pairs {
            query.push(if query.is_empty() { '?' } else { '&' });
            quote::push_query(name, &mut query);
            query.push('=');
            quote::push_query(&text, &mut query);
        }
        Ok(query)
    }

    /// Puts scheme and host in front, if they are needed.
    pub(super) fn finish(&self, built: Built<'_>, options: &BuildOptions<'_>) -> Result<String, BuildError> {
        let mut url = String::new();
        let is_websocket = built.rule.is_websocket();
        let is_here = if self.looks_at_hosts() { self.is_here(&built.domain, options) } else { true };
        if options.external || is_websocket || !is_here {
            let server = options.host.filter(|host| !host.is_empty()).or(self.options.server_name.as_deref());
            let host = if self.options.host_matching {
                Some(Cow::Borrowed(built.domain.as_str()))
            } else if self.options.subdomain_matching {
                let server = self.options.server_name.as_deref().unwrap_or_default();
                let dot = if built.domain.is_empty() { "" } else { "." };
                Some(Cow::Owned(format!("{}{dot}{server}", built.domain)))
            } else {
                server.map(Cow::Borrowed)
            };
            let endpoint = || built.rule.endpoint().unwrap_or_default().to_owned();
            let host = host.ok_or_else(|| BuildError::NoHost { endpoint: endpoint() })?;
            url.push_str(match (is_websocket, options.is_secure(), options.scheme) {
                (true, true, _) => "wss",
                (true, false, _) => "ws",
                (false, true, _) => "https",
                (false, false, None | Some("http" | "ws")) => "http",
                (false, false, Some(other)) => other,
            });
            url.push_str("://");
            url.push_str(&host);
        }
        push_root(options.root_path, &mut url);
        url.push_str(&built.path);
        url.push_str(&built.query);
        if let Some(anchor) = options.anchor {
            url.push('#');
            quote::push_fragment(anchor, &mut url);
        }
        Ok(url)
    }

    /// Whether the host of the request is the one of the rule.
    fn is_here(&self, domain: &str, options: &BuildOptions<'_>) -> bool {
        match options.host {
            Some(host) => self.domain_of(host, options.is_secure()).as_deref() == Some(domain),
            None => !self.options.host_matching && domain == self.options.default_subdomain,
        }
    }
}

/// Host and path of a rule with these values, if it would be matched with them again.
pub(super) fn fill<'v>(
    rule: &BoundRule,
    value_of: &dyn Fn(&str) -> Option<PathValue<'v>>,
) -> Result<(String, String), BuildError> {
    let mut texts = Vec::with_capacity(rule.variables.len());
    for variable in &rule.variables {
        let value = rule.default(&variable.name).map(PathValue::borrowed).or_else(|| value_of(&variable.name));
        let value = value.unwrap_or(PathValue::Str(Cow::Borrowed("")));
        let converter = &variable.made.converter;
        match converter.to_url(&value).filter(|text| converter.parse(text).is_some()) {
            Some(text) => texts.push(text),
            None => return Err(bad_value(rule, &variable.name, &value, converter.expects().into_owned())),
        }
    }
    let mut host = String::new();
    for op in &rule.host {
        match op {
            Op::Text(text) => host.push_str(text),
            Op::Variable(nth) if texts[*nth].bytes().all(is_of_host) => host.push_str(&texts[*nth]),
            Op::Variable(nth) => {
                let found = PathValue::Str(Cow::Borrowed(&texts[*nth]));
                let expected = "letters, digits, hyphens and dots, as it is part of a host".to_owned();
                return Err(bad_value(rule, &rule.variables[*nth].name, &found, expected));
            }
        }
    }
    host.make_ascii_lowercase();
    let mut path = String::new();
    for op in &rule.path {
        match op {
            Op::Text(text) => quote::push_path(text, &mut path),
            Op::Variable(nth) => push_variable(*nth, rule, &texts, &mut path),
        }
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        let is_to_blame = |text: &String| text.split('/').any(|segment| matches!(segment, "." | ".."));
        if let Some(nth) = texts.iter().position(is_to_blame) {
            let found = PathValue::Str(Cow::Borrowed(&texts[nth]));
            let expected = "no segment that is `.` or `..`, which clients take out".to_owned();
            return Err(bad_value(rule, &rule.variables[nth].name, &found, expected));
        }
    }
    if !rule.reads_back(&host, &path, &texts) {
        return Err(BuildError::Ambiguous { endpoint: rule.endpoint().unwrap_or_default().to_owned(), path });
    }
    Ok((host, path))
}

/// The text of a variable, encoded for a path.
pub(super) fn push_variable(nth: usize, rule: &BoundRule, texts: &[String], path: &mut String) {
    if rule.variables[nth].made.converter.is_part_isolating() {
        quote::push_segment(&texts[nth], path);
    } else {
        quote::push_path(&texts[nth], path);
    }
}

/// What the application is mounted below, percent-encoded and without a slash at its end.
pub(in crate::app) fn root_path(root_path: &str) -> String {
    let mut encoded = String::new();
    push_root(root_path, &mut encoded);
    encoded
}

/// What the application is mounted below, without a slash at its end.
pub(super) fn push_root(root_path: &str, url: &mut String) {
    let root = root_path.trim_matches('/');
    if !root.is_empty() {
        url.push('/');
        quote::push_again(root, url);
    }
}

fn bad_value(rule: &BoundRule, name: &str, value: &PathValue<'_>, expected: String) -> BuildError {
    let endpoint = rule.endpoint().unwrap_or_default().to_owned();
    BuildError::BadValue { endpoint, name: name.to_owned(), expected, found: format!("{value:?}") }
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte)
}
