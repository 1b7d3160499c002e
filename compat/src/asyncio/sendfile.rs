//! `sendfile`: a file over a transport.

use std::fs::File;
use std::future::{Future, IntoFuture, poll_fn};
use std::io::{self, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;

use super::event_loop::Loop;
use super::exceptions::{RuntimeError, SendfileNotAvailableError, connection_lost};
use super::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::{checkpoint, primitive};

/// The most that the system sends in one turn: what one read of a transport takes.
const MAX_STEP: usize = 256 * 1024;

/// The most that the fallback reads and writes at a time: the default high-water mark. asyncio's is 16 KiB, for which
/// going to the thread and back costs more than the read.
const FALLBACK_STEP: usize = 64 * 1024;

impl Loop {
    /// Sends a file over a transport: `loop.sendfile`. Await the builder, whose methods are asyncio's keyword arguments;
    /// it gives the number of bytes sent.
    ///
    /// On Linux the system sends the file over plain TCP and Unix sockets, at most 256 KiB in a turn, when the socket
    /// has room; a disk that has to be asked first keeps the loop waiting, as in asyncio. The system copies nothing, so a
    /// file that is changed before the peer has it arrives changed. For other transports and
    /// systems, TLS among them, and where the system refuses the file, parts of it are read on a thread and written,
    /// unless [`fallback`](SendFile::fallback) is off.
    ///
    /// What was written before is sent first. Meanwhile reading is paused, and writes and `write_eof` are refused with
    /// a [`RuntimeError`]. It returns when the system has the last byte or, after a fallback, the transport. Then, and
    /// also on an error or a cancellation, the position of the file is behind what was sent.
    ///
    /// Differs from asyncio: a count of 0 sends nothing; in a fallback the protocol is not replaced, so it hears its own
    /// `pause_writing` and `resume_writing`; an error of the connection also ends the connection.
    ///
    /// # Cancel safety
    ///
    /// What was sent is sent: the transport stays open, reads and takes writes again, and the peer has a part of the
    /// file. Close it unless the peer can tell.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`], `Transport is closing`, or after `write_eof`, or if a file is being sent already; a
    /// [`SendfileNotAvailableError`] for what is no regular file, and without fallback where the system does not send
    /// it; an error of the file; the error of the connection, or `Connection lost`, if that ends meanwhile.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use foster_compat::{Loop, Result, TransportRef};
    ///
    /// async fn answer(loop_: &Loop, transport: &TransportRef) -> Result<()> {
    ///     let file = std::fs::File::open("index.html")?;
    ///     transport.write(b"HTTP/1.0 200 OK\r\n\r\n")?;
    ///     loop_.sendfile(transport, &file).await?;
    ///     transport.close();
    ///     Ok(())
    /// }
    /// ```
    pub fn sendfile<'a>(&'a self, transport: &'a TransportRef, file: &'a File) -> SendFile<'a> {
        SendFile { loop_: self, transport, file, offset: 0, count: None, has_fallback: true }
    }
}

/// What [`Loop::sendfile`] will send; await it.
#[must_use = "nothing is sent until it is awaited"]
#[derive(Debug)]
pub struct SendFile<'a> {
    loop_: &'a Loop,
    transport: &'a TransportRef,
    file: &'a File,
    offset: u64,
    count: Option<u64>,
    has_fallback: bool,
}

