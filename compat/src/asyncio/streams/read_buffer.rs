//! What was received and not yet read.

use std::cell::RefCell;

/// The capacity in bytes that an idle buffer may keep: that of tokio's `BufReader`. Beyond it the memory goes back.
const KEPT_CAPACITY: usize = 8 * 1024;

/// The bytes of memory that the buffers of a thread keep for each other: sixteen streams at asyncio's limit of 64 KiB.
/// Without it the system's allocator returns what each burst needs, and has every page of it cleared for the next.
const SPARE_CAPACITY: usize = 1024 * 1024;

thread_local!(static SPARES: RefCell<Spares> = RefCell::default());

/// Memory that an idle buffer has given back.
#[derive(Default)]
struct Spares {
    /// Empty ones.
    vectors: Vec<Vec<u8>>,
    capacity: usize,
}

impl Spares {
    /// Memory that was used before; none where nobody has given any back, as at thread exit.
    fn take() -> Vec<u8> {
        let take = |spares: &RefCell<Spares>| {
            let mut spares = spares.borrow_mut();
            let vector = spares.vectors.pop()?;
            spares.capacity -= vector.capacity();
            Some(vector)
        };
        SPARES.try_with(take).ok().flatten().unwrap_or_default()
    }

    fn give(mut vector: Vec<u8>) {
        let give = |spares: &RefCell<Spares>| {
            let mut spares = spares.borrow_mut();
            if vector.capacity() <= SPARE_CAPACITY - spares.capacity {
                vector.clear();
                spares.capacity += vector.capacity();
                spares.vectors.push(vector);
            }
        };
        let _ = SPARES.try_with(give);
    }
}

/// Bytes that come in at the back and are taken from the front.
#[derive(Default)]
pub(super) struct ReadBuffer {
    data: Vec<u8>,
    /// How much of `data` was taken; 0 if nothing is left.
    start: usize,
}

impl ReadBuffer {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.data.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.data[self.start..]
    }

    pub(super) fn extend(&mut self, data: &[u8]) {
        if self.data.capacity() == 0 && data.len() > KEPT_CAPACITY {
            self.data = Spares::take();
        }
        let has_room = self.data.capacity() - self.data.len() >= data.len();
        // Moving less than was taken since the last move keeps the work for a byte constant.
        if !has_room && self.start >= self.len() {
            self.data.drain(..self.start);
            self.start = 0;
        }
        self.data.extend_from_slice(data);
    }

    /// Forgets the first `n` bytes.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.start += n;
        if self.start == self.data.len() {
            self.clear();
        }
    }

    /// Takes the first `n` bytes, without a copy where they are most of the memory.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        if n == self.len() && n > self.data.capacity() / 2 {
            let mut data = std::mem::take(&mut self.data);
            data.drain(..std::mem::take(&mut self.start));
            return data;
        }
        let taken = self.as_slice()[..n].to_vec();
        self.consume(n);
        taken
    }

    pub(super) fn clear(&mut self) {
        self.start = 0;
        if self.data.capacity() > KEPT_CAPACITY {
            Spares::give(std::mem::take(&mut self.data));
        } else {
            self.data.clear();
        }
    }

    /// Gives memory back before a wait that may be long: a few bytes hold no more than they need.
    pub(super) fn rest(&mut self) {
        if self.data.capacity() > KEPT_CAPACITY && self.len() <= KEPT_CAPACITY / 2 {
            let kept = self.as_slice().to_vec();
            Spares::give(std::mem::replace(&mut self.data, kept));
            self.start = 0;
        }
    }

    /// Puts what `front` holds before what is here.
    pub(super) fn prepend(&mut self, front: &mut ReadBuffer) {
        if !self.is_empty() {
            front.extend(self.as_slice());
        }
        *self = std::mem::take(front);
    }
}

/// Where `needle`, which is not empty, first begins in `haystack`.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += find_byte(&haystack[at..], needle[0])?;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
}

