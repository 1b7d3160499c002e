//! Where requests are redirected to.

use super::bound::Op;
use super::build_options::BuildOptions;
use super::map::Map;
use super::methods::MethodKey;
use super::no_match::NoMatch;
use super::quote;
use super::request::MatchRequest;
use super::url::{self, Built};
use super::value::PathValue;
use super::values::PathValues;

impl<T> Map<T> {
    /// To another path on the same host, given as clients send it.
    pub(super) fn redirect(&self, request: &MatchRequest<'_>, path: &str) -> NoMatch {
        let mut location = String::with_capacity(path.len());
        url::push_root(request.root_path, &mut location);
        quote::push_again(path, &mut location);
        push_query(request, &mut location);
        NoMatch::Redirect { location }
    }

    /// Where the rule that matched sends the request, if it does: an alias to what it is an alias of, values to the
    /// rule that has them as defaults, and the rule of a redirect to its target.
    pub(super) fn location(&self, values: &PathValues<'_>, request: &MatchRequest<'_>) -> Option<String> {
        let rule = &values.rule;
        if self.options.redirect_defaults {
            let others = rule.endpoint().and_then(|endpoint| self.endpoints.get(endpoint)).filter(|_| rule.is_alias());
            let others = others.into_iter().flatten().filter(|&&nth| !self.rules[nth].is_alias());
            for &nth in others.chain(&rule.canonical) {
                let other = &self.rules[nth];
                if !rule.is_alias() && other.takes(MethodKey::of(request.method)).is_none() {
                    continue;
                }
                if let Some(location) = self.location_of(nth, values, request) {
                    return Some(location);
                }
            }
        }
        let ops = rule.redirect.as_ref()?;
        let value_of = |name: &str| values.get(name);
        let texts: Option<Vec<String>> =
            rule.variables.iter().map(|variable| variable.made.converter.to_url(&value_of(&variable.name)?)).collect();
        let (mut location, mut target) = (String::new(), String::new());
        let texts = texts?;
        let mut n_fixed = None;
        for op in ops {
            match op {
                // Written by the programmer, maybe with a query.
                Op::Text(text) => quote::push_again(text, &mut target),
                Op::Variable(nth) => {
                    n_fixed.get_or_insert(target.len());
                    url::push_variable(*nth, rule, &texts, &mut target);
                }
            }
        }
        // Only the programmer sends clients to other hosts, and never what a client has written into its path.
        let fixed = &target[..n_fixed.unwrap_or(target.len())];
        if !["http://", "https://"].iter().any(|scheme| fixed.starts_with(scheme)) {
            url::push_root(request.root_path, &mut location);
            location.push('/');
            target.drain(..target.len() - target.trim_start_matches('/').len());
        }
        location.push_str(&target);
        Some(location)
    }

    /// The URL of another rule of the endpoint with the same values, if it has just these.
    fn location_of(&self, nth: usize, values: &PathValues<'_>, request: &MatchRequest<'_>) -> Option<String> {
        let rule = &self.rules[nth];
        let is_same =
            |name: &str, default: &PathValue<'_>| values.get(name).is_none_or(|value| default.reads_as(&value));
        if !rule.defaults().all(|(name, default)| is_same(name, default)) {
            return None;
        }
        if !rule.arguments().all(|name| rule.default(name).is_some() || values.get(name).is_some()) {
            return None;
        }
        let (domain, path) = url::fill(rule, &|name| values.get(name)).ok()?;
        let mut query = String::new();
        push_query(request, &mut query);
        let options = BuildOptions {
            scheme: Some(if request.is_secure { "https" } else { "http" }),
            host: Some(request.host),
            root_path: request.root_path,
            ..BuildOptions::default()
        };
        self.finish(Built { rule, domain, path, query }, &options).ok()
    }
}

fn push_query(request: &MatchRequest<'_>, location: &mut String) {
    if let Some(query) = request.query.filter(|query| !query.is_empty()) {
        location.push('?');
        quote::push_again(query, location);
    }
}
