//! Takes a report out of what it is packed in. What comes out is read as it comes: nobody holds it.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use super::Unread;

/// The octets of a file: of the first file in a ZIP archive, of what gzip has packed, or its own.
pub(super) fn unpacked(file: &[u8]) -> Result<Box<dyn Read + '_>, Unread> {
    if file.starts_with(b"\x1F\x8B") {
        return Ok(Box::new(MultiGzDecoder::new(file)));
    }
    if file.starts_with(b"PK") {
        let entry = first_entry(file).ok_or_else(|| Unread::Packed("the archive is damaged, or empty".to_owned()))?;
        return match entry.method {
            STORED => Ok(Box::new(entry.data)),
            DEFLATED => Ok(Box::new(DeflateDecoder::new(entry.data))),
            other => Err(Unread::Packed(format!("the archive's method {other} is not known"))),
        };
    }
    Ok(Box::new(file))
}

/// A file in an archive.
struct Entry<'f> {
    method: u16,
    data: &'f [u8],
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The first file of an archive that is no folder, by its central directory: sizes in front of the data may be missing.
fn first_entry(file: &[u8]) -> Option<Entry<'_>> {
    // The end record is the last thing but a comment of up to 64 KiB.
    let tail_start = file.len().saturating_sub(END_OCTETS + 0xFFFF);
    let tail = file.get(tail_start..)?;
    let end = tail_start.checked_add(tail.windows(4).rposition(|four| four == b"PK\x05\x06")?)?;
    let entries = u16_at(file, end.checked_add(10)?)?;
    let mut at = usize::try_from(u32_at(file, end.checked_add(16)?)?).ok()?;
    for _ in 0..entries.min(ENTRIES_MAX) {
        let header = file.get(at..at.checked_add(CENTRAL_OCTETS)?)?;
        if !header.starts_with(b"PK\x01\x02") {
            return None;
        }
        let (name, extra, comment) = (u16_at(header, 28)?, u16_at(header, 30)?, u16_at(header, 32)?);
        let name_start = at.checked_add(CENTRAL_OCTETS)?;
        let name_end = name_start.checked_add(usize::from(name))?;
        let is_folder = file.get(name_start..name_end)?.ends_with(b"/");
        // Bit 0: encrypted.
        if !is_folder && u16_at(header, 8)? & 1 == 0 {
            let octets = usize::try_from(u32_at(header, 20)?).ok()?;
            let local = usize::try_from(u32_at(header, 42)?).ok()?;
            return Some(Entry { method: u16_at(header, 10)?, data: data_of(file, local, octets)? });
        }
        at = name_end.checked_add(usize::from(extra))?.checked_add(usize::from(comment))?;
    }
    None
}

/// What stands behind a local header.
fn data_of(file: &[u8], local: usize, octets: usize) -> Option<&[u8]> {
    let header = file.get(local..local.checked_add(LOCAL_OCTETS)?)?;
    if !header.starts_with(b"PK\x03\x04") {
        return None;
    }
    let names = usize::from(u16_at(header, 26)?).checked_add(usize::from(u16_at(header, 28)?))?;
    let start = local.checked_add(LOCAL_OCTETS)?.checked_add(names)?;
    file.get(start..start.checked_add(octets)?)
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

const END_OCTETS: usize = 22;
const CENTRAL_OCTETS: usize = 46;
const LOCAL_OCTETS: usize = 30;

/// Files of an archive that are looked at; a report has one.
const ENTRIES_MAX: u16 = 16;
