//! Actions on the transport of the protocol that acts.

use foster_compat::{Cipher, ExtraInfo, PeerCertificate, Result, SslContext, SslObject, SubprocessTransportRef};

use crate::any_transport::AnyTransport;
use crate::performer::Performer;
use crate::process_action::process_of;
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
    ReturnCode,
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
                "returncode" => Fact::ReturnCode,
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
        let transport = by.transport();
        match self {
            TransportAction::Close => transport.close(),
            TransportAction::Abort => by.there(transport.abort()),
            TransportAction::PauseReading => by.there(transport.pause_reading()),
            TransportAction::ResumeReading => by.there(transport.resume_reading()),
            TransportAction::SetLimits { high, low } => by.there(transport.set_write_buffer_limits(*high, *low))?,
            TransportAction::SetProtocol => match by.actor() {
                Some(actor) => actor.hand_over(),
                None => by.session().refuse("a program has no transport"),
            },
            TransportAction::Log(fact) => by.say(&fact.shown(by, &transport)),
            TransportAction::Extra(key) => {
                by.say(&format!("extra {key}: {}", class(&transport, key)));
            }
            TransportAction::SocketOption(option) => by.say(&option.shown(&transport)?),
        }
        Ok(())
    }
}

impl Fact {
    fn shown(self, by: &Performer, transport: &AnyTransport) -> String {
        match self {
            Fact::IsClosing => format!("is_closing={}", python_bool(transport.is_closing())),
            Fact::IsReading => format!("is_reading={}", python_bool(by.there(transport.is_reading()))),
            Fact::BufferSize => format!("buffer_size={}", by.there(transport.get_write_buffer_size())),
            Fact::Buffered => format!("buffered={}", python_bool(by.there(transport.get_write_buffer_size()) > 0)),
            Fact::Limits => {
                let (low, high) = by.there(transport.get_write_buffer_limits());
                format!("limits=({low}, {high})")
            }
            Fact::CanWriteEof => format!("can_write_eof={}", python_bool(by.stream().can_write_eof())),
            Fact::SameProtocol => {
                let is_same = by.actor().is_some_and(|actor| actor.is_protocol_of(&by.stream()));
                format!("same_protocol={}", python_bool(is_same))
            }
            Fact::ReturnCode => format!("returncode={}", python_int(process_of(by).get_returncode())),
        }
    }
}

impl SocketOption {
    fn shown(self, transport: &AnyTransport) -> Result<String> {
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

/// As Python prints a number that may be missing.
pub(crate) fn python_int(value: Option<i32>) -> String {
    value.map_or_else(|| "None".to_owned(), |value| value.to_string())
}

/// The class that asyncio's value would have.
fn class(transport: &AnyTransport, key: &str) -> &'static str {
    match transport.get_extra_info(key) {
        // asyncio has the key without a value where the library has nothing.
        None if matches!(transport, AnyTransport::Datagram(_)) && key == "peername" => "None",
        None => "<default>",
        Some(ExtraInfo::Address(address)) if address.port().is_some() => "tuple",
        Some(ExtraInfo::Address(_)) => "str",
        Some(ExtraInfo::Socket(_)) => "socket",
        Some(ExtraInfo::Pipe(_)) => "file",
        Some(value) => class_of_other(&value),
    }
}

fn class_of_other(value: &ExtraInfo) -> &'static str {
    if value.clone().downcast::<SslObject>().is_some() {
        "ssl_object"
    } else if value.clone().downcast::<SslContext>().is_some() {
        "sslcontext"
    } else if value.clone().downcast::<Cipher>().is_some() {
        "tuple"
    } else if value.clone().downcast::<PeerCertificate>().is_some() {
        "dict"
    } else if value.clone().downcast::<SubprocessTransportRef>().is_some() {
        "process"
    } else {
        "object"
    }
}
