//! Tokens: what makes a mail address or a link prove that it came from this server, for one purpose.
//!
//! Three forms, all keyed by the store's secret (BLAKE3 as a MAC), each for one part of the store and one purpose, so that
//! none can be used for another. Those in mail addresses are short and in lower-case letters and digits, since a local
//! part has 64 octets and passes through software that changes its case; they name a row, which holds the expiry. Those
//! in links carry address and expiry themselves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail::{AccountId, Address, Timestamp};
use storage::secret::SecretKey;
use subtle::ConstantTimeEq;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// To confirm a request, by its number.
    Confirm = 1,
    /// To decide on a waiting message, by its UID.
    Moderate = 2,
    /// To decide on a pending member, by the number of the request.
    Approve = 3,
    /// To leave, for an address.
    Leave = 4,
    /// To see and change one's membership, for an address.
    Manage = 5,
}

const PURPOSES: [Purpose; 5] = [Purpose::Confirm, Purpose::Moderate, Purpose::Approve, Purpose::Leave, Purpose::Manage];

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is good for.
    pub purpose: Purpose,
    /// The list or group.
    pub part: AccountId,
    /// Until when.
    pub expires: Timestamp,
    /// The number of a request or the UID of a message; 0 where there is none.
    pub number: u32,
    /// Whose link it is.
    pub address: Address,
}

/// Makes and reads tokens.
#[derive(Clone, Debug)]
pub struct Tokens(SecretKey);

impl Tokens {
    /// Tokens under a key.
    #[must_use]
    pub const fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The token behind `-confirm+`: purpose, number and MAC, 21 characters. The MAC is about `reader` too, when there is one:
    /// then the token is theirs alone, without being longer.
    #[must_use]
    pub fn in_mail(&self, purpose: Purpose, part: AccountId, number: u32, reader: Option<&Address>) -> String {
        let mut bytes = vec![purpose as u8];
        bytes.extend_from_slice(&number.to_be_bytes());
        let mac = self.mail_mac(part, &bytes, reader);
        bytes.extend_from_slice(mac.get(..MAIL_MAC).unwrap_or_default());
        base32(&bytes)
    }

