//! How a program makes its servers.

use std::rc::Rc;

use foster_compat::{Address, Hosts, Result, Server, create_server, create_unix_server};
use serde_json::Value;

use crate::factory::{Factory, no_protocol};
use crate::options::Options;
use crate::protocol_object::ProtocolObject;
use crate::session::Session;
use crate::tls::server_context;

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
    speaks_tls: bool,
}

#[derive(Debug)]
enum Port {
    Number(u16),
    /// The port of that server.
    Of(String),
}

impl ServerOptions {
    pub(crate) fn parse(options: &Value) -> Result<Self, String> {
        let known = ["protocol", "host", "port", "start_serving", "reuse_port", "keep_alive", "backlog", "ssl"];
        let options = Options::parse("create_server", options, &known)?;
        let hosts = match options.value("host") {
            None => vec!["127.0.0.1".to_owned()],
            // All interfaces.
            Some(Value::Null) => vec![String::new()],
            Some(Value::String(host)) => vec![host.clone()],
            Some(Value::Array(hosts)) => hosts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(other) => return Err(options.wrong("host", "a host", other)),
        };
        let port = match options.value("port") {
            Some(Value::String(server)) => Port::Of(server.clone()),
            _ => Port::Number(options.number("port")?.unwrap_or(0)),
        };
        Ok(ServerOptions {
            protocol: options.text("protocol")?,
            hosts,
            port,
            start_serving: options.flag("start_serving", true)?,
            reuse_port: options.flag("reuse_port", false)?,
            keep_alive: options.flag("keep_alive", false)?,
            backlog: options.number("backlog")?,
            speaks_tls: options.flag("ssl", false)?,
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
        let mut server = create_server(session.lp().nursery(), no_protocol::<ProtocolObject>, hosts, port)
            .start_serving(self.start_serving)
            .reuse_port(self.reuse_port)
            .keep_alive(self.keep_alive);
        if let Some(backlog) = self.backlog {
            server = server.backlog(backlog);
        }
        if self.speaks_tls {
            server = server.ssl(&server_context(&session.message().params)?);
        }
        server.try_factory(Factory::named(session, &self.protocol).call(ProtocolObject)).await
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
        let options = Options::parse("create_unix_server", options, &["protocol", "path", "start_serving"])?;
        Ok(UnixServerOptions {
            protocol: options.text("protocol")?,
            path: options.text("path")?,
            start_serving: options.flag("start_serving", true)?,
        })
    }

    pub(crate) async fn make(&self, session: &Rc<Session>) -> Result<Server> {
        let path = session.message().params.file(&self.path);
        let server = create_unix_server(session.lp().nursery(), no_protocol::<ProtocolObject>, path);
        let server = server.try_factory(Factory::named(session, &self.protocol).call(ProtocolObject));
        server.start_serving(self.start_serving).await
    }
}
