//! A table of disagreements, in Markdown: input, Foster's verdict, the other's, and why Foster is right.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(crate) struct Table {
    name: String,
    /// By input: both verdicts and the reason.
    rows: BTreeMap<String, [String; 3]>,
    /// Input and both verdicts.
    found: Vec<[String; 3]>,
}

impl Table {
    pub(crate) fn read(name: &str, found: Vec<[String; 3]>) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http1_disagreements").join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut rows = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("| ")).skip(2) {
            let cells: Vec<_> = line.trim_matches(['|', ' ']).split(" | ").map(|cell| cell.trim().to_owned()).collect();
            let Ok([input, ours, theirs, why]) = <[String; 4]>::try_from(cells) else { panic!("{name}: {line}") };
            assert!(!why.is_empty(), "{name}: no reason is given: {line}");
            assert!(rows.insert(input, [ours, theirs, why]).is_none(), "{name}: twice: {line}");
        }
        Table { name: name.to_owned(), rows, found: found.into_iter().map(|cells| cells.map(escape)).collect() }
    }

    /// Checks that the disagreements are those of the table.
    pub(crate) fn check_exactly(mut self) {
        let new = self.take_new();
        let gone: Vec<_> = self.rows.keys().collect();
        assert!(new.is_empty() && gone.is_empty(), "{}:\nnew:\n{new}\ngone: {gone:#?}", self.name);
    }

    /// Checks that there are no others among what Foster takes. The other may be more or less strict than the table says.
    pub(crate) fn check_what_foster_takes(mut self) {
        self.found.retain(|[_, ours, _]| !is_refusal(ours));
        let new = self.take_new();
        assert!(new.is_empty(), "{}:\nnew:\n{new}", self.name);
    }

    /// The rows that are missing in the table, or are different there. The others are taken out of it.
    fn take_new(&mut self) -> String {
        let mut new = String::new();
        for [input, ours, theirs] in &self.found {
            let is_known = self.rows.get(input).is_some_and(|[o, t, _]| o == ours && t == theirs);
            if is_known {
                self.rows.remove(input);
            } else {
                new += &format!("| {input} | {ours} | {theirs} | |\n");
            }
        }
        new
    }
}

/// A cell may hold no bar and no control byte.
fn escape(text: String) -> String {
    text.replace('|', "&#124;")
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
        .collect()
}

fn is_refusal(verdict: &str) -> bool {
    let last = verdict.rsplit(", ").next().unwrap_or(verdict);
    last == "closed" || (last.len() == 3 && last.bytes().all(|byte| byte.is_ascii_digit()))
}
