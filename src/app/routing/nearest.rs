//! What somebody may have meant who wrote another name.

/// The name that differs least, if it differs by no more than a third of its letters, or if one of the two is the
/// start of the other.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = written.chars().take(MAX_LENGTH).collect();
    let scored = known.map(|name| {
        let is_start =
            name.len().min(written.len()) >= MIN_START && (written.starts_with(name) || name.starts_with(written));
        let n_edits = distance(&letters, &name.chars().take(MAX_LENGTH).collect::<Vec<_>>());
        (if is_start { n_edits.min(1) } else { n_edits }, name)
    });
    let (n_edits, name) = scored.min_by_key(|(n_edits, _)| *n_edits)?;
    (n_edits <= (letters.len().max(name.len()) / 3).max(1)).then_some(name)
}

/// How many letters have to be put in, left out, replaced or swapped with their neighbour.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    for n in 0..=one.len() {
        for m in 0..=other.len() {
            rows[n][m] = if n == 0 || m == 0 {
                n + m
            } else {
                let is_other = usize::from(one[n - 1] != other[m - 1]);
                let mut least = (rows[n - 1][m] + 1).min(rows[n][m - 1] + 1).min(rows[n - 1][m - 1] + is_other);
                if n > 1 && m > 1 && one[n - 1] == other[m - 2] && one[n - 2] == other[m - 1] {
                    least = least.min(rows[n - 2][m - 2] + 1);
                }
                least
            };
        }
    }
    rows[one.len()][other.len()]
}

/// Names are shorter; what is longer is compared by its start.
const MAX_LENGTH: usize = 64;

/// From how many letters on a start says something: `int` of `integer`.
const MIN_START: usize = 3;

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_name_with_a_slip_is_found_and_another_name_is_not() {
        let known = ["string", "int", "float", "user.show"];
        for (written, meant) in [
            ("strnig", Some("string")),
            ("itn", Some("int")),
            ("user.shwo", Some("user.show")),
            ("integer", Some("int")),
            ("uuid", None),
        ] {
            assert_eq!(nearest(written, known.into_iter()), meant, "{written}");
        }
        assert_eq!(nearest("", [].into_iter()), None);
    }
}
