//! A POP3 client that fetches (RFC 1939, RFC 2449, RFC 2595).

use std::collections::BTreeMap;

use auth::Password;
use delivery::Delivery;
use routing::objects::{ExternalAccountObject, ExternalSecurity};
use zeroize::Zeroizing;

use crate::body::{Body, Came, Undot};
use crate::dial;
use crate::error::{FetchError, told};
use crate::limits::{LINE_OCTETS_MAX, POP3_MESSAGES_MAX};
use crate::wire::Wire;

/// A session.
pub(crate) struct Pop3 {
    wire: Wire,
}

/// A message of the mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its number in this session.
    pub(crate) number: u32,
    /// Its octets, if told.
    pub(crate) octets: Option<u64>,
    /// Its unique name, if the server has such.
    pub(crate) uidl: Option<Vec<u8>>,
}

impl Pop3 {
    /// A session whose greeting is over.
    pub(crate) fn connected(wire: Wire) -> Self {
        Self { wire }
    }

    /// Greeting, and STLS when that is wanted.
    pub(crate) async fn open(wire: Wire, external: &ExternalAccountObject) -> Result<Self, FetchError> {
        let mut session = Self::connected(wire);
        session.answer("the connection").await?;
        if external.security == ExternalSecurity::Starttls {
            // Not every server tells of it in CAPA: it is asked for in any case.
            session.wire.write(b"STLS\r\n").await?;
            match session.answer("STLS").await {
                Ok(_) => {}
                Err(FetchError::CommandRefused(..)) => return Err(FetchError::NoStartTls),
                Err(other) => return Err(other),
            }
            let (world, timeout) = (session.wire.world.clone(), session.wire.timeout());
            let stream = dial::secure(&world, external, session.wire.into_stream(), timeout).await?;
            session.wire = Wire::new(stream, world, timeout);
        }
        Ok(session)
    }

    /// USER and PASS.
    pub(crate) async fn log_in(&mut self, login: &str, password: &Password) -> Result<(), FetchError> {
        let wrong = |text: &str| text.is_empty() || text.contains(['\r', '\n', '\0']);
        if wrong(login) || wrong(password.expose()) {
            return Err(FetchError::NoPassword);
        }
        for (verb, argument) in [("USER", login), ("PASS", password.expose())] {
            let line = Zeroizing::new(format!("{verb} {argument}\r\n"));
            self.wire.write(line.as_bytes()).await?;
            match self.answer("the login").await {
                Ok(_) => {}
                Err(FetchError::CommandRefused(_, why)) => return Err(FetchError::LoginRefused(why)),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Every message, in order of number, with its size and its unique name where the server tells them.
    pub(crate) async fn list(&mut self) -> Result<Vec<Listed>, FetchError> {
        let mut all: BTreeMap<u32, Listed> = BTreeMap::new();
        self.wire.write(b"LIST\r\n").await?;
        self.answer("LIST").await?;
        self.table(|number, rest| {
            let octets = rest.first().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            all.insert(number, Listed { number, octets, uidl: None });
            all.len()
        })
        .await?;
        self.wire.write(b"UIDL\r\n").await?;
        match self.answer("UIDL").await {
            Ok(_) => {
                self.table(|number, rest| {
                    let uidl = rest.first().filter(|word| !word.is_empty() && word.len() <= UIDL_OCTETS_MAX);
                    if let Some(uidl) = uidl {
                        all.entry(number).or_insert_with(|| Listed { number, ..Listed::default() }).uidl =
                            Some(uidl.clone());
                    }
                    all.len()
                })
                .await?;
            }
            Err(FetchError::CommandRefused(..)) => {}
            Err(other) => return Err(other),
        }
        Ok(all.into_values().collect())
    }

    /// One message, whose octets go to the store as they come.
    pub(crate) async fn fetch(&mut self, number: u32, delivery: &Delivery) -> Result<Result<Came, String>, FetchError> {
        self.wire.write(format!("RETR {number}\r\n").as_bytes()).await?;
        match self.answer("RETR").await {
            Ok(_) => {}
            Err(FetchError::CommandRefused(_, why)) => return Ok(Err(why)),
            Err(other) => return Err(other),
        }
        let (mut body, mut undot, mut out) = (Body::new(delivery), Undot::default(), Vec::new());
        loop {
            let some = self.wire.some(u64::MAX).await?;
            out.clear();
            let end = undot.feed(&some, &mut out);
            body.write(&out).await?;
            if let Some(taken) = end {
                self.wire.give_back(some.len().saturating_sub(taken));
                return Ok(Ok(body.finish().await?));
            }
        }
    }

    /// Marks a message as deleted; [`Pop3::quit`] deletes it.
    pub(crate) async fn delete(&mut self, number: u32) -> Result<(), FetchError> {
        self.wire.write(format!("DELE {number}\r\n").as_bytes()).await?;
        self.answer("deleting").await.map(drop)
    }

    /// Ends the session; what was marked is deleted then.
    pub(crate) async fn quit(mut self) -> Result<(), FetchError> {
        self.wire.write(b"QUIT\r\n").await?;
        self.answer("QUIT").await.map(drop)
    }

    /// The first line of an answer.
    async fn answer(&mut self, what: &'static str) -> Result<Vec<u8>, FetchError> {
        let line = self.wire.line(None).await?;
        if let Some(rest) = line.strip_prefix(b"+OK") {
            return Ok(rest.to_vec());
        }
        match line.strip_prefix(b"-ERR") {
            Some(rest) => Err(FetchError::CommandRefused(what, told(rest))),
            None => Err(FetchError::Protocol(told(&line))),
        }
    }

    /// Lines of a number and words, up to the dot.
    async fn table(&mut self, mut row: impl FnMut(u32, Vec<Vec<u8>>) -> usize) -> Result<(), FetchError> {
        for _ in 0..LINES_MAX {
            let line = self.wire.line(None).await?;
            if line == b"." {
                return Ok(());
            }
            let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            let number = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            let Some(number) = number.filter(|number| *number > 0) else { continue };
            let rest = words.take(1).map(<[u8]>::to_vec).collect();
            if row(number, rest) > POP3_MESSAGES_MAX {
                return Err(FetchError::TooMany(POP3_MESSAGES_MAX));
            }
        }
        Err(FetchError::TooMany(POP3_MESSAGES_MAX))
    }
}

const LINES_MAX: usize = POP3_MESSAGES_MAX * 2;

/// RFC 1939 §7 has 70; some are longer.
const UIDL_OCTETS_MAX: usize = LINE_OCTETS_MAX / 64;
