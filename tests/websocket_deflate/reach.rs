//! How far back a stream of DEFLATE refers (RFC 1951), looked at without the library that made it.

/// The largest distance in the blocks of `stream`, which has to end with a whole byte.
pub(crate) fn farthest_reference(stream: &[u8]) -> usize {
    let mut bits = Bits { stream, n_taken: 0 };
    let mut farthest = 0;
    while bits.n_taken < 8 * stream.len() {
        bits.take(1);
        match bits.take(2) {
            0 => bits.skip_stored_block(),
            1 => {
                let mut literals = [8; 288];
                literals[144..256].fill(9);
                literals[256..280].fill(7);
                farthest = farthest.max(bits.compressed_block(&Codes::new(&literals), &Codes::new(&[5; 30])));
            }
            2 => {
                let (literals, distances) = bits.codes();
                farthest = farthest.max(bits.compressed_block(&literals, &distances));
            }
            kind => panic!("a block of kind {kind}"),
        }
    }
    farthest
}

struct Bits<'a> {
    stream: &'a [u8],
    n_taken: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> usize {
        let mut value = 0;
        for nth in 0..n {
            let bit = (self.stream[self.n_taken / 8] >> (self.n_taken % 8)) & 1;
            value |= usize::from(bit) << nth;
            self.n_taken += 1;
        }
        value
    }

    fn skip_stored_block(&mut self) {
        self.n_taken = self.n_taken.next_multiple_of(8);
        let len = self.take(16);
        assert_eq!(self.take(16), len ^ 0xffff);
        self.n_taken += 8 * len;
    }

    fn codes(&mut self) -> (Codes, Codes) {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (n_literals, n_distances) = (self.take(5) + 257, self.take(5) + 1);
        let mut lengths = [0; 19];
        for nth in &ORDER[..self.take(4) + 4] {
            lengths[*nth] = self.take(3);
        }
        let codes = Codes::new(&lengths);
        let mut lengths = Vec::new();
        while lengths.len() < n_literals + n_distances {
            let (length, n_times) = match self.symbol(&codes) {
                16 => (*lengths.last().expect("a length to repeat"), self.take(2) + 3),
                17 => (0, self.take(3) + 3),
                18 => (0, self.take(7) + 11),
                length => (length, 1),
            };
            lengths.extend(vec![length; n_times]);
        }
        let (literals, distances) = lengths.split_at(n_literals);
        (Codes::new(literals), Codes::new(distances))
    }

    fn compressed_block(&mut self, literals: &Codes, distances: &Codes) -> usize {
        let mut farthest = 0;
        loop {
            match self.symbol(literals) {
                0..256 => continue,
                256 => return farthest,
                // How long the match is does not matter here.
                symbol @ 265..285 => _ = self.take((symbol - 261) / 4),
                _ => {}
            }
            let symbol = self.symbol(distances);
            let distance = match symbol {
                0..4 => symbol + 1,
                _ => {
                    let n_extra = symbol / 2 - 1;
                    ((2 + symbol % 2) << n_extra) + self.take(n_extra) + 1
                }
            };
            farthest = farthest.max(distance);
        }
    }

    fn symbol(&mut self, codes: &Codes) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &codes.counts[1..] {
            code |= self.take(1);
            if code < first + count {
                return codes.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        panic!("no code of this table")
    }
}

/// Canonical Huffman codes: how many there are of each length, and their symbols in order.
struct Codes {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Codes {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        for symbol in &symbols {
            counts[lengths[*symbol]] += 1;
        }
        Codes { counts, symbols }
    }
}

#[test]
fn a_reference_is_measured() {
    // "Hello" twice: the second refers five bytes back.
    let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff];
    let second = [0xf2, 0x00, 0x11, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff];
    assert_eq!(farthest_reference(&first), 0);
    assert_eq!(farthest_reference(&[&first[..], &second].concat()), 5);
}
