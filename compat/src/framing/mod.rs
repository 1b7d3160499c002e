//! Readers that cut a stream into lines, strings or frames: Twisted's `twisted.protocols.basic`, and any codec of
//! tokio-util.
//!
//! A class of Twisted is a trait here. What a subclass overrides are its methods, and its class attributes are
//! constants; what a subclass inherits it reaches through the `base` that every callback gets: the transport, never an
//! `Option`, and verbs such as `send_line`. The protocol that drives a receiver has the name of the trait with
//! `Protocol` at its end, and goes wherever a [`Protocol`](crate::Protocol) goes: [`run_server`](crate::run_server),
//! [`create_server`](crate::create_server), [`set_protocol`](crate::TransportRef::set_protocol).
//!
//! | Twisted | a program implements | a factory returns | callbacks get |
//! | --- | --- | --- | --- |
//! | `LineReceiver` | [`LineReceiver`] | [`LineProtocol`] | [`LineBase`] |
//! | `LineOnlyReceiver` | [`LineOnlyReceiver`] | [`LineOnlyProtocol`] | [`LineOnlyBase`] |
//! | `IntNStringReceiver` | [`IntNStringReceiver`] | [`IntNStringProtocol`] | [`StringBase`] |
//! | `Int8StringReceiver` | [`Int8StringReceiver`] | [`Int8StringProtocol`] | [`StringBase`] |
//! | `Int16StringReceiver` | [`Int16StringReceiver`] | [`Int16StringProtocol`] | [`StringBase`] |
//! | `Int32StringReceiver` | [`Int32StringReceiver`] | [`Int32StringProtocol`] | [`StringBase`] |
//! | `NetstringReceiver` | [`NetstringReceiver`] | [`NetstringProtocol`] | [`NetstringBase`] |
//! | | `FrameReceiver`, with the feature `codec` | `FrameProtocol` | `FrameBase` |
//!
//! What all of them have in common:
//!
//! - How the peer cuts its bytes says nothing, and the time that a stream takes grows with its length alone.
//! - An error of a callback is what one of `data_received` is: fatal for the connection.
//! - `close` and `abort` inside a callback drop what has come and was not handed over. `pause_reading` keeps it: nothing
//!   more is handed over before `resume_reading`, wherever that is called.
//! - A peer that sends and never reads the answers is read no further, nor is it handed over what has come already,
//!   unless `pause_writing` is overridden.
//! - What is kept is bounded by `MAX_LENGTH` and one read (256 KiB). A receiver that waits for bytes keeps the part of a
//!   frame that has come, and nothing else.
//!
//! # Examples
//!
//! ```no_run
//! use foster_compat::framing::{LineBase, LineProtocol, LineReceiver};
//! use foster_compat::{Result, run, run_server};
//!
//! #[derive(Default)]
//! struct Answer;
//!
//! impl LineReceiver for Answer {
//!     fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
//!         if line == b"QUIT" {
//!             base.transport.close();
//!             return Ok(());
//!         }
//!         base.send_line(line)
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     run(run_server(LineProtocol::<Answer>::default, "127.0.0.1", 8888))
//! }
//! ```

mod base;
mod callbacks;
mod receives;

mod receiver_protocol;

mod delimited;
mod line_only_receiver;
mod line_receiver;

mod int_n_string_receiver;
mod int_string_receivers;
mod struct_format;

mod netstring_receiver;

#[cfg(feature = "codec")]
mod frame_receiver;

pub use base::Base;
#[cfg(feature = "codec")]
pub use frame_receiver::{BufferLimitError, Codec, FrameBase, FrameProtocol, FrameReceiver, Frames};
pub use int_n_string_receiver::{
    IntNString, IntNStringProtocol, IntNStringReceiver, Prefixed, StringBase, StringTooLongError,
};
pub use int_string_receivers::{
    Int8String, Int8StringProtocol, Int8StringReceiver, Int16String, Int16StringProtocol, Int16StringReceiver,
    Int32String, Int32StringProtocol, Int32StringReceiver,
};
pub use line_only_receiver::{LineOnly, LineOnlyBase, LineOnlyProtocol, LineOnlyReceiver};
pub use line_receiver::{Line, LineBase, LineProtocol, LineReceiver};
pub use netstring_receiver::{Netstring, NetstringBase, NetstringProtocol, NetstringReceiver};
pub use receiver_protocol::ReceiverProtocol;
pub use struct_format::StructFormat;
