//! URLFETCH: what authorised URLs give (RFC 4467 §7), also without its transfer encoding and with its kind (RFC 5524).

use imap_wire::precompute::{ReturnedData, part_structure};
use imap_wire::response::{self, write_literal_header};
use imap_wire::{UrlAsked, UrlData, UrlFetch};
use message::{TransferDecoder, TransferEncoding};
use urls::{LastParts, Octets, UrlContent};

use super::binary::{Measured, measure};
use super::sections::broken;
use crate::fault::{Answer, Fault};
use crate::limits::BINARY_HELD_OCTETS;
use crate::records::{content, scan};
use crate::session::Session;

impl Session {
    /// RFC 4467 §7: a URL that gives nothing is NIL, and why is not told.
    pub(crate) async fn url_fetch(&mut self, urls: &[UrlFetch]) -> Result<Answer, Fault> {
        let mut last_parts = LastParts::default();
        for UrlFetch { url, asked } in urls {
            let found = self.authorised_content(url, &mut last_parts).await?;
            response::url_fetch(self.connection.out(), url);
            match (found, asked) {
                (None, _) => self.connection.out().extend_from_slice(b"NIL"),
                (Some(found), Some(asked)) => self.send_elements(found, *asked).await?,
                (Some(found), None) => self.send_as_it_is(found).await?,
            }
            self.connection.out().extend_from_slice(b"\r\n");
            self.connection.flush_some().await?;
        }
        Ok(Answer::ok("Done"))
    }

    async fn send_as_it_is(&mut self, found: UrlContent) -> Result<(), Fault> {
        let UrlContent { row, mut reader, octets, .. } = found;
        write_literal_header(self.connection.out(), octets.size());
        match octets {
            Octets::Range(range) => self.stream(range, &row, &mut reader).await?,
            Octets::Held(held) => self.connection.out().extend_from_slice(&held),
        }
        Ok(())
    }

    /// `url-metadata` (RFC 5524 §5): one or two elements, each in parentheses.
    async fn send_elements(&mut self, found: UrlContent, asked: UrlAsked) -> Result<(), Fault> {
        let binary = asked.data == Some(UrlData::Binary);
        // What nobody can decode is NIL, and its structure says which encoding it has (RFC 5524 §3.2).
        let decoder = TransferDecoder::new(if binary { found.encoding } else { TransferEncoding::Binary });
        let undecodable = decoder.is_none();
        let Some(decoder) = decoder.or_else(|| TransferDecoder::new(TransferEncoding::Binary)) else {
            self.connection.out().extend_from_slice(b"NIL");
            return Ok(());
        };
        let UrlContent { row, mut reader, octets, section, whole, partial, .. } = found;
        // Places in the URL are those of what is returned.
        let (range, partial) = match (&octets, binary) {
            (Octets::Range(clipped), false) => (*clipped, None),
            (Octets::Range(_) | Octets::Held(_), _) => (whole, partial),
        };
        let measured = match octets {
            Octets::Held(held) => Measured::of(held),
            Octets::Range(_) => {
                let held_max = if asked.data.is_some() { BINARY_HELD_OCTETS } else { 0 };
                measure(&mut reader, range, decoder.clone(), partial, held_max)
                    .await
                    .map_err(|error| broken(&row, &error))?
            }
        };
        if asked.structure {
            let structure = scan(&mut content(&self.server.store, &row).await?, row.octets).await?;
            let encoding = (binary && !undecodable).then(|| measured.encoding());
            let data = ReturnedData { octets: measured.octets, lines: measured.lines, encoding };
            let told = part_structure(&structure, &section, data);
            let out = self.connection.out();
            out.extend_from_slice(b"(BODYPARTSTRUCTURE ");
            out.extend_from_slice(&told);
            out.extend_from_slice(if asked.data.is_some() { b") " } else { b")" });
        }
        let Some(data) = asked.data else { return Ok(()) };
        let out = self.connection.out();
        out.extend_from_slice(match data {
            UrlData::Body => b"(BODY ",
            UrlData::Binary => b"(BINARY ",
        });
        if undecodable {
            out.extend_from_slice(b"NIL)");
            return Ok(());
        }
        // A literal holds no NUL: BODY shows it as 0x80, as FETCH does.
        if binary && measured.has_nul {
            out.push(b'~');
        }
        write_literal_header(out, measured.octets);
        match (measured.held, binary) {
            (Some(held), _) if binary || !measured.has_nul => self.connection.out().extend_from_slice(&held),
            (_, true) => self.stream_decoded(range, decoder, partial, &row, &mut reader).await?,
            (_, false) => self.stream(range, &row, &mut reader).await?,
        }
        self.connection.out().push(b')');
        Ok(())
    }
}
