//! Streams cut in every way, and a bound for what must not take the square of its length.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far more than linear work takes on a loaded machine, and far less than the square of it.
const BOUND: Duration = Duration::from_secs(120);

/// The longest stream that is cut in all ways, of which there are 2^15.
const MAX_STREAM: usize = 16;

/// Feeds a reader the stream whole, byte by byte and, if it is short, cut in every way there is; a longer one is cut into
/// three in every way.
pub(crate) fn assert_the_same_however_cut(stream: &[u8], expected: &[&str], read: impl Fn(&[&[u8]]) -> Vec<String>) {
    assert_eq!(read(&[stream]), expected, "whole");
    assert_eq!(read(&stream.chunks(1).collect::<Vec<_>>()), expected, "byte by byte");
    if stream.len() > MAX_STREAM {
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(read(&pieces), expected, "cut at {first} and {second}");
            }
        }
        return;
    }
    for cuts in 0_u32..1 << stream.len().saturating_sub(1) {
        let pieces = cut(stream, cuts);
        assert_eq!(read(&pieces), expected, "cut into {pieces:?}");
    }
}

/// Cuts behind every byte whose bit is set.
fn cut(stream: &[u8], cuts: u32) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    for end in (1..stream.len()).filter(|end| cuts >> (end - 1) & 1 == 1) {
        pieces.push(&stream[begin..end]);
        begin = end;
    }
    pieces.push(&stream[begin..]);
    pieces
}

/// Fails if the work does not end in time.
pub(crate) fn in_time(work: impl FnOnce() + Send + 'static) {
    let (sender, done) = mpsc::channel();
    let worker = thread::spawn(move || {
        work();
        // Nobody listens any more if it was too late.
        let _ = sender.send(());
    });
    match done.recv_timeout(BOUND) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the work takes more than {BOUND:?}"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => worker.join().expect("the work succeeds"),
    }
}
