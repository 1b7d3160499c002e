//! Strings behind their lengths, fed by hand: how they are cut says nothing.

mod cuts;

use cuts::{assert_the_same_however_cut, in_time};
use foster_compat::framing::{
    Int8StringProtocol, Int8StringReceiver, Int16StringProtocol, Int16StringReceiver, Int32StringProtocol,
    Int32StringReceiver, IntNStringProtocol, IntNStringReceiver, StringBase, StringTooLongError, StructFormat,
};
use foster_compat::{Protocol, Result};

/// Writes down its strings, whatever their prefix.
#[derive(Default)]
struct Strings(Vec<String>);

impl Strings {
    fn keep(&mut self, string: &[u8]) -> Result<()> {
        self.0.push(String::from_utf8_lossy(string).into_owned());
        Ok(())
    }

    fn refuse(&mut self, length: u64) -> Result<()> {
        self.0.push(format!("too long: {length}"));
        Ok(())
    }
}

impl Int8StringReceiver for Strings {
    fn string_received(&mut self, _base: &StringBase, string: &[u8]) -> Result<()> {
        self.keep(string)
    }
}

impl Int16StringReceiver for Strings {
    const MAX_LENGTH: usize = 5;

    fn string_received(&mut self, _base: &StringBase, string: &[u8]) -> Result<()> {
        self.keep(string)
    }

    fn length_limit_exceeded(&mut self, _base: &StringBase, length: u64) -> Result<()> {
        self.refuse(length)
    }
}

impl Int32StringReceiver for Strings {
    fn string_received(&mut self, _base: &StringBase, string: &[u8]) -> Result<()> {
        self.keep(string)
    }

    fn length_limit_exceeded(&mut self, _base: &StringBase, length: u64) -> Result<()> {
        self.refuse(length)
    }
}

/// Strings behind eight bytes, the lowest first.
#[derive(Default)]
struct Long(Strings);

impl IntNStringReceiver for Long {
    const STRUCT_FORMAT: StructFormat = StructFormat::new("<Q");

    fn string_received(&mut self, _base: &StringBase, string: &[u8]) -> Result<()> {
        self.0.keep(string)
    }

    fn length_limit_exceeded(&mut self, _base: &StringBase, length: u64) -> Result<()> {
        self.0.refuse(length)
    }
}

fn feed<P: Protocol>(protocol: &mut P, pieces: &[&[u8]]) {
    pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
}

fn strings_behind_1(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = Int8StringProtocol::<Strings>::default();
    feed(&mut protocol, pieces);
    protocol.with(|strings| std::mem::take(&mut strings.0))
}

fn strings_behind_2(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = Int16StringProtocol::<Strings>::default();
    feed(&mut protocol, pieces);
    protocol.with(|strings| std::mem::take(&mut strings.0))
}

fn strings_behind_4(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = Int32StringProtocol::<Strings>::default();
    feed(&mut protocol, pieces);
    protocol.with(|strings| std::mem::take(&mut strings.0))
}

fn strings_behind_8(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = IntNStringProtocol::<Long>::default();
    feed(&mut protocol, pieces);
    protocol.with(|long| std::mem::take(&mut long.0.0))
}

#[test]
fn strings_of_every_prefix_are_the_same_however_they_are_cut() {
    assert_the_same_however_cut(b"\x03one\0\x05three\x04cut", &["one", "", "three"], strings_behind_1);
    assert_the_same_however_cut(b"\0\x03one\0\0\0\x05three\0", &["one", "", "three"], strings_behind_2);
    assert_the_same_however_cut(b"\0\0\0\x03one\0\0\0\0\0\0\0\x02no", &["one", "", "no"], strings_behind_4);
    assert_the_same_however_cut(b"\x02\0\0\0\0\0\0\0no\0\0\0\0\0\0\0\0\x01", &["no", ""], strings_behind_8);
}

#[test]
fn a_string_that_is_too_long_is_skipped_if_the_connection_is_left_open() {
    assert_the_same_however_cut(b"\0\x06sixsix\0\x05fives\0", &["too long: 6", "fives"], strings_behind_2);
    assert_the_same_however_cut(b"\0\x06\0\0\0\0\0\x01\0\x01x", &["too long: 6", "x"], strings_behind_2);
}

#[test]
fn the_limit_is_looked_at_as_soon_as_the_length_is_there() {
    assert_eq!(strings_behind_4(&[b"\0\x01\x86"]), [] as [&str; 0]);
    assert_eq!(strings_behind_4(&[b"\0\x01\x86\xa0"]), ["too long: 100000"]);
    assert_eq!(strings_behind_4(&[b"\0\x01\x86\x9f", &[b'x'; 99_999]]), ["x".repeat(99_999)]);
    assert_eq!(strings_behind_8(&[&[0xff; 8], b"whatever"]), [format!("too long: {}", u64::MAX)]);
}

#[test]
fn the_limit_can_be_set_for_one_connection() {
    let mut protocol = Int32StringProtocol::<Strings>::default();
    protocol.base().set_max_length(2);
    feed(&mut protocol, &[b"\0\0\0\x02ok\0\0\0\x03"]);
    assert_eq!(protocol.with(|strings| strings.0.clone()), ["ok", "too long: 3"]);
}

#[test]
fn a_string_that_its_prefix_cannot_hold_is_refused_and_one_byte_less_is_sent() {
    let protocol = Int8StringProtocol::<Strings>::default();
    let base = protocol.base();
    base.send_string(&[0; 255]).expect("a detached transport drops it");
    let err = base.send_string(&[0; 256]).expect_err("one byte cannot hold 256");
    let err = err.downcast_ref::<StringTooLongError>().expect("that is what it is for");
    assert_eq!((err.length(), err.max()), (256, 255));
    assert_eq!(err.to_string(), "a string of 256 bytes is too long: its prefix holds at most 255, send it in parts");

    let base = Int16StringProtocol::<Strings>::default().base();
    base.send_string(&[0; 65_535]).expect("a detached transport drops it");
    assert!(base.send_string(&[0; 65_536]).is_err());
}

#[test]
fn formats_are_those_of_struct() {
    for (format, n_bytes) in [("!B", 1), ("<B", 1), (">H", 2), ("!I", 4), ("<L", 4), (">Q", 8)] {
        assert_eq!(StructFormat::new(format).prefix_length(), n_bytes, "{format}");
    }
    assert_eq!(StructFormat::new("!I"), StructFormat::new(">L"));
    for format in ["", "I", "=I", "@I", "!i", "!II", "<é"] {
        let refused = std::panic::catch_unwind(|| StructFormat::new(format));
        assert!(refused.is_err(), "{format}");
    }
}

#[test]
fn a_string_that_comes_byte_by_byte_and_many_in_a_chunk_take_time_by_their_length() {
    const N: usize = 2 * 1024 * 1024;
    in_time(|| {
        let mut protocol = Int32StringProtocol::<Strings>::default();
        protocol.base().set_max_length(N);
        let length = u32::try_from(N).expect("it fits").to_be_bytes();
        feed(&mut protocol, &[&length]);
        for _ in 0..N {
            protocol.data_received(b"x").expect("it never fails");
        }
        assert_eq!(protocol.with(|strings| strings.0[0].len()), N);
        feed(&mut protocol, &[&vec![0; 4 * N]]);
        assert_eq!(protocol.with(|strings| strings.0.len()), N + 1);
    });
}
