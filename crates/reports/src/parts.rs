//! Which parts of a message may be a report.

use message::{Part, PartKind, Scanner, TransferDecoder, TransferEncoding};
use storage::StorageError;
use storage::blobs::BlobReader;

use crate::limits::PARTS_MAX;

/// The decoded bodies of the parts that may be a report, the likely ones first.
pub(crate) async fn files(reader: &mut BlobReader) -> Result<Vec<Vec<u8>>, StorageError> {
    let mut scanner = Scanner::new();
    let mut at = 0_u64;
    loop {
        let piece = reader.piece(at, u64::MAX).await?;
        if piece.is_empty() {
            break;
        }
        at = at.saturating_add(piece.len() as u64);
        scanner.feed(&piece);
    }
    let structure = scanner.finish();
    let mut parts: Vec<&Part> = structure.parts.iter().filter(|part| may_be_report(part)).take(PARTS_MAX).collect();
    // A text may say what is attached, in XML of its own.
    parts.sort_by_key(|part| part.mime.content_type.is(b"text"));
    let mut files = Vec::new();
    for part in parts {
        let encoding = TransferEncoding::from_field(part.mime.encoding.as_deref());
        let Some(mut decoder) = TransferDecoder::new(encoding) else { continue };
        let encoded = reader.read(part.body().start, part.body().end).await?;
        let mut file = Vec::new();
        decoder.feed(&encoded, &mut file);
        decoder.finish(&mut file);
        files.push(file);
    }
    Ok(files)
}

/// RFC 9990 and RFC 8460 §5.3 name types; who writes reports does not always use them, but gives the file its name.
fn may_be_report(part: &Part) -> bool {
    if part.kind != PartKind::Leaf {
        return false;
    }
    let kind = &part.mime.content_type;
    let subtype = kind.subtype.to_ascii_lowercase();
    let known: [&[u8]; 10] = [
        b"gzip",
        b"x-gzip",
        b"zip",
        b"x-zip",
        b"x-zip-compressed",
        b"xml",
        b"json",
        b"tlsrpt+gzip",
        b"tlsrpt+json",
        b"octet-stream",
    ];
    let by_type = (kind.is(b"application") || kind.is(b"text")) && known.contains(&subtype.as_slice());
    let in_disposition = part.mime.disposition.as_ref().and_then(|one| one.parameters.decoded(b"filename"));
    let name = in_disposition.or_else(|| kind.parameters.decoded(b"name"));
    let name = name.map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let endings: [&[u8]; 4] = [b".xml", b".gz", b".zip", b".json"];
    by_type || endings.iter().any(|ending| name.ends_with(ending))
}
