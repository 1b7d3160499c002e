//! Dates as logs have them, in UTC.

use std::fmt::Write;
use std::time::Duration;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment, taken apart.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Civil {
    /// From the seconds since 1970, by the era of 400 years that a day lies in.
    fn of(seconds: u64) -> Self {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Days since the first of March of the year 0, so that a leap day is the last of its year.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = 400 * era + year_of_era + u64::from(month <= 2);
        Civil { year, month, day, hour: rest / 3_600, minute: rest / 60 % 60, second: rest % 60 }
    }
}

/// `06/Nov/1994:08:49:37 +0000`
pub(super) fn common(seconds: u64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(seconds);
    let month = MONTHS[(month as usize - 1) % MONTHS.len()];
    format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
}

/// `1994-11-06T08:49:37.000000Z`
pub(super) fn rfc3339(since: Duration) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::of(since.as_secs());
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    // Writing to a string does not fail.
    let _ = write!(text, ".{:06}Z", since.subsec_micros());
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{MONTHS, common, rfc3339};

    #[test]
    fn a_date_has_the_form_of_common_logs() {
        assert_eq!(common(784_111_777), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(common(0), "01/Jan/1970:00:00:00 +0000");
    }

    #[test]
    fn a_date_has_the_form_of_rfc_3339() {
        assert_eq!(rfc3339(Duration::new(784_111_777, 5_000)), "1994-11-06T08:49:37.000005Z");
    }

    #[test]
    fn every_day_up_to_2400_is_the_one_that_http_dates_have() {
        for day in 0..(430 * 365) {
            let seconds = day * 86_400 + 86_399;
            let http = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            // Sun, 06 Nov 1994 08:49:37 GMT
            let (date, month, year) = (&http[5..7], &http[8..11], &http[12..16]);
            assert_eq!(common(seconds), format!("{date}/{month}/{year}:23:59:59 +0000"));
            assert!(MONTHS.contains(&month));
        }
    }
}
