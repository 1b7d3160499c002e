//! The command line.

/// The options of the driver.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// `--shared`: the protocols take `&self`.
    pub(crate) is_shared: bool,
    /// `--start-message JSON`: the message was read already, by the process that has become this one.
    pub(crate) start_message: Option<String>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut given = Arguments::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                SHARED => given.is_shared = true,
                START_MESSAGE => {
                    given.start_message = Some(words.next().ok_or("--start-message needs a value")?);
                }
                _ => return Err(format!("unknown option {word}: there is only --shared")),
            }
        }
        Ok(given)
    }

    /// The words that give these options, with the start message.
    pub(crate) fn with_start_message(&self, text: &str) -> Vec<String> {
        let shared = self.is_shared.then(|| SHARED.to_owned());
        shared.into_iter().chain([START_MESSAGE.to_owned(), text.to_owned()]).collect()
    }
}

const SHARED: &str = "--shared";
const START_MESSAGE: &str = "--start-message";
