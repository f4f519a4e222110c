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
}

impl Score {
    /// Of a message, by what the site and the account have learnt.
    #[must_use]
    pub fn of(content: &Content, site: &Known, own: &Known) -> Self {
        Self { opinion: Opinion::of(&content.tokens, site, own), hits: hits(content) }
    }

    /// The points.
    #[must_use]
    pub fn points(&self) -> Points {
        let learnt = self.opinion.as_ref().map(Opinion::points).unwrap_or_default();
        self.hits.iter().fold(learnt, |sum, hit| sum.plus(hit.rule.points()))
    }

    /// Whether it is spam from so many points on. While too little was learnt nothing is, but the text by which filters are tried
    /// out.
    #[must_use]
    pub fn is_spam(&self, threshold: Points) -> bool {
        self.points() >= threshold && (self.opinion.is_some() || self.is_test())
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
        reasons.extend(self.hits.iter().map(|hit| hit.reason.clone()));
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
