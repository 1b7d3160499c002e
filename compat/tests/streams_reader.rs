//! `StreamReader` by itself: what each read gives, at the limit, at the end, after an error, and when it is cancelled.

#![cfg(feature = "testing")]

mod stage;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::{
    Error, IncompleteReadError, LimitOverrunError, Nursery, Result, RuntimeError, StreamReader, ValueError, checkpoint,
    move_on_after,
};
use stage::{paused, turns};

/// A reader that is fed piece by piece, one a turn, then ended.
fn fed_slowly<'a>(nursery: &Nursery, reader: &StreamReader, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let (reader, pieces) = (reader.clone(), pieces.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
    nursery.start_soon(async move {
        for piece in pieces {
            checkpoint().await;
            reader.feed_data(&piece)?;
        }
        reader.feed_eof();
        Ok(())
    });
}

fn fed(data: &[u8]) -> Result<StreamReader> {
    let reader = StreamReader::new();
    reader.feed_data(data)?;
    Ok(reader)
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("an error was expected").to_string()
}

#[test]
fn read_gives_what_is_there_and_nothing_at_the_end() {
    paused(async |nursery| {
        let reader = fed(b"abcdef")?;
        assert_eq!(reader.read(0).await?, b"");
        assert_eq!(reader.read(4).await?, b"abcd");
        assert_eq!(reader.read(100).await?, b"ef");
        fed_slowly(&nursery, &reader, [b"gh".as_slice(), b"ij"]);
        assert_eq!(reader.read(100).await?, b"gh");
        assert_eq!(reader.read_to_end().await?, b"ij");
        assert!(reader.at_eof());
        assert_eq!(reader.read(1).await?, b"");
        assert_eq!(reader.read_to_end().await?, b"");
        Ok(())
    });
}

#[test]
fn at_eof_needs_the_end_and_an_empty_buffer() {
    paused(async |_| {
        let reader = fed(b"a")?;
        assert!(!reader.at_eof());
        reader.feed_eof();
        assert!(!reader.at_eof());
        reader.read(1).await?;
        assert!(reader.at_eof());
        Ok(())
    });
}

#[test]
fn readexactly_waits_for_all_and_says_what_is_missing() {
    paused(async |nursery| {
        let reader = StreamReader::new();
        fed_slowly(&nursery, &reader, [b"ab".as_slice(), b"cdX", b"YZ"]);
        assert_eq!(reader.readexactly(0).await?, b"");
        assert_eq!(reader.readexactly(4).await?, b"abcd");
        let err = reader.readexactly(4).await.unwrap_err();
        assert_eq!(err.to_string(), "3 bytes read on a total of 4 expected bytes");
        let err = err.downcast_ref::<IncompleteReadError>().expect("IncompleteReadError");
        assert_eq!((err.partial.as_slice(), err.expected), (b"XYZ".as_slice(), Some(4)));
        assert!(reader.at_eof(), "the partial bytes are read");
        Ok(())
    });
}

#[test]
fn a_line_is_the_same_whole_byte_by_byte_and_with_more_behind_it() {
    paused(async |nursery| {
        let text = b"one\n\ntwo\r\nlast";
        let expected: [&[u8]; 5] = [b"one\n", b"\n", b"two\r\n", b"last", b""];
        for size in [1, 2, 3, text.len()] {
            let reader = StreamReader::new();
            fed_slowly(&nursery, &reader, text.chunks(size));
            for line in expected {
                assert_eq!(reader.readline().await?, line, "in pieces of {size}");
            }
            let reader = StreamReader::new();
            fed_slowly(&nursery, &reader, text.chunks(size));
            let mut all = Vec::new();
            for line in expected {
                assert_eq!(reader.readline_into(&mut all).await?, line.len());
            }
            assert_eq!(all, text);
        }
        Ok(())
    });
}

