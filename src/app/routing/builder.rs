//! [`MapBuilder`]: rules and options, until they are a [`Map`].

use std::collections::HashMap;
use std::rc::Rc;

use super::arguments::{ArgumentError, Arguments};
use super::binding::{Binding, bind};
use super::bound::BoundRule;
use super::converter::Converter;
use super::converters::Registry;
use super::error::{MapError, RuleError, RuleErrorKind};
use super::map::Map;
use super::part::Part;
use super::rule::Rule;
use super::state::States;

/// Makes a [`Map`]. Its methods are the keyword arguments of Werkzeug's `Map`, with the same defaults.
pub struct MapBuilder<T> {
    rules: Vec<(Rule, T)>,
    options: Options,
    converters: Registry,
}

/// What holds for all rules of a map.
pub(super) struct Options {
    pub(super) strict_slashes: bool,
    pub(super) merge_slashes: bool,
    pub(super) redirect_defaults: bool,
    pub(super) automatic_options: bool,
    pub(super) sort_parameters: bool,
    pub(super) host_matching: bool,
    pub(super) subdomain_matching: bool,
    pub(super) default_subdomain: String,
    /// In lower case.
    pub(super) server_name: Option<String>,
}

impl<T> MapBuilder<T> {
    pub(super) fn new() -> Self {
        let options = Options {
            strict_slashes: true,
            merge_slashes: true,
            redirect_defaults: true,
            automatic_options: true,
            sort_parameters: false,
            host_matching: false,
            subdomain_matching: false,
            default_subdomain: String::new(),
            server_name: None,
        };
        MapBuilder { rules: Vec::new(), options, converters: Registry::new() }
    }

