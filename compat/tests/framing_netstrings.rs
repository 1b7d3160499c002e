//! Netstrings, fed by hand: how they are cut says nothing, and what is none ends everything.

mod cuts;

use cuts::{assert_the_same_however_cut, in_time};
use foster_compat::framing::{NetstringBase, NetstringProtocol, NetstringReceiver};
use foster_compat::{Protocol, Result};

/// Writes down its strings.
#[derive(Default)]
struct Strings(Vec<String>);

impl NetstringReceiver for Strings {
    fn string_received(&mut self, _base: &NetstringBase, string: &[u8]) -> Result<()> {
        self.0.push(String::from_utf8_lossy(string).into_owned());
        Ok(())
    }
}

/// The strings, and `broken` behind them if the peer is.
fn strings_in(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = NetstringProtocol::<Strings>::default();
    pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
    let mut strings = protocol.with(|strings| std::mem::take(&mut strings.0));
    strings.extend(protocol.base().broken_peer().then(|| "broken".to_owned()));
    strings
}

#[test]
fn netstrings_are_the_same_however_they_are_cut() {
    assert_the_same_however_cut(b"3:one,0:,5:t,:5,,2", &["one", "", "t,:5,"], strings_in);
    assert_the_same_however_cut(b"10:0123456789,1", &["0123456789"], strings_in);
}

#[test]
fn what_is_no_netstring_ends_everything_however_it_is_cut() {
    for stream in [
        b"1:a,x1:b," as &[u8],
        b"1:a,:1:b,",
        b"1:a,01:b,",
        b"1:a,00:,",
        b"1:a, 1:b,",
        b"1:a,-1:b,",
        b"1:a,+1:b,",
        b"1:a,1;b,",
        b"1:a,1\n:b,",
        b"1:a,,1:b,",
        b"1:a,1:bc1:d,",
        b"1:a,0:;1:b,",
        b"1:a,100000:b",
    ] {
        assert_the_same_however_cut(stream, &["a", "broken"], strings_in);
    }
}

#[test]
fn a_length_is_refused_with_its_first_byte_that_cannot_be_right() {
    assert_eq!(strings_in(&[b"99999"]), [] as [&str; 0]);
    assert_eq!(strings_in(&[b"999990"]), ["broken"]);
    assert_eq!(strings_in(&[b"0"]), [] as [&str; 0]);
    assert_eq!(strings_in(&[b"01"]), ["broken"]);
    assert_eq!(strings_in(&[b"99999:", &[b'x'; 99_999], b","]), ["x".repeat(99_999)]);
    assert_eq!(strings_in(&[&[b'1'; 100_000]]), ["broken"]);
}

#[test]
fn the_limit_can_be_set_for_one_connection_up_to_the_greatest() {
    let mut protocol = NetstringProtocol::<Strings>::default();
    protocol.base().set_max_length(1);
    protocol.data_received(b"1:x,2").expect("it never fails");
    assert!(protocol.base().broken_peer());

    let mut protocol = NetstringProtocol::<Strings>::default();
    protocol.base().set_max_length(usize::MAX);
    protocol.data_received(usize::MAX.to_string().as_bytes()).expect("it never fails");
    protocol.data_received(b":x").expect("it never fails");
    assert!(!protocol.base().broken_peer());
    let mut protocol = NetstringProtocol::<Strings>::default();
    protocol.base().set_max_length(usize::MAX);
    protocol.data_received(format!("{}0", usize::MAX).as_bytes()).expect("it never fails");
    assert!(protocol.base().broken_peer());
}

#[test]
fn a_netstring_that_comes_byte_by_byte_and_many_in_a_chunk_take_time_by_their_length() {
    const N: usize = 2 * 1024 * 1024;
    in_time(|| {
        let mut protocol = NetstringProtocol::<Strings>::default();
        protocol.base().set_max_length(N);
        protocol.data_received(format!("{N}:").as_bytes()).expect("it never fails");
        for _ in 0..N {
            protocol.data_received(b"x").expect("it never fails");
        }
        protocol.data_received(b",").expect("it never fails");
        assert_eq!(protocol.with(|strings| strings.0[0].len()), N);
        protocol.data_received(&b"0:,".repeat(N)).expect("it never fails");
        assert_eq!(protocol.with(|strings| strings.0.len()), N + 1);
    });
}