#[test]
fn a_line_over_the_limit_is_a_value_error_and_is_dropped() {
    paused(async |_| {
        let reader = StreamReader::with_limit(10)?;
        reader.feed_data(b"0123456789\n0123456789X\nshort\n")?;
        assert_eq!(reader.readline().await?, b"0123456789\n", "the end does not count");
        let err = reader.readline().await.unwrap_err();
        assert!(err.is::<ValueError>());
        assert_eq!(err.to_string(), "Separator is found, but chunk is longer than limit");
        assert_eq!(reader.readline().await?, b"short\n");
        reader.feed_data(b"0123456789X")?;
        assert_eq!(message(reader.readline().await), "Separator is not found, and chunk exceed the limit");
        reader.feed_data(b"YZ\n")?;
        assert_eq!(reader.readline().await?, b"YZ\n", "what had come was dropped");
        Ok(())
    });
}

#[test]
fn a_failed_readline_into_appends_nothing() {
    paused(async |_| {
        let reader = StreamReader::with_limit(4)?;
        reader.feed_data(b"too long\nok\n")?;
        let mut line = b"kept ".to_vec();
        assert!(reader.readline_into(&mut line).await.is_err());
        reader.readline_into(&mut line).await?;
        assert_eq!(line, b"kept ok\n");
        Ok(())
    });
}

#[test]
fn readuntil_over_the_limit_keeps_the_bytes() {
    paused(async |_| {
        let reader = StreamReader::with_limit(10)?;
        reader.feed_data(b"0123456789\r")?;
        assert!(move_on_after(Duration::ZERO, reader.readuntil(b"\r\n")).await.is_none(), "the separator may yet come");
        reader.feed_data(b"X")?;
        let err = reader.readuntil(b"\r\n").await.unwrap_err();
        assert_eq!(err.to_string(), "Separator is not found, and chunk exceed the limit");
        assert_eq!(err.downcast_ref::<LimitOverrunError>().map(|err| err.consumed), Some(11));
        reader.feed_data(b"\r\n")?;
        let err = reader.readuntil(b"\r\n").await.unwrap_err();
        assert_eq!(err.to_string(), "Separator is found, but chunk is longer than limit");
        assert_eq!(err.downcast_ref::<LimitOverrunError>().map(|err| err.consumed), Some(12));
        assert_eq!(reader.readexactly(14).await?, b"0123456789\rX\r\n");
        Ok(())
    });
}

#[test]
fn readuntil_finds_a_separator_that_comes_in_parts() {
    paused(async |nursery| {
        let text = b"a\r\r\nb\r\n\r\nc--";
        for size in 1..=text.len() {
            let reader = StreamReader::new();
            fed_slowly(&nursery, &reader, text.chunks(size));
            assert_eq!(reader.readuntil(b"\r\n").await?, b"a\r\r\n", "in pieces of {size}");
            let mut data = b">".to_vec();
            assert_eq!(reader.readuntil_into(b"\r\n\r\n", &mut data).await?, 5);
            assert_eq!(data, b">b\r\n\r\n");
            let err = reader.readuntil("---").await.unwrap_err();
            let err = err.downcast_ref::<IncompleteReadError>().expect("IncompleteReadError");
            assert_eq!((err.partial.as_slice(), err.expected), (b"c--".as_slice(), None));
            assert_eq!(err.to_string(), "3 bytes read on a total of undefined expected bytes");
            assert!(reader.at_eof());
        }
        Ok(())
    });
}

#[test]
fn of_several_separators_the_one_that_ends_first_counts() {
    paused(async |nursery| {
        let text = b"one\r\ntwo;three\nfour--END-five";
        for size in 1..=text.len() {
            let reader = StreamReader::new();
            fed_slowly(&nursery, &reader, text.chunks(size));
            let separators = [b"\r\n".as_slice(), b";", b"\n", b"--END", b"END-"];
            for piece in [b"one\r\n".as_slice(), b"two;", b"three\n", b"four--END"] {
                assert_eq!(reader.readuntil_any(&separators).await?, piece, "in pieces of {size}");
            }
            assert_eq!(reader.read_to_end().await?, b"-five");
        }
        Ok(())
    });
}

