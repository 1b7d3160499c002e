//! How an [`App`] becomes what serves.

use std::collections::HashMap;
use std::rc::Rc;

use super::app::App;
use super::blueprint::{Blueprint, Registration};
use super::error_handlers::ErrorHandlers;
use super::from_request::Requirements;
use super::hooks::Hooks;
use super::route::{Route, Target};
use super::routing::Map;
use super::scaffold::Scaffold;
use super::setup_error::SetupError;
use super::shared::{Entry, Scope, Shared};
use crate::http::Method;

impl App {
    /// Sets everything up, and looks at whether it can serve.
    pub(super) fn set_up(self) -> Result<Rc<Shared>, SetupError> {
        let App { mut scaffold, blueprints, map, options, states, nursery } = self;
        adopt_app_scaffolds(&mut scaffold, &blueprints);
        let mut setup = Setup { parts: Vec::new(), routes: Vec::new(), messages: Vec::new() };
        setup.add(scaffold, &Place::default(), None);
        setup.add_blueprints(blueprints, &Place::default(), 0);

        let mut builder = Map::builder()
            .strict_slashes(map.strict_slashes)
            .merge_slashes(map.merge_slashes)
            .automatic_options(map.automatic_options)
            .host_matching(map.host_matching)
            .subdomain_matching(map.subdomain_matching);
        if let Some(server_name) = &options.server_name {
            builder = builder.server_name(server_name);
        }
        for (name, factory) in map.converters {
            builder = builder.converter(name, move |arguments| factory(arguments));
        }
        let mut entries = Vec::with_capacity(setup.routes.len());
        for (nth, (route, scope)) in setup.routes.into_iter().enumerate() {
            let endpoint = route.endpoint.unwrap_or_default();
            builder = builder.rule(route.rule.endpoint(endpoint.clone()), nth);
            let websocket_config = route.websocket_config.unwrap_or_else(|| options.websocket.clone());
            let (target, settings) = (route.target, route.settings);
            entries.push(Entry { endpoint, target, settings, websocket_config, scope });
        }
        let scopes: Vec<_> = (0..setup.parts.len()).map(|nth| scope(&setup.parts, nth)).collect();
        let mut messages = setup.messages;
        let map = match builder.build() {
            Ok(map) => map,
            Err(err) => {
                messages.extend(err.errors().iter().map(ToString::to_string));
                return Err(SetupError { messages });
            }
        };
        for (rule, nth) in map.rules() {
            let target = &entries[*nth].target;
            let mut requirements = Requirements {
                state: &states,
                rule: Some(rule),
                is_websocket: target.is_websocket(),
                missing: Vec::new(),
            };
            match target {
                Target::View(view) => view.require(&mut requirements),
                Target::WebSocket(view) => view.require(&mut requirements),
            }
            let missing = requirements.missing.into_iter();
            messages.extend(missing.map(|missing| format!("the view at {:?} {missing}", rule.pattern())));
        }
        let around = scopes.iter().flat_map(|scope| [(false, &scope.hooks.http), (true, &scope.hooks.websocket)]);
        for (is_websocket, hooks) in around {
            for hook in &hooks.before {
                let mut requirements = Requirements { state: &states, rule: None, is_websocket, missing: Vec::new() };
                hook.require(&mut requirements);
                messages.extend(requirements.missing.into_iter().map(|missing| format!("a hook {missing}")));
            }
        }
        messages.dedup();
        if !messages.is_empty() {
            return Err(SetupError { messages });
        }
        Ok(Rc::new(Shared { map, entries, scopes, options, states, nursery }))
    }
}

/// What is for all requests goes to the application, in the order of registration.
fn adopt_app_scaffolds(app: &mut Scaffold, blueprints: &[Registration]) {
    for Registration { blueprint } in blueprints {
        app.hooks.append(&blueprint.app_scaffold.hooks);
        app.error_handlers.append(&blueprint.app_scaffold.error_handlers);
        adopt_app_scaffolds(app, &blueprint.blueprints);
    }
}

/// Routes and hooks, as they are gathered.
struct Setup {
    parts: Vec<Part>,
    routes: Vec<(Route, usize)>,
    messages: Vec<String>,
}

/// The application, or a blueprint where it is registered.
struct Part {
    parent: Option<usize>,
    hooks: Hooks,
    error_handlers: Rc<ErrorHandlers>,
}

