//! DEFLATE for COMPRESS (RFC 4978): octets in, octets out, no I/O.
//!
//! What a client sends is inflated in bounded pieces, so a deflate bomb is only a long message. What is said is compressed
//! and flushed to an octet boundary whenever it is sent (RFC 1951 §3.2.4, an empty stored block).
//!
//! Invariant: a client that is silent costs the window of what it has said so far (32 KiB at most) and nothing else: between
//! two blocks the decompressor is some octets, and a compressor that was flushed may be forgotten, for a new one only never
//! refers to what went before.

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{BlockBoundaryState, DecompressorOxide, decompress};

use crate::limits::{DEFLATE_LEVEL, INFLATED_OCTETS};

/// How far back DEFLATE may refer (RFC 1951 §2).
const WINDOW_OCTETS: usize = 32 * 1024;

/// The line after which a client's octets may be no more DEFLATE, from the end of the block on (RFC 8437 §4.1). Whatever the
/// command's tag is; in any case.
const LAST_LINE: &[u8] = b" UNAUTHENTICATE\r\n";

/// The client's octets are not DEFLATE, or their stream has ended; nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Inflates what a client sends.
pub(crate) struct Inflater {
    state: State,
    /// The last octets that were inflated: what may be referred to.
    window: Vec<u8>,
}

enum State {
    /// Between two blocks.
    Boundary(BlockBoundaryState),
    Within(Box<DecompressorOxide>),
    Over,
}

impl Inflater {
    /// At the start of a stream.
    pub(crate) fn new() -> Self {
        Self { state: State::Within(Box::default()), window: Vec::new() }
    }

    /// The next piece of what was said, of at most [`INFLATED_OCTETS`]; takes from `input` what it needs. Empty when the
    /// input is used up. Ends with a block that ends with UNAUTHENTICATE, as what follows may be for others to read; and
    /// before what is no DEFLATE, which fails the next time.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Vec<u8>, Garbled> {
        let mut decompressor = match std::mem::replace(&mut self.state, State::Over) {
            State::Boundary(boundary) if input.is_empty() => {
                self.state = State::Boundary(boundary);
                return Ok(Vec::new());
            }
            State::Boundary(boundary) => Box::new(DecompressorOxide::from_block_boundary_state(&boundary)),
            State::Within(decompressor) => decompressor,
            State::Over => return Err(Garbled),
        };
        let start = self.window.len();
        let mut buffer = std::mem::take(&mut self.window);
        buffer.resize(start.saturating_add(INFLATED_OCTETS), 0);
        let mut end = start;
        let flags =
            TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY;
        let boundary = loop {
            let (status, taken, made) = decompress(&mut decompressor, input, &mut buffer, end, flags);
            *input = input.get(taken..).unwrap_or_default();
            end = end.saturating_add(made);
            if status == TINFLStatus::BlockBoundary {
                let made = end > start && ends_with_last_line(buffer.get(..end).unwrap_or_default());
                if input.is_empty() || made {
                    break decompressor.block_boundary_state();
                }
            } else if status == TINFLStatus::NeedsMoreInput || status == TINFLStatus::HasMoreOutput {
                break None;
            } else if end > start {
                // Garbled, or the end of the stream, behind which nothing compressed can follow. What came before counts.
                buffer.truncate(end);
                return Ok(buffer.split_off(start));
            } else {
                return Err(Garbled);
            }
        };
        buffer.truncate(end);
        let piece = buffer.get(start..).unwrap_or_default().to_vec();
        buffer.drain(..end.saturating_sub(WINDOW_OCTETS));
        buffer.shrink_to_fit();
        self.window = buffer;
        self.state = boundary.map_or(State::Within(decompressor), State::Boundary);
        Ok(piece)
    }

    /// How many octets of memory it holds.
    #[cfg(test)]
    fn memory(&self) -> usize {
        let state = if matches!(self.state, State::Within(_)) { size_of::<DecompressorOxide>() } else { 0 };
        self.window.capacity() + state
    }
}

fn ends_with_last_line(said: &[u8]) -> bool {
    let end = said.get(said.len().saturating_sub(LAST_LINE.len())..).unwrap_or_default();
    end.eq_ignore_ascii_case(LAST_LINE)
}

/// Compresses what is said to a client.
#[derive(Default)]
pub(crate) struct Deflater(Option<Box<CompressorOxide>>);

impl Deflater {
    /// Appends the compressed octets to `out`, complete to the last: the client can read all of them.
    pub(crate) fn flush(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let compressor = self.0.get_or_insert_with(|| {
            let mut compressor = Box::<CompressorOxide>::default();
            compressor.set_format_and_level(DataFormat::Raw, DEFLATE_LEVEL);
            compressor
        });
        let (status, taken) = compress_to_output(compressor, octets, TDEFLFlush::Sync, |piece| {
            out.extend_from_slice(piece);
            true
        });
        assert!(
            status == TDEFLStatus::Okay && taken == octets.len(),
            "the output takes everything, so the compressor does too"
        );
    }

    /// Forgets what was said: the next octets do not refer to it. Gives back some hundred kilobytes.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }

