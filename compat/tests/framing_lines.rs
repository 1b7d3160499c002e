//! Lines and raw data, fed by hand: how they are cut says nothing.

mod cuts;

use cuts::{assert_the_same_however_cut, in_time};
use foster_compat::framing::{LineBase, LineOnlyBase, LineOnlyProtocol, LineOnlyReceiver, LineProtocol, LineReceiver};
use foster_compat::{Protocol, Result};

/// Writes down its lines.
#[derive(Default)]
struct Lines(Vec<String>);

impl LineReceiver for Lines {
    const MAX_LENGTH: usize = 8;

    fn line_received(&mut self, _base: &LineBase, line: &[u8]) -> Result<()> {
        self.0.push(shown(line));
        Ok(())
    }

    fn line_length_exceeded(&mut self, _base: &LineBase, line: &[u8]) -> Result<()> {
        self.0.push(format!("too long: {}", shown(line)));
        Ok(())
    }
}

/// Obeys its lines: `RAW n` asks for n raw bytes, `BACK n` switches n times back and forth at once, `DELIMITER x` ends
/// lines with x from now on, and `CLEAR` takes what is there.
#[derive(Default)]
struct Obeys {
    said: Vec<String>,
    raw: String,
    n_missing: usize,
}

impl LineReceiver for Obeys {
    fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
        let line = shown(line);
        match line.split_once(' ') {
            Some(("RAW", n)) => {
                self.n_missing = n.parse()?;
                base.set_raw_mode();
            }
            Some(("BACK", n)) => {
                for _ in 0..n.parse()? {
                    base.set_raw_mode();
                    assert!(!base.line_mode());
                    base.set_line_mode(b"");
                    assert!(base.line_mode());
                }
            }
            Some(("DELIMITER", delimiter)) => base.set_delimiter(delimiter.as_bytes().to_vec()),
            _ => {}
        }
        self.said.push(line);
        Ok(())
    }

    fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
        assert!(!data.is_empty(), "raw data is never empty");
        let (raw, rest) = data.split_at(data.len().min(self.n_missing));
        self.raw += &shown(raw);
        self.n_missing -= raw.len();
        if self.n_missing == 0 {
            self.said.push(format!("raw {}", std::mem::take(&mut self.raw)));
            base.set_line_mode(rest);
        }
        Ok(())
    }
}

fn lines_in(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = LineProtocol::<Lines>::default();
    pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
    protocol.with(|lines| std::mem::take(&mut lines.0))
}

fn obeyed_in(pieces: &[&[u8]]) -> Vec<String> {
    let mut protocol = LineProtocol::<Obeys>::default();
    pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
    protocol.with(|obeys| std::mem::take(&mut obeys.said))
}

