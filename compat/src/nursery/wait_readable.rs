//! [`wait_readable`] and [`wait_writable`]: a task waits for a descriptor.

use std::future::poll_fn;
use std::os::fd::AsFd;

use super::descriptor::{Descriptor, Direction};
use super::sleep::primitive;
use crate::error::Result;

/// Waits until a read from `fd` would not block: `trio.lowlevel.wait_readable`. The end of the stream, an error and a
/// hang-up count. Gives way for at least one turn.
///
/// It waits on a duplicate, so `fd` may be anybody's: a socket of the standard library, of tokio, a pipe. Differs from
/// trio: several tasks may wait for one descriptor; each must be ready to find that another was faster. Closing the
/// descriptor does not end the wait, there is no `notify_closing`: cancel it.
///
/// # Cancel safety
///
/// Nothing is read, so nothing is lost.
///
/// # Errors
///
/// One of kind `PermissionDenied` for a regular file, which is always ready; the process is out of descriptors.
///
/// # Panics
///
/// Outside a loop.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use foster_compat::{run, wait_readable};
///
/// run(async {
///     let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
///     ours.set_nonblocking(true)?;
///     theirs.write_all(b"hello")?;
///     wait_readable(&ours).await?;
///     let mut data = [0; 5];
///     ours.read_exact(&mut data)?;
///     assert_eq!(&data, b"hello");
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub async fn wait_readable(fd: impl AsFd) -> Result<()> {
    let descriptor = Descriptor::new(fd.as_fd(), Direction::Read)?;
    primitive("a descriptor to be readable", poll_fn(|cx| descriptor.poll_ready(cx))).await;
    Ok(())
}

/// Waits until a write to `fd` would not block: `trio.lowlevel.wait_writable`. An error and a hang-up count. Otherwise
/// as [`wait_readable`].
///
/// # Cancel safety
///
/// As [`wait_readable`].
///
/// # Errors
///
/// As [`wait_readable`].
///
/// # Panics
///
/// Outside a loop.
pub async fn wait_writable(fd: impl AsFd) -> Result<()> {
    let descriptor = Descriptor::new(fd.as_fd(), Direction::Write)?;
    primitive("a descriptor to be writable", poll_fn(|cx| descriptor.poll_ready(cx))).await;
    Ok(())
}
