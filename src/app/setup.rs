//! How an [`App`] becomes what serves.

use std::any::TypeId;
use std::collections::HashMap;
use std::rc::Rc;

use super::app::{App, MapOptions};
use super::blueprint::{Blueprint, Registration};
use super::error_handlers::ErrorHandlers;
use super::from_request::Requirements;
use super::hooks::{Hooks, Kind};
use super::lifespan::ServingHooks;
use super::mount::is_prefix;
use super::route::{Route, Target};
use super::routing::{BoundRule, Map, MapError, Rule, root_path};
use super::scaffold::Scaffold;
use super::setup_error::SetupError;
use super::shared::{Entry, Options, Scope, Shared};
use super::type_map::TypeMap;
use super::view_args::ViewArgs;
use crate::http::{Method, is_host};

impl App {
    /// Sets everything up, and looks at whether it can serve.
    pub(super) fn set_up(self) -> Result<Rc<Shared>, SetupError> {
        let App { scaffold, mut serving_hooks, blueprints, map, options, states, nursery, on_build_error, mounts } =
            self;
        adopt_serving_hooks(&mut serving_hooks, &blueprints);
        let mut setup = Setup { parts: Vec::new(), routes: Vec::new(), mistakes: Vec::new() };
        setup.look_at_options(&options);
        setup.add(scaffold, &Place::default(), None);
        setup.add_blueprints(blueprints, &Place::default(), 0);

        let Setup { parts, routes, mut mistakes } = setup;
        let (mut entries, mut rules) = (Vec::with_capacity(routes.len()), Vec::with_capacity(routes.len()));
        for (Route { rule, endpoint, target, settings, websocket_config, .. }, scope) in routes {
            let endpoint = endpoint.unwrap_or_default();
            rules.push((rule.endpoint(endpoint.clone()), entries.len()));
            let websocket_config = websocket_config.unwrap_or_else(|| options.websocket.clone());
            entries.push(Entry { endpoint, target, settings, websocket_config, scope });
        }
        let map = map.build(&options, rules.clone()).map_err(|err| {
            mistakes.extend(err.errors().iter().map(ToString::to_string));
            // Each rule that is right alone: what its view needs is said with the rest.
            let alone = |rule| map.build(&options, vec![rule]).ok();
            rules.into_iter().filter_map(alone).collect::<Vec<_>>()
        });
        let maps = match &map {
            Ok(map) => std::slice::from_ref(map),
            Err(maps) => maps,
        };
        let scopes: Vec<_> = (0..parts.len()).map(|nth| scope(&parts, nth)).collect();
        for (rule, nth) in maps.iter().flat_map(Map::rules) {
            let entry = &entries[*nth];
            mistakes.extend(missing_for_view(entry, &scopes[entry.scope], rule, &states));
        }
        mistakes.extend(parts.iter().flat_map(|part| part.missing_for_hooks(&states)));
        let patterns: Vec<_> = maps.iter().flat_map(Map::rules).map(|(rule, _)| rule.pattern()).collect();
        mistakes.extend(mounts.mistakes(&patterns));
        match map {
            Ok(map) if mistakes.is_empty() => Ok(Rc::new(Shared {
                map,
                entries,
                scopes,
                root_path: root_path(&options.application_root),
                options,
                states,
                nursery,
                serving_hooks,
                on_build_error,
                mounts,
            })),
            _ => Err(SetupError::new(mistakes)),
        }
    }
}

impl MapOptions {
    fn build(&self, options: &Options, rules: Vec<(Rule, usize)>) -> Result<Map<usize>, MapError> {
        let mut builder = Map::builder()
            .strict_slashes(self.strict_slashes)
            .merge_slashes(self.merge_slashes)
            .automatic_options(self.automatic_options)
            .host_matching(self.host_matching)
            .subdomain_matching(self.subdomain_matching)
            .rules(rules);
        if let Some(server_name) = &options.server_name {
            builder = builder.server_name(server_name);
        }
        for (name, factory) in &self.converters {
            let factory = factory.clone();
            builder = builder.converter(name, move |arguments| factory(arguments));
        }
        builder.build()
    }
}

/// What is for the whole application goes to it, in the order of registration.
fn adopt_serving_hooks(app: &mut ServingHooks, blueprints: &[Registration]) {
    for Registration { blueprint } in blueprints {
        app.extend(&blueprint.app_serving_hooks);
        adopt_serving_hooks(app, &blueprint.blueprints);
    }
}