fn shown(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

#[test]
fn lines_are_the_same_however_they_are_cut() {
    assert_the_same_however_cut(b"one\r\n\r\n\rtwo\n\r\nth\r", &["one", "", "\rtwo\n"], lines_in);
}

#[test]
fn a_line_of_the_greatest_length_is_taken_however_it_is_cut() {
    assert_the_same_however_cut(b"12345678\r\nmore\r\n", &["12345678", "more"], lines_in);
}

#[test]
fn a_line_that_is_too_long_comes_with_everything_behind_it() {
    assert_eq!(lines_in(&[b"ok\r\n123456789\r\nnext\r\npart"]), ["ok", "too long: 123456789\r\nnext\r\npart"]);
}

#[test]
fn a_line_is_too_long_with_its_first_byte_too_many() {
    assert_eq!(lines_in(&[b"12345678", b"9", b"\r\nok\r\n"]), ["too long: 123456789", "", "ok"]);
    // The first byte of the delimiter is no part of the line until the second one is not the delimiter's.
    assert_eq!(lines_in(&[b"12345678\r"]), [] as [&str; 0]);
    assert_eq!(lines_in(&[b"12345678\r", b"x"]), ["too long: 12345678\rx"]);
    assert_eq!(lines_in(&[b"123456789\r"]), ["too long: 123456789\r"]);
}

#[test]
fn a_part_of_a_line_that_was_too_long_is_taken_back() {
    /// Cuts lines that are too long.
    #[derive(Default)]
    struct Cuts(Vec<String>);

    impl LineReceiver for Cuts {
        const MAX_LENGTH: usize = 3;

        fn line_received(&mut self, _base: &LineBase, line: &[u8]) -> Result<()> {
            self.0.push(shown(line));
            Ok(())
        }

        fn line_length_exceeded(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
            let (head, rest) = line.split_at(3);
            self.0.push(format!("{}-", shown(head)));
            base.set_line_mode(rest);
            Ok(())
        }
    }

    let cut = |pieces: &[&[u8]]| {
        let mut protocol = LineProtocol::<Cuts>::default();
        pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
        protocol.with(|cuts| std::mem::take(&mut cuts.0))
    };
    assert_the_same_however_cut(b"abcdefg\r\nxy\r\n", &["abc-", "def-", "g", "xy"], cut);
}

#[test]
fn modes_are_switched_in_the_middle_of_a_chunk_however_it_is_cut() {
    let stream = b"a\r\nRAW 4\r\n\r\nxyRAW 1\r\nzb\r\nBACK 3\r\nc\r\n";
    let expected = ["a", "RAW 4", "raw \r\nxy", "RAW 1", "raw z", "b", "BACK 3", "c"];
    assert_the_same_however_cut(stream, &expected, obeyed_in);
}

#[test]
fn every_way_to_cut_a_switch_of_modes_gives_the_same() {
    assert_the_same_however_cut(b"RAW 2\r\n\r\nab\r\n", &["RAW 2", "raw \r\n", "ab"], obeyed_in);
}

#[test]
fn another_delimiter_ends_the_lines_behind_the_one_that_sets_it() {
    let stream = b"DELIMITER ;\r\na;b\r\nc;DELIMITER aab;aaabb";
    let expected = ["DELIMITER ;", "a", "b\r\nc", "DELIMITER aab", "a"];
    assert_the_same_however_cut(stream, &expected, obeyed_in);
}

#[test]
fn an_empty_delimiter_is_never_found() {
    let mut protocol = LineProtocol::<Lines>::default();
    protocol.base().set_delimiter(&b""[..]);
    protocol.data_received(b"12345678").expect("it never fails");
    assert_eq!(protocol.with(|lines| lines.0.len()), 0);
    protocol.data_received(b"9").expect("it never fails");
    assert_eq!(protocol.with(|lines| lines.0.clone()), ["too long: 123456789"]);
}

#[test]
fn what_was_not_handed_over_can_be_taken_inside_a_callback_and_outside() {
    /// Takes what lies behind its first line.
    #[derive(Default)]
    struct Takes(Vec<String>);

    impl LineReceiver for Takes {
        fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
            self.0.push(shown(line));
            if line == b"take" {
                self.0.push(format!("rest {}", shown(&base.clear_line_buffer())));
            }
            Ok(())
        }

        fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
            base.set_line_mode(&data[1..]);
            self.0.push(format!("given back {}", shown(&base.clear_line_buffer())));
            Ok(())
        }
    }

    let mut protocol = LineProtocol::<Takes>::default();
    protocol.data_received(b"a\r\ntake\r\nb\r\nc").expect("it never fails");
    protocol.data_received(b"d\r\ne").expect("it never fails");
    let base = protocol.base();
    assert_eq!(base.clear_line_buffer(), b"e");
    base.set_raw_mode();
    protocol.data_received(b"xyz").expect("it never fails");
    assert_eq!(protocol.with(|takes| takes.0.clone()), ["a", "take", "rest b\r\nc", "d", "given back yz"]);
    assert_eq!(base.clear_line_buffer(), b"");
}

