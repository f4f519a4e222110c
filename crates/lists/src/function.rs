//! What an address of a list is for: `garden-confirm+TOKEN@` and its like.

use mail::Address;

/// What was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// The list or group itself.
    Post,
    /// `-owner`
    Owner,
    /// `-request`: orders in the subject or the first lines.
    Request,
    /// `-join`
    Join,
    /// `-leave`
    Leave,
    /// `-confirm+TOKEN`: to confirm something, or to decide on something.
    Confirm(String),
    /// `-bounces`, `-bounces+TAG+member=domain`, `-bounces+TAG=DIGEST`
    Bounces(Option<Returned>),
}

/// About whom a bounce is, before its MAC was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// A MAC and an address.
    Member(String, Address),
    /// A MAC and a digest.
    Digest(String, String),
}

impl Function {
    /// Reads the address `written` of the list or group `own`. Whatever is not one of the above is the list itself: an
    /// alias leads there.
    pub(crate) fn of(own: &Address, written: &Address) -> Self {
        let (own, written) = (own.local().canonical(), written.local().canonical());
        let Some(rest) = written.as_str().strip_prefix(own.as_str()).and_then(|rest| rest.strip_prefix('-')) else {
            return Self::Post;
        };
        let (word, detail) = rest.split_once('+').unwrap_or((rest, ""));
        match word {
            "owner" => Self::Owner,
            "request" => Self::Request,
            "join" => Self::Join,
            "leave" => Self::Leave,
            "confirm" => Self::Confirm(detail.to_owned()),
            "bounces" => Self::Bounces(Returned::read(detail)),
            _ => Self::Post,
        }
    }
}

impl Returned {
    fn read(detail: &str) -> Option<Self> {
        let at = detail.find(['+', '='])?;
        let (tag, rest) = detail.split_at_checked(at)?;
        if let Some(digest) = rest.strip_prefix('=') {
            return Some(Self::Digest(tag.to_owned(), digest.to_owned()));
        }
        let (local, domain) = rest.strip_prefix('+')?.rsplit_once('=')?;
        Address::new(local, domain.parse().ok()?).ok().map(|member| Self::Member(tag.to_owned(), member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_list_is_told_apart() {
        let own = Address::parse("Garden-club@a.example").unwrap();
        let of = |local: &str| Function::of(&own, &Address::parse(&format!("{local}@b.example")).unwrap());
        for (local, wanted) in [
            ("garden-club", Function::Post),
            ("garden-club+topic", Function::Post),
            ("info", Function::Post),
            ("garden-club-other", Function::Post),
            ("GARDEN-CLUB-OWNER", Function::Owner),
            ("garden-club-request", Function::Request),
            ("garden-club-join", Function::Join),
            ("garden-club-leave+x", Function::Leave),
            ("garden-club-confirm+Abc2", Function::Confirm("abc2".to_owned())),
            ("garden-club-confirm", Function::Confirm(String::new())),
            ("garden-club-bounces", Function::Bounces(None)),
            ("garden-club-bounces+abc", Function::Bounces(None)),
            (
                "garden-club-bounces+abc+al=ice+x=far.example",
                Function::Bounces(Some(Returned::Member(
                    "abc".to_owned(),
                    Address::parse("al=ice+x@far.example").unwrap(),
                ))),
            ),
            (
                "garden-club-bounces+abc=def",
                Function::Bounces(Some(Returned::Digest("abc".to_owned(), "def".to_owned()))),
            ),
            ("garden-club-bounces+abc+nodomain", Function::Bounces(None)),
        ] {
            assert_eq!(of(local), wanted, "{local}");
        }
    }
}
