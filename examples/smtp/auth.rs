//! AUTH (RFC 4954), with the mechanisms LOGIN and PLAIN.

use foster::Result;

use super::Smtp;
use super::base64;
use super::handler::Handler;

/// "User Name" and "Password", each with a zero byte, in Base64: what AUTH LOGIN asks for.
const LOGIN_CHALLENGES: [&str; 2] = ["VXNlciBOYW1lAA==", "UGFzc3dvcmQA"];

impl<H: Handler> Smtp<H> {
    pub(crate) fn may_auth(&self) -> bool {
        self.session.ssl.is_some() || !self.settings.auth_require_tls
    }

    pub(crate) async fn smtp_auth(&mut self, arg: &str) -> Result<()> {
        if self.check_helo_needed("EHLO").await? {
            return Ok(());
        }
        let settings = self.settings.clone();
        let Some(auth_callback) = settings.auth_callback.as_ref().filter(|_| self.session.extended_smtp) else {
            return self.push("500 Error: command \"AUTH\" not recognized").await;
        };
        if !self.may_auth() {
            return self.push("538 5.7.11 Encryption required for requested authentication mechanism").await;
        }
        if self.session.login.is_some() {
            return self.push("503 Already authenticated").await;
        }
        let mut args = arg.split_ascii_whitespace();
        let (mechanism, initial) = (args.next().map(str::to_ascii_uppercase), args.next());
        if args.next().is_some() {
            return self.push("501 Too many values").await;
        }
        let login_data = match mechanism.as_deref() {
            Some("LOGIN") => self.auth_login(initial).await?,
            Some("PLAIN") => self.auth_plain(initial).await?,
            Some(_) => return self.push("504 5.5.4 Unrecognized authentication type").await,
            None => return self.push("501 Not enough value").await,
        };
        // Without login data the client has been told why.
        let Some((login, password)) = login_data else { return Ok(()) };
        if !auth_callback(&login, &password) {
            return self.push("535 5.7.8 Authentication credentials invalid").await;
        }
        self.session.login = Some(login);
        self.push("235 2.7.0 Authentication successful").await
    }

    async fn auth_login(&mut self, initial: Option<&str>) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let [user_name, password] = LOGIN_CHALLENGES;
        let Some(login) = self.credentials(initial, user_name).await? else { return Ok(None) };
        let Some(password) = self.credentials(None, password).await? else { return Ok(None) };
        Ok(Some((login, password)))
    }

    async fn auth_plain(&mut self, initial: Option<&str>) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let Some(credentials) = self.credentials(initial, "").await? else { return Ok(None) };
        // In whose name to act, which is not looked at, then who it is and the password (RFC 4616, 2).
        let [_, login, password] = *credentials.split(|byte| *byte == 0).collect::<Vec<_>>() else {
            self.push("501 5.5.2 Can't split auth value").await?;
            return Ok(None);
        };
        Ok(Some((login.to_vec(), password.to_vec())))
    }

    /// What came with the command, or what the client answers to a challenge. `None` once it was refused.
    async fn credentials(&mut self, initial: Option<&str>, challenge: &str) -> Result<Option<Vec<u8>>> {
        let blob = match initial {
            Some(initial) => initial.as_bytes().to_vec(),
            None => {
                self.push(&format!("334 {challenge}")).await?;
                let Some(line) = self.read_line().await? else { return Ok(None) };
                line.trim_ascii().to_vec()
            }
        };
        if blob == b"*" {
            self.push("501 5.7.0 Auth aborted").await?;
            return Ok(None);
        }
        let credentials = base64::decode(&blob);
        if credentials.is_none() {
            self.push("501 5.5.2 Can't decode base64").await?;
        }
        Ok(credentials)
    }
}