#[test]
fn what_is_given_back_comes_before_what_is_added_and_need_not_be_what_was_lent() {
    #[derive(Default)]
    struct Gives(Vec<String>);

    impl LineReceiver for Gives {
        fn line_received(&mut self, _base: &LineBase, line: &[u8]) -> Result<()> {
            self.0.push(shown(line));
            Ok(())
        }

        fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
            base.set_line_mode(&data[2..]);
            base.set_line_mode(b"more\r\n");
            base.set_line_mode(&data[..1]);
            base.set_line_mode(&data[data.len() - 2..]);
            Ok(())
        }
    }

    let mut protocol = LineProtocol::<Gives>::default();
    protocol.base().set_raw_mode();
    protocol.data_received(b"xyz\r\n").expect("it never fails");
    assert_eq!(protocol.with(|gives| gives.0.clone()), ["z", "more", "x"]);
}

#[test]
fn a_line_that_comes_byte_by_byte_is_searched_once() {
    /// As long as it takes to tell the square of the length from the length.
    const N: usize = 2 * 1024 * 1024;
    in_time(|| {
        let mut protocol = LineProtocol::<Lines>::default();
        protocol.base().set_max_length(N);
        for _ in 0..N {
            protocol.data_received(b"x").expect("it never fails");
        }
        protocol.data_received(b"\r\n").expect("it never fails");
        assert_eq!(protocol.with(|lines| lines.0[0].len()), N);
    });
}

/// Counts its lines, and takes one raw byte behind each if it is told to.
#[derive(Default)]
struct Counts {
    n_lines: usize,
    n_raw: usize,
    takes_raw: bool,
}

impl LineReceiver for Counts {
    fn line_received(&mut self, base: &LineBase, _line: &[u8]) -> Result<()> {
        self.n_lines += 1;
        if self.takes_raw {
            base.set_raw_mode();
        }
        Ok(())
    }

    fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
        self.n_raw += 1;
        base.set_line_mode(&data[1..]);
        Ok(())
    }
}

#[test]
fn a_chunk_of_many_lines_is_copied_once() {
    const N: usize = 2 * 1024 * 1024;
    in_time(|| {
        let mut protocol = LineProtocol::<Counts>::default();
        protocol.data_received(&b"\r\n".repeat(N)).expect("it never fails");
        assert_eq!(protocol.with(|counts| counts.n_lines), N);
    });
}

#[test]
fn a_chunk_of_many_switches_is_copied_once() {
    const N: usize = 2 * 1024 * 1024;
    in_time(|| {
        let mut protocol = LineProtocol::new(Counts { takes_raw: true, ..Counts::default() });
        protocol.data_received(&b"\r\nx".repeat(N)).expect("it never fails");
        assert_eq!(protocol.with(|counts| (counts.n_lines, counts.n_raw)), (N, N));
    });
}

#[test]
fn lines_alone_are_the_same_however_they_are_cut() {
    #[derive(Default)]
    struct Only(Vec<String>);

    impl LineOnlyReceiver for Only {
        const DELIMITER: &'static [u8] = b"\n";
        const MAX_LENGTH: usize = 4;

        fn line_received(&mut self, _base: &LineOnlyBase, line: &[u8]) -> Result<()> {
            self.0.push(shown(line));
            Ok(())
        }

        fn line_length_exceeded(&mut self, _base: &LineOnlyBase, line: &[u8]) -> Result<()> {
            self.0.push(format!("too long: {}", shown(line)));
            Ok(())
        }
    }

    let only = |pieces: &[&[u8]]| {
        let mut protocol = LineOnlyProtocol::<Only>::default();
        pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
        protocol.with(|only| std::mem::take(&mut only.0))
    };
    assert_the_same_however_cut(b"one\n\nfour\nfi\nx", &["one", "", "four", "fi"], only);
    assert_eq!(only(&[b"a\n12345", b"\nb\n"]), ["a", "too long: 12345", "", "b"]);
}
