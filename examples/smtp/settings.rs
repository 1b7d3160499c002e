//! [`Settings`]: what a server does, and the options that say so.

use std::time::Duration;

use foster::SslContext;

use super::options::Own;

/// What `SMTP` is made with, beside its handler.
pub(crate) struct Settings {
    pub(crate) data_size_limit: usize,
    /// How long a client may take for a command.
    pub(crate) timeout: Duration,
    /// Without one STARTTLS is not offered.
    pub(crate) tls_context: Option<SslContext>,
    /// A login and its password. With one everybody has to log in, which takes STARTTLS first.
    pub(crate) user: Option<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            // aiosmtpd's.
            data_size_limit: 32 * 1024 * 1024,
            // RFC 5321, 4.5.3.2.7.
            timeout: Duration::from_secs(300),
            tls_context: None,
            user: None,
        }
    }
}

/// The options of this example alone.
pub(crate) const OPTIONS: [Own; 4] = [
    Own { option: "--cert", value: "FILE", help: "the certificate chain for STARTTLS, in PEM; needs --key" },
    Own { option: "--key", value: "FILE", help: "its private key, in PEM; needs --cert" },
    Own { option: "--size", value: "BYTES", help: "the longest message (33554432)" },
    Own { option: "--user", value: "LOGIN:PASSWORD", help: "who has to log in; nobody unless given" },
];

impl Settings {
    /// Reads what was given for each of [`OPTIONS`].
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub(crate) fn from_values([cert, key, size, user]: [Option<String>; 4]) -> Result<Self, String> {
        let mut settings = Settings::default();
        match (cert, key) {
            (Some(cert), Some(key)) => {
                let context = SslContext::server().load_cert_chain(cert, key).build();
                settings.tls_context = Some(context.map_err(|err| err.to_string())?);
            }
            (None, None) => {}
            _ => return Err("--cert and --key need each other".to_owned()),
        }
        if let Some(size) = size {
            let size = size.parse().ok().filter(|size| *size > 0);
            settings.data_size_limit = size.ok_or("--size needs a number of bytes, 1 or more")?;
        }
        if let Some(user) = user {
            let (login, password) = user.split_once(':').ok_or("--user needs a login and a password, with a colon")?;
            settings.user = Some((login.to_owned(), password.to_owned()));
        }
        Ok(settings)
    }
}
