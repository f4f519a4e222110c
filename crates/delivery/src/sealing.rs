//! ARC seals (RFC 8617) of what is passed on to other servers: forwards, and posts of lists.
//!
//! What came from another server was checked when it came; the results travel on in a set of its own, signed with the key of the
//! domain that passes it on. A post says what was found in the field that this server put on top of it then.

use mail::{Domain, Envelope, Timestamp};
use message::raw_fields;
use routing::{Asking, resolve};
use sender_auth::arc::{ChainState, Results, seal};
use sender_auth::dkim::{Algorithm, Hashed, SigningKey};

use crate::Delivery;
use crate::checks::Verdict;
use crate::intake::Intake;
use crate::plan::Plan;

impl Intake {
    /// Says whom the message is for. To be said before its octets come: it is sealed when it leads to another server.
    pub fn led_by(&mut self, envelope: &Envelope) {
        let leads_out = {
            let directory = self.delivery().store().directory();
            let asking = Asking::from(envelope.reverse_path.clone(), self.delivery().store().now());
            envelope.recipients.iter().any(|recipient| {
                let resolution = resolve(&directory, &recipient.forward_path, &asking);
                // A responder may send copies elsewhere.
                !resolution.remotes.is_empty() || !resolution.responders.is_empty()
            })
        };
        if let Some(examination) = self.examination_mut().filter(|_| leads_out) {
            examination.may_be_sealed();
        }
    }
}

impl Delivery {
    /// The seal of a forward; empty when nobody seals it.
    pub(crate) async fn seal_of_forward(
        &self,
        plan: &Plan,
        arrived: Option<&Hashed>,
        verdict: Option<&Verdict>,
        now: Timestamp,
    ) -> String {
        let (Some(arrived), Some(verdict)) = (arrived, verdict) else { return String::new() };
        let Some(chain) = ChainState::found(&verdict.found.arc) else { return String::new() };
        let field = verdict.found.field(self.results_name().as_str());
        for domain in plan.forwarders.values() {
            let set = self.sealed_by(domain, arrived, &field, chain, now).await;
            if !set.is_empty() {
                return set;
            }
        }
        String::new()
    }

    /// The signature of a message that leaves, and in front of it the seal, when it is another's that is passed on.
    pub(crate) async fn signed_and_sealed(
        &self,
        hashed: &Hashed,
        envelope: &Envelope,
        passed_on: bool,
        now: Timestamp,
    ) -> String {
        let signature = self.signature(hashed, envelope, now).await;
        let domain = envelope.reverse_path.address().map(mail::Address::domain).filter(|_| passed_on);
        match domain {
            Some(domain) => format!("{}{signature}", self.seal_of_post(hashed, &signature, domain, now).await),
            None => signature,
        }
    }

    /// The seal of a message that was checked when it came, and leaves with these fields in front (a signature): a post of a list. Empty
    /// when it was not checked, or nobody seals.
    pub(crate) async fn seal_of_post(&self, hashed: &Hashed, prefix: &str, domain: &Domain, now: Timestamp) -> String {
        let Some(field) = own_results(hashed.header(), self.results_name()) else { return String::new() };
        let Some(chain) = ChainState::told(&field) else { return String::new() };
        self.sealed_by(domain, &hashed.behind(prefix), &field, chain, now).await
    }

    async fn sealed_by(
        &self,
        domain: &Domain,
        message: &Hashed,
        field: &str,
        chain: ChainState,
        now: Timestamp,
    ) -> String {
        let keys = match self.signing_keys(domain).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%domain, %error, "the signing keys can't be read; a message leaves without a seal");
                return String::new();
            }
        };
        // RFC 8617 §4.1.3 knows of one algorithm; RFC 8463's is not read everywhere.
        let rsa = |key: &&SigningKey| key.algorithm() == Algorithm::Rsa2048;
        let Some(key) = keys.iter().find(rsa).or_else(|| keys.first()) else { return String::new() };
        let results = Results { field: field.strip_prefix(FIELD).unwrap_or(field), chain };
        match seal(message, results, key, now) {
            Ok(set) => set.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%domain, %error, "a message leaves without a seal");
                String::new()
            }
        }
    }
}

const FIELD: &str = "Authentication-Results:";

/// The field that this server put on top of a message that it checked: in front of the first Received, in its own name. What came in its
/// name from outside was removed (RFC 8601 §5).
fn own_results(header: &[u8], name: &Domain) -> Option<String> {
    let is = |field: &message::RawField<'_>, wanted: &str| {
        field.name.is_some_and(|name| name.trim_ascii_end().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let front = raw_fields(header).take_while(|field| !is(field, "received"));
    let field = front.into_iter().find(|field| is(field, "authentication-results"))?;
    let text = std::str::from_utf8(field.bytes).ok()?;
    let server = text.get(FIELD.len()..)?.trim_start();
    let rest = server.strip_prefix(name.as_str())?;
    rest.starts_with(';').then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_field_on_top_in_our_name_is_ours() {
        let ours = Domain::parse("mx.example.org").unwrap();
        let field = "Authentication-Results: mx.example.org;\r\n\tspf=pass\r\n";
        let found = |header: String| own_results(header.as_bytes(), &ours);
        assert_eq!(found(format!("Return-Path: <>\r\n{field}Received: x\r\n")).as_deref(), Some(field));
        assert_eq!(found(format!("Received: x\r\n{field}")), None);
        assert_eq!(found("Authentication-Results: mx.example.org.evil;\r\n\tspf=pass\r\n".to_owned()), None);
        assert_eq!(found(format!("Authentication-Results: mx.far.example; spf=pass\r\n{field}")), None);
    }
}
