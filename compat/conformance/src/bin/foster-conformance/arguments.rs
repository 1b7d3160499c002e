//! The command line.

use std::env::consts::EXE_SUFFIX;
use std::error::Error;
use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use foster_conformance::{DriverCommand, cpython_driver, scenarios_file};

pub(crate) const USAGE: &str = "\
usage: foster-conformance [OPTION]...

Plays asyncio scenarios against a driver and prints one line per difference: those of conforming.txt
against Foster's driver, all against any other. The last line is `N of M scenarios conform`; the exit status is 0 only if all do.

  --driver CMD        command line of the driver, split as a shell does
                      (default: foster-conformance-driver beside this program)
  --cpython [PYTHON]  play on CPython (default: python3) through cpython_driver.py
  --scenarios FILE    scenarios to play (default: those of the package); may be repeated
  --filter LIST       only ids that begin with one of the comma-separated parts: A,B,E04
  --all               all scenarios, also those that Foster need not conform to yet
  --shared            pass --shared to the driver: its protocols take `&self`
  --relaxed           pause_writing may come after the rest of the callback that wrote
  --jobs N            scenarios played at the same time (4)
  --retries N         times a differing scenario is played again, alone (1)
  --known FILE        lines `ID reason`: the reason is printed with the difference,
                      which still counts and is not played again; may be repeated
  --stderr            let the driver's stderr through
  --verbose           print the whole traces of differing scenarios
  --list              only list ids, kinds and titles
  --help              print this
";

/// What the user wants.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Play(Arguments),
}

/// The options; what is not given keeps the default of the library.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    driver: Option<String>,
    /// The Python to play on.
    pub(crate) cpython: Option<String>,
    scenario_files: Vec<PathBuf>,
    pub(crate) filter: String,
    plays_all: bool,
    is_shared: bool,
    pub(crate) is_relaxed: bool,
    pub(crate) n_jobs: Option<NonZero<usize>>,
    pub(crate) n_retries: Option<usize>,
    pub(crate) known_files: Vec<PathBuf>,
    shows_stderr: bool,
    pub(crate) is_verbose: bool,
    pub(crate) lists_only: bool,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Request, WrongUse> {
        let mut words = words.peekable();
        let mut given = Arguments::default();
        while let Some(option) = words.next() {
            match option.as_str() {
                "--help" | "-h" => return Ok(Request::Help),
                "--driver" => given.driver = Some(value(&option, &mut words)?),
                "--cpython" => {
                    let python = words.next_if(|word| !word.starts_with('-'));
                    given.cpython = Some(python.unwrap_or_else(|| USUAL_PYTHON.to_owned()));
                }
                "--scenarios" => given.scenario_files.push(value(&option, &mut words)?.into()),
                "--filter" => given.filter = value(&option, &mut words)?,
                "--all" => given.plays_all = true,
                "--shared" => given.is_shared = true,
                "--relaxed" => given.is_relaxed = true,
                "--jobs" => given.n_jobs = Some(number(&option, &mut words)?),
                "--retries" => given.n_retries = Some(number(&option, &mut words)?),
                "--known" => given.known_files.push(value(&option, &mut words)?.into()),
                "--stderr" => given.shows_stderr = true,
                "--verbose" => given.is_verbose = true,
                "--list" => given.lists_only = true,
                _ => return Err(WrongUse::UnknownOption(option)),
            }
        }
        if given.cpython.is_some() && (given.driver.is_some() || given.is_shared) {
            return Err(WrongUse::TwoDrivers);
        }
        Ok(Request::Play(given))
    }

    /// Whether Foster's driver is to play what it must conform to.
    pub(crate) fn plays_conforming(&self) -> bool {
        let is_fosters_driver = self.driver.is_none() && self.cpython.is_none();
        is_fosters_driver && !self.plays_all && self.filter.is_empty() && self.scenario_files.is_empty()
    }

    pub(crate) fn scenario_files(&self) -> Vec<PathBuf> {
        if self.scenario_files.is_empty() { vec![scenarios_file()] } else { self.scenario_files.clone() }
    }

    /// The driver to play against.
    pub(crate) fn driver(&self) -> Result<DriverCommand, Box<dyn Error>> {
        let mut driver = match (&self.driver, &self.cpython) {
            (Some(line), _) => DriverCommand::parse(line)?,
            (None, Some(python)) => DriverCommand::new(python).argument(cpython_driver()),
            (None, None) => DriverCommand::new(driver_beside_this_program()?),
        };
        if self.is_shared {
            driver = driver.argument("--shared");
        }
        Ok(if self.shows_stderr { driver.show_stderr() } else { driver })
    }
}

