//! What other servers and the DNS say about where mail comes from.

use std::sync::Arc;

use sender_auth::verify::{Arrival, Budget, ClaimFilter, fuzzing};

use crate::cuts::cut;

/// A header from outside: what claims to be a result of this server goes, the same wherever it was cut, and all of it.
pub(crate) fn claims(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let passed = |pieces: &[&[u8]]| {
        let mut filter = ClaimFilter::new(["mx.example"]);
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| out.extend_from_slice(&filter.pass(piece)));
        out.extend(filter.finish());
        out
    };
    let once = passed(&pieces);
    assert_eq!(once, passed(&[whole]), "it makes no difference where it was cut");
    assert!(once.len() <= whole.len(), "nothing is added");
    assert_eq!(passed(&[&once]), once, "nothing of ours is left");
    let header = |pieces: &[&[u8]]| {
        let mut arrival = Arrival::new(Arc::new(Budget::new(1 << 20)));
        let taken = pieces.iter().try_for_each(|piece| arrival.feed(piece));
        taken.map(|()| arrival.finish().header().to_vec())
    };
    assert_eq!(header(&pieces), header(&[whole]), "the header is the same wherever it was cut");
}

/// TXT records: several, parted by NUL.
pub(crate) fn records(input: &[u8]) {
    let texts: Vec<Vec<u8>> = input.split(|octet| *octet == 0).map(<[u8]>::to_vec).collect();
    fuzzing::spf_record(&texts);
    fuzzing::key_record(&texts);
}