/// Where something is registered.
#[derive(Clone, Default)]
struct Place {
    /// With a dot at its end, unless it is empty.
    name: String,
    url_prefix: String,
    subdomain: Option<String>,
}

impl Place {
    fn of(&self, blueprint: &Blueprint) -> Self {
        let own = blueprint.url_prefix.trim_matches('/');
        let separator = if own.is_empty() { "" } else { "/" };
        Place {
            name: format!("{}{}.", self.name, blueprint.name),
            url_prefix: format!("{}{separator}{own}", self.url_prefix),
            subdomain: blueprint.subdomain.clone().or_else(|| self.subdomain.clone()),
        }
    }
}

impl Setup {
    /// Adds the routes and the hooks of one part, and gives its number.
    fn add(&mut self, scaffold: Scaffold, place: &Place, parent: Option<usize>) -> usize {
        let Scaffold { routes, hooks, error_handlers } = scaffold;
        let number = self.parts.len();
        self.parts.push(Part { parent, hooks, error_handlers: Rc::new(error_handlers) });
        let mut functions: HashMap<String, usize> = HashMap::new();
        for mut route in routes {
            let own = route.endpoint.take().or_else(|| route.function.map(str::to_owned));
            let own = own.unwrap_or_else(|| route.rule.pattern().to_owned());
            if own.contains('.') && route.function.is_some() {
                self.messages
                    .push(format!("an endpoint has a dot, which stands behind the names of blueprints: {own:?}"));
            }
            let address = route.target.address();
            if functions.insert(own.clone(), address).is_some_and(|other| other != address) {
                let endpoint = format!("{}{own}", place.name);
                self.messages
                    .push(format!("two views have the endpoint {endpoint:?}: give one another with .endpoint()"));
            }
            route.endpoint = Some(format!("{}{own}", place.name));
            if !place.url_prefix.is_empty() {
                route.rule = route.rule.submount(&place.url_prefix);
            }
            if let (false, Some(subdomain)) = (route.rule.has_subdomain(), &place.subdomain) {
                route.rule = route.rule.subdomain(subdomain.clone());
            }
            if !route.rule.has_methods() {
                route.rule = route.rule.methods([Method::GET]);
            }
            if route.websocket_config.is_some() && !route.target.is_websocket() {
                let pattern = route.rule.pattern();
                self.messages.push(format!("the route {pattern:?} has a websocket_config, and is not for WebSockets"));
            }
            self.routes.push((route, number));
        }
        number
    }

    fn add_blueprints(&mut self, blueprints: Vec<Registration>, place: &Place, parent: usize) {
        let mut names = Vec::new();
        for Registration { blueprint } in blueprints {
            let place = place.of(&blueprint);
            let name = place.name.trim_end_matches('.');
            if blueprint.name.is_empty() || blueprint.name.contains('.') {
                self.messages
                    .push(format!("a blueprint is called {:?}: a name has no dots, and is not empty", blueprint.name));
            } else if names.contains(&blueprint.name) {
                self.messages.push(format!("two blueprints are called {name:?}: register one with another .name()"));
            }
            names.push(blueprint.name.clone());
            let number = self.add(blueprint.scaffold, &place, Some(parent));
            self.add_blueprints(blueprint.blueprints, &place, number);
        }
    }
}

/// The hooks and the handlers of errors of a part, with those of what it stands in.
fn scope(parts: &[Part], nth: usize) -> Scope {
    let inside_out: Vec<&Part> =
        std::iter::successors(Some(&parts[nth]), |part| part.parent.map(|parent| &parts[parent])).collect();
    let mut hooks = Hooks::default();
    for part in inside_out.iter().rev() {
        hooks.url_value_preprocessors.extend(part.hooks.url_value_preprocessors.iter().cloned());
        hooks.url_defaults.extend(part.hooks.url_defaults.iter().cloned());
        hooks.http.before.extend(part.hooks.http.before.iter().cloned());
        hooks.websocket.before.extend(part.hooks.websocket.before.iter().cloned());
    }
    for part in &inside_out {
        hooks.http.append_backwards(&part.hooks.http);
        hooks.websocket.append_backwards(&part.hooks.websocket);
    }
    Scope { hooks, error_handlers: inside_out.iter().map(|part| part.error_handlers.clone()).collect() }
}