impl SendFile<'_> {
    /// Where in the file to begin: at 0 unless set, wherever its position is.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// At most how many bytes to send: to the end of the file unless set.
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Whether the file is read and written where the system does not send it, which is so unless set.
    pub fn fallback(mut self, is_on: bool) -> Self {
        self.has_fallback = is_on;
        self
    }

    async fn send(self) -> Result<u64> {
        let transport = self.transport;
        if transport.is_closing() {
            return Err(RuntimeError::new("Transport is closing").into());
        }
        if !self.file.metadata()?.is_file() {
            return Err(SendfileNotAvailableError::new("not a regular file").into());
        }
        let mut sending = Sending::begin(&self)?;
        match self.send_natively(&mut sending).await {
            // Nothing was sent: the system does not send this file over this transport.
            Err(err) if sending.n_sent == 0 && !transport.is_closing() => {
                if !self.has_fallback {
                    return Err(unavailable(err));
                }
                self.send_by_hand(&mut sending).await?;
            }
            outcome => outcome?,
        }
        Ok(sending.n_sent)
    }

    async fn send_natively(&self, sending: &mut Sending<'_>) -> Result<()> {
        while let Some((offset, count)) = sending.next_part(self.count, MAX_STEP) {
            let step = poll_fn(|cx| self.transport.poll_sendfile(cx, self.file, offset, count));
            match primitive("a file to be sent", step).await? {
                0 => break,
                n => sending.n_sent += n as u64,
            }
            checkpoint().await;
        }
        Ok(())
    }

    async fn send_by_hand(&self, sending: &mut Sending<'_>) -> Result<()> {
        let file = Arc::new(self.file.try_clone()?);
        let mut buffer = Vec::new();
        while let Some((offset, count)) = sending.next_part(self.count, FALLBACK_STEP) {
            let file = file.clone();
            buffer.resize(count, 0);
            let read = move || {
                let n = read_at(&file, &mut buffer, offset);
                (buffer, n)
            };
            let (filled, n) = self.loop_.run_in_executor(read).await;
            buffer = filled;
            let n = n?;
            if n == 0 {
                break;
            }
            self.transport.drained().await?;
            sending.write(&buffer[..n])?;
            // The thread may be faster than the loop, and the transport may take everything.
            checkpoint().await;
        }
        Ok(())
    }
}

impl<'a> IntoFuture for SendFile<'a> {
    type Output = Result<u64>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<u64>> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Keeps the transport to itself until it is dropped, which also moves the position of the file.
struct Sending<'a> {
    transport: &'a TransportRef,
    file: &'a File,
    offset: u64,
    n_sent: u64,
    was_reading: bool,
}

impl<'a> Sending<'a> {
    fn begin(what: &SendFile<'a>) -> Result<Self> {
        let transport = what.transport;
        transport.set_sending_file(true)?;
        let was_reading = transport.is_reading();
        transport.pause_reading();
        Ok(Sending { transport, file: what.file, offset: what.offset, n_sent: 0, was_reading })
    }

    /// The offset and size of the next part; `None` once as much as was asked for is sent.
    fn next_part(&self, count: Option<u64>, most: usize) -> Option<(u64, usize)> {
        let left = count.map_or(u64::MAX, |count| count.saturating_sub(self.n_sent));
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        (size > 0).then(|| (self.offset.saturating_add(self.n_sent), size))
    }

    /// Writes a part; everybody else is refused again when this returns.
    fn write(&mut self, data: &[u8]) -> Result<()> {
        if self.transport.is_closing() {
            return Err(connection_lost());
        }
        self.transport.set_sending_file(false)?;
        let written = self.transport.write(data);
        if written.is_ok() {
            self.n_sent += data.len() as u64;
        }
        self.transport.set_sending_file(true)?;
        written
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        // Ending is never refused.
        let _ = self.transport.set_sending_file(false);
        if self.was_reading {
            self.transport.resume_reading();
        }
        if self.n_sent > 0 {
            let mut file = self.file;
            // A regular file has every position; the bytes are sent all the same.
            let _ = file.seek(SeekFrom::Start(self.offset.saturating_add(self.n_sent)));
        }
    }
}

/// What a refusal is called where nothing else is tried.
fn unavailable(err: Error) -> Error {
    if err.is::<SendfileNotAvailableError>() {
        return err;
    }
    SendfileNotAvailableError::new(format!("os.sendfile call failed: {err}")).into()
}

/// Reads once, wherever the position of the file is.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let outcome = std::os::unix::fs::FileExt::read_at(file, buffer, offset);
        #[cfg(windows)]
        let outcome = std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
        match outcome {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
