//! Pipes: transports of one half, over FIFOs, sockets and character devices.

mod connect_pipe;
mod pipe_io;

pub use connect_pipe::{connect_read_pipe, connect_write_pipe};
pub(super) use pipe_io::{ReadPipe, WritePipe};
