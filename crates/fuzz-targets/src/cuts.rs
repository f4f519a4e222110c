//! Where an input is cut, from the input itself.

/// The first octet says how the rest is cut into pieces: of equal length below 128, else of lengths that vary.
pub(crate) fn cut(input: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let Some((how, rest)) = input.split_first() else { return (Vec::new(), input) };
    let mut pieces = Vec::new();
    let mut left = rest;
    let mut length = usize::from(how % 128) + 1;
    while !left.is_empty() {
        let (piece, behind) = left.split_at(length.min(left.len()));
        pieces.push(piece);
        left = behind;
        if *how >= 128 {
            // Small and large pieces by turns, without a period that is easy to hit.
            length = (length * 7 + 3) % 61 + 1;
        }
    }
    (pieces, rest)
}
