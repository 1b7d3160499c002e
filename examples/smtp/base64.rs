//! Base64 as AUTH needs it (RFC 4648, 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What `text` stands for: `b64decode(text, validate=True)`. `None` if it is no Base64.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let n_padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = text.get(..text.len() - n_padding)?;
    if text.len() % 4 != 0 || n_padding > 2 {
        return None;
    }
    let mut data = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut n_bits) = (0_u32, 0);
    for digit in digits {
        let value = ALPHABET.iter().position(|known| known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            data.push((bits >> n_bits & 0xff) as u8);
        }
    }
    Some(data)
}
