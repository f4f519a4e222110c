//! A mail client's side of IMAP: log in, look into a mailbox, idle.

use std::time::{Duration, Instant};

use tokio_rustls::TlsConnector;

use crate::Trouble;
use crate::wire::Wire;

/// A session with the server.
pub(crate) struct Imap {
    wire: Wire,
    commands: u32,
}

/// What a client sees of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The whole text.
    pub(crate) text: String,
    /// The FETCH line with its flags.
    pub(crate) facts: String,
}

impl Message {
    /// The first value of a header field, unfolded.
    pub(crate) fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ").replace("\r\n\t", " ");
        let field = head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        field.unwrap_or_default()
    }
}

impl Imap {
    /// Logs in on the imaps port.
    pub(crate) async fn log_in(port: u16, tls: &TlsConnector, login: &str, password: &str) -> Result<Self, Trouble> {
        let mut imap = Self { wire: Wire::connect(port, Some(tls)).await?, commands: 0 };
        imap.wire.line().await?;
        imap.command(&format!("LOGIN \"{login}\" \"{password}\"")).await?;
        Ok(imap)
    }

    /// Every message of a mailbox.
    pub(crate) async fn messages(&mut self, mailbox: &str) -> Result<Vec<Message>, Trouble> {
        let untagged = self.command(&format!("SELECT {mailbox}")).await?;
        if untagged.iter().any(|message| message.facts == "* 0 EXISTS") {
            return Ok(Vec::new());
        }
        let fetched = self.command("FETCH 1:* (UID FLAGS BODY.PEEK[])").await?;
        Ok(fetched.into_iter().filter(|message| message.facts.contains(" FETCH ")).collect())
    }

    /// Idles in INBOX until a new message is told; `send` is called once idling has begun. Returns how long it took from
    /// the end of `send`.
    pub(crate) async fn idle_until_new(
        &mut self,
        send: impl Future<Output = Result<(), Trouble>>,
    ) -> Result<Duration, Trouble> {
        self.command("SELECT INBOX").await?;
        self.wire.send(b"i1 IDLE\r\n").await?;
        while !self.wire.line().await?.starts_with('+') {}
        send.await?;
        let sent = Instant::now();
        while !self.wire.line().await?.ends_with("EXISTS") {}
        let span = sent.elapsed();
        self.wire.send(b"DONE\r\n").await?;
        while !self.wire.line().await?.starts_with("i1 OK") {}
        Ok(span)
    }

    /// Sends a command and returns its untagged responses, literals taken out.
    async fn command(&mut self, command: &str) -> Result<Vec<Message>, Trouble> {
        self.commands += 1;
        let tag = format!("d{}", self.commands);
        self.wire.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        let mut untagged = Vec::new();
        loop {
            let mut message = Message { facts: self.wire.line().await?, ..Message::default() };
            while let Some(octets) = literal(&message.facts) {
                message.text = String::from_utf8_lossy(&self.wire.exactly(octets).await?).into_owned();
                message.facts = format!("{} … {}", message.facts, self.wire.line().await?);
            }
            match message.facts.strip_prefix(&format!("{tag} ")) {
                Some(status) if status.starts_with("OK") => return Ok(untagged),
                Some(status) => {
                    return Err(format!("{}: {status}", command.split(' ').next().unwrap_or_default()).into());
                }
                None => untagged.push(message),
            }
        }
    }
}

/// The length of a literal that a line announces at its end.
fn literal(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_found_at_the_end_only() {
        assert_eq!(literal("* 1 FETCH (BODY[] {12}"), Some(12));
        assert_eq!(literal("* 1 FETCH (BODY[] {12} x"), None);
    }

    #[test]
    fn header_fields_are_unfolded() {
        let message = Message { text: "A: b\r\nSubject: one\r\n two\r\n\r\nSubject: no".into(), facts: String::new() };
        assert_eq!((message.header("subject").as_str(), message.header("x").as_str()), ("one two", ""));
    }
}
