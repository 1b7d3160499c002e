//! Whether what was seen is what the scenario expects.

use std::collections::BTreeMap;
use std::fmt;

use crate::runner::Observation;
use crate::scenario::{Expectation, Scenario};

/// How exactly the driver's trace has to be the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// Line by line, or with the scenario's partial order.
    #[default]
    Strict,
    /// `pause_writing` may also come after the rest of the callback, or of the action list, that wrote.
    ///
    /// This is all that an implementation can do whose callbacks borrow the protocol exclusively.
    Relaxed,
}

/// One way in which an observation is not what the scenario expects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The driver's trace differs.
    Trace(String),
    /// The lines of the peer differ.
    Peer(String),
    /// The driver did not keep to its protocol, or the scenario could not be set up.
    Complaint(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Trace(text) => write!(f, "trace {text}"),
            Difference::Peer(text) => write!(f, "peer {text}"),
            Difference::Complaint(text) => f.write_str(text),
        }
    }
}

/// The differences between what was seen and what the scenario expects; none if it conforms.
pub fn compare(scenario: &Scenario, seen: &Observation, rule: Rule) -> Vec<Difference> {
    let expect = &scenario.expect;
    let trace = trace_difference(expect, &seen.trace, rule).map(Difference::Trace);
    let peer = first_difference(&expect.peer, &seen.peer).map(Difference::Peer);
    let complaints = seen.complaints.iter().cloned().map(Difference::Complaint);
    trace.into_iter().chain(peer).chain(complaints).collect()
}

fn trace_difference(expect: &Expectation, seen: &[String], rule: Rule) -> Option<String> {
    if let Some(order) = &expect.order {
        return partial_difference(&expect.trace, seen, order);
    }
    if rule == Rule::Relaxed && expect.relaxed.iter().any(|trace| trace == seen) {
        return None;
    }
    first_difference(&expect.trace, seen)
}

fn first_difference(expected: &[String], seen: &[String]) -> Option<String> {
    const END: &str = "(end)";
    (0..expected.len().max(seen.len())).find_map(|i| {
        let wanted = expected.get(i).map_or(END, String::as_str);
        let got = seen.get(i).map_or(END, String::as_str);
        (wanted != got).then(|| format!("line {}: expected {wanted}; got {got}", i + 1))
    })
}

/// The same lines in any order, but for the pairs of line starts whose order matters.
fn partial_difference(expected: &[String], seen: &[String], order: &[(String, String)]) -> Option<String> {
    let mut surplus: BTreeMap<&str, isize> = BTreeMap::new();
    for line in seen {
        *surplus.entry(line).or_default() += 1;
    }
    for line in expected {
        *surplus.entry(line).or_default() -= 1;
    }
    if surplus.values().any(|&n| n != 0) {
        let missing = listed(surplus.iter().map(|(&line, &n)| (line, -n)));
        let unexpected = listed(surplus.iter().map(|(&line, &n)| (line, n)));
        return Some(format!("missing [{missing}]; unexpected [{unexpected}]"));
    }
    order.iter().find_map(|(first, then)| {
        let last_of_first = seen.iter().rposition(|line| line.starts_with(first))?;
        let first_of_then = seen.iter().position(|line| line.starts_with(then))?;
        (last_of_first > first_of_then).then(|| format!("order: '{first}' must come before '{then}'"))
    })
}

