//! rspamd, asked over HTTP: `POST /checkv2` with the message, an answer in JSON.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use world::https::{Https, Method, Reach, Request, Streamed, Url};

pub use answer::{Answer, AnswerFlaw};

use crate::facts::{Letter, Session, bare};
use crate::failure::Failure;
use crate::limits::{ANSWER_OCTETS_MAX, RECIPIENTS_TOLD_MAX};
use crate::opinion::Opinion;
use crate::spool::{Spool, SpoolError};

/// An rspamd, and how it is spoken to.
#[derive(Clone)]
pub struct Rspamd {
    /// The client; it knows which authorities to trust.
    pub https: Arc<dyn Https>,
    /// Where it is asked: with the path `/checkv2`, or another one.
    pub url: Url,
    /// What it demands, if anything.
    pub password: Option<Password>,
    /// How long it may take, from the connection to the last octet of the answer.
    pub within: Duration,
    /// Messages of more octets are not shown to it.
    pub octets_max: u64,
    /// What follows from its action `greylist`.
    pub greylist: Greylist,
}

/// A password, which no log and no error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// As it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What follows from rspamd's action `greylist`. Its greylisting module turns that action into `soft reject` where a message is to be put off;
/// where the module is switched off, the action stands for every message from a score on, however often it is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greylist {
    /// Nothing, as rspamd's own milter has it.
    #[default]
    Take,
    /// The message is refused for now.
    Defer,
}

/// Asks rspamd about a message, and makes the changes that it wants.
pub(crate) async fn ask(rspamd: &Rspamd, session: &Session, letter: &mut Letter<'_>) -> Result<Opinion, Failure> {
    if letter.octets > rspamd.octets_max {
        return Ok(Opinion::taken(format!("is not asked: the message has more than {} octets", rspamd.octets_max)));
    }
    let header = Bytes::from(letter.header.octets());
    let octets = (header.len() as u64).saturating_add(letter.body.octets());
    let (pieces, body) = mpsc::channel(2);
    let asking = rspamd.https.exchange_streamed(request(rspamd, session, letter), Streamed { octets, pieces: body });
    let mut asking = std::pin::pin!(asking);
    let response = {
        let sending = send(header, &mut *letter.body, pieces);
        let mut sending = std::pin::pin!(sending);
        let mut sent = false;
        loop {
            tokio::select! {
                biased;
                response = &mut asking => break response,
                done = &mut sending, if !sent => {
                    done?;
                    sent = true;
                }
            }
        }
    };
    let response = response.map_err(|error| Failure::Http(error.to_string()))?;
    if !response.is_success() {
        return Err(Failure::Http(format!("it answered with the status {}", response.status)));
    }
    let answer = Answer::read(&response.body).map_err(|flaw| Failure::Http(flaw.to_string()))?;
    Ok(answer.opinion(rspamd.greylist, session, letter))
}

/// Hands the message over, piece by piece. When nobody takes it any more, the answer says why.
async fn send(header: Bytes, body: &mut dyn Spool, pieces: mpsc::Sender<Bytes>) -> Result<(), SpoolError> {
    if !header.is_empty() && pieces.send(header).await.is_err() {
        return Ok(());
    }
    let mut at = 0_u64;
    loop {
        let piece = body.piece(at).await?;
        at = at.saturating_add(piece.len() as u64);
        if piece.is_empty() || pieces.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

fn request(rspamd: &Rspamd, session: &Session, letter: &Letter<'_>) -> Request {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: String| fields.push((name.to_owned(), value));
    field("Content-Type", "message/rfc822".to_owned());
    let sender = letter.envelope.reverse_path.address();
    field("From", sender.map(ToString::to_string).unwrap_or_default());
    for recipient in letter.envelope.recipients.iter().take(RECIPIENTS_TOLD_MAX) {
        field("Rcpt", bare(&recipient.forward_path));
    }
    field("IP", session.client.ip().to_canonical().to_string());
    if let Some(helo) = &session.helo {
        field("Helo", helo.clone());
    }
    if let Some((version, cipher)) = &session.tls {
        field("TLS-Version", version.clone());
        field("TLS-Cipher", cipher.clone());
    }
    if let Some(login) = &session.login {
        field("User", login.clone());
    }
    field("MTA-Name", session.hostname.to_string());
    field("Queue-Id", session.id.clone());
    if let Some(Password(password)) = &rspamd.password {
        field("Password", password.clone());
    }
    Request {
        method: Method::Post,
        url: rspamd.url.clone(),
        fields,
        body: Vec::new(),
        within: rspamd.within,
        octets_max: ANSWER_OCTETS_MAX,
        reach: Reach::Anywhere,
        at: None,
    }
}
