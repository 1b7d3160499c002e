//! Actions that open servers, connections and subprocesses, which may wait.

use foster_compat::Result;

use crate::client::{ClientOptions, connect_accepted};
use crate::datagram_action::EndpointOptions;
use crate::performer::Performer;
use crate::pipe_action::connect_pipe;
use crate::process_action::ProcessOptions;
use crate::server_options::{ServerOptions, UnixServerOptions};
use crate::thing::Thing;
use crate::tls::StartTlsOptions;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum OpeningAction {
    CreateServer { name: String, options: ServerOptions },
    CreateUnixServer { name: String, options: UnixServerOptions },
    CreateConnection { name: String, options: ClientOptions },
    CreateDatagramEndpoint { name: String, options: EndpointOptions },
    ConnectAcceptedSocket { name: String, socket: String, protocol: String },
    ConnectPipe { name: String, pipe: String, is_writer: bool, protocol: String },
    Subprocess { name: String, options: ProcessOptions },
    StartTls(StartTlsOptions),
}

impl OpeningAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "create_server" => {
                OpeningAction::CreateServer { name: words.text(0)?, options: ServerOptions::parse(words.value(1))? }
            }
            "create_unix_server" => OpeningAction::CreateUnixServer {
                name: words.text(0)?,
                options: UnixServerOptions::parse(words.value(1))?,
            },
            "create_connection" => {
                OpeningAction::CreateConnection { name: words.text(0)?, options: ClientOptions::parse(words.value(1))? }
            }
            "create_datagram_endpoint" => OpeningAction::CreateDatagramEndpoint {
                name: words.text(0)?,
                options: EndpointOptions::parse(words.value(1))?,
            },
            "connect_accepted_socket" => OpeningAction::ConnectAcceptedSocket {
                name: words.text(0)?,
                socket: words.text(1)?,
                protocol: words.text(2)?,
            },
            "connect_read_pipe" | "connect_write_pipe" => OpeningAction::ConnectPipe {
                name: words.text(0)?,
                pipe: words.text(1)?,
                is_writer: words.name == "connect_write_pipe",
                protocol: words.text(2)?,
            },
            "subprocess" => {
                OpeningAction::Subprocess { name: words.text(0)?, options: ProcessOptions::parse(words.value(1))? }
            }
            "start_tls" => OpeningAction::StartTls(StartTlsOptions::parse(words.given(0))?),
            _ => return Ok(None),
        }))
    }

    pub(crate) async fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        match self {
            OpeningAction::CreateServer { name, options } => {
                let server = options.make(session).await?;
                session.say_address(&server, name)?;
                session.keep(Some(name), Thing::Server(server));
            }
            OpeningAction::CreateUnixServer { name, options } => {
                let server = options.make(session).await?;
                session.say_address(&server, name)?;
                session.keep(Some(name), Thing::Server(server));
            }
            OpeningAction::CreateConnection { name, options } => {
                session.cast(name, &options.make(session).await?);
                by.say("create_connection returned");
            }
            OpeningAction::CreateDatagramEndpoint { name, options } => {
                session.cast(name, &options.make(session).await?);
                by.say("create_datagram_endpoint returned");
            }
            OpeningAction::ConnectAcceptedSocket { name, socket, protocol } => {
                session.cast(name, &connect_accepted(session, socket, protocol).await?);
                by.say("connect_accepted_socket returned");
            }
            OpeningAction::ConnectPipe { name, pipe, is_writer, protocol } => {
                session.cast(name, &connect_pipe(session, pipe, *is_writer, protocol).await?);
                by.say(if *is_writer { "connect_write_pipe returned" } else { "connect_read_pipe returned" });
            }
            OpeningAction::Subprocess { name, options } => {
                session.cast(name, &options.start(session).await?);
                by.say("subprocess returned");
            }
            OpeningAction::StartTls(options) => options.perform(by).await?,
        }
        Ok(())
    }
}
