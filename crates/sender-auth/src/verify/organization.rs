//! The organization that a domain belongs to: by the DMARC records at its name and above (RFC 9989 §4.10). Pure.

/// Names that are asked at the most: the domain's own, and the last seven labels and fewer.
const NAMES_MAX: usize = 8;

/// What a record says of its domain (`psd`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Psd {
    /// Below it domains are given to others.
    Yes,
    /// It is an organization.
    No,
    /// It does not say.
    Unsaid,
}

/// One name, and what its record says; `None`: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked<'n> {
    name: &'n str,
    psd: Option<Psd>,
}

impl<'n> Walked<'n> {
    /// With the texts at `_dmarc` below the name.
    pub(super) fn of(name: &'n str, texts: &[Vec<u8>]) -> Self {
        let mut records = texts.iter().filter_map(|text| psd(std::str::from_utf8(text).ok()?));
        // Several records are none.
        let psd = records.next().filter(|_| records.next().is_none());
        Self { name, psd }
    }
}

/// The names below which a record may stand, the longest first.
pub(super) fn names_of(domain: &str) -> Vec<&str> {
    let names: Vec<&str> =
        std::iter::successors(Some(domain), |name| name.split_once('.').map(|(_, above)| above)).collect();
    let skipped = names.len().saturating_sub(NAMES_MAX);
    let above = names.iter().skip(1).skip(skipped).copied();
    names.first().copied().into_iter().chain(above).collect()
}

/// The organization, by what was found at [`names_of`] in their order (§4.10.2).
pub(super) fn organization<'d>(domain: &'d str, walked: &[Walked<'d>]) -> &'d str {
    let mut found = domain;
    for &Walked { name, psd } in walked {
        match psd {
            Some(Psd::No) => return name,
            Some(Psd::Yes) if name != domain => return one_below(domain, name),
            // Nobody's organization is a whole top-level domain, if it does not say so itself.
            Some(Psd::Yes | Psd::Unsaid) if name.contains('.') => found = name,
            Some(Psd::Yes | Psd::Unsaid) | None => {}
        }
    }
    found
}

/// The name below another on the way to a domain.
fn one_below<'d>(domain: &'d str, name: &str) -> &'d str {
    let above = domain.strip_suffix(name).and_then(|above| above.strip_suffix('.')).unwrap_or(domain);
    let start = above.rfind('.').map_or(0, |dot| dot.saturating_add(1));
    domain.get(start..).unwrap_or(domain)
}

/// What a record says; `None`: the text is no record.
fn psd(text: &str) -> Option<Psd> {
    let mut tags = text.split(';').map(|tag| {
        let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
        (name.trim(), value.trim())
    });
    if tags.next()? != ("v", "DMARC1") {
        return None;
    }
    let value = tags.find(|(name, _)| name.eq_ignore_ascii_case("psd")).map_or("", |(_, value)| value);
    Some(match value {
        "y" | "Y" => Psd::Yes,
        "n" | "N" => Psd::No,
        _ => Psd::Unsaid,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc9989_the_names_that_are_asked() {
        for (domain, names) in [
            ("example", "example"),
            ("far.example", "far.example example"),
            ("a.b.far.example", "a.b.far.example b.far.example far.example example"),
            (
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com \
                 j.mail.example.com mail.example.com example.com com",
            ),
        ] {
            assert_eq!(names_of(domain).join(" "), names);
        }
    }

    #[test]
    fn rfc9989_the_organization_is_where_the_highest_record_is() {
        let plain = "v=DMARC1; p=none";
        for (domain, records, expected) in [
            ("a.b.far.example", &[][..], "a.b.far.example"),
            ("a.b.far.example", &[("far.example", plain)], "far.example"),
            ("a.b.far.example", &[("a.b.far.example", plain), ("far.example", plain)], "far.example"),
            ("a.b.far.example", &[("b.far.example", plain)], "b.far.example"),
            ("a.b.far.example", &[("b.far.example", "v=DMARC1;psd=n"), ("far.example", plain)], "b.far.example"),
            ("a.b.far.example", &[("far.example", "v=DMARC1; psd = y")], "b.far.example"),
            ("far.example", &[("example", "v=DMARC1; p=reject; psd=y")], "far.example"),
            ("a.far.example", &[("example", "v=DMARC1; psd=y")], "far.example"),
            ("a.far.example", &[("example", plain)], "a.far.example"),
            ("far.example", &[("far.example", "v=DMARC1; psd=y")], "far.example"),
            ("a.far.example", &[("far.example", "v=DMARC1x")], "a.far.example"),
            ("a.far.example", &[("far.example", "p=none; v=DMARC1")], "a.far.example"),
            ("a.far.example", &[("far.example", plain), ("far.example", plain)], "a.far.example"),
            ("example", &[("example", plain)], "example"),
        ] {
            let walked: Vec<Walked<'_>> = names_of(domain)
                .into_iter()
                .map(|name| {
                    let texts = records.iter().filter(|(at, _)| *at == name).map(|(_, text)| text.as_bytes().to_vec());
                    Walked::of(name, &texts.collect::<Vec<_>>())
                })
                .collect();
            assert_eq!(organization(domain, &walked), expected, "{domain} {records:?}");
        }
    }

    proptest! {
        #[test]
        fn an_organization_is_the_domain_or_above_it(
            domain in "[a-z]{1,3}(\\.[a-z]{1,3}){0,12}",
            records in prop::collection::vec("v=DMARC1(; ?psd=[ynu])?|\\PC{0,12}", 0..14),
        ) {
            let names = names_of(&domain);
            prop_assert!(names.len() <= NAMES_MAX);
            let texts = records.iter().map(|text| vec![text.as_bytes().to_vec()]);
            let walked: Vec<Walked<'_>> = names.into_iter().zip(texts).map(|(name, texts)| Walked::of(name, &texts)).collect();
            let found = organization(&domain, &walked);
            let below = domain.strip_suffix(found);
            prop_assert!(below.is_some_and(|below| below.is_empty() || below.ends_with('.')), "{} {}", domain, found);
        }
    }
}
