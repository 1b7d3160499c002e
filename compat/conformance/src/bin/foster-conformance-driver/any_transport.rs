//! The transport of a protocol, whatever its kind.

use foster_compat::{DatagramTransportRef, ExtraInfo, Result, SubprocessTransportRef, TransportRef, TransportSocket};

/// A transport; a cheap clone. The default is a detached one.
#[derive(Clone, Debug)]
pub(crate) enum AnyTransport {
    Stream(TransportRef),
    Datagram(DatagramTransportRef),
    Process(SubprocessTransportRef),
}

/// Calls a method that all kinds have.
macro_rules! each {
    ($transport:expr, $inner:ident => $call:expr) => {
        match $transport {
            AnyTransport::Stream($inner) => $call,
            AnyTransport::Datagram($inner) => $call,
            AnyTransport::Process($inner) => $call,
        }
    };
}

/// Calls a method that transports with a socket have; none for a subprocess.
macro_rules! with_socket {
    ($transport:expr, $inner:ident => $call:expr) => {
        match $transport {
            AnyTransport::Stream($inner) => Some($call),
            AnyTransport::Datagram($inner) => Some($call),
            AnyTransport::Process(_) => None,
        }
    };
}

impl AnyTransport {
    pub(crate) fn close(&self) {
        each!(self, transport => transport.close());
    }

    pub(crate) fn abort(&self) -> Option<()> {
        with_socket!(self, transport => transport.abort())
    }

    pub(crate) fn pause_reading(&self) -> Option<()> {
        with_socket!(self, transport => transport.pause_reading())
    }

    pub(crate) fn resume_reading(&self) -> Option<()> {
        with_socket!(self, transport => transport.resume_reading())
    }

    pub(crate) fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Option<Result<()>> {
        with_socket!(self, transport => transport.set_write_buffer_limits(high, low))
    }

    pub(crate) fn is_closing(&self) -> bool {
        each!(self, transport => transport.is_closing())
    }

    pub(crate) fn is_reading(&self) -> Option<bool> {
        with_socket!(self, transport => transport.is_reading())
    }

    pub(crate) fn get_write_buffer_size(&self) -> Option<usize> {
        with_socket!(self, transport => transport.get_write_buffer_size())
    }

    pub(crate) fn get_write_buffer_limits(&self) -> Option<(usize, usize)> {
        with_socket!(self, transport => transport.get_write_buffer_limits())
    }

    pub(crate) fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        each!(self, transport => transport.get_extra_info(name))
    }

    pub(crate) fn socket(&self) -> Option<TransportSocket> {
        with_socket!(self, transport => transport.socket()).flatten()
    }
}

impl Default for AnyTransport {
    fn default() -> Self {
        AnyTransport::Stream(TransportRef::default())
    }
}

impl From<TransportRef> for AnyTransport {
    fn from(transport: TransportRef) -> Self {
        AnyTransport::Stream(transport)
    }
}

impl From<DatagramTransportRef> for AnyTransport {
    fn from(transport: DatagramTransportRef) -> Self {
        AnyTransport::Datagram(transport)
    }
}

impl From<SubprocessTransportRef> for AnyTransport {
    fn from(transport: SubprocessTransportRef) -> Self {
        AnyTransport::Process(transport)
    }
}