/// What the view of a rule needs and does not have, a sentence each.
fn missing_for_view(entry: &Entry, scope: &Scope, rule: &BoundRule, states: &TypeMap) -> Vec<String> {
    let mut requirements = Requirements {
        state: states,
        rule: Some(rule),
        is_websocket: entry.target.is_websocket(),
        are_values_final: scope.hooks.url_value_preprocessors.is_empty(),
        missing: Vec::new(),
    };
    match &entry.target {
        Target::View(view) => view.require(&mut requirements),
        Target::WebSocket(view) => view.require(&mut requirements),
        Target::Nothing => {}
    }
    let missing = requirements.missing.into_iter();
    missing.map(|missing| format!("the view at {:?} {missing}", rule.pattern())).collect()
}

/// Routes and hooks, as they are gathered.
struct Setup {
    parts: Vec<Part>,
    /// Each with the number of its part.
    routes: Vec<(Route, usize)>,
    /// A sentence each.
    mistakes: Vec<String>,
}

/// The application, or a blueprint where it is registered.
struct Part {
    /// Dotted; empty for the application.
    name: String,
    parent: Option<usize>,
    hooks: Hooks,
    error_handlers: Rc<ErrorHandlers>,
}

/// Where something is registered.
#[derive(Default)]
struct Place {
    /// Dotted; empty for the application.
    name: String,
    url_prefix: String,
    subdomain: Option<String>,
    url_values_defaults: ViewArgs,
}

impl Place {
    /// Where a blueprint is that is registered here.
    fn of(&self, blueprint: &Blueprint) -> Self {
        let subdomain = match (&blueprint.subdomain, &self.subdomain) {
            (Some(own), Some(outer)) => Some(format!("{own}.{outer}")),
            (own, outer) => own.clone().or_else(|| outer.clone()),
        };
        let url_prefix = match (&*self.url_prefix, &*blueprint.url_prefix) {
            (outer, "") => outer.to_owned(),
            (outer, own) => format!("{}/{}", outer.trim_end_matches('/'), own.trim_start_matches('/')),
        };
        let url_values_defaults = blueprint.url_values_defaults.clone();
        Place { name: self.dotted(&blueprint.name), url_prefix, subdomain, url_values_defaults }
    }

    fn dotted(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) }
    }

    fn described(&self) -> String {
        described(&self.name)
    }
}

impl Setup {
    fn look_at_options(&mut self, options: &Options) {
        if let Some(name) = options.server_name.as_ref().filter(|name| name.is_empty() || !is_host(name.as_bytes())) {
            let cure = r#"it is a host and maybe a port, as "example.com:8000""#;
            self.mistakes.push(format!("the server_name is {name:?}: {cure}"));
        }
        let root = &options.application_root;
        if !root.is_empty() && !is_prefix(root) {
            let cure = "it begins with one slash, and is not percent-encoded";
            self.mistakes.push(format!("the application_root is {root:?}: {cure}"));
        }
    }

    /// Adds the routes and the hooks of one part, and gives its number.
    fn add(&mut self, scaffold: Scaffold, place: &Place, parent: Option<usize>) -> usize {
        let Scaffold { routes, hooks, error_handlers } = scaffold;
        let number = self.parts.len();
        self.parts.push(Part { name: place.name.clone(), parent, hooks, error_handlers: Rc::new(error_handlers) });
        let mut holders: HashMap<String, Vec<(TypeId, String)>> = HashMap::new();
        for mut route in routes {
            let named = route.endpoint.take().or_else(|| route.rule.get_endpoint().map(str::to_owned));
            let named = named.or_else(|| route.function.name.map(str::to_owned));
            let endpoint = match named {
                Some(named) => {
                    self.look_at_endpoint(&named, &route, place);
                    let endpoint = place.dotted(&named);
                    let (function, pattern) = (route.function.of, route.rule.pattern());
                    let holders = holders.entry(named).or_default();
                    // Views for the methods of one rule have one URL, as the methods of Quart's `MethodView`.
                    let is_known = holders.iter().any(|holder| holder.0 == function || holder.1 == pattern);
                    if !holders.is_empty() && !is_known {
                        let cure = "give one of them another with .endpoint()";
                        self.mistakes.push(format!("two views have the endpoint {endpoint:?}: {cure}"));
                    }
                    holders.push((function, pattern.to_owned()));
                    endpoint
                }
                // Closures have no names, and those for the methods of one rule are told apart by nobody.
                None => place.dotted(route.rule.pattern()),
            };
            route.endpoint = Some(endpoint);
            for (name, value) in place.url_values_defaults.iter() {
                route.rule = route.rule.or_default(name, value.into_owned());
            }
            if !place.url_prefix.is_empty() {
                route.rule = route.rule.below(&place.url_prefix);
            }
            if let (false, Some(subdomain)) = (route.rule.has_subdomain(), &place.subdomain) {
                route.rule = route.rule.subdomain(subdomain.clone());
            }
            if matches!(route.target, Target::Nothing) {
                if !route.rule.needs_no_view() {
                    let cure = "give it one, or have it redirect_to another, or be build_only";
                    self.mistakes.push(format!("the rule {:?} has no view: {cure}", route.rule.pattern()));
                }
            } else if !route.rule.has_methods() {
                route.rule = route.rule.methods([Method::GET]);
            }
            if route.websocket_config.is_some() && !route.target.is_websocket() {
                let (pattern, place) = (route.rule.pattern(), place.described());
                let message = "has a websocket_config, and is not for WebSockets";
                self.mistakes.push(format!("the route {pattern:?} in {place} {message}"));
            }
            self.routes.push((route, number));
        }
        number
    }

