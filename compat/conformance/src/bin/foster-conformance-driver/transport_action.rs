//! Actions on the transport of the protocol that acts.

use foster_compat::{Cipher, ExtraInfo, PeerCertificate, Result, SslContext, SslObject, TransportRef};

use crate::performer::Performer;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum TransportAction {
    Close,
    Abort,
    PauseReading,
    ResumeReading,
    SetLimits { high: Option<usize>, low: Option<usize> },
    SetProtocol,
    Log(Fact),
    Extra(String),
    SocketOption(SocketOption),
}

/// What `log` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    IsClosing,
    IsReading,
    BufferSize,
    Buffered,
    Limits,
    CanWriteEof,
    SameProtocol,
}

/// What `sockopt` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SocketOption {
    NoDelay,
    KeepAlive,
    ReuseAddress,
    ReusePort,
}

impl TransportAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "close" => TransportAction::Close,
            "abort" => TransportAction::Abort,
            "pause" => TransportAction::PauseReading,
            "resume" => TransportAction::ResumeReading,
            "limits" => TransportAction::SetLimits { high: words.optional_number(0), low: words.optional_number(1) },
            "set_protocol" => TransportAction::SetProtocol,
            "log" => TransportAction::Log(match words.text(0)?.as_str() {
                "is_closing" => Fact::IsClosing,
                "is_reading" => Fact::IsReading,
                "buffer_size" => Fact::BufferSize,
                "buffered" => Fact::Buffered,
                "limits" => Fact::Limits,
                "can_write_eof" => Fact::CanWriteEof,
                "same_protocol" => Fact::SameProtocol,
                _ => return Err(words.wrong(0, "a fact about a transport")),
            }),
            "extra" => TransportAction::Extra(words.text(0)?),
            "sockopt" => TransportAction::SocketOption(match words.text(0)?.as_str() {
                "nodelay" => SocketOption::NoDelay,
                "keepalive" => SocketOption::KeepAlive,
                "reuseaddr" => SocketOption::ReuseAddress,
                "reuseport" => SocketOption::ReusePort,
                _ => return Err(words.wrong(0, "a socket option")),
            }),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let transport = by.stream();
        match self {
            TransportAction::Close => transport.close(),
            TransportAction::Abort => transport.abort(),
            TransportAction::PauseReading => transport.pause_reading(),
            TransportAction::ResumeReading => transport.resume_reading(),
            TransportAction::SetLimits { high, low } => transport.set_write_buffer_limits(*high, *low)?,
            TransportAction::SetProtocol => match by.actor() {
                Some(actor) => actor.hand_over(),
                None => by.session().refuse("a program has no transport"),
            },
            TransportAction::Log(fact) => by.say(&fact.shown(by, &transport)),
            TransportAction::Extra(key) => {
                by.say(&format!("extra {key}: {}", class(transport.get_extra_info(key).as_ref())));
            }
            TransportAction::SocketOption(option) => by.say(&option.shown(&transport)?),
        }
        Ok(())
    }
}

impl Fact {
    fn shown(self, by: &Performer, transport: &TransportRef) -> String {
        match self {
            Fact::IsClosing => format!("is_closing={}", python_bool(transport.is_closing())),
            Fact::IsReading => format!("is_reading={}", python_bool(transport.is_reading())),
            Fact::BufferSize => format!("buffer_size={}", transport.get_write_buffer_size()),
            Fact::Buffered => format!("buffered={}", python_bool(transport.get_write_buffer_size() > 0)),
            Fact::Limits => {
                let (low, high) = transport.get_write_buffer_limits();
                format!("limits=({low}, {high})")
            }
            Fact::CanWriteEof => format!("can_write_eof={}", python_bool(transport.can_write_eof())),
            Fact::SameProtocol => {
                let is_same = by.actor().is_some_and(|actor| actor.is_protocol_of(transport));
                format!("same_protocol={}", python_bool(is_same))
            }
        }
    }
}

impl SocketOption {
    fn shown(self, transport: &TransportRef) -> Result<String> {
        let socket = transport.socket().ok_or_else(|| std::io::Error::other("the transport has no socket"))?;
        Ok(match self {
            SocketOption::NoDelay => format!("sockopt nodelay={}", u8::from(socket.nodelay()?)),
            SocketOption::KeepAlive => format!("sockopt keepalive={}", u8::from(socket.keepalive()?)),
            SocketOption::ReuseAddress => format!("sockopt reuseaddr={}", u8::from(socket.reuse_address()?)),
            SocketOption::ReusePort => format!("sockopt reuseport={}", u8::from(socket.reuse_port()?)),
        })
    }
}

/// As Python prints it.
pub(crate) fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// The class that asyncio's value would have.
fn class(value: Option<&ExtraInfo>) -> &'static str {
    match value {
        None => "<default>",
        Some(ExtraInfo::Address(address)) if address.port().is_some() => "tuple",
        Some(ExtraInfo::Address(_)) => "str",
        Some(ExtraInfo::Socket(_)) => "socket",
        Some(value) => class_of_other(value.clone()),
    }
}

fn class_of_other(value: ExtraInfo) -> &'static str {
    if value.clone().downcast::<SslObject>().is_some() {
        "ssl_object"
    } else if value.clone().downcast::<SslContext>().is_some() {
        "sslcontext"
    } else if value.clone().downcast::<Cipher>().is_some() {
        "tuple"
    } else if value.downcast::<PeerCertificate>().is_some() {
        "dict"
    } else {
        "object"
    }
}