/// Each line as often as its number says; not at all for a number below one.
fn listed<'a>(lines: impl Iterator<Item = (&'a str, isize)>) -> String {
    let repeated = lines.flat_map(|(line, n)| std::iter::repeat_n(format!("'{line}'"), n.max(0).unsigned_abs()));
    repeated.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario_file::read_scenario;
    use serde_json::{Value, json};

    fn scenario(expect: Value) -> Scenario {
        let value = json!({"id": "X01", "title": "t", "group": "X", "kind": "tcp", "peer": [], "expect": expect});
        read_scenario(1, &value).expect("the scenario of the test is valid")
    }

    fn seen(trace: &[&str], peer: &[&str]) -> Observation {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Observation { trace: owned(trace), peer: owned(peer), complaints: Vec::new() }
    }

    fn differences(scenario: &Scenario, seen: &Observation, rule: Rule) -> Vec<String> {
        compare(scenario, seen, rule).iter().map(Difference::to_string).collect()
    }

    #[test]
    fn equal_traces_conform() {
        let scenario = scenario(json!({"server": ["made", "lost None"], "peer": ["c EOF"]}));
        assert!(compare(&scenario, &seen(&["made", "lost None"], &["c EOF"]), Rule::Strict).is_empty());
    }

    #[test]
    fn the_first_differing_line_of_each_side_is_named() {
        let scenario = scenario(json!({"server": ["made", "lost None"], "peer": ["c EOF"]}));
        let found = differences(&scenario, &seen(&["made", "eof", "lost"], &["c RST"]), Rule::Strict);
        let expected = ["trace line 2: expected lost None; got eof", "peer line 1: expected c EOF; got c RST"];
        assert_eq!(found, expected);
    }

    #[test]
    fn missing_and_superfluous_last_lines_are_differences() {
        let scenario = scenario(json!({"server": ["made"], "peer": []}));
        let too_few = differences(&scenario, &seen(&[], &[]), Rule::Strict);
        assert_eq!(too_few, ["trace line 1: expected made; got (end)"]);
        let too_many = differences(&scenario, &seen(&["made", "made"], &[]), Rule::Strict);
        assert_eq!(too_many, ["trace line 2: expected (end); got made"]);
    }

    #[test]
    fn an_alternative_conforms_under_the_relaxed_rule_only() {
        let scenario =
            scenario(json!({"server": ["pause", "mark"], "peer": [], "relaxed": [["x"], ["mark", "pause"]]}));
        let late = seen(&["mark", "pause"], &[]);
        assert!(compare(&scenario, &late, Rule::Relaxed).is_empty());
        assert_eq!(compare(&scenario, &late, Rule::Strict).len(), 1);
        assert!(compare(&scenario, &seen(&["pause", "mark"], &[]), Rule::Relaxed).is_empty());
        assert_eq!(compare(&scenario, &seen(&["mark"], &[]), Rule::Relaxed).len(), 1);
    }

    #[test]
    fn a_partial_order_accepts_any_order_of_the_other_lines() {
        let expect = json!({"server": ["made", "out", "err", "lost"], "peer": [], "order": [["made", "lost"]]});
        let scenario = scenario(expect);
        assert!(compare(&scenario, &seen(&["err", "made", "lost", "out"], &[]), Rule::Strict).is_empty());
    }

    #[test]
    fn a_partial_order_holds_for_all_lines_with_the_two_starts() {
        let expect = json!({"server": ["a 1", "a 2", "b 1", "b 2"], "peer": [], "order": [["a", "b"]]});
        let scenario = scenario(expect);
        assert!(compare(&scenario, &seen(&["a 2", "a 1", "b 2", "b 1"], &[]), Rule::Strict).is_empty());
        let found = differences(&scenario, &seen(&["a 1", "b 1", "a 2", "b 2"], &[]), Rule::Strict);
        assert_eq!(found, ["trace order: 'a' must come before 'b'"]);
    }

    #[test]
    fn a_partial_order_still_counts_the_lines() {
        let scenario = scenario(json!({"server": ["a", "a", "b"], "peer": [], "order": []}));
        let found = differences(&scenario, &seen(&["a", "b", "c", "c"], &[]), Rule::Strict);
        assert_eq!(found, ["trace missing ['a']; unexpected ['c', 'c']"]);
    }

    #[test]
    fn a_complaint_about_the_driver_is_a_difference() {
        let scenario = scenario(json!({"server": [], "peer": []}));
        let mut observation = seen(&[], &[]);
        observation.complaints.push("driver: exit status 1".to_owned());
        assert_eq!(differences(&scenario, &observation, Rule::Strict), ["driver: exit status 1"]);
    }
}
