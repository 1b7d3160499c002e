//! The lines of one side, which end with a snapshot.

/// Lines in the order in which they came, until the snapshot.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Vec<String>,
    is_frozen: bool,
}

impl Trace {
    /// Adds a line; without effect after the snapshot.
    pub(crate) fn add(&mut self, line: impl Into<String>) {
        if !self.is_frozen {
            self.lines.push(line.into());
        }
    }

    pub(crate) fn count(&self, prefix: &str) -> usize {
        self.lines.iter().filter(|line| line.starts_with(prefix)).count()
    }

    /// How many connections were lost, under whatever protocol name.
    pub(crate) fn n_lost(&self) -> usize {
        self.lines.iter().filter(|line| is_lost(line)).count()
    }

    /// Takes the snapshot: nothing is added any more.
    pub(crate) fn freeze(&mut self) -> Vec<String> {
        self.is_frozen = true;
        self.lines.clone()
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}

/// Whether the line is `lost …` or `NAME:lost …`.
fn is_lost(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    word == "lost" || word.strip_suffix(":lost").is_some_and(is_protocol_name)
}

/// Whether the text can stand before the colon of a protocol's line.
pub(crate) fn is_protocol_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_added_after_the_snapshot() {
        let mut trace = Trace::default();
        trace.add("made");
        assert_eq!(trace.freeze(), ["made"]);
        trace.add("superfluous");
        assert_eq!(trace.freeze(), ["made"]);
    }

    #[test]
    fn lost_lines_count_whatever_protocol_lost_its_connection() {
        let mut trace = Trace::default();
        for line in
            ["lost None", "lost", "B:lost ConnectionResetError", "2:lost None", "mark lost x", "losty", ":lost x"]
        {
            trace.add(line);
        }
        assert_eq!(trace.n_lost(), 4);
    }
}