fn driver_beside_this_program() -> Result<PathBuf, Box<dyn Error>> {
    let driver = std::env::current_exe()?.with_file_name(format!("foster-conformance-driver{EXE_SUFFIX}"));
    if driver.exists() {
        Ok(driver)
    } else {
        Err(format!("there is no driver {}: build it with `cargo build -p foster-conformance`, or name another with --driver or --cpython", driver.display()).into())
    }
}

fn value(option: &str, words: &mut impl Iterator<Item = String>) -> Result<String, WrongUse> {
    words.next().ok_or_else(|| WrongUse::NoValue(option.to_owned()))
}

fn number<N: FromStr>(option: &str, words: &mut impl Iterator<Item = String>) -> Result<N, WrongUse> {
    let text = value(option, words)?;
    text.parse().map_err(|_| WrongUse::NotANumber { option: option.to_owned(), text })
}

/// Why the command line makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WrongUse {
    UnknownOption(String),
    NoValue(String),
    NotANumber { option: String, text: String },
    TwoDrivers,
}

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongUse::UnknownOption(option) => {
                write!(f, "unknown option {option}: --help lists them")
            }
            WrongUse::NoValue(option) => write!(f, "{option} needs a value"),
            WrongUse::NotANumber { option, text } => {
                write!(f, "{option} needs a number, and {text} is none it can use")
            }
            WrongUse::TwoDrivers => {
                f.write_str("--cpython names the driver, so --driver and --shared cannot be given too")
            }
        }
    }
}

impl Error for WrongUse {}

const USUAL_PYTHON: &str = "python3";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, WrongUse> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    fn arguments(line: &str) -> Arguments {
        match parse(line) {
            Ok(Request::Play(arguments)) => arguments,
            other => panic!("{line} gave {other:?}"),
        }
    }

    #[test]
    fn the_python_behind_cpython_may_be_left_out() {
        assert_eq!(arguments("--cpython --verbose").cpython.as_deref(), Some("python3"));
        assert_eq!(arguments("--cpython python3.14").cpython.as_deref(), Some("python3.14"));
    }

    #[test]
    fn what_foster_must_conform_to_is_played_unless_something_else_is_asked_for() {
        assert!(arguments("--shared --jobs 2").plays_conforming());
        for other in ["--all", "--filter A", "--cpython", "--driver x", "--scenarios x.json"] {
            assert!(!arguments(other).plays_conforming(), "{other}");
        }
    }

    #[test]
    fn shared_is_passed_on_to_the_driver() {
        let driver = arguments("--driver echo --shared").driver().expect("the command line is complete");
        assert_eq!(driver.to_string(), "echo --shared");
    }

    #[test]
    fn wrong_arguments_are_refused_with_the_reason() {
        assert_eq!(parse("--sing").err(), Some(WrongUse::UnknownOption("--sing".to_owned())));
        assert_eq!(parse("--filter").err(), Some(WrongUse::NoValue("--filter".to_owned())));
        let not_a_number =
            |option: &str, text: &str| Some(WrongUse::NotANumber { option: option.to_owned(), text: text.to_owned() });
        assert_eq!(parse("--jobs 0").err(), not_a_number("--jobs", "0"));
        assert_eq!(parse("--retries x").err(), not_a_number("--retries", "x"));
        assert_eq!(parse("--cpython --shared").err(), Some(WrongUse::TwoDrivers));
    }
}
