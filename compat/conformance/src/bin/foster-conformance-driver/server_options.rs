//! How a program makes its servers.

use std::rc::Rc;

use foster_compat::{Address, Hosts, Result, Server, create_server, create_unix_server};
use serde_json::{Map, Value};

use crate::factory::{Factory, NoProtocol, with_factory};
use crate::session::Session;

/// The options of `create_server`.
#[derive(Debug)]
pub(crate) struct ServerOptions {
    protocol: String,
    hosts: Vec<String>,
    port: Port,
    start_serving: bool,
    reuse_port: bool,
    keep_alive: bool,
    backlog: Option<u32>,
}

#[derive(Debug)]
enum Port {
    Number(u16),
    /// The port of that server.
    Of(String),
}

impl ServerOptions {
    pub(crate) fn parse(options: &Value) -> Result<Self, String> {
        let options = object(options)?;
        let known = ["protocol", "host", "port", "start_serving", "reuse_port", "keep_alive", "backlog"];
        refuse_others(options, &known)?;
        let hosts = match options.get("host") {
            None => vec!["127.0.0.1".to_owned()],
            // All interfaces.
            Some(Value::Null) => vec![String::new()],
            Some(Value::String(host)) => vec![host.clone()],
            Some(Value::Array(hosts)) => hosts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(other) => return Err(format!("not a host: {other}")),
        };
        let port = match options.get("port") {
            None => Port::Number(0),
            Some(Value::String(server)) => Port::Of(server.clone()),
            Some(other) => {
                let number = other.as_u64().and_then(|number| u16::try_from(number).ok());
                Port::Number(number.ok_or_else(|| format!("not a port: {other}"))?)
            }
        };
        let is_set = |key: &str, default: bool| options.get(key).and_then(Value::as_bool).unwrap_or(default);
        let backlog = options.get("backlog").and_then(Value::as_u64);
        Ok(ServerOptions {
            protocol: text(options, "protocol")?,
            hosts,
            port,
            start_serving: is_set("start_serving", true),
            reuse_port: is_set("reuse_port", false),
            keep_alive: is_set("keep_alive", false),
            backlog: backlog.and_then(|backlog| u32::try_from(backlog).ok()),
        })
    }

    pub(crate) async fn make(&self, session: &Rc<Session>) -> Result<Server> {
        let port = match &self.port {
            Port::Number(port) => *port,
            Port::Of(server) => match session.server(server).sockets().first() {
                Some(socket) => socket.getsockname().ok().as_ref().and_then(Address::port).unwrap_or(0),
                None => 0,
            },
        };
        let hosts = Hosts::from(self.hosts.clone());
        let mut server = create_server(session.lp().nursery(), NoProtocol::default, hosts, port)
            .start_serving(self.start_serving)
            .reuse_port(self.reuse_port)
            .keep_alive(self.keep_alive);
        if let Some(backlog) = self.backlog {
            server = server.backlog(backlog);
        }
        with_factory!(server, Factory::named(session, &self.protocol)).await
    }
}

/// The options of `create_unix_server`.
#[derive(Debug)]
pub(crate) struct UnixServerOptions {
    protocol: String,
    path: String,
    start_serving: bool,
}

impl UnixServerOptions {
    pub(crate) fn parse(options: &Value) -> Result<Self, String> {
        let options = object(options)?;
        refuse_others(options, &["protocol", "path", "start_serving"])?;
        Ok(UnixServerOptions {
            protocol: text(options, "protocol")?,
            path: text(options, "path")?,
            start_serving: options.get("start_serving").and_then(Value::as_bool).unwrap_or(true),
        })
    }

    pub(crate) async fn make(&self, session: &Rc<Session>) -> Result<Server> {
        let path = session.file(&self.path);
        let server = create_unix_server(session.lp().nursery(), NoProtocol::default, path);
        with_factory!(server.start_serving(self.start_serving), Factory::named(session, &self.protocol)).await
    }
}

fn object(options: &Value) -> Result<&Map<String, Value>, String> {
    options.as_object().ok_or_else(|| format!("not the options of a server: {options}"))
}

fn text(options: &Map<String, Value>, key: &str) -> Result<String, String> {
    let text = options.get(key).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("a server without {key}"))
}

fn refuse_others(options: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown option of a server: {key}")),
        None => Ok(()),
    }
}
