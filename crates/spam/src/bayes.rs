//! How likely a message is spam, by what was learnt.
//!
//! A token's likelihood is Robinson's `f(w)`: what the counts say, and before they say much, what was believed before: for an
//! account's own counts that is what the site's say. The likelihoods of the tokens that say most are put together by Fisher's
//! method, from both sides: how surprising is the message if it is ham, and how surprising if it is spam. Words of one text stand
//! together for a reason, so each counts for less than a whole observation ([`WEIGHT`]).

use std::cmp::Ordering;

use crate::limits::{LEARNT_MIN, TELLING_MAX};
use crate::points::Points;
use crate::tokens::Token;

/// Messages: with a token, or all that were learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Spam.
    pub spam: u32,
    /// Ham.
    pub ham: u32,
}

impl Counts {
    /// Whether as much was learnt as has to be before anything follows.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.spam >= LEARNT_MIN && self.ham >= LEARNT_MIN
    }

    /// Whether it is about no message at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.spam == 0 && self.ham == 0
    }
}

/// What an account, or the site, has learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Messages that were learnt.
    pub learnt: Counts,
    /// Those with each token, in the order of the tokens; empty when there is nothing to be known.
    pub with: Vec<Counts>,
}

/// One token, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its text.
    pub text: String,
    /// From 0 (only in ham) to 1 (only in spam).
    pub likelihood: f64,
}

/// What was learnt says this.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// From 0 (ham) to 1 (spam); 0.5 is nothing.
    pub likelihood: f64,
    /// The tokens that say most, the strongest first; of those that say as much, the first ones of the message.
    pub telling: Vec<Told>,
    /// Whether the account's own counts were enough to have a say.
    pub own: bool,
}

impl Opinion {
    /// Of a message, by what the site and the account know of its tokens; `None` when neither has learnt enough.
    #[must_use]
    pub fn of(tokens: &[Token], site: &Known, own: &Known) -> Option<Self> {
        let (site_says, own_says) = (site.learnt.is_enough(), own.learnt.is_enough());
        if !site_says && !own_says {
            return None;
        }
        let mut all: Vec<(usize, f64)> = Vec::with_capacity(tokens.len());
        for at in 0..tokens.len() {
            let mut likelihood = NEUTRAL;
            for (known, says) in [(site, site_says), (own, own_says)] {
                if let Some(counts) = known.with.get(at).filter(|counts| says && !counts.is_empty()) {
                    likelihood = robinson(*counts, known.learnt, likelihood);
                }
            }
            if (likelihood - NEUTRAL).abs() >= SAYS_NOTHING {
                all.push((at, likelihood));
            }
        }
        let strength = |likelihood: f64| (likelihood - NEUTRAL).abs();
        all.sort_by(|(a, x), (b, y)| strength(*y).partial_cmp(&strength(*x)).unwrap_or(Ordering::Equal).then(a.cmp(b)));
        all.truncate(TELLING_MAX);
        let told = |(at, likelihood): &(usize, f64)| {
            tokens.get(*at).map(|token| Told { text: token.text.clone(), likelihood: *likelihood })
        };
        let likelihood = fisher(all.iter().map(|(_, likelihood)| *likelihood));
        Some(Self { likelihood, telling: all.iter().filter_map(told).collect(), own: own_says })
    }

    /// The points that this is worth.
    #[must_use]
    pub fn points(&self) -> Points {
        let worth = WORTH.iter().find(|(from, _)| self.likelihood >= *from);
        worth.map_or(SURELY_HAM, |(_, points)| *points)
    }
}

const NEUTRAL: f64 = 0.5;

/// A token within this of the middle is left out.
const SAYS_NOTHING: f64 = 0.2;

/// How many observations the belief before the counts is worth.
const PRIOR_STRENGTH: f64 = 1.0;

/// How much of an observation one token is.
const WEIGHT: f64 = 0.5;

/// Points from a likelihood on. Only what is nearly sure is enough alone.
const WORTH: [(f64, Points); 8] = [
    (0.999, Points(60)),
    (0.99, Points(52)),
    (0.95, Points(40)),
    (0.8, Points(25)),
    (0.6, Points(10)),
    (0.4, Points(0)),
    (0.2, Points(-10)),
    (0.05, Points(-20)),
];
const SURELY_HAM: Points = Points(-40);

/// The likelihood by some counts, when `before` was believed without them.
fn robinson(with: Counts, learnt: Counts, before: f64) -> f64 {
    let share = |count: u32, of: u32| (f64::from(count) / f64::from(of.max(1))).min(1.0);
    let (spam, ham) = (share(with.spam, learnt.spam), share(with.ham, learnt.ham));
    let seen = f64::from(with.spam) + f64::from(with.ham);
    if spam + ham <= 0.0 {
        return before;
    }
    let likelihood = spam / (spam + ham);
    let likelihood = (PRIOR_STRENGTH * before + seen * likelihood) / (PRIOR_STRENGTH + seen);
    // Nothing is ever sure.
    likelihood.clamp(0.001, 0.999)
}

