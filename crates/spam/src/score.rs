//! The sum of all points, with its reasons.

use crate::bayes::{Known, Opinion};
use crate::content::Content;
use crate::limits::REASON_CHARS_MAX;
use crate::points::Points;
use crate::rules::{Hit, Rule, hits};

/// What a message's content says about it, for one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// What was learnt says; `None`: not enough was.
    pub opinion: Option<Opinion>,
    /// Rules that it meets.
    pub hits: Vec<Hit>,
    /// What is known of who hands it over.
    pub added: Vec<Added>,
}

/// Points for what is no content: who hands a message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// What it is known from.
    pub from: AddedFrom,
    /// How many.
    pub points: Points,
    /// Why, in a part of a sentence.
    pub reason: String,
}

/// What points for a client are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddedFrom {
    /// Lists that an administrator has chosen: they count where nothing was learnt, too, and may refuse.
    Lists,
    /// Doubts: they refuse nothing, and say nothing where nothing was learnt.
    Doubts,
    /// What became of the sender's former mail: as doubts, and what is spam by this alone is not counted for the sender again.
    Standing,
}

impl Score {
    /// Of a message, by what the site and the account have learnt.
    #[must_use]
    pub fn of(content: &Content, site: &Known, own: &Known) -> Self {
        Self { opinion: Opinion::of(&content.tokens, site, own), hits: hits(content), added: Vec::new() }
    }

    /// The same, with points for who hands it over.
    #[must_use]
    pub fn with(mut self, added: &[Added]) -> Self {
        self.added.extend_from_slice(added);
        self
    }

    /// The points.
    #[must_use]
    pub fn points(&self) -> Points {
        self.points_without_standing().plus(self.added_from(AddedFrom::Standing))
    }

    fn points_without_standing(&self) -> Points {
        self.own_points().plus(self.added_from(AddedFrom::Lists)).plus(self.added_from(AddedFrom::Doubts))
    }

    /// Those of the content alone.
    fn own_points(&self) -> Points {
        let learnt = self.opinion.as_ref().map(Opinion::points).unwrap_or_default();
        self.hits.iter().fold(learnt, |sum, hit| sum.plus(hit.rule.points()))
    }

    fn added_from(&self, from: AddedFrom) -> Points {
        self.added.iter().filter(|one| one.from == from).fold(Points(0), |sum, one| sum.plus(one.points))
    }

    /// Whether it is spam from so many points on. While too little was learnt nothing is, but the text by which filters are tried
    /// out, and what lists alone give as many.
    #[must_use]
    pub fn is_spam(&self, threshold: Points) -> bool {
        let has_say = self.opinion.is_some() || self.is_test() || self.added_from(AddedFrom::Lists) >= threshold;
        self.points() >= threshold && has_say
    }

    /// Whether it would be spam of a sender of whom nothing is known.
    #[must_use]
    pub fn is_spam_of_anybody(&self, threshold: Points) -> bool {
        self.is_spam(threshold) && self.points_without_standing() >= threshold
    }

    /// Whether it is refused from so many points on: those of the content and of lists count. Nobody is refused for doubts.
    #[must_use]
    pub fn is_certain(&self, refuse: Points) -> bool {
        self.is_spam(refuse) && self.own_points().plus(self.added_from(AddedFrom::Lists)) >= refuse
    }

    fn is_test(&self) -> bool {
        self.hits.iter().any(|hit| hit.rule == Rule::Test)
    }

    /// Why, in a sentence that a header field can hold: plain ASCII, [`REASON_CHARS_MAX`] characters at the most.
    #[must_use]
    pub fn reason(&self, threshold: Points) -> String {
        self.told(threshold, true)
    }

    /// As [`Score::reason`], without words of the message: what one account has learnt is not told to others.
    #[must_use]
    pub fn reason_without_words(&self, threshold: Points) -> String {
        self.told(threshold, false)
    }

    fn told(&self, threshold: Points, words: bool) -> String {
        let mut reasons = Vec::new();
        if let Some(opinion) = self.opinion.as_ref().filter(|opinion| opinion.points() > Points(0)) {
            let what = if opinion.own { "what you marked as spam" } else { "what people here marked as spam" };
            let telling: Vec<&str> = if words { words_of(opinion) } else { Vec::new() };
            reasons.push(if telling.is_empty() {
                format!("it is like {what}")
            } else {
                format!("it is like {what} ({})", telling.join(", "))
            });
        }
        let added = |from| self.added.iter().filter(move |one| one.from == from).map(|one| one.reason.clone());
        reasons.extend(added(AddedFrom::Lists));
        reasons.extend(self.hits.iter().map(|hit| hit.reason.clone()));
        reasons.extend(added(AddedFrom::Standing));
        reasons.extend(added(AddedFrom::Doubts));
        let mut text = format!("{} points of {threshold}", self.points());
        let mut gap = ": ";
        for reason in reasons {
            let reason: String =
                reason.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
            if text.len().saturating_add(gap.len()).saturating_add(reason.len()) > REASON_CHARS_MAX {
                break;
            }
            text.push_str(gap);
            text.push_str(&reason);
            gap = "; ";
        }
        text
    }
}

