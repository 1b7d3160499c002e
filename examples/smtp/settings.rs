//! [`Settings`]: what a server does, and the options that say so.

use std::time::Duration;

use foster::SslContext;

use super::options::Own;

/// The longest message in bytes, unless set: aiosmtpd's.
const DATA_SIZE_DEFAULT: usize = 32 * 1024 * 1024;

/// How long a client may take for a command, unless set (RFC 5321, 4.5.3.2.7).
const TIMEOUT: Duration = Duration::from_secs(300);

/// What `SMTP` is made with, beside its handler.
pub(crate) struct Settings {
    pub(crate) hostname: String,
    pub(crate) data_size_limit: usize,
    /// Without one STARTTLS is not offered.
    pub(crate) tls_context: Option<SslContext>,
    pub(crate) require_starttls: bool,
    pub(crate) timeout: Duration,
    pub(crate) auth_required: bool,
    pub(crate) auth_require_tls: bool,
    /// Without one AUTH is not offered.
    pub(crate) auth_callback: Option<AuthCallback>,
}

/// Says whether a login and its password are right.
pub(crate) type AuthCallback = Box<dyn Fn(&[u8], &[u8]) -> bool>;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            hostname: "localhost".to_owned(),
            data_size_limit: DATA_SIZE_DEFAULT,
            tls_context: None,
            require_starttls: false,
            timeout: TIMEOUT,
            auth_required: false,
            auth_require_tls: true,
            auth_callback: None,
        }
    }
}

/// The options of this example alone.
pub(crate) const OPTIONS: [Own; 5] = [
    Own { option: "--cert", value: "FILE", help: "the certificate chain for STARTTLS, in PEM; needs --key" },
    Own { option: "--key", value: "FILE", help: "its private key, in PEM; needs --cert" },
    Own { option: "--size", value: "BYTES", help: "the longest message (33554432)" },
    Own { option: "--user", value: "LOGIN:PASSWORD", help: "who has to log in; nobody unless given" },
    Own { option: "--auth-require-tls", value: "BOOL", help: "whether STARTTLS has to come first (true)" },
];

impl Settings {
    /// Reads what was given for each of [`OPTIONS`].
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub(crate) fn from_values(values: [Option<String>; 5]) -> Result<Self, String> {
        let [cert, key, size, user, auth_require_tls] = values;
        let tls_context = match (cert, key) {
            (Some(cert), Some(key)) => {
                let context = SslContext::server().load_cert_chain(cert, key).build();
                Some(context.map_err(|err| err.to_string())?)
            }
            (None, None) => None,
            _ => return Err("--cert and --key need each other".to_owned()),
        };
        let mut settings = Settings { tls_context, ..Settings::default() };
        if let Some(size) = size {
            let size = size.parse().ok().filter(|size| *size > 0);
            settings.data_size_limit = size.ok_or("--size needs a number of bytes, 1 or more")?;
        }
        if let Some(user) = user {
            let (login, password) = user.split_once(':').ok_or("--user needs a login and a password, with a colon")?;
            let known = (login.as_bytes().to_vec(), password.as_bytes().to_vec());
            settings.auth_required = true;
            settings.auth_callback = Some(Box::new(move |login, password| (login, password) == (&known.0, &known.1)));
        }
        if let Some(is_required) = auth_require_tls {
            settings.auth_require_tls = is_required.parse().map_err(|_| "--auth-require-tls needs true or false")?;
        }
        Ok(settings)
    }
}