/// Fisher's method from both sides.
fn fisher(likelihoods: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut spam, mut ham) = (0.0_f64, 0.0_f64, 0.0_f64);
    for likelihood in likelihoods {
        count += 1.0;
        spam += likelihood.ln();
        ham += (1.0 - likelihood).ln();
    }
    if count <= 0.0 {
        return NEUTRAL;
    }
    let if_ham = chi_square(-ham * WEIGHT, count * WEIGHT);
    let if_spam = chi_square(-spam * WEIGHT, count * WEIGHT);
    // How little it looks like ham, against how little it looks like spam.
    (1.0 + if_spam - if_ham) / 2.0
}

/// The chance that a chi-square variable with `2 n` degrees of freedom is over `2 m`.
fn chi_square(m: f64, n: f64) -> f64 {
    let mut term = (-m).exp();
    let mut sum = term;
    let mut i = 1.0;
    while i < n {
        term *= m / i;
        sum += term;
        i += 1.0;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::{Place, Tokens};

    fn tokens(count: usize) -> Vec<Token> {
        let mut tokens = Tokens::default();
        (0..count).for_each(|n| tokens.add(Place::Body, &format!("w{n}")));
        tokens.finish()
    }

    fn known(learnt: (u32, u32), with: &[(u32, u32)]) -> Known {
        let counts = |(spam, ham): (u32, u32)| Counts { spam, ham };
        Known { learnt: counts(learnt), with: with.iter().copied().map(counts).collect() }
    }

    #[test]
    fn chi_square_is_that_of_the_tables() {
        // 2 m = 18.307 with 10 degrees of freedom is 0.05; 2 m = 3.940 is 0.95.
        assert!((chi_square(18.307 / 2.0, 5.0) - 0.05).abs() < 1e-4);
        assert!((chi_square(3.940 / 2.0, 5.0) - 0.95).abs() < 1e-4);
        assert_eq!(chi_square(0.0, 75.0), 1.0);
        assert_eq!(chi_square(2_000.0, 75.0), 0.0);
    }

    #[test]
    fn nothing_is_said_before_enough_was_learnt() {
        let (site, none) = (known((LEARNT_MIN, LEARNT_MIN), &[(9, 0)]), Known::default());
        let tokens = tokens(1);
        assert!(Opinion::of(&tokens, &none, &none).is_none());
        assert!(Opinion::of(&tokens, &known((LEARNT_MIN, LEARNT_MIN - 1), &[(9, 0)]), &none).is_none());
        assert!(Opinion::of(&tokens, &known((1_000, 0), &[(9, 0)]), &none).is_none());
        assert!(Opinion::of(&tokens, &site, &none).is_some_and(|opinion| !opinion.own));
        assert!(Opinion::of(&tokens, &none, &site).is_some_and(|opinion| opinion.own));
    }

    #[test]
    fn counts_say_what_they_say() {
        let none = Known::default();
        let likelihood =
            |with: &[(u32, u32)]| Opinion::of(&tokens(with.len()), &none, &known((100, 100), with)).unwrap().likelihood;
        assert_eq!(likelihood(&[(0, 0); 10]), 0.5);
        assert_eq!(likelihood(&[(50, 50); 10]), 0.5);
        assert!(likelihood(&[(20, 0); 10]) > 0.99);
        assert!(likelihood(&[(0, 20); 10]) < 0.01);
        // As much on both sides leaves it open.
        let both: Vec<(u32, u32)> = (0..20).map(|n| if n % 2 == 0 { (20, 0) } else { (0, 20) }).collect();
        assert!((likelihood(&both) - 0.5).abs() < 0.05, "{}", likelihood(&both));
        // One strange word is no proof.
        assert!(likelihood(&[(1, 0)]) < 0.99);
    }

    #[test]
    fn ones_own_counts_go_before_those_of_the_site() {
        let site = known((1_000, 1_000), &[(300, 0); 8]);
        let own = known((50, 50), &[(0, 30); 8]);
        let tokens = tokens(8);
        assert!(Opinion::of(&tokens, &site, &Known::default()).unwrap().likelihood > 0.99);
        assert!(Opinion::of(&tokens, &site, &own).unwrap().likelihood < 0.01);
        // What the account does not know is as the site says.
        let unknown = known((50, 50), &[(0, 0); 8]);
        assert!(Opinion::of(&tokens, &site, &unknown).unwrap().likelihood > 0.99);
    }

    proptest! {
        #[test]
        fn more_spam_never_makes_it_less_likely(counts in prop::collection::vec((0_u32..40, 0_u32..40), 1..60), at: prop::sample::Index) {
            let of = |with: &[(u32, u32)]| Opinion::of(&tokens(with.len()), &Known::default(), &known((1_000, 1_000), with)).unwrap();
            let before = of(&counts);
            prop_assert!((0.0..=1.0).contains(&before.likelihood), "{before:?}");
            let mut more = counts.clone();
            let place = at.index(more.len());
            // A word that was in ham alone until now, and is in spam as well.
            more[place].0 += 400;
            // What becomes neutral is left out, so that the sum is of fewer: only the direction is promised.
            prop_assert!(of(&more).likelihood >= before.likelihood - 0.02, "{} {}", before.likelihood, of(&more).likelihood);
        }

        #[test]
        fn points_follow_the_likelihood(a in 0.0_f64..=1.0, b in 0.0_f64..=1.0) {
            let points = |likelihood| Opinion { likelihood, telling: Vec::new(), own: false }.points();
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(points(low) <= points(high));
        }
    }
}
