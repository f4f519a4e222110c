//! UIDBATCHES (draft-ietf-mailmaint-imap-uidbatches).

use std::ops::RangeInclusive;

use crate::tag::Tag;

/// `* UIDBATCHES (TAG "a1") 900:401,400:1`: each batch from its largest UID to its smallest.
pub fn uid_batches(out: &mut Vec<u8>, tag: &Tag, batches: impl Iterator<Item = RangeInclusive<u32>>) {
    out.extend_from_slice(format!("* UIDBATCHES (TAG \"{tag}\")").as_bytes());
    for (at, batch) in batches.enumerate() {
        let (first, last) = (batch.start(), batch.end());
        let before = if at == 0 { ' ' } else { ',' };
        let batch = if first == last { format!("{before}{first}") } else { format!("{before}{last}:{first}") };
        out.extend_from_slice(batch.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_go_from_the_newest_down() {
        let mut out = Vec::new();
        let tag = Tag::new(b"A143").unwrap();
        uid_batches(&mut out, &tag, [99_695..=215_295, 7..=7].into_iter());
        uid_batches(&mut out, &tag, std::iter::empty());
        let expected: &[u8] = b"* UIDBATCHES (TAG \"A143\") 215295:99695,7\r\n* UIDBATCHES (TAG \"A143\")\r\n";
        assert_eq!(out, expected);
    }
}