#[test]
fn arguments_that_make_no_sense_are_errors() {
    paused(async |_| {
        assert_eq!(message(StreamReader::with_limit(0)), "Limit cannot be <= 0");
        let reader = fed(b"a")?;
        assert_eq!(message(reader.readuntil(b"").await), "Separator should be at least one-byte string");
        assert_eq!(message(reader.readuntil_any(&[b"a", b""]).await), "Separator should be at least one-byte string");
        assert_eq!(message(reader.readuntil_any(&[]).await), "Separator should contain at least one element");
        reader.feed_eof();
        reader.feed_eof();
        assert_eq!(message(reader.feed_data(b"b")), "feed_data after feed_eof");
        reader.set_transport(foster_compat::TransportRef::default())?;
        assert_eq!(message(reader.set_transport(foster_compat::TransportRef::default())), "Transport already set");
        assert_eq!(reader.read_to_end().await?, b"a", "none of it does harm");
        Ok(())
    });
}

#[test]
fn a_buffer_of_the_caller_is_filled() {
    paused(async |nursery| {
        let reader = StreamReader::new();
        fed_slowly(&nursery, &reader, [b"abc".as_slice(), b"defg", b"hi"]);
        let mut buffer = [0; 6];
        assert_eq!(reader.read_into(&mut buffer).await?, 3);
        assert_eq!(&buffer[..3], b"abc");
        reader.readexactly_into(&mut buffer).await?;
        assert_eq!(&buffer, b"defghi");
        assert_eq!(reader.read_into(&mut []).await?, 0);
        assert_eq!(reader.read_into(&mut buffer).await?, 0, "the end of the stream");
        assert!(message(reader.readexactly_into(&mut buffer).await).starts_with("0 bytes read"));
        Ok(())
    });
}

#[test]
fn the_stored_exception_is_what_every_read_gives() {
    paused(async |nursery| {
        let reader = fed(b"unread\n")?;
        reader.set_exception(io::Error::from(io::ErrorKind::ConnectionReset));
        let is_reset = |err: Option<Error>| {
            err.and_then(|err| err.downcast_ref::<io::Error>().map(io::Error::kind))
                == Some(io::ErrorKind::ConnectionReset)
        };
        assert!(is_reset(reader.exception()));
        assert!(is_reset(reader.read(0).await.err()));
        assert!(is_reset(reader.read(1).await.err()));
        assert!(is_reset(reader.read_to_end().await.err()));
        assert!(is_reset(reader.readexactly(0).await.err()));
        assert!(is_reset(reader.readline().await.err()));
        assert!(is_reset(reader.readuntil(b"\n").await.err()));
        let mut lines = reader.lines();
        assert!(is_reset(lines.next().await.and_then(Result::err)));
        assert!(lines.next().await.is_none(), "or a loop that looks past errors would never end");
        let _ = nursery;
        Ok(())
    });
}

#[test]
fn a_read_that_waits_is_ended_by_an_exception() {
    paused(async |nursery| {
        for read in 0..4 {
            let reader = fed(b"partial")?;
            let feeds = reader.clone();
            nursery.start_soon(async move {
                checkpoint().await;
                // Both in one turn: what came first does not complete the read.
                feeds.feed_data(b"!")?;
                feeds.set_exception(Error::msg("lost"));
                Ok(())
            });
            let err = match read {
                0 => reader.readexactly(100).await.unwrap_err(),
                1 => reader.readline().await.unwrap_err(),
                2 => reader.readuntil(b"--").await.unwrap_err(),
                _ => reader.read_to_end().await.unwrap_err(),
            };
            assert_eq!(err.to_string(), "lost");
        }
        Ok(())
    });
}

#[test]
fn bytes_that_complete_a_read_go_before_an_exception_of_the_same_turn() {
    paused(async |nursery| {
        let reader = StreamReader::new();
        let feeds = reader.clone();
        nursery.start_soon(async move {
            feeds.feed_data(b"line\n")?;
            feeds.set_exception(Error::msg("lost"));
            Ok(())
        });
        assert_eq!(reader.readline().await?, b"line\n");
        assert_eq!(message(reader.readline().await), "lost");
        Ok(())
    });
}

