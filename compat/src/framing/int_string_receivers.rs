//! [`Int8StringReceiver`], [`Int16StringReceiver`] and [`Int32StringReceiver`]: strings behind a length in network byte
//! order.

use super::callbacks::{connection_callbacks, forward_connection_callbacks};
use super::int_n_string_receiver::{MAX_LENGTH, Prefixed, StringBase, step};
use super::receiver_protocol::ReceiverProtocol;
use super::receives::{Receives, Step};
use super::struct_format::StructFormat;
use crate::error::{Error, Result};

macro_rules! int_string_receiver {
    ($receiver:ident, $protocol:ident, $framing:ident, $format:literal, $prefix:literal, $example:literal) => {
        #[doc = concat!("Receives strings behind ", $prefix, ": Twisted's `", stringify!($receiver), "`.")]
        ///
        #[doc = concat!("An [`IntNStringReceiver`](super::IntNStringReceiver) whose format is `", $format, "`.")]
        #[doc = concat!("Drive it with an [`", stringify!($protocol), "`].")]
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use foster_compat::framing::{", stringify!($protocol), ", ", stringify!($receiver), ", StringBase};")]
        /// use foster_compat::{Protocol, Result};
        ///
        /// #[derive(Default)]
        /// struct Strings(Vec<String>);
        ///
        #[doc = concat!("impl ", stringify!($receiver), " for Strings {")]
        ///     fn string_received(&mut self, _base: &StringBase, string: &[u8]) -> Result<()> {
        ///         self.0.push(String::from_utf8(string.to_vec())?);
        ///         Ok(())
        ///     }
        /// }
        ///
        #[doc = concat!("let mut protocol = ", stringify!($protocol), "::<Strings>::default();")]
        #[doc = concat!("protocol.data_received(b\"", $example, "hello\")?;")]
        /// assert_eq!(protocol.with(|strings| strings.0.clone()), ["hello"]);
        /// # foster_compat::Ok(())
        /// ```
        #[diagnostic::on_unimplemented(
            message = "`{Self}` receives no strings",
            label = "this protocol drives receivers of strings",
            note = "implement the receiver that has the name of the protocol: `string_received` is all that has to be \
                    there"
        )]
        pub trait $receiver: 'static {
            /// The longest string that is taken, without its prefix: Twisted's `MAX_LENGTH`.
            const MAX_LENGTH: usize = MAX_LENGTH;

            /// As [`IntNStringReceiver::string_received`](super::IntNStringReceiver::string_received).
            fn string_received(&mut self, base: &StringBase, string: &[u8]) -> Result<()>;

            /// As [`IntNStringReceiver::length_limit_exceeded`](super::IntNStringReceiver::length_limit_exceeded).
            fn length_limit_exceeded(&mut self, base: &StringBase, length: u64) -> Result<()> {
                let _ = length;
                base.transport.close();
                Ok(())
            }

            connection_callbacks!(StringBase);
        }

        #[doc = concat!("The protocol that drives an [`", stringify!($receiver), "`].")]
        pub type $protocol<R> = ReceiverProtocol<$framing, R>;

        #[doc = concat!("The framing of an [`", stringify!($receiver), "`].")]
        #[derive(Clone, Copy, Debug)]
        pub enum $framing {}

        impl<R: $receiver> Receives<$framing> for R {
            type State = Prefixed;

            fn state(&self) -> Prefixed {
                Prefixed::new(StructFormat::new($format), R::MAX_LENGTH)
            }

            fn step(&mut self, base: &StringBase) -> Result<Step> {
                step(base, self, R::string_received, R::length_limit_exceeded)
            }

            forward_connection_callbacks!($receiver, StringBase);
        }
    };
}

int_string_receiver!(Int8StringReceiver, Int8StringProtocol, Int8String, "!B", "a length of one byte", "\\x05");
int_string_receiver!(Int16StringReceiver, Int16StringProtocol, Int16String, "!H", "a length of two bytes", "\\0\\x05");
int_string_receiver!(
    Int32StringReceiver,
    Int32StringProtocol,
    Int32String,
    "!I",
    "a length of four bytes",
    "\\0\\0\\0\\x05"
);
