//! Compression of chunks. Each thread keeps its contexts: making one costs more than most messages take.

use std::cell::RefCell;

use bytes::Bytes;

use crate::error::StorageError;

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// Halves text at some 500 MB/s.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Packing>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A compressor and where it writes to: what is kept has the size that it turned out to have.
struct Packing {
    compressor: zstd::bulk::Compressor<'static>,
    written: Vec<u8>,
}

impl Packing {
    fn new() -> std::io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(LEVEL)?, written: Vec::new() })
    }

    fn compress(&mut self, content: &[u8]) -> Option<&[u8]> {
        self.written.clear();
        self.written.reserve(zstd::zstd_safe::compress_bound(content.len()));
        self.compressor.compress_to_buffer(content, &mut self.written).ok()?;
        Some(&self.written)
    }
}

/// The content with a codec octet before it; what does not shrink stays as it is.
pub(crate) fn pack(content: &[u8]) -> Bytes {
    let octets = |codec, content: &[u8]| {
        let mut packed = Vec::with_capacity(content.len().saturating_add(1));
        packed.push(codec);
        packed.extend_from_slice(content);
        Bytes::from(packed)
    };
    COMPRESSOR.with_borrow_mut(|kept| {
        let packing = match kept {
            Some(packing) => Some(packing),
            None => Packing::new().ok().map(|new| kept.insert(new)),
        };
        match packing.and_then(|packing| packing.compress(content)) {
            Some(compressed) if compressed.len() < content.len() => octets(ZSTD, compressed),
            _ => octets(RAW, content),
        }
    })
}

/// The content again; it has at most `octets_max`.
///
/// # Errors
/// When the octets are none that [`pack`] made.
pub(crate) fn unpack(packed: &Bytes, octets_max: usize) -> Result<Bytes, StorageError> {
    let damaged = |error: std::io::Error| StorageError::corrupt(format!("a chunk: {error}"));
    match packed.split_first() {
        Some((&RAW, _)) => Ok(packed.slice(1..)),
        Some((&ZSTD, compressed)) => DECOMPRESSOR.with_borrow_mut(|kept| {
            let decompressor = match kept {
                Some(decompressor) => decompressor,
                None => kept.insert(zstd::bulk::Decompressor::new().map_err(damaged)?),
            };
            decompressor.decompress(compressed, octets_max).map(Bytes::from).map_err(damaged)
        }),
        _ => Err(StorageError::corrupt("a chunk's codec")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went() {
        let text = b"Two households, both alike in dignity. ".repeat(100);
        let noise: Vec<u8> = (0..2000_u32)
            .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_be_bytes().into_iter().skip(3))
            .collect();
        for content in [&text[..], &noise, b"", b"x"] {
            let packed = pack(content);
            assert!(packed.len() <= content.len() + 1);
            assert_eq!(unpack(&packed, content.len()).unwrap(), content);
        }
        assert!(pack(&text).len() < text.len() / 4);
    }

    #[test]
    fn what_is_damaged_or_too_large_is_an_error_and_the_next_one_is_read() {
        let text = b"Two households, both alike in dignity. ".repeat(100);
        let packed = pack(&text);
        for bad in [&packed[..packed.len() / 2], &[], &[7, 1, 2]] {
            assert!(unpack(&Bytes::copy_from_slice(bad), text.len()).is_err());
        }
        assert!(unpack(&packed, text.len() - 1).is_err());
        assert_eq!(unpack(&packed, text.len()).unwrap(), text);
    }
}
