//! Which scenarios are meant.

use std::fmt;

use crate::scenario::Scenario;

/// A selection such as `A,B,E04`: scenarios whose id begins with one of the parts.
///
/// A group's letter selects the group and a whole id selects that scenario. The empty filter selects everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    prefixes: Vec<String>,
}

impl Filter {
    /// The filter that the text stands for; blanks around the commas do not count.
    pub fn parse(text: &str) -> Filter {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Filter { prefixes: parts.map(str::to_owned).collect() }
    }

    /// Whether the scenario is selected.
    pub fn selects(&self, scenario: &Scenario) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| scenario.id.starts_with(prefix))
    }

    /// The parts that select none of the scenarios, which are probably misspelt.
    pub fn useless_parts<'a>(&'a self, scenarios: &[Scenario]) -> Vec<&'a str> {
        let is_useless = |prefix: &&str| !scenarios.iter().any(|scenario| scenario.id.starts_with(prefix));
        self.prefixes.iter().map(String::as_str).filter(is_useless).collect()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefixes.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{load_scenarios, scenarios_file};

    fn selected(filter: &str) -> Vec<String> {
        let scenarios = load_scenarios(&scenarios_file()).expect("the package's scenarios are valid");
        let filter = Filter::parse(filter);
        let chosen = scenarios.iter().filter(|scenario| filter.selects(scenario));
        chosen.map(|scenario| scenario.id.clone()).collect()
    }

    #[test]
    fn a_letter_selects_its_group_and_an_id_one_scenario() {
        assert_eq!(selected("U, E04"), ["E04", "U01", "U02", "U03", "U04"]);
    }

    #[test]
    fn the_empty_filter_selects_everything() {
        let scenarios = load_scenarios(&scenarios_file()).expect("the package's scenarios are valid");
        assert_eq!(selected("").len(), scenarios.len());
    }

    #[test]
    fn a_part_that_selects_nothing_is_found() {
        let scenarios = load_scenarios(&scenarios_file()).expect("the package's scenarios are valid");
        assert_eq!(Filter::parse("A,Q,E99").useless_parts(&scenarios), ["Q", "E99"]);
    }
}
