//! A mail client's side of SMTP, one command at a time, so that each reply can be shown.

use tokio_rustls::TlsConnector;

use crate::Trouble;
use crate::wire::Wire;

/// A session with the server.
pub(crate) struct Smtp(Wire);

/// A reply: the code and the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn is_good(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// What became of a message: a reply for each recipient, and the one at the end.
pub(crate) struct Outcome {
    pub(crate) mail: Reply,
    pub(crate) recipients: Vec<Reply>,
    pub(crate) end: Option<Reply>,
}

impl Outcome {
    /// Whether the message was taken.
    pub(crate) fn is_kept(&self) -> bool {
        self.end.as_ref().is_some_and(Reply::is_good)
    }

    /// The reply that says most: the last one.
    pub(crate) fn last(&self) -> &Reply {
        self.end.as_ref().or(self.recipients.last()).unwrap_or(&self.mail)
    }
}

impl Smtp {
    /// As another server comes to the MX port.
    pub(crate) async fn from_outside(port: u16) -> Result<Self, Trouble> {
        let mut smtp = Self(Wire::connect(port, None).await?);
        smtp.reply().await?;
        smtp.must("EHLO mail.elsewhere.example").await?;
        Ok(smtp)
    }

    /// As a mail program comes to the submissions port.
    pub(crate) async fn submissions(
        port: u16,
        tls: &TlsConnector,
        login: &str,
        password: &str,
    ) -> Result<Self, Trouble> {
        let mut smtp = Self(Wire::connect(port, Some(tls)).await?);
        smtp.reply().await?;
        smtp.log_in(login, password).await?;
        Ok(smtp)
    }

    /// As a mail program comes to the submission port: STARTTLS first.
    pub(crate) async fn submission(
        port: u16,
        tls: &TlsConnector,
        login: &str,
        password: &str,
    ) -> Result<Self, Trouble> {
        let mut smtp = Self(Wire::connect(port, None).await?);
        smtp.reply().await?;
        smtp.must("EHLO laptop.example").await?;
        smtp.must("STARTTLS").await?;
        let mut smtp = Self(smtp.0.secure(tls).await?);
        smtp.log_in(login, password).await?;
        Ok(smtp)
    }

    async fn log_in(&mut self, login: &str, password: &str) -> Result<(), Trouble> {
        self.must("EHLO laptop.example").await?;
        self.must("AUTH LOGIN").await?;
        self.must(&base64(login.as_bytes())).await?;
        self.must(&base64(password.as_bytes())).await?;
        Ok(())
    }

    /// Sends a message and tells every reply. `content` has CRLF line ends and no line that is a dot.
    pub(crate) async fn send(&mut self, from: &str, to: &[&str], content: &str) -> Result<Outcome, Trouble> {
        let mail = self.command(&format!("MAIL FROM:<{from}>")).await?;
        let mut outcome = Outcome { mail, recipients: Vec::new(), end: None };
        if !outcome.mail.is_good() {
            return Ok(outcome);
        }
        for address in to {
            outcome.recipients.push(self.command(&format!("RCPT TO:<{address}>")).await?);
        }
        if !outcome.recipients.iter().any(Reply::is_good) {
            self.must("RSET").await?;
            return Ok(outcome);
        }
        self.must("DATA").await?;
        self.0.send(content.as_bytes()).await?;
        outcome.end = Some(self.command(".").await?);
        Ok(outcome)
    }

    async fn must(&mut self, line: &str) -> Result<Reply, Trouble> {
        let reply = self.command(line).await?;
        if reply.is_good() { Ok(reply) } else { Err(format!("{line}: {reply}").into()) }
    }

    async fn command(&mut self, line: &str) -> Result<Reply, Trouble> {
        self.0.send(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    async fn reply(&mut self) -> Result<Reply, Trouble> {
        let mut text = String::new();
        loop {
            let line = self.0.line().await?;
            let (code, rest) = line.split_at_checked(3).ok_or("a reply without a code")?;
            text.push_str(rest.get(1..).unwrap_or_default());
            if !rest.starts_with('-') {
                return Ok(Reply { code: code.parse()?, text });
            }
            text.push(' ');
        }
    }
}

/// RFC 4648 §4, for AUTH.
fn base64(octets: &[u8]) -> String {
    let sextet = |n: u32, shift: u32| {
        let place = usize::try_from((n >> shift) & 63).unwrap_or(0);
        BASE64.get(place).map_or('=', |byte| char::from(*byte))
    };
    let mut out = String::new();
    for group in octets.chunks(3) {
        let n = (0..3).fold(0, |n, at| (n << 8) | u32::from(group.get(at).copied().unwrap_or(0)));
        out.push(sextet(n, 18));
        out.push(sextet(n, 12));
        out.push(if group.len() > 1 { sextet(n, 6) } else { '=' });
        out.push(if group.len() > 2 { sextet(n, 0) } else { '=' });
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
