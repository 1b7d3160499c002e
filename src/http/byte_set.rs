//! [`ByteSet`]: the bytes that may stand in a piece of text.

/// Some of the bytes of ASCII.
pub(crate) struct ByteSet([bool; 256]);

/// What a token is made of, as a method, the name of a field or a subprotocol (RFC 9110, 5.6.2).
pub(crate) static IN_TOKEN: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

impl ByteSet {
    /// Letters, digits and these.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = ByteSet([false; 256]);
        let mut byte = 0u8;
        while byte < 0x80 {
            set.0[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        set.with(others, true)
    }

    /// What is visible, but for these.
    pub(crate) const fn visible_without(others: &[u8]) -> Self {
        let mut set = ByteSet([false; 256]);
        let mut byte = b'!';
        while byte <= b'~' {
            set.0[byte as usize] = true;
            byte += 1;
        }
        set.with(others, false)
    }

    const fn with(mut self, bytes: &[u8], is_in: bool) -> Self {
        let mut n = 0;
        while n < bytes.len() {
            self.0[bytes[n] as usize] = is_in;
            n += 1;
        }
        self
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// How many bytes at the start of a text are in the set.
    #[inline]
    pub(crate) fn n_leading(&self, text: &[u8]) -> usize {
        let mut n = 0;
        let mut rest = text;
        // Eight bytes at a time ask only once for the end of the text.
        while let Some((bytes, behind)) = rest.split_first_chunk::<8>() {
            for &byte in bytes {
                if !self.contains(byte) {
                    return n;
                }
                n += 1;
            }
            rest = behind;
        }
        n + rest.iter().take_while(|&&byte| self.contains(byte)).count()
    }
}
