//! [`Blueprint`]: a part of an application.

use std::rc::Rc;
use std::sync::Arc;

use super::error_handlers::{OfAny, OfStatus, OfType};
use super::exception::HttpException;
use super::hooks::{AfterResponse, AfterWebSocket};
use super::lifespan::{ServingHooks, serving_hook_methods};
use super::maybe_response::MaybeResponse;
use super::request::Request;
use super::route::Route;
use super::routing::{PathValue, Rule};
use super::scaffold::{Scaffold, maybe_responding, of, scaffold_methods, verbs};
use super::view::{Arguments, View};
use super::view_args::ViewArgs;
use super::while_serving::Serving;
use crate::http::{IntoResponse, Method, Response, StatusCode};
use crate::{Error, Outcome};

/// A part of an application, with routes, hooks and handlers of errors of its own: Quart's `Blueprint`.
///
/// Its endpoints begin with its name and a dot. Its hooks are called for its routes alone, behind those of what it stands
/// in; those whose names have `app` in them for all requests. Blueprints may stand in blueprints. One may be registered
/// several times, under different names.
///
/// ```
/// use foster::app::{App, Blueprint, url_for};
///
/// let mut users = Blueprint::new("users");
/// users.url_prefix("/users");
/// users.get("/", async || url_for(".list").build()).endpoint("list");
///
/// let mut app = App::new();
/// app.register_blueprint(&users);
/// app.register_blueprint(&users).name("people").url_prefix("/people");
/// ```
#[derive(Clone)]
pub struct Blueprint {
    pub(super) name: String,
    pub(super) url_prefix: String,
    pub(super) subdomain: Option<String>,
    pub(super) url_defaults: Vec<(String, PathValue<'static>)>,
    pub(super) scaffold: Scaffold,
    /// For all requests of the application.
    pub(super) app_scaffold: Scaffold,
    pub(super) app_serving_hooks: ServingHooks,
    pub(super) blueprints: Vec<Registration>,
}

/// A blueprint as it is registered: what can be said of it besides, with the names of Quart's keyword arguments.
#[derive(Clone)]
pub struct Registration {
    pub(super) blueprint: Blueprint,
}

impl Blueprint {
    /// One without routes. The name has neither dots nor nothing.
    pub fn new(name: impl Into<String>) -> Self {
        Blueprint {
            name: name.into(),
            url_prefix: String::new(),
            subdomain: None,
            url_defaults: Vec::new(),
            scaffold: Scaffold::default(),
            app_scaffold: Scaffold::default(),
            app_serving_hooks: ServingHooks::default(),
            blueprints: Vec::new(),
        }
    }

    scaffold_methods!();

    /// Takes in a blueprint: as [`App::register_blueprint`](super::App::register_blueprint).
    pub fn register_blueprint(&mut self, blueprint: &Blueprint) -> &mut Registration {
        Registration::add(&mut self.blueprints, blueprint)
    }

    serving_hook_methods!(app_serving_hooks: before_app_serving while_app_serving after_app_serving);

    /// What the paths of its rules begin with.
    pub fn url_prefix(&mut self, prefix: impl Into<String>) -> &mut Self {
        self.url_prefix = prefix.into();
        self
    }

    /// The subdomain of its rules that say none.
    pub fn subdomain(&mut self, subdomain: impl Into<String>) -> &mut Self {
        self.subdomain = Some(subdomain.into());
        self
    }
}

impl Registration {
    pub(super) fn add<'a>(registrations: &'a mut Vec<Self>, blueprint: &Blueprint) -> &'a mut Self {
        registrations.push(Registration { blueprint: blueprint.clone() });
        registrations.last_mut().expect("pushed in the line above")
    }

    /// The name, in the place of the blueprint's.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.blueprint.name = name.into();
        self
    }

    /// What the paths of its rules begin with, in the place of the blueprint's.
    pub fn url_prefix(&mut self, prefix: impl Into<String>) -> &mut Self {
        self.blueprint.url_prefix = prefix.into();
        self
    }

    /// The subdomain of its rules that say none, in the place of the blueprint's.
    pub fn subdomain(&mut self, subdomain: impl Into<String>) -> &mut Self {
        self.blueprint.subdomain = Some(subdomain.into());
        self
    }
}