    /// Reads such a token, in any case. One to decide with is good for those of `deciders` to whom it was sent, and says who
    /// that is; one to confirm with is good for everybody.
    #[must_use]
    pub fn read_mail<'a>(
        &self,
        part: AccountId,
        token: &str,
        deciders: &'a [Address],
    ) -> Option<(Purpose, u32, Option<&'a Address>)> {
        let bytes = from_base32(token)?;
        let (said, mac) = bytes.split_at_checked(5)?;
        let purpose = purpose(*said.first()?)?;
        let number = said.get(1..)?.try_into().ok().map(u32::from_be_bytes)?;
        let is_of = |reader: Option<&Address>| {
            self.mail_mac(part, said, reader).get(..MAIL_MAC).is_some_and(|wanted| same(wanted, mac))
        };
        let reader = match purpose {
            Purpose::Moderate | Purpose::Approve => Some(deciders.iter().find(|decider| is_of(Some(decider)))?),
            Purpose::Confirm | Purpose::Leave | Purpose::Manage if is_of(None) => None,
            Purpose::Confirm | Purpose::Leave | Purpose::Manage => return None,
        };
        Some((purpose, number, reader))
    }

    fn mail_mac(&self, part: AccountId, said: &[u8], reader: Option<&Address>) -> [u8; 32] {
        let reader = reader.map(|reader| reader.canonical().to_string()).unwrap_or_default();
        self.mac(b"mail", part, &[said, reader.as_bytes()].concat())
    }

    /// What follows `-bounces+` in the reverse-path of a member's copy (VERP): a MAC, and who it is about. `room` is how
    /// many octets fit; an address that does not is named by its digest.
    #[must_use]
    pub fn bounce(&self, part: AccountId, member: &Address, room: usize) -> String {
        let canonical = member.canonical();
        let mac = self.mac(b"bounce", part, canonical.to_string().as_bytes());
        let tag = base32(mac.get(..BOUNCE_MAC).unwrap_or_default());
        let local = canonical.local().as_str();
        let plain = local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+=".contains(&byte));
        let open = format!("{tag}+{local}={}", canonical.domain());
        if plain && open.len() <= room && !local.starts_with('.') && !local.ends_with('.') && !local.contains("..") {
            return open;
        }
        format!("{tag}={}", digest(&canonical))
    }

    /// Whether a MAC in front of a bounce belongs to a member.
    #[must_use]
    pub fn is_bounce_of(&self, part: AccountId, tag: &str, member: &Address) -> bool {
        let mac = self.mac(b"bounce", part, member.canonical().to_string().as_bytes());
        same(base32(mac.get(..BOUNCE_MAC).unwrap_or_default()).as_bytes(), tag.to_ascii_lowercase().as_bytes())
    }

    /// The token of a link.
    #[must_use]
    pub fn in_link(&self, link: &Link) -> String {
        let mut bytes = vec![link.purpose as u8];
        bytes.extend_from_slice(&link.part.0.to_be_bytes());
        // Whole hours last until the year 491936.
        let hours = u32::try_from(link.expires.as_secs() / 3600).unwrap_or(0);
        bytes.extend_from_slice(&hours.to_be_bytes());
        bytes.extend_from_slice(&link.number.to_be_bytes());
        bytes.extend_from_slice(link.address.canonical().to_string().as_bytes());
        let mac = self.mac(b"link", link.part, &bytes);
        bytes.extend_from_slice(mac.get(..LINK_MAC).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the token of a link; one that has expired is none.
    #[must_use]
    pub fn read_link(&self, token: &str, now: Timestamp) -> Option<Link> {
        if token.len() > LINK_OCTETS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, mac) = bytes.split_at_checked(bytes.len().checked_sub(LINK_MAC)?)?;
        let (kind, rest) = said.split_first()?;
        let (part, rest) = rest.split_first_chunk()?;
        let part = AccountId(u64::from_be_bytes(*part));
        if !same(self.mac(b"link", part, said).get(..LINK_MAC)?, mac) {
            return None;
        }
        let (hours, rest) = rest.split_first_chunk()?;
        let (number, address) = rest.split_first_chunk()?;
        let expires = Timestamp::from_secs(i64::from(u32::from_be_bytes(*hours)).saturating_mul(3600));
        if expires < now {
            return None;
        }
        let address = Address::parse(str::from_utf8(address).ok()?).ok()?;
        Some(Link { purpose: purpose(*kind)?, part, expires, number: u32::from_be_bytes(*number), address })
    }

    fn mac(&self, form: &[u8], part: AccountId, said: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0.0);
        // Forms are of different lengths and end with a NUL, so that no text of one is one of another.
        hasher.update(form).update(&[0]).update(&part.0.to_be_bytes()).update(said);
        *hasher.finalize().as_bytes()
    }
}

/// The digest that names a member whose address is too long for the reverse-path.
pub(crate) fn digest(canonical: &Address) -> String {
    base32(blake3::hash(canonical.to_string().as_bytes()).as_bytes().get(..8).unwrap_or_default())
}