    fn look_at_endpoint(&mut self, endpoint: &str, route: &Route, place: &Place) {
        if endpoint.is_empty() || endpoint.contains('.') {
            let (pattern, place) = (route.rule.pattern(), place.described());
            let rule = "it is not empty, and has no dots, which stand behind the names of blueprints";
            self.mistakes.push(format!("the endpoint of {pattern:?} in {place} is {endpoint:?}: {rule}"));
        }
    }

    fn add_blueprints(&mut self, blueprints: Vec<Registration>, outer: &Place, parent: usize) {
        let mut names = Vec::new();
        for Registration { blueprint } in blueprints {
            let place = outer.of(&blueprint);
            let name = &blueprint.name;
            if name.is_empty() || name.contains('.') {
                let rule = "a name is not empty, and has no dots";
                self.mistakes.push(format!("a blueprint in {} is called {name:?}: {rule}", outer.described()));
            } else if names.contains(name) {
                let cure = "register one of them with another .name()";
                self.mistakes.push(format!("two blueprints in {} are called {name:?}: {cure}", outer.described()));
            }
            names.push(blueprint.name);
            let number = self.add(blueprint.scaffold, &place, Some(parent));
            self.add_blueprints(blueprint.blueprints, &place, number);
        }
    }
}

fn described(name: &str) -> String {
    if name.is_empty() { "the application".to_owned() } else { format!("the blueprint {name:?}") }
}

impl Part {
    /// What its hooks need and do not have, a sentence each.
    fn missing_for_hooks(&self, states: &TypeMap) -> Vec<String> {
        let kinds = [("before_request", Kind::Http), ("before_websocket", Kind::WebSocket)];
        let missing = kinds.into_iter().flat_map(|(name, kind)| {
            let missing = self.hooks.missing(kind, states).into_iter();
            missing.map(move |missing| format!("a hook of {name} of {} {missing}", described(&self.name)))
        });
        missing.collect()
    }
}

impl Hooks {
    fn missing(&self, kind: Kind, states: &TypeMap) -> Vec<String> {
        let mut requirements = Requirements {
            state: states,
            rule: None,
            is_websocket: matches!(kind, Kind::WebSocket),
            are_values_final: false,
            missing: Vec::new(),
        };
        self.around(kind).before.iter().for_each(|hook| hook.require(&mut requirements));
        requirements.missing
    }
}

/// The hooks and the handlers of errors of a part, with those of what it stands in.
fn scope(parts: &[Part], nth: usize) -> Scope {
    let outer_of = |part: &&Part| part.parent.map(|parent| &parts[parent]);
    let inside_out: Vec<&Part> = std::iter::successors(Some(&parts[nth]), outer_of).collect();
    let mut hooks = Hooks::default();
    inside_out.iter().rev().for_each(|part| hooks.extend_forwards(&part.hooks));
    inside_out.iter().for_each(|part| hooks.extend_backwards(&part.hooks));
    let error_handlers = inside_out.iter().map(|part| part.error_handlers.clone()).collect();
    Scope { name: parts[nth].name.clone(), hooks, error_handlers }
}
