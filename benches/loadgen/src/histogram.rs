use std::time::Duration;

/// A log-linear histogram of nanoseconds: 64 buckets for each power of two, so a value is at most 1.6 % too low.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    n_values: u64,
    largest: u64,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram { buckets: vec![0; 64 * 64], n_values: 0, largest: 0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: Duration, n_values: u64) {
        let nanos = value.as_nanos() as u64;
        self.buckets[index_of(nanos)] += n_values;
        self.n_values += n_values;
        self.largest = self.largest.max(nanos);
    }

    /// The value below which the given part of all values lies, in microseconds; 0 when there are none.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        let wanted = ((quantile * self.n_values as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return lowest_of(index) as f64 / 1e3;
            }
        }
        0.0
    }

    pub(crate) fn largest_us(&self) -> f64 {
        self.largest as f64 / 1e3
    }
}

#[inline]
fn index_of(nanos: u64) -> usize {
    if nanos < 64 {
        return nanos as usize;
    }
    let exponent = 63 - nanos.leading_zeros() as usize;
    (exponent - 5) * 64 + ((nanos >> (exponent - 6)) as usize & 63)
}

fn lowest_of(index: usize) -> u64 {
    if index < 64 {
        return index as u64;
    }
    (64 + (index as u64 & 63)) << (index / 64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_at_most_one_part_in_64_below_its_values() {
        for nanos in [0, 1, 63, 64, 65, 1_000, 123_456, 7_000_000_000, u64::MAX] {
            let lowest = lowest_of(index_of(nanos));
            assert!(lowest <= nanos && nanos - lowest <= nanos / 64, "{nanos}: {lowest}");
        }
    }

    #[test]
    fn an_empty_histogram_has_quantile_zero() {
        assert_eq!(Histogram::new().quantile_us(0.5), 0.0);
    }
}
