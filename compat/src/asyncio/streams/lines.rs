//! [`Lines`]: a stream line by line.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use super::stream_reader::StreamReader;
use crate::error::Result;

/// The lines of a [`StreamReader`], each with its `\n`: `async for line in reader`.
///
/// Ends with the stream. After a line over the limit, which is a [`ValueError`](crate::ValueError), it goes on with
/// what comes next; after the error that ended the connection it ends.
///
/// # Cancel safety
///
/// A wait for the next line that is dropped has taken nothing.
///
/// # Examples
///
/// ```
/// use foster_compat::{StreamReader, open_nursery, run};
///
/// run(async {
///     open_nursery(async |_nursery| {
///         let reader = StreamReader::new();
///         reader.feed_data(b"one\ntwo")?;
///         reader.feed_eof();
///         let mut lines = reader.lines();
///         while let Some(line) = lines.next().await {
///             println!("{}", line?.escape_ascii());
///         }
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub struct Lines {
    reader: StreamReader,
    is_over: bool,
}

impl Lines {
    pub(super) fn new(reader: StreamReader) -> Self {
        Lines { reader, is_over: false }
    }

    /// The next line; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`StreamReader::readline`].
    pub async fn next(&mut self) -> Option<Result<Vec<u8>>> {
        if self.is_over {
            return None;
        }
        let line = self.reader.readline().await;
        self.settle(line)
    }

    fn settle(&mut self, line: Result<Vec<u8>>) -> Option<Result<Vec<u8>>> {
        self.is_over = match &line {
            Ok(line) => line.is_empty(),
            Err(_) => self.reader.exception().is_some(),
        };
        Some(line).filter(|line| !matches!(line, Ok(line) if line.is_empty()))
    }
}

impl Stream for Lines {
    type Item = Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let lines = self.get_mut();
        if lines.is_over {
            return Poll::Ready(None);
        }
        lines.reader.poll_line(cx).map(|line| lines.settle(line))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lines of {:?}", self.reader)
    }
}