#[test]
fn a_second_read_is_refused_while_one_waits() {
    paused(async |nursery| {
        let reader = StreamReader::new();
        let log = Rc::new(RefCell::new(Vec::new()));
        let (first, said) = (reader.clone(), log.clone());
        nursery.start_soon(async move {
            let line = first.readline().await?;
            said.borrow_mut().push(line);
            Ok(())
        });
        turns(2).await;
        let suffix = "() called while another coroutine is already waiting for incoming data";
        for (name, err) in [
            ("read", reader.read(1).await.unwrap_err()),
            ("read", reader.read_to_end().await.unwrap_err()),
            ("readexactly", reader.readexactly(1).await.unwrap_err()),
            ("readuntil", reader.readuntil(b"\n").await.unwrap_err()),
            ("readuntil", reader.readline().await.unwrap_err()),
            ("readuntil", reader.lines().next().await.expect("an item").unwrap_err()),
        ] {
            assert!(err.is::<RuntimeError>());
            assert_eq!(err.to_string(), format!("{name}{suffix}"));
        }
        assert_eq!(reader.read(0).await?, b"", "one that needs not wait is let through");
        reader.feed_data(b"for the first\n")?;
        turns(2).await;
        assert_eq!(*log.borrow(), [b"for the first\n"]);
        reader.feed_data(b"x")?;
        assert_eq!(reader.read(1).await?, b"x");
        Ok(())
    });
}

#[test]
fn a_cancelled_read_has_taken_nothing() {
    paused(async |nursery| {
        let text = b"a line that comes slowly\r\nand more";
        let reader = StreamReader::new();
        let (feeds, pieces) = (reader.clone(), text.chunks(1).map(<[u8]>::to_vec).collect::<Vec<_>>());
        nursery.start_soon(async move {
            for piece in pieces {
                foster_compat::sleep(Duration::from_secs(2)).await;
                feeds.feed_data(&piece)?;
            }
            feeds.feed_eof();
            Ok(())
        });
        let second = Duration::from_secs(1);
        let mut lines = reader.lines();
        for n in 0.. {
            let cancelled = match n % 5 {
                0 => move_on_after(second, reader.readexactly(26)).await.transpose()?,
                1 => move_on_after(second, reader.readuntil(b"\r\n")).await.transpose()?,
                2 => move_on_after(second, reader.readline()).await.transpose()?,
                3 => move_on_after(second, lines.next()).await.flatten().transpose()?,
                _ => move_on_after(second, reader.read_to_end()).await.transpose()?,
            };
            if let Some(line) = cancelled {
                assert_eq!(line, &text[..26]);
                assert!(n > 20, "some were cancelled: {n}");
                break;
            }
        }
        assert_eq!(reader.read_to_end().await?, b"and more");
        Ok(())
    });
}

#[test]
fn a_read_in_a_cancelled_scope_goes_no_further() {
    paused(async |_| {
        let reader = fed(b"abc\n")?;
        let scope = foster_compat::CancelScope::new();
        scope.cancel();
        let read = scope
            .run(async {
                checkpoint().await;
                reader.readline().await
            })
            .await;
        assert!(read.is_none());
        assert_eq!(reader.readline().await?, b"abc\n");
        Ok(())
    });
}

#[test]
fn lines_come_as_a_stream_too() {
    use futures::{Stream, StreamExt as _};
    fn is_stream<S: Stream<Item = Result<Vec<u8>>>>(stream: S) -> S {
        stream
    }
    paused(async |nursery| {
        let reader = StreamReader::with_limit(8)?;
        fed_slowly(&nursery, &reader, b"one\ntoo long for it\ntwo\nend".chunks(3));
        let lines: Vec<_> =
            is_stream(reader.lines()).map(|line| line.map_err(|err| err.is::<ValueError>())).collect().await;
        let lines: Vec<_> = lines.iter().map(|line| line.as_deref()).collect();
        assert_eq!(lines[0], Ok(b"one\n".as_slice()));
        assert!(lines.contains(&Err(&true)), "a line over the limit is an item and not the end: {lines:?}");
        assert_eq!(lines[lines.len() - 2..], [Ok(b"two\n".as_slice()), Ok(b"end")]);
        Ok(())
    });
}

#[test]
fn a_reader_says_what_it_holds() {
    paused(async |_| {
        let reader = fed(b"abc")?;
        assert_eq!(format!("{reader:?}"), "StreamReader(3 bytes)");
        reader.feed_eof();
        reader.set_exception(Error::msg("lost"));
        assert_eq!(format!("{reader:?}"), "StreamReader(3 bytes, eof, exception: lost)");
        Ok(())
    });
}
