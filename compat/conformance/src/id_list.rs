//! Lists of scenarios, one `ID remark` per line: what conforms, and which differences are known.

use std::fs;
use std::path::Path;

use crate::load_error::LoadError;
use crate::package_files::{conforming_file, known_cpython_file, scenarios_file};
use crate::scenario::Scenario;
use crate::scenario_file::load_scenarios;

/// Ids of scenarios, each with a remark, which may be empty.
#[derive(Debug, Clone, Default)]
pub struct IdList {
    entries: Vec<(String, String)>,
}

impl IdList {
    /// Reads a list: an id, a blank and a remark on each line; empty lines and lines that begin with `#` do not count.
    ///
    /// # Errors
    ///
    /// [`LoadError::Unreadable`] if the file cannot be read.
    pub fn load(path: &Path) -> Result<IdList, LoadError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(IdList::parse(&text)),
            Err(err) => Err(LoadError::Unreadable { path: path.to_owned(), err }),
        }
    }

    fn parse(text: &str) -> IdList {
        let lines = text.lines().map(str::trim);
        let entries = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let split = |line: &str| match line.split_once(' ') {
            Some((id, remark)) => (id.to_owned(), remark.trim().to_owned()),
            None => (line.to_owned(), String::new()),
        };
        IdList { entries: entries.map(split).collect() }
    }

    /// Adds the entries of another list; where both have a remark, the later one counts.
    pub fn extend(&mut self, other: IdList) {
        self.entries.extend(other.entries);
    }

    /// The ids in the order of the list.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(id, _)| id.as_str())
    }

    /// The remark on a scenario; none if the list does not name it.
    pub fn remark(&self, id: &str) -> Option<&str> {
        let entry = self.entries.iter().rev().find(|(listed, _)| listed == id);
        entry.map(|(_, remark)| remark.as_str())
    }
}

/// The scenarios of `conforming.txt`, to which Foster must conform.
///
/// # Errors
///
/// [`LoadError`] if the files cannot be read, or the list names a scenario that does not exist.
pub fn conforming_scenarios() -> Result<Vec<Scenario>, LoadError> {
    let scenarios = load_scenarios(&scenarios_file())?;
    let list = IdList::load(&conforming_file())?;
    let find = |id: &str| {
        let found = scenarios.iter().find(|scenario| scenario.id == id);
        found.cloned().ok_or_else(|| LoadError::UnknownId { id: id.to_owned() })
    };
    list.ids().map(find).collect()
}

/// The scenarios on which CPython may differ from the expected trace, each with the reason.
///
/// # Errors
///
/// [`LoadError::Unreadable`] if the file cannot be read.
pub fn known_cpython_differences() -> Result<IdList, LoadError> {
    IdList::load(&known_cpython_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn comments_and_empty_lines_are_no_entries() {
        let list = IdList::parse("# A list.\n\nA01 the reason\n  B02  \n");
        assert_eq!(list.ids().collect::<Vec<_>>(), ["A01", "B02"]);
        assert_eq!(list.remark("A01"), Some("the reason"));
        assert_eq!(list.remark("B02"), Some(""));
        assert_eq!(list.remark("C03"), None);
    }

    #[test]
    fn every_listed_scenario_exists_once() {
        let scenarios = conforming_scenarios().expect("the list names existing scenarios");
        let ids: HashSet<&str> = scenarios.iter().map(Scenario::id).collect();
        assert_eq!(ids.len(), scenarios.len());
    }

    #[test]
    fn no_scenario_is_ever_taken_out_of_the_list() {
        let scenarios = conforming_scenarios().expect("the list names existing scenarios");
        assert!(scenarios.len() >= N_CONFORMING, "{} are left of {N_CONFORMING}", scenarios.len());
    }

    /// How many there were when this number was last raised.
    const N_CONFORMING: usize = 138;

    #[test]
    fn every_known_difference_of_cpython_is_about_an_existing_scenario() {
        let scenarios = load_scenarios(&scenarios_file()).expect("the package's scenarios are valid");
        let known = known_cpython_differences().expect("the list can be read");
        for id in known.ids() {
            assert!(scenarios.iter().any(|scenario| scenario.id == id), "{id}");
        }
    }
}
