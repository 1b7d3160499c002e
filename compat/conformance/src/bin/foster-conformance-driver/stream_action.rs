//! Actions on streams: a reader and a writer.

use std::rc::Rc;

use foster_compat::{CancelledError, Result, Server, StreamReader, StreamWriter, open_connection, start_server};
use foster_conformance::show;
use serde_json::Value;

use crate::action::{Actions, parse_actions};
use crate::options::Options;
use crate::params::PeerAddress;
use crate::performer::Performer;
use crate::session::Session;
use crate::thing::Thing;
use crate::transport_action::python_bool;
use crate::words::Words;

/// A reader and the writer that belongs to it, as the one who acts.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) reader: StreamReader,
    pub(crate) writer: StreamWriter,
}

/// An action on the reader that never waits.
#[derive(Debug)]
pub(crate) enum ReaderAction {
    AtEof,
}

impl ReaderAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok((words.name == "at_eof").then_some(ReaderAction::AtEof))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        match self {
            ReaderAction::AtEof => by.say(&format!("at_eof={}", python_bool(by.pair().reader.at_eof()))),
        }
        Ok(())
    }
}

/// An action that may wait.
#[derive(Debug)]
pub(crate) enum StreamAction {
    StartServer {
        name: String,
        options: StreamServerOptions,
    },
    OpenConnection {
        name: String,
        limit: Option<usize>,
    },
    /// Up to that many bytes; to the end without a number.
    Read(Option<usize>),
    ReadExactly(usize),
    ReadLine,
    ReadUntil(String),
    Drain,
    WaitClosed,
}

#[derive(Debug)]
pub(crate) struct StreamServerOptions {
    handler: Actions,
    limit: Option<usize>,
    /// The handler is cancelled as soon as it begins.
    is_cancelled: bool,
}

impl StreamAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "start_server" => {
                StreamAction::StartServer { name: words.text(0)?, options: StreamServerOptions::parse(words.value(1))? }
            }
            "open_connection" => StreamAction::OpenConnection {
                name: words.text(0)?,
                limit: Options::parse(words.name, words.value(1), &["limit"])?.number("limit")?,
            },
            // Python's -1.
            "read" => StreamAction::Read(words.optional_number(0)),
            "readexactly" => StreamAction::ReadExactly(words.number(0)?),
            "readline" => StreamAction::ReadLine,
            "readuntil" => StreamAction::ReadUntil(words.text(0)?),
            "drain" => StreamAction::Drain,
            "stream_wait_closed" => StreamAction::WaitClosed,
            _ => return Ok(None),
        }))
    }

    pub(crate) async fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        let say = |what: &str, data: &[u8]| by.say(&format!("{what} {}", show(data)));
        match self {
            StreamAction::StartServer { name, options } => {
                let server = options.start(session).await?;
                session.say_address(&server, name)?;
                session.keep(Some(name), Thing::Server(server));
            }
            StreamAction::OpenConnection { name, limit } => {
                let streams = connect(session, *limit).await?;
                session.keep(Some(name), Thing::Streams(Rc::new(streams)));
                by.say("open_connection returned");
            }
            StreamAction::Read(Some(n_bytes)) => say("read", &by.pair().reader.read(*n_bytes).await?),
            StreamAction::Read(None) => say("read", &by.pair().reader.read_to_end().await?),
            StreamAction::ReadExactly(n_bytes) => {
                say("readexactly", &by.pair().reader.readexactly(*n_bytes).await?);
            }
            StreamAction::ReadLine => say("readline", &by.pair().reader.readline().await?),
            StreamAction::ReadUntil(separator) => {
                say("readuntil", &by.pair().reader.readuntil(separator).await?);
            }
            StreamAction::Drain => {
                by.pair().writer.drain().await?;
                by.say("drain ok");
            }
            StreamAction::WaitClosed => {
                by.pair().writer.wait_closed().await?;
                by.say("stream_wait_closed ok");
            }
        }
        Ok(())
    }
}

impl StreamServerOptions {
    fn parse(options: &Value) -> Result<Self, String> {
        let options = Options::parse("start_server", options, &["handler", "limit", "cancelled"])?;
        Ok(StreamServerOptions {
            handler: parse_actions(options.value("handler").unwrap_or(&Value::Null))?,
            limit: options.number("limit")?,
            is_cancelled: options.flag("cancelled", false)?,
        })
    }

    async fn start(&self, session: &Rc<Session>) -> Result<Server> {
        let (owner, handler, is_cancelled) = (session.clone(), self.handler.clone(), self.is_cancelled);
        let connected = move |reader: StreamReader, writer: StreamWriter| {
            let (session, handler) = (owner.clone(), handler.clone());
            async move {
                if is_cancelled {
                    return Err(CancelledError.into());
                }
                Performer::streams(session, Rc::new(Streams { reader, writer })).run_waiting(&handler).await
            }
        };
        let mut server = start_server(session.lp().nursery(), connected, "127.0.0.1", 0);
        if let Some(limit) = self.limit {
            server = server.limit(limit);
        }
        server.await
    }
}

async fn connect(session: &Rc<Session>, limit: Option<usize>) -> Result<Streams> {
    let Some(PeerAddress::Inet { host, port }) = session.message().params.destination("listen") else {
        session.refuse("the start message does not say where the peer listens");
    };
    let mut connection = open_connection(session.lp().nursery(), host, *port);
    if let Some(limit) = limit {
        connection = connection.limit(limit);
    }
    let (reader, writer) = connection.await?;
    Ok(Streams { reader, writer })
}
