//! hyper's verdict.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

use crate::inputs::{text, verdict as tell};

pub(crate) async fn verdict(input: &[u8]) -> String {
    let sent = Rc::new(RefCell::new(Vec::new()));
    let requests = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let requests = requests.clone();
        async move {
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            let mut incoming = request.into_body();
            let mut body = Vec::new();
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
                body.extend_from_slice(&frame?.into_data().unwrap_or_default());
            }
            requests.borrow_mut().push((method, target, body));
            Ok::<_, hyper::Error>(Response::new("ok".to_owned()))
        }
    });
    let wire = Wire { input: input.to_vec(), n_read: 0, sent: sent.clone() };
    let served = http1::Builder::new().half_close(true).serve_connection(wire, service).await;
    let sent = text(&sent.borrow());
    let mut statuses = sent.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]);
    let refusal = statuses.find(|status| !matches!(*status, "100" | "200"));
    let refusal = refusal.or(served.is_err().then_some("closed"));
    let requests = requests.borrow();
    tell(&requests, refusal)
}

/// A connection whose client has sent everything, and has ended its stream.
struct Wire {
    input: Vec<u8>,
    n_read: usize,
    sent: Rc<RefCell<Vec<u8>>>,
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let rest = &self.input[self.n_read..];
        let n = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..n]);
        self.n_read += n;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.sent.borrow_mut().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
