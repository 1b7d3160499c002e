//! [`Name`]: names as they are on the wire. Twisted's `dns.Name`.

/// The longest name in bytes, with the lengths of its labels and the root, and the longest label (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;

/// Each label behind its length, the empty one of the root last. Letters keep their case, and comparisons ignore it
/// (RFC 4343); no length can be mistaken for a letter.
#[derive(Clone, Debug)]
pub(crate) struct Name(Vec<u8>);

impl Name {
    /// A name of these labels below another, or below the root; `None` if a label is empty or something is too long.
    pub(crate) fn new(labels: &[Vec<u8>], origin: Option<&Name>) -> Option<Self> {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(u8::try_from(label.len()).ok().filter(|length| (1..=MAX_LABEL).contains(&(*length).into()))?);
            wire.extend(label);
        }
        wire.extend(origin.map_or(&[0][..], Name::wire));
        (wire.len() <= MAX_NAME).then_some(Name(wire))
    }

    /// Reads the name at `at`, which may be compressed; gives also where the message goes on.
    pub(crate) fn decode(message: &[u8], mut at: usize) -> Option<(Self, usize)> {
        let (mut wire, mut end) = (Vec::new(), None);
        // Each pointer has to lead to a place before the labels it follows, so that none leads round.
        let mut start = at;
        loop {
            match usize::from(*message.get(at)?) {
                length @ 0..=MAX_LABEL => {
                    wire.extend(message.get(at..=at + length)?);
                    at += 1 + length;
                    if wire.len() > MAX_NAME {
                        return None;
                    }
                    if length == 0 {
                        return Some((Name(wire), end.unwrap_or(at)));
                    }
                }
                length @ 0xc0.. => {
                    end.get_or_insert(at + 2);
                    at = (length & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                    if at >= start {
                        return None;
                    }
                    start = at;
                }
                _ => return None,
            }
        }
    }

    pub(crate) fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The name and all names above it, the root last, as keys that equal names have in common.
    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        let (key, mut keys) = (self.0.to_ascii_lowercase(), Vec::new());
        let mut rest = &key[..];
        while let Some((length, behind)) = rest.split_first() {
            keys.push(rest.to_vec());
            rest = behind.get(usize::from(*length)..).unwrap_or_default();
        }
        keys
    }

    pub(crate) fn is_subdomain_of(&self, other: &Name) -> bool {
        self.keys().iter().any(|key| key.eq_ignore_ascii_case(&other.0))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