fn purpose(number: u8) -> Option<Purpose> {
    PURPOSES.into_iter().find(|purpose| *purpose as u8 == number)
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut push = |number: u32| text.extend(ALPHABET.get(number as usize & 31).map(|letter| char::from(*letter)));
    for byte in bytes {
        held = (held & 0xFF) << 8 | u32::from(*byte);
        bits = bits.saturating_add(8);
        while bits >= 5 {
            bits = bits.saturating_sub(5);
            push(held >> bits);
        }
    }
    if bits > 0 {
        push(held << 5_u32.saturating_sub(bits));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let number = ALPHABET.iter().position(|known| *known == letter.to_ascii_lowercase())?;
        held = (held & 0xFF) << 5 | u32::try_from(number).ok()?;
        bits = bits.saturating_add(5);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            bytes.push(u8::try_from((held >> bits) & 0xFF).ok()?);
        }
    }
    // One text for each token: no other spelling of the last letter.
    base32(&bytes).eq_ignore_ascii_case(text).then_some(bytes)
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const MAIL_MAC: usize = 8;
const BOUNCE_MAC: usize = 6;
const LINK_MAC: usize = 16;
const LINK_OCTETS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(seed: u8) -> Tokens {
        Tokens::new(SecretKey([seed; 32]))
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn link(purpose: Purpose) -> Link {
        let expires = Timestamp::from_secs(3_600 * 500_000);
        Link { purpose, part: AccountId(7), expires, number: 3, address: address("alice@a.example") }
    }

    #[test]
    fn a_mail_token_is_for_its_purpose_its_part_and_its_number() {
        let keys = tokens(1);
        for purpose in PURPOSES {
            let deciders = [address("bob@b.example"), address("Alice@a.example")];
            let decides = matches!(purpose, Purpose::Moderate | Purpose::Approve);
            let reader = decides.then(|| address("alice@A.example"));
            let token = keys.in_mail(purpose, AccountId(5), 77, reader.as_ref());
            assert_eq!(token.len(), 21);
            let found = Some((purpose, 77, decides.then_some(&deciders[1])));
            assert_eq!(keys.read_mail(AccountId(5), &token, &deciders), found);
            assert_eq!(keys.read_mail(AccountId(5), &token.to_ascii_uppercase(), &deciders), found);
            assert_eq!(keys.read_mail(AccountId(6), &token, &deciders), None, "another list");
            assert_eq!(tokens(2).read_mail(AccountId(5), &token, &deciders), None, "another server");
            assert_eq!(keys.read_mail(AccountId(5), &token, &deciders[..1]).is_none(), decides, "who decides no more");
            let nobodys = keys.in_mail(purpose, AccountId(5), 77, None);
            assert_eq!(keys.read_mail(AccountId(5), &nobodys, &deciders).is_none(), decides);
        }
    }

    #[test]
    fn a_link_is_for_its_purpose_and_time() {
        let keys = tokens(1);
        for purpose in PURPOSES {
            let link = link(purpose);
            let token = keys.in_link(&link);
            assert_eq!(keys.read_link(&token, Timestamp(0)), Some(link.clone()));
            assert_eq!(keys.read_link(&token, link.expires), Some(link.clone()));
            assert_eq!(keys.read_link(&token, Timestamp(link.expires.0 + 1)), None, "expired");
            assert_eq!(tokens(2).read_link(&token, Timestamp(0)), None);
        }
    }

    #[test]
    fn a_bounce_names_its_member_within_the_room_it_has() {
        let keys = tokens(1);
        let short = address("Alice.b+x@A.example");
        let open = keys.bounce(AccountId(5), &short, 50);
        assert_eq!(&open[10..], "+alice.b+x=a.example");
        let long = address("a-rather-long-local-part-of-somebody@a-rather-long-domain.example");
        for (member, room) in
            [(&long, 50), (&short, 10), (&address("\"a b\"@a.example"), 90), (&address("josé@a.example"), 90)]
        {
            let closed = keys.bounce(AccountId(5), member, room);
            assert_eq!(closed.len(), 24);
            assert!(closed.is_ascii() && closed.ends_with(&format!("={}", digest(&member.canonical()))));
        }
        assert!(keys.is_bounce_of(AccountId(5), &open[..10], &short));
        assert!(keys.is_bounce_of(AccountId(5), &open[..10].to_ascii_uppercase(), &short));
        assert!(!keys.is_bounce_of(AccountId(6), &open[..10], &short));
        assert!(!keys.is_bounce_of(AccountId(5), &open[..10], &long));
    }

    proptest! {
        #[test]
        fn no_changed_token_is_taken(number: u32, at in 0..21_usize, letter in "[a-z2-7]", byte in 0..90_usize) {
            let keys = tokens(9);
            let token = keys.in_mail(Purpose::Confirm, AccountId(1), number, None);
            prop_assert_eq!(keys.read_mail(AccountId(1), &token, &[]), Some((Purpose::Confirm, number, None)));
            let mut forged = token.clone();
            forged.replace_range(at..=at, &letter);
            prop_assert!(forged == token || keys.read_mail(AccountId(1), &forged, &[]).is_none());
            let mut raw = URL_SAFE_NO_PAD.decode(keys.in_link(&link(Purpose::Leave))).unwrap();
            let at = byte % raw.len();
            raw[at] ^= 1;
            prop_assert_eq!(keys.read_link(&URL_SAFE_NO_PAD.encode(raw), Timestamp(0)), None);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let keys = tokens(9);
            let deciders = [address("a@b.example")];
            prop_assert_eq!(keys.read_mail(AccountId(1), &text, &deciders), None);
            prop_assert_eq!(keys.read_link(&text, Timestamp(0)), None);
        }

        #[test]
        fn base32_is_there_and_back(bytes: Vec<u8>) {
            prop_assert_eq!(from_base32(&base32(&bytes)), Some(bytes));
        }
    }
}
