//! AUTH (RFC 4954), with the mechanisms LOGIN and PLAIN.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use foster::Result;

use super::handler::Handler;
use super::{Refused, Smtp, require};

/// "User Name" and "Password", each with a zero byte, in Base64: what AUTH LOGIN asks for.
const LOGIN_CHALLENGES: [&str; 2] = ["VXNlciBOYW1lAA==", "UGFzc3dvcmQA"];

impl<H: Handler> Smtp<H> {
    pub(crate) async fn smtp_auth(&mut self, arg: &str) -> Result<()> {
        let user = self.settings.user.clone().filter(|_| self.session.extended_smtp);
        let user = user.ok_or(Refused("500 Error: command \"AUTH\" not recognized"))?;
        let is_secret = self.session.ssl.is_some();
        require(is_secret, "538 5.7.11 Encryption required for requested authentication mechanism")?;
        require(self.session.login.is_none(), "503 Already authenticated")?;
        let (mechanism, initial) = match arg.split_once(' ') {
            Some((mechanism, initial)) => (mechanism, Some(initial)),
            None => (arg, None),
        };
        let login_data = match &*mechanism.to_ascii_uppercase() {
            "LOGIN" => self.auth_login(initial).await?,
            "PLAIN" => self.auth_plain(initial).await?,
            _ => return Err(Refused("504 5.5.4 Unrecognized authentication type").into()),
        };
        require(login_data == user, "535 5.7.8 Authentication credentials invalid")?;
        self.session.login = Some(user.0);
        self.push("235 2.7.0 Authentication successful").await
    }

    async fn auth_login(&self, initial: Option<&str>) -> Result<(String, String)> {
        let [user_name, password] = LOGIN_CHALLENGES;
        Ok((self.credentials(initial, user_name).await?, self.credentials(None, password).await?))
    }

    async fn auth_plain(&self, initial: Option<&str>) -> Result<(String, String)> {
        let credentials = self.credentials(initial, "").await?;
        // In whose name to act, which is not looked at, then who it is and the password (RFC 4616, 2).
        match *credentials.split('\0').collect::<Vec<_>>() {
            [_, login, password] => Ok((login.to_owned(), password.to_owned())),
            _ => Err(Refused("501 5.5.2 Can't split auth value").into()),
        }
    }

    /// What came with the command, or what the client answers to a challenge.
    async fn credentials(&self, initial: Option<&str>, challenge: &str) -> Result<String> {
        let blob = match initial {
            Some(initial) => initial.to_owned(),
            None => {
                self.push(&format!("334 {challenge}")).await?;
                self.read_line().await?
            }
        };
        require(blob != "*", "501 5.7.0 Auth aborted")?;
        let credentials = BASE64_STANDARD.decode(&blob).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(credentials.ok_or(Refused("501 5.5.2 Can't decode base64"))?)
    }
}
