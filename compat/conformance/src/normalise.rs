//! What is not compared: cleaning for all traces, and the three options of a scenario.

use std::collections::HashMap;

use crate::scenario::Normalisation;
use crate::shown_bytes::shown_size;
use crate::trace::is_protocol_name;

/// The driver's lines as they are compared.
pub(crate) fn normalise(options: &Normalisation, lines: &[String]) -> Vec<String> {
    let mut lines = clean(lines);
    if options.merge {
        lines = merge(&lines);
    }
    if options.merge_pipes {
        lines = merge_pipes(&lines);
    }
    if options.collapse {
        lines = collapse(&lines);
    }
    lines
}

/// Removes the name of the callback behind `HANDLER Exception in callback`, and trailing blanks.
pub(crate) fn clean(lines: &[String]) -> Vec<String> {
    let without_name = |line: &String| match callback_name(line) {
        Some((head, tail)) => format!("{head}{tail}"),
        None => line.clone(),
    };
    lines.iter().map(|line| without_name(line).trim_end().to_owned()).collect()
}

/// What stands before and behind the name of a failed callback; the tail is ` [EXC]`.
fn callback_name(line: &str) -> Option<(&str, &str)> {
    const REPORT: &str = "HANDLER Exception in callback";
    let (head, rest) = line.split_at_checked(line.find(REPORT)? + REPORT.len())?;
    let tail = &rest[rest.rfind(" [")?..];
    let exception = tail.strip_prefix(" [")?.strip_suffix(']')?;
    (is_protocol_name(exception) && !rest.starts_with(|char: char| is_protocol_name(char.encode_utf8(&mut [0; 4]))))
        .then_some((head, tail))
}

/// Makes one line `data* <TOTAL>` of adjacent `data` (or `updated`) lines of one protocol, also of a single one.
fn merge(lines: &[String]) -> Vec<String> {
    let mut merged = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    for line in lines {
        let received = received_payload(line);
        match (&mut open, received) {
            (Some((head, total)), Some((next_head, size))) if *head == next_head => *total += size,
            _ => {
                merged.extend(open.take().map(total_line));
                open = received;
                if received.is_none() {
                    merged.push(line.clone());
                }
            }
        }
    }
    merged.extend(open.map(total_line));
    merged
}

/// The head (`data`, `B:updated`) and the size of the payload of a line that reports one.
fn received_payload(line: &str) -> Option<(&str, usize)> {
    let (head, payload) = line.split_once(' ')?;
    let event = match head.split_once(':') {
        Some((name, event)) if is_protocol_name(name) => event,
        Some(_) => return None,
        None => head,
    };
    matches!(event, "data" | "updated").then_some(())?;
    Some((head, shown_size(payload)?))
}

/// Makes one line `pipe_data FD* <TOTAL>` of all `pipe_data FD …` lines of one descriptor, at the place of the first.
fn merge_pipes(lines: &[String]) -> Vec<String> {
    let mut totals: HashMap<&str, usize> = HashMap::new();
    for (head, size) in lines.iter().filter_map(|line| pipe_payload(line)) {
        *totals.entry(head).or_default() += size;
    }
    let merged = |line: &String| match pipe_payload(line) {
        Some((head, _)) => totals.remove(head).map(|total| total_line((head, total))),
        None => Some(line.clone()),
    };
    lines.iter().filter_map(merged).collect()
}

/// The head (`pipe_data 1`) and the size of the payload of a line about a subprocess's output.
fn pipe_payload(line: &str) -> Option<(&str, usize)> {
    const EVENT: &str = "pipe_data ";
    let (descriptor, payload) = line.strip_prefix(EVENT)?.split_once(' ')?;
    descriptor.parse::<u32>().ok()?;
    Some((&line[..EVENT.len() + descriptor.len()], shown_size(payload)?))
}

fn total_line((head, total): (&str, usize)) -> String {
    format!("{head}* <{total}>")
}

/// Makes one line `LINE xN` of equal adjacent lines.
fn collapse(lines: &[String]) -> Vec<String> {
    lines
        .chunk_by(|a, b| a == b)
        .map(|equal| match equal {
            [single] => single.clone(),
            _ => format!("{} x{}", equal[0], equal.len()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn cleaning_removes_the_name_of_a_failed_callback_and_trailing_blanks() {
        let seen = lines(&[
            "HANDLER Exception in callback <Handle f() at [x]> [RuntimeError]",
            "HANDLER Exception in callback [OSError]",
            "lost None  ",
        ]);
        let expected =
            ["HANDLER Exception in callback [RuntimeError]", "HANDLER Exception in callback [OSError]", "lost None"];
        assert_eq!(clean(&seen), expected);
    }

    #[test]
    fn cleaning_leaves_other_reports_alone() {
        let seen = lines(&[
            "HANDLER Exception in callbacks f [OSError]",
            "HANDLER Exception in callback f [Two Words]",
            "HANDLER Fatal error: protocol.data_received() call failed. [OSError]",
        ]);
        assert_eq!(clean(&seen), seen);
    }

    #[test]
    fn merge_adds_up_adjacent_payloads_of_one_protocol() {
        let seen = lines(&["made", "data 'ab'", "data <100>", r"data '\x00\n'", "eof"]);
        assert_eq!(merge(&seen), ["made", "data* <104>", "eof"]);
    }

    #[test]
    fn merge_rewrites_a_single_payload_too() {
        assert_eq!(merge(&lines(&["updated 'ab'"])), ["updated* <2>"]);
    }

    #[test]
    fn merge_keeps_protocols_and_events_apart() {
        let seen = lines(&["data 'a'", "B:data 'b'", "B:data 'c'", "B:updated 'd'", "data 'e'", "mark m", "data 'f'"]);
        let expected = ["data* <1>", "B:data* <2>", "B:updated* <1>", "data* <1>", "mark m", "data* <1>"];
        assert_eq!(merge(&seen), expected);
    }

    #[test]
    fn merge_leaves_lines_that_only_look_like_payloads() {
        let seen = lines(&["data", "data x", "database 'a'", "mark data 'a'", "a b:data 'x'"]);
        assert_eq!(merge(&seen), seen);
    }

    #[test]
    fn merge_pipes_adds_up_each_descriptor_at_the_place_of_its_first_line() {
        let seen = lines(&[
            "made",
            "pipe_data 1 'ab'",
            "pipe_data 2 'x'",
            "pipe_lost 2 None",
            "pipe_data 1 <50>",
            "lost None",
        ]);
        let expected = ["made", "pipe_data 1* <52>", "pipe_data 2* <1>", "pipe_lost 2 None", "lost None"];
        assert_eq!(merge_pipes(&seen), expected);
    }

    #[test]
    fn collapse_counts_equal_adjacent_lines() {
        let seen = lines(&["a", "b", "b", "b", "a", "a", "c"]);
        assert_eq!(collapse(&seen), ["a", "b x3", "a x2", "c"]);
    }

    #[test]
    fn options_apply_only_where_the_scenario_asks_for_them() {
        let seen = lines(&["data 'a'", "data 'a'"]);
        let mut options = Normalisation { merge: false, merge_pipes: false, collapse: false };
        assert_eq!(normalise(&options, &seen), seen);
        options.collapse = true;
        assert_eq!(normalise(&options, &seen), ["data 'a' x2"]);
        options.merge = true;
        assert_eq!(normalise(&options, &seen), ["data* <2>"]);
    }
}