/// Where `byte` first stands in `haystack`: `memchr`, written so that the compiler makes vectors of the blocks.
pub(super) fn find_byte(haystack: &[u8], byte: u8) -> Option<usize> {
    let mut rest = haystack;
    while let Some((block, behind)) = rest.split_first_chunk::<32>() {
        if block.iter().fold(0, |found, other| found | u8::from(*other == byte)) != 0 {
            break;
        }
        rest = behind;
    }
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let differences = u64::from_le_bytes(*word) ^ (LOW * u64::from(byte));
        // The lowest byte that is 0 is the lowest whose highest bit is set by this.
        let zeros = differences.wrapping_sub(LOW) & !differences & HIGH;
        if zeros != 0 {
            return Some(haystack.len() - rest.len() + zeros.trailing_zeros() as usize / 8);
        }
        rest = behind;
    }
    rest.iter().position(|other| *other == byte).map(|at| haystack.len() - rest.len() + at)
}

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_of_what_is_there_and_nothing_else() {
        assert_eq!(find(b"a\nb\n", b"\n"), Some(1));
        assert_eq!(find(b"ab", b"\n"), None);
        assert_eq!(find(b"", b"\n"), None);
        assert_eq!(find(b"\r\r\n", b"\r\n"), Some(1));
        assert_eq!(find(b"\r\r\r", b"\r\n"), None);
        assert_eq!(find(b"aaab", b"aab"), Some(1));
        assert_eq!(find(b"ab\r", b"\r\n"), None);
    }

    #[test]
    fn finds_a_byte_wherever_it_stands() {
        for length in 0..200 {
            let mut data = vec![b'x'; length];
            assert_eq!(find_byte(&data, b'\n'), None);
            for at in (0..length).rev() {
                // The neighbours of the byte, and what is behind it, do not disturb.
                data[at] = b'\n';
                assert_eq!(find_byte(&data, b'\n'), Some(at), "at {at} of {length}");
                data[at] = [b'\n' ^ 0x80, b'\n' + 1, 0, 0xff, b'\n'][at % 5];
                let expected = data.iter().position(|byte| *byte == b'\n');
                assert_eq!(find_byte(&data, b'\n'), expected, "{length} bytes");
            }
        }
    }

    #[test]
    fn gives_the_same_bytes_however_they_come_and_go() {
        for (n_in, n_out) in [(1, 1), (3, 2), (7, 5), (100, 1), (1, 100), (5000, 4999)] {
            let (mut buffer, mut fed, mut taken) = (ReadBuffer::default(), 0u32, Vec::new());
            while taken.len() < 20_000 {
                let data: Vec<u8> = (0..n_in).map(|n| (fed + n) as u8).collect();
                fed += n_in;
                buffer.extend(&data);
                if taken.len() % 3 == 0 {
                    buffer.rest();
                }
                let n = buffer.len().min(n_out);
                taken.extend(buffer.take(n));
            }
            assert!(taken.iter().enumerate().all(|(n, byte)| *byte == n as u8), "{n_in} in, {n_out} out");
        }
    }

    #[test]
    fn what_is_put_back_comes_first() {
        let (mut buffer, mut front) = (ReadBuffer::default(), ReadBuffer::default());
        front.extend(b"xab");
        front.consume(1);
        buffer.extend(b"cd");
        buffer.prepend(&mut front);
        assert_eq!(buffer.as_slice(), b"abcd");
        assert!(front.is_empty());
    }

    #[test]
    fn an_idle_buffer_keeps_little_memory() {
        let mut buffer = ReadBuffer::default();
        buffer.extend(&[0; 300_000]);
        buffer.consume(299_990);
        buffer.rest();
        assert_eq!((buffer.len(), buffer.data.capacity()), (10, 10));
        buffer.extend(&[0; 300_000]);
        buffer.consume(300_010);
        assert_eq!(buffer.data.capacity(), 0);
    }

    #[test]
    fn the_memory_of_a_drained_buffer_serves_the_next_burst() {
        let mut first = ReadBuffer::default();
        first.extend(&[1; 30_000]);
        let memory = first.data.as_ptr();
        first.consume(30_000);
        let mut second = ReadBuffer::default();
        second.extend(&[2; 20_000]);
        assert_eq!((second.data.as_ptr(), second.as_slice()), (memory, &[2; 20_000][..]));
        second.consume(19_000);
        second.rest();
        assert_eq!((second.as_slice(), second.data.capacity()), (&[2; 1000][..], 1000));
        first.extend(&[3; 10_000]);
        assert_eq!((first.data.as_ptr(), first.as_slice()), (memory, &[3; 10_000][..]));
    }

    #[test]
    fn few_bytes_take_no_spare_memory_and_spare_memory_is_bounded() {
        let mut buffers: Vec<ReadBuffer> = (0..100).map(|_| ReadBuffer::default()).collect();
        buffers.iter_mut().for_each(|buffer| buffer.extend(&[0; 100_000]));
        buffers.iter_mut().for_each(|buffer| buffer.consume(100_000));
        let kept = || SPARES.with_borrow(|spares| (spares.vectors.len(), spares.capacity));
        assert_eq!(kept(), (10, 1_000_000));
        buffers[0].extend(&[0; 100]);
        assert_eq!((buffers[0].data.capacity(), kept()), (100, (10, 1_000_000)));
        buffers[1].extend(&[0; 2 * SPARE_CAPACITY]);
        buffers[1].clear();
        assert_eq!(kept(), (9, 900_000));
    }

    #[test]
    fn the_memory_follows_what_is_unread_and_not_what_has_passed() {
        let mut buffer = ReadBuffer::default();
        for _ in 0..10_000 {
            buffer.extend(&[0; 1000]);
            buffer.consume(if buffer.len() > 3000 { 1001 } else { 999 });
        }
        assert!(buffer.data.capacity() < 32 * 1024, "{}", buffer.data.capacity());
    }
}
