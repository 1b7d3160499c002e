//! The task that sends the body of a request.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::http::ResponseBody;
use crate::{Event, Result, TransportRef, checkpoint, move_on_after};

use super::connection::Connection;
use super::error::ClientError;

/// How long `100 Continue` is waited for before the body is sent all the same: curl's and Go's default.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is written in one go before it is asked whether the server takes it: the high-water mark of transports.
const MAX_WRITE: usize = 64 * 1024;

/// What may be written without giving way to other tasks, and to a response that has come.
const MAX_BURST: usize = 64 * 1024;

/// Sends `head`, and the body behind it as fast as the server takes it.
pub(super) async fn send_body(
    connection: Rc<Connection>,
    body: ResponseBody,
    head: Vec<u8>,
    go_ahead: Event,
) -> Result<()> {
    let mut sending = Sending { transport: connection.transport(), connection: &connection, out: head, n_burst: 0 };
    match sending.run(body, go_ahead).await {
        Ok(()) => Ok(()),
        Err(err) => connection.sending_failed(err),
    }
}

struct Sending<'a> {
    connection: &'a Connection,
    transport: TransportRef,
    /// What waits to be written with the next piece.
    out: Vec<u8>,
    n_burst: usize,
}

impl Sending<'_> {
    async fn run(&mut self, mut body: ResponseBody, go_ahead: Event) -> Result<(), ClientError> {
        let expects_continue = self.connection.machine.borrow().expects_continue();
        if expects_continue {
            self.write(&[], b"")?;
            move_on_after(CONTINUE_TIMEOUT, go_ahead.wait()).await;
        }
        while self.connection.machine.borrow().is_sending() {
            match self.next(&mut body).await? {
                Some(chunk) => self.send(&chunk).await?,
                None => {
                    let trailers = body.take_trailers();
                    let ended = self.connection.machine.borrow_mut().send_end(&trailers, &mut self.out);
                    ended.map_err(ClientError::Request)?;
                    self.write(&[], b"")?;
                }
            }
        }
        self.connection.settle();
        Ok(())
    }

    /// The next piece of the body. The head goes with the first, unless that lets wait.
    async fn next(&mut self, body: &mut ResponseBody) -> Result<Option<Bytes>, ClientError> {
        poll_fn(|cx| match body.poll_chunk(cx) {
            Poll::Ready(chunk) => Poll::Ready(chunk.transpose().map_err(ClientError::Body)),
            Poll::Pending => match self.write(&[], b"") {
                Ok(()) => Poll::Pending,
                Err(err) => Poll::Ready(Err(err)),
            },
        })
        .await
    }

    async fn send(&mut self, chunk: &[u8]) -> Result<(), ClientError> {
        for piece in chunk.chunks(MAX_WRITE) {
            if self.n_burst >= MAX_BURST {
                self.n_burst = 0;
                // A response that refuses the request may have a reset behind it, which this would run into before the
                // response is read. What the system tells in the turn that the first begins is dealt with behind this
                // step, so before the second ends.
                checkpoint().await;
                checkpoint().await;
            }
            if self.transport.drained().await.is_err() {
                return Err(ClientError::closed());
            }
            let framed = self.connection.machine.borrow_mut().frame_data(piece.len(), &mut self.out);
            let Some(behind) = framed.map_err(ClientError::Request)? else { return Ok(()) };
            self.write(piece, behind)?;
        }
        Ok(())
    }

    /// Writes what waits, and a piece with what stands behind it.
    fn write(&mut self, piece: &[u8], behind: &[u8]) -> Result<(), ClientError> {
        if self.out.is_empty() && piece.is_empty() {
            return Ok(());
        }
        self.n_burst += piece.len();
        let written = self.transport.writelines(&[&self.out, piece, behind]);
        self.out.clear();
        written.map_err(|err| ClientError::Closed { source: Some(err) })
    }
}
