//! CATENATE: messages put together from what the client sends and from what is there (RFC 4469).
//!
//! Parts are copied in the store, piece by piece; neither they nor the whole are ever in memory.

use imap_wire::CatenatePart;
use imap_wire::response::Code;
use imap_wire::url::ImapUrl;
use urls::{LastParts, Octets};

use super::append::{Complete, encoded, not_received, nul_in_literal, utf8_first};
use super::recode::Output;
use super::upload::{Nul, Uploads, encoded_record};
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    /// The message that the parts make; the inner error is the answer when they make none.
    pub(super) async fn catenate(
        &mut self,
        parts: Vec<CatenatePart>,
        uploads: &mut Uploads,
        last_parts: &mut LastParts,
    ) -> Result<Result<Complete, Answer>, Fault> {
        let store = self.server.store.clone();
        let mut output = Output::new(&store);
        let mut octets = 0u64;
        for part in parts {
            let (mut reader, source) = match part {
                CatenatePart::Utf8(_) if !self.takes_utf8() => return Ok(Err(utf8_first())),
                CatenatePart::Text(ticket) | CatenatePart::Utf8(ticket) => {
                    let Some(received) = uploads.take(ticket) else { return Ok(Err(not_received())) };
                    if matches!(received.nul, Nul::InLiteral) {
                        return Ok(Err(nul_in_literal()));
                    }
                    octets = octets.saturating_add(received.blob.octets);
                    if octets > self.settings.append_octets_max {
                        return Ok(Err(self.too_big()));
                    }
                    let whole = message::ByteRange { start: 0, end: received.blob.octets };
                    // The staged blob must live for as long as it is read.
                    let mut reader = store.staged_reader(&received.blob);
                    output.copy(&mut reader, whole).await?;
                    continue;
                }
                CatenatePart::Url(url) => match self.catenated_url(&url, last_parts).await? {
                    Some(found) => found,
                    None => {
                        let code = Code::BadUrl(String::from_utf8_lossy(&url).into_owned());
                        return Ok(Err(Answer::no(code, "The URL names nothing that can be had here")));
                    }
                },
            };
            octets = octets.saturating_add(source.size());
            if octets > self.settings.append_octets_max {
                return Ok(Err(self.too_big()));
            }
            // Before anything is copied; what was sent has been weighed when it was announced.
            if let Err(answer) = uploads.weigh(source.size()) {
                return Ok(Err(answer));
            }
            match source {
                Octets::Range(range) => output.copy(&mut reader, range).await?,
                Octets::Held(held) => output.put(&held).await?,
            }
        }
        let (blob, structure) = output.finish();
        if structure.has_nul {
            return Ok(encoded(&store, blob).await?);
        }
        Ok(Ok(Complete { blob, record: encoded_record(&structure) }))
    }

    /// What a URL names, of this server and of whoever is logged in (RFC 4469 §3).
    async fn catenated_url(
        &mut self,
        url: &[u8],
        last_parts: &mut LastParts,
    ) -> Result<Option<(storage::blobs::BlobReader, Octets)>, Fault> {
        let Some(url) = ImapUrl::parse(url).filter(|url| url.auth.is_none()) else { return Ok(None) };
        if url.server.as_ref().is_some_and(|server| !self.is_own(server)) {
            return Ok(None);
        }
        let Some(found) = self.url_content(&url, last_parts).await? else { return Ok(None) };
        Ok(Some((found.reader, found.octets)))
    }

    /// RFC 4469 §4.2
    fn too_big(&self) -> Answer {
        let max = self.settings.append_octets_max;
        Answer::no(Code::TooBig, format!("A message may have {max} octets at the most"))
    }
}