    /// Whether it remembers what was said.
    pub(crate) const fn remembers(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec;
    use proptest::prelude::*;

    use super::*;

    fn inflate(inflater: &mut Inflater, mut input: &[u8]) -> Result<Vec<u8>, Garbled> {
        let mut all = Vec::new();
        loop {
            let piece = inflater.next(&mut input)?;
            assert!(piece.len() <= INFLATED_OCTETS);
            if piece.is_empty() && input.is_empty() {
                return Ok(all);
            }
            all.extend(piece);
        }
    }

    #[test]
    fn an_idle_client_costs_what_it_said() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::new());
        for n in 0..100 {
            let mut wire = Vec::new();
            deflater.flush(format!("a{n} NOOP\r\n").as_bytes(), &mut wire);
            assert_eq!(inflate(&mut inflater, &wire).unwrap(), format!("a{n} NOOP\r\n").into_bytes());
            assert!(inflater.memory() < 2_000, "{}", inflater.memory());
        }
        let noise: Vec<u8> = (0..50_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut wire = Vec::new();
        deflater.flush(&noise, &mut wire);
        assert_eq!(inflate(&mut inflater, &wire).unwrap(), noise);
        assert!(inflater.memory() <= WINDOW_OCTETS, "{}", inflater.memory());
    }

    #[test]
    fn a_bomb_comes_in_pieces() {
        let mut wire = Vec::new();
        Deflater::default().flush(&vec![b'x'; 10_000_000], &mut wire);
        assert!(wire.len() < 20_000);
        let (mut inflater, mut input, mut octets) = (Inflater::new(), wire.as_slice(), 0);
        loop {
            let piece = inflater.next(&mut input).unwrap();
            assert!(piece.len() <= INFLATED_OCTETS && inflater.window.len() <= WINDOW_OCTETS);
            octets += piece.len();
            if piece.is_empty() {
                break;
            }
        }
        assert_eq!(octets, 10_000_000);
    }

    #[test]
    fn what_is_no_deflate_is_refused_for_good() {
        let mut inflater = Inflater::new();
        assert_eq!(inflate(&mut inflater, b"a1 NOOP\r\n\xff\xff"), Err(Garbled));
        assert_eq!(inflate(&mut inflater, b"\0"), Err(Garbled));
        // A reference to before the beginning.
        let mut inflater = Inflater::new();
        assert_eq!(inflate(&mut inflater, &[0x4b, 0x04, 0x62, 0xff, 0xff, 0xff]), Err(Garbled));
    }

    #[test]
    fn the_stream_may_end_after_what_it_says() {
        let last = miniz_oxide::deflate::compress_to_vec(b"a1 LOGOUT\r\n", 6);
        let mut inflater = Inflater::new();
        let mut input = last.as_slice();
        assert_eq!(inflater.next(&mut input), Ok(b"a1 LOGOUT\r\n".to_vec()));
        assert_eq!(inflater.next(&mut &b"x"[..]), Err(Garbled));
    }

    /// RFC 8437 §4.1: what follows in clear is not looked at, even where it might be DEFLATE.
    #[test]
    fn nothing_is_inflated_behind_unauthenticate() {
        for clear in [&b"b CAPABILITY\r\n"[..], b"K LOGOUT\r\n", b"\xff"] {
            let mut wire = Vec::new();
            Deflater::default().flush(b"a unauthenticate\r\n", &mut wire);
            wire.extend(clear);
            let (mut inflater, mut input) = (Inflater::new(), wire.as_slice());
            assert_eq!(inflater.next(&mut input), Ok(b"a unauthenticate\r\n".to_vec()));
            assert!(input.ends_with(clear) && input.len() <= clear.len() + 5, "{input:?}");
        }
        // And the stream may end with it.
        let wire = [miniz_oxide::deflate::compress_to_vec(b"a UNAUTHENTICATE\r\n", 6), b"b NOOP\r\n".to_vec()].concat();
        let mut input = wire.as_slice();
        assert_eq!(Inflater::new().next(&mut input), Ok(b"a UNAUTHENTICATE\r\n".to_vec()));
        assert_eq!(input, b"b NOOP\r\n");
    }

    #[test]
    fn what_came_before_garbage_counts() {
        let mut wire = Vec::new();
        Deflater::default().flush(b"a NOOP\r\n", &mut wire);
        wire.extend([0xff; 8]);
        let (mut inflater, mut input) = (Inflater::new(), wire.as_slice());
        assert_eq!(inflater.next(&mut input), Ok(b"a NOOP\r\n".to_vec()));
        assert_eq!(inflater.next(&mut input), Err(Garbled));
    }

    #[test]
    fn forgetting_is_not_noticed() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::new());
        for _ in 0..3 {
            let mut wire = Vec::new();
            deflater.flush(b"* OK the same again and again", &mut wire);
            deflater.forget();
            assert!(!deflater.remembers());
            assert_eq!(inflate(&mut inflater, &wire).unwrap(), b"* OK the same again and again");
        }
    }

    proptest! {
        #[test]
        fn cuts_and_flushes_change_nothing(
            said in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab* FETCH\r\n".to_vec()), 0..300), 0..8),
            forget in any::<u8>(),
            cut in 1usize..50,
        ) {
            let (mut deflater, mut wire) = (Deflater::default(), Vec::new());
            for (n, text) in said.iter().enumerate() {
                deflater.flush(text, &mut wire);
                if forget >> (n % 8) & 1 == 1 {
                    deflater.forget();
                }
            }
            let mut inflater = Inflater::new();
            let mut all = Vec::new();
            for piece in wire.chunks(cut) {
                all.extend(inflate(&mut inflater, piece).unwrap());
            }
            prop_assert_eq!(&all, &said.concat());
            // As any other inflater would read it, given an end.
            wire.extend([0x03, 0x00]);
            prop_assert_eq!(decompress_to_vec(&wire).unwrap(), all);
        }

        #[test]
        fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut inflater = Inflater::new();
            drop(inflate(&mut inflater, &octets));
        }
    }
}
