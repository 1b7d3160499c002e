//! [`Uuid`]: the value of the converter `uuid`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A UUID in a path: 128 bits, whatever its version.
///
/// Text is five groups of hexadecimal digits in either case, joined by hyphens; what is shown is lower case.
///
/// ```
/// use foster::app::routing::Uuid;
///
/// let uuid: Uuid = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11".parse()?;
/// assert_eq!(uuid.to_string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
/// assert!("a0eebc999c0b4ef8bb6d6bb9bd380a11".parse::<Uuid>().is_err());
/// # Ok::<(), foster::app::routing::BadUuid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// From its bytes, the most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Uuid(bytes)
    }

    /// From its number.
    pub const fn from_u128(number: u128) -> Self {
        Uuid(number.to_be_bytes())
    }

    /// Its bytes, the most significant first.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Its number.
    pub const fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// How long its text is, in bytes.
    pub(super) const TEXT_LENGTH: usize = 36;
}

impl FromStr for Uuid {
    type Err = BadUuid;

    fn from_str(text: &str) -> Result<Self, BadUuid> {
        if text.len() != Uuid::TEXT_LENGTH {
            return Err(BadUuid);
        }
        let mut number = 0u128;
        for (n, byte) in text.bytes().enumerate() {
            if HYPHENS.contains(&n) {
                if byte != b'-' {
                    return Err(BadUuid);
                }
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or(BadUuid)?;
            number = number << 4 | u128::from(digit);
        }
        Ok(Uuid::from_u128(number))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// From its text.
impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a UUID")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Uuid, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// As its text.
impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the hyphens stand in the text.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Text that is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUuid;

impl fmt::Display for BadUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not five groups of 8, 4, 4, 4 and 12 hexadecimal digits joined by hyphens")
    }
}

impl std::error::Error for BadUuid {}