    /// Adds a rule and what its matches give.
    pub fn rule(mut self, rule: Rule, value: T) -> Self {
        self.rules.push((rule, value));
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = (Rule, T)>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Adds a converter under a name, which may be one of those that are there: `default` is what a variable without
    /// a converter has. The factory is called for each variable, and its errors point at the arguments.
    pub fn converter<F>(mut self, name: impl Into<String>, factory: F) -> Self
    where
        F: Fn(&Arguments) -> Result<Rc<dyn Converter>, ArgumentError> + 'static,
    {
        self.converters.add(name.into(), Rc::new(factory));
        self
    }

    /// Whether the slash at the end of a rule makes a difference. It does.
    pub fn strict_slashes(mut self, is_strict: bool) -> Self {
        self.options.strict_slashes = is_strict;
        self
    }

    /// Whether a path with several slashes in a row is redirected to one with single slashes. It is, if it matches
    /// nothing as it came; slashes at the start count as one without a redirect.
    pub fn merge_slashes(mut self, is_merging: bool) -> Self {
        self.options.merge_slashes = is_merging;
        self
    }

    /// Whether a request is redirected from a rule with a variable to the rule whose default that value is. It is.
    pub fn redirect_defaults(mut self, is_redirecting: bool) -> Self {
        self.options.redirect_defaults = is_redirecting;
        self
    }

    /// Whether rules that name methods take OPTIONS besides: Quart's `PROVIDE_AUTOMATIC_OPTIONS`. They do.
    pub fn automatic_options(mut self, is_automatic: bool) -> Self {
        self.options.automatic_options = is_automatic;
        self
    }

    /// Whether what is added to a URL as its query is sorted by name. It is not.
    pub fn sort_parameters(mut self, is_sorted: bool) -> Self {
        self.options.sort_parameters = is_sorted;
        self
    }

    /// Whether rules are for hosts. Every rule needs one then.
    pub fn host_matching(mut self, is_matching: bool) -> Self {
        self.options.host_matching = is_matching;
        self
    }

    /// Whether rules are for subdomains of the server name.
    pub fn subdomain_matching(mut self, is_matching: bool) -> Self {
        self.options.subdomain_matching = is_matching;
        self
    }

    /// The subdomain of rules that say none: `www`, say. It is empty unless set.
    pub fn default_subdomain(mut self, subdomain: impl Into<String>) -> Self {
        self.options.default_subdomain = subdomain.into();
        self
    }

    /// The host below which the subdomains lie, with its port if it is not that of the scheme, and that of external
    /// URLs that are built without a request: Quart's `SERVER_NAME`.
    pub fn server_name(mut self, host: impl Into<String>) -> Self {
        self.options.server_name = Some(host.into().to_ascii_lowercase());
        self
    }

    /// Makes the map.
    ///
    /// # Errors
    ///
    /// [`MapError`], with everything that is wrong with the rules, and every two that take the same requests.
    pub fn build(self) -> Result<Map<T>, MapError> {
        let MapBuilder { rules, options, converters } = self;
        let mut errors = Vec::new();
        check(&options, rules.len(), &mut errors);
        let mut bound = Vec::with_capacity(rules.len());
        let mut parts: Vec<Vec<Part>> = Vec::with_capacity(rules.len());
        let mut values = Vec::with_capacity(rules.len());
        for (rule, value) in rules {
            match bind(rule, &options, &converters) {
                Ok(binding) => {
                    let Binding { rule, parts: own } = binding;
                    bound.push(rule);
                    parts.push(own);
                    values.push(value);
                }
                Err(err) => errors.push(err),
            }
        }
        let mut states = States::new();
        for (nth, parts) in parts.iter().enumerate().filter(|(nth, _)| !bound[*nth].is_build_only()) {
            let rules = &states.add(parts, nth).rules;
            let others = rules.iter().filter(|&&other| other != nth);
            errors.extend(others.filter_map(|&other| conflict(&bound[other], &bound[nth])));
        }
        states.sort();
        let endpoints = endpoints(&bound);
        link(&mut bound, &endpoints, options.redirect_defaults, &mut errors);
        if !errors.is_empty() {
            return Err(MapError { errors });
        }
        for (rule, parts) in bound.iter_mut().zip(parts) {
            rule.keep_if_ambiguous(parts);
        }
        Ok(Map { options, values, states, endpoints, rules: bound.into_iter().map(Rc::new).collect() })
    }
}

fn check(options: &Options, n_rules: usize, errors: &mut Vec<RuleError>) {
    let mut add = |kind, message: String| errors.push(RuleError::whole("", kind, message));
    if options.subdomain_matching && options.server_name.is_none() {
        add(RuleErrorKind::Host, "subdomain_matching(true) needs a server_name, below which they lie".to_owned());
    }
    if options.subdomain_matching && options.host_matching {
        add(RuleErrorKind::Host, "a map looks at hosts or at subdomains, and not at both".to_owned());
    }
    if n_rules > MAX_RULES {
        add(RuleErrorKind::TooLarge, format!("{n_rules} rules, where {MAX_RULES} are allowed"));
    }
}

/// Two rules that end at one state and are chosen for one method cannot be told apart.
fn conflict(first: &BoundRule, second: &BoundRule) -> Option<RuleError> {
    if !first.is_chosen_with(second) {
        return None;
    }
    let shown = |rule: &BoundRule| match (&rule.explicit, rule.endpoint()) {
        (Some(methods), Some(endpoint)) => format!("{:?} ({methods}, endpoint {endpoint:?})", rule.pattern()),
        (Some(methods), None) => format!("{:?} ({methods})", rule.pattern()),
        (None, Some(endpoint)) => format!("{:?} (every method, endpoint {endpoint:?})", rule.pattern()),
        (None, None) => format!("{:?} (every method)", rule.pattern()),
    };
    let message = format!("{} takes the same requests as {}", shown(second), shown(first));
    Some(RuleError::whole(second.pattern(), RuleErrorKind::Conflict, message))
}

/// The rules of each endpoint, in the order in which they are tried when a URL is built: aliases last, then by the
/// number of arguments and of defaults, many first.
fn endpoints(rules: &[BoundRule]) -> HashMap<String, Vec<usize>> {
    let mut endpoints: HashMap<String, Vec<usize>> = HashMap::new();
    for (nth, rule) in rules.iter().enumerate() {
        if let Some(endpoint) = rule.endpoint() {
            endpoints.entry(endpoint.to_owned()).or_default().push(nth);
        }
    }
    for numbers in endpoints.values_mut() {
        numbers.sort_by_key(|&nth| {
            let rule = &rules[nth];
            (rule.is_alias(), usize::MAX - rule.arguments.len(), usize::MAX - rule.rule.defaults.len())
        });
    }
    endpoints
}

/// Finds the rules that stand for others where their defaults are the values, and aliases of nothing.
fn link(
    rules: &mut [BoundRule],
    endpoints: &HashMap<String, Vec<usize>>,
    redirect_defaults: bool,
    errors: &mut Vec<RuleError>,
) {
    for nth in 0..rules.len() {
        let rule = &rules[nth];
        let others = rule.endpoint().and_then(|endpoint| endpoints.get(endpoint)).map_or(&[][..], Vec::as_slice);
        let has_same = |other: &BoundRule| other.arguments == rule.arguments;
        if rule.is_alias() && !others.iter().any(|&other| !rules[other].is_alias() && has_same(&rules[other])) {
            let message = "an alias needs another rule with its endpoint and its variables";
            errors.push(RuleError::whole(rule.pattern(), RuleErrorKind::Alias, message));
        }
        let before = others.iter().copied().take_while(|&other| redirect_defaults && other != nth);
        let canonical = before.filter(|&other| {
            let other = &rules[other];
            !other.is_build_only() && !other.rule.defaults.is_empty() && has_same(other)
        });
        rules[nth].canonical = canonical.collect();
    }
}

/// A match may try every rule; this many are tried in a few milliseconds.
const MAX_RULES: usize = 100_000;
