//! [`Layer`]: what stands between a transport and the program's protocol, as TLS does.

use std::rc::Rc;

use super::protocol_cell::Call;
use super::transport_ref::TransportRef;
use crate::error::Error;

/// A protocol of the library's own that is a transport for another protocol.
///
/// A transport calls it directly: it counts as no running callback, may be entered again from inside any of its calls,
/// and neither fails nor panics. What it calls of the program goes through `LoopState::call`.
pub(crate) trait Layer {
    fn connection_made(self: Rc<Self>, below: TransportRef);

    fn data_received(self: Rc<Self>, data: &[u8]);

    /// Whether the transport below shall stay open.
    fn eof_received(self: Rc<Self>) -> bool;

    fn pause_writing(&self);

    fn resume_writing(self: Rc<Self>);

    /// The transport below is lost. Also called, instead of `connection_made`, if it was lost before that.
    fn connection_lost(self: Rc<Self>, exc: Option<Error>);

    /// Tells the program's protocol, a turn after `connection_lost` as asyncio does. The transport below leaves its
    /// nursery after that.
    fn deliver_connection_lost(self: Rc<Self>);

    /// Closes in good order.
    fn close(self: Rc<Self>);

    /// Whether the program's protocol behind it, and behind other layers, is borrowed by its callbacks.
    #[cfg_attr(not(any(feature = "tls", feature = "tls-aws-lc")), expect(dead_code, reason = "TLS is the one layer"))]
    fn leads_to_exclusive(&self) -> bool;
}

/// Makes the call; only `Eof` gives anything but `false`.
pub(crate) fn call_layer(layer: &Rc<dyn Layer>, call: Call) -> bool {
    let layer = layer.clone();
    match call {
        Call::Made(below) => layer.connection_made(below),
        Call::Lost(exc) => layer.connection_lost(exc),
        Call::Pause => layer.pause_writing(),
        Call::Resume => layer.resume_writing(),
        Call::Eof => return layer.eof_received(),
    }
    false
}