/// The words that say most for spam, as far as a header field can show them.
fn words_of(opinion: &Opinion) -> Vec<&str> {
    let plain = |text: &&str| {
        text.len() <= 40 && text.chars().all(|c| c.is_ascii_graphic() && c != '(' && c != ')' || c == ' ')
    };
    let for_spam = opinion.telling.iter().filter(|told| told.likelihood > 0.5);
    for_spam.map(|told| told.text.as_str()).filter(plain).take(WORDS_TOLD).collect()
}

const WORDS_TOLD: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::Counts;

    const SPAM: &str = "From: x@y.example\r\nDate: x\r\nMessage-ID: <a@b>\r\nSubject: free casino\r\n\r\nwin at the casino today http://192.0.2.1/\r\n";

    fn known(content: &Content, learnt: u32, with: Counts) -> Known {
        Known { learnt: Counts { spam: learnt, ham: learnt }, with: vec![with; content.tokens.len()] }
    }

    #[test]
    fn nothing_is_spam_before_enough_was_learnt() {
        let content = Content::read(SPAM.as_bytes());
        let nothing = Score::of(&content, &Known::default(), &Known::default());
        assert_eq!((nothing.points(), nothing.is_spam(Points(10))), (Points(15), false));
        let learnt = Score::of(&content, &Known::default(), &known(&content, 50, Counts { spam: 20, ham: 0 }));
        assert!(learnt.is_spam(Points::THRESHOLD) && learnt.points() == Points(75));
        let ham = Score::of(&content, &Known::default(), &known(&content, 50, Counts { spam: 0, ham: 20 }));
        assert!(!ham.is_spam(Points::THRESHOLD_MIN) && ham.points() < Points(0));
    }

    #[test]
    fn what_is_spam_of_one_sender_alone_is_told_apart() {
        let content = Content::read(SPAM.as_bytes());
        let standing = Added { from: AddedFrom::Standing, points: Points(30), reason: "its mail was spam".to_owned() };
        let learnt = Score::of(&content, &Known::default(), &known(&content, 50, Counts { spam: 20, ham: 0 }));
        let with = learnt.with(std::slice::from_ref(&standing));
        assert!(with.points() == Points(105) && with.is_spam_of_anybody(Points::THRESHOLD));
        assert!(with.is_spam(Points(100)) && !with.is_spam_of_anybody(Points(100)) && !with.is_certain(Points(100)));
        let untrained = Score::of(&content, &Known::default(), &Known::default()).with(&[standing]);
        assert!(!untrained.is_spam(Points(20)), "it says nothing where nothing was learnt");
    }

    #[test]
    fn lists_and_doubts_are_added() {
        let content = Content::read(SPAM.as_bytes());
        let added = |from, points, reason: &str| Added { from, points: Points(points), reason: reason.to_owned() };
        let doubts = [
            added(AddedFrom::Doubts, 30, "the client's address has no name"),
            added(AddedFrom::Lists, 20, "it is on a list"),
        ];
        let untrained = Score::of(&content, &Known::default(), &Known::default());
        let with = untrained.clone().with(&doubts);
        assert_eq!((with.points(), with.is_spam(Points::THRESHOLD)), (Points(65), false), "nothing was learnt");
        assert_eq!(
            with.reason(Points::THRESHOLD),
            "6.5 points of 5.0: it is on a list; a link leads to 192.0.2.1, which is no name; the client's address has no name"
        );
        assert!(untrained.with(&[added(AddedFrom::Lists, 50, "it is on a list")]).is_spam(Points::THRESHOLD));
        let trained =
            Score::of(&content, &Known::default(), &known(&content, 50, Counts { spam: 20, ham: 0 })).with(&doubts);
        assert_eq!(trained.points(), Points(125));
        assert!(trained.is_spam(Points(125)) && !trained.is_certain(Points(125)), "nobody is refused for doubts");
        assert!(trained.is_certain(Points(95)) && !trained.is_certain(Points(96)), "lists count");
    }

    #[test]
    fn the_reason_is_a_sentence_for_a_header_field() {
        let content = Content::read(SPAM.as_bytes());
        let score = Score::of(&content, &Known::default(), &known(&content, 50, Counts { spam: 20, ham: 0 }));
        assert_eq!(
            score.reason(Points::THRESHOLD),
            "7.5 points of 5.0: it is like what you marked as spam (from: x@y.example, from: y.example, made: text/plain, link: 192.0.2.1); \
             a link leads to 192.0.2.1, which is no name"
        );
        assert_eq!(
            score.reason_without_words(Points::THRESHOLD),
            "7.5 points of 5.0: it is like what you marked as spam; a link leads to 192.0.2.1, which is no name"
        );
        let russian = format!(
            "From: \"{0}@a.example\" <x@b.example>\r\nSubject: {0}\r\n\r\n{0} http://{0}.example/\r\n",
            "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}".repeat(9)
        );
        let content = Content::read(russian.as_bytes());
        let score = Score::of(&content, &Known::default(), &known(&content, 50, Counts { spam: 20, ham: 0 }));
        let reason = score.reason(Points::THRESHOLD);
        assert!(reason.len() <= REASON_CHARS_MAX && reason.is_ascii() && !reason.contains(['\r', '\n']), "{reason}");
    }

    #[test]
    fn the_test_message_is_spam_untrained() {
        let gtube = "Subject: test\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n";
        let score = Score::of(&Content::read(gtube.as_bytes()), &Known::default(), &Known::default());
        assert!(score.is_spam(Points::THRESHOLD_MAX));
    }
}
