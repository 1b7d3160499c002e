//! The callbacks that every receiver has beside those of its framing.

/// Declares them in a public trait.
macro_rules! connection_callbacks {
    ($base:ty) => {
        /// The connection is there, and `base.transport` is its transport: Twisted's `connectionMade`.
        fn connection_made(&mut self, base: &$base) -> Result<()> {
            let _ = base;
            Ok(())
        }

        /// The peer will send no more, and every whole frame was handed over. As
        /// [`Protocol::eof_received`](crate::Protocol::eof_received): `false` closes the transport.
        ///
        /// The part of a frame that has come is dropped when the connection is lost;
        /// [`clear_buffer`](crate::framing::Base::clear_buffer) gives it.
        fn eof_received(&mut self, base: &$base) -> Result<bool> {
            let _ = base;
            Ok(false)
        }

        /// As [`Protocol::pause_writing`](crate::Protocol::pause_writing). Unless overridden the peer is read no
        /// further: it is [`base.hold()`](crate::framing::Base::hold). Not in Twisted, where a producer has to be
        /// registered for it.
        fn pause_writing(&mut self, base: &$base) -> Result<()> {
            base.hold();
            Ok(())
        }

        /// As [`Protocol::resume_writing`](crate::Protocol::resume_writing). Unless overridden it is
        /// [`base.release()`](crate::framing::Base::release).
        fn resume_writing(&mut self, base: &$base) -> Result<()> {
            base.release();
            Ok(())
        }

        /// The connection has ended: Twisted's `connectionLost`, with the argument of
        /// [`Protocol::connection_lost`](crate::Protocol::connection_lost).
        fn connection_lost(&mut self, base: &$base, exc: Option<Error>) -> Result<()> {
            let _ = (base, exc);
            Ok(())
        }
    };
}

/// Hands the calls of [`Receives`](super::receives::Receives) on to a public trait.
macro_rules! forward_connection_callbacks {
    ($receiver:ident, $base:ty) => {
        fn connection_made(&mut self, base: &$base) -> Result<()> {
            $receiver::connection_made(self, base)
        }

        fn eof_received(&mut self, base: &$base) -> Result<bool> {
            $receiver::eof_received(self, base)
        }

        fn pause_writing(&mut self, base: &$base) -> Result<()> {
            $receiver::pause_writing(self, base)
        }

        fn resume_writing(&mut self, base: &$base) -> Result<()> {
            $receiver::resume_writing(self, base)
        }

        fn connection_lost(&mut self, base: &$base, exc: Option<Error>) -> Result<()> {
            $receiver::connection_lost(self, base, exc)
        }
    };
}

pub(super) use {connection_callbacks, forward_connection_callbacks};
