//! [`StructFormat`]: how the length of a string is written in front of it.

/// A format of Python's `struct` module for one unsigned number: Twisted's `structFormat`.
///
/// # Examples
///
/// ```
/// use foster_compat::framing::StructFormat;
///
/// const PREFIX: StructFormat = StructFormat::new("<L");
/// assert_eq!(PREFIX.prefix_length(), 4);
/// ```
///
/// A format that is none is an error of the compiler where it stands in a constant:
///
/// ```compile_fail
/// # use foster_compat::framing::StructFormat;
/// const PREFIX: StructFormat = StructFormat::new("<s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructFormat {
    n_bytes: usize,
    is_little_endian: bool,
}

impl StructFormat {
    /// The format that a string of `struct` names: `!` or `>` for network byte order, or `<` for the lowest byte first,
    /// and `B`, `H`, `I` or `L`, or `Q` for one, two, four or eight bytes. Native order and native sizes, which are other
    /// ones on other machines, cannot be asked for.
    ///
    /// # Panics
    ///
    /// If it is none of those. It is meant for constants, where that is an error of the compiler.
    pub const fn new(format: &str) -> Self {
        let [order, size] = *format.as_bytes() else {
            panic!("a format is one of `!`, `>` and `<`, and one of `B`, `H`, `I`, `L` and `Q`");
        };
        let is_little_endian = match order {
            b'!' | b'>' => false,
            b'<' => true,
            _ => panic!("a format begins with `!` or `>` for network byte order, or `<` for the lowest byte first"),
        };
        let n_bytes = match size {
            b'B' => 1,
            b'H' => 2,
            b'I' | b'L' => 4,
            b'Q' => 8,
            _ => panic!("a format ends with `B`, `H`, `I`, `L` or `Q`"),
        };
        StructFormat { n_bytes, is_little_endian }
    }

    /// The bytes that a length takes: Twisted's `prefixLength`.
    pub const fn prefix_length(self) -> usize {
        self.n_bytes
    }

    /// The largest length that can be written.
    pub(super) const fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.n_bytes)
    }

    /// The length at the beginning of `data`, if it is there.
    pub(super) fn unpack(self, data: &[u8]) -> Option<u64> {
        let prefix = data.get(..self.n_bytes)?;
        let add = |length: u64, byte: &u8| length << 8 | u64::from(*byte);
        Some(if self.is_little_endian { prefix.iter().rev().fold(0, add) } else { prefix.iter().fold(0, add) })
    }

    /// Writes a length to the beginning of `room`, and gives what was written.
    pub(super) fn pack(self, length: u64, room: &mut [u8; 8]) -> &[u8] {
        if self.is_little_endian {
            *room = length.to_le_bytes();
            &room[..self.n_bytes]
        } else {
            *room = length.to_be_bytes();
            &room[8 - self.n_bytes..]
        }
    }
}
