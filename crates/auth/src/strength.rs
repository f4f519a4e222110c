//! How hard a password is to guess, and what would make it harder (M4).
//!
//! The estimate is zxcvbn's: it knows common passwords, words, names, dates, keyboard patterns, and what the person is
//! called. Its scores: 0 and 1 fall to guessing over the network, 2 to a leaked hash, 3 and 4 to neither in practice.

use zxcvbn::feedback::{Suggestion, Warning};

use crate::limits::{PASSWORD_CHARACTERS_FLOOR, PASSWORD_OCTETS_MAX};

/// What an administrator demands of passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// Characters at least; never below [`PASSWORD_CHARACTERS_FLOOR`].
    pub characters_min: usize,
    /// The least score, 0 to 4.
    pub strength_min: u8,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { characters_min: PASSWORD_CHARACTERS_FLOOR, strength_min: 3 }
    }
}

/// How strong a password is.
#[derive(Clone, Debug, PartialEq)]
pub struct Strength {
    /// 0 (guessed at once) to 4 (very hard to guess).
    pub score: u8,
    /// The decimal logarithm of the guesses that are needed.
    pub guesses_log10: f64,
    warning: Option<Warning>,
    suggestions: Vec<Suggestion>,
}

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum PasswordFlaw {
    /// Fewer characters than the rules ask for.
    TooShort {
        /// So many are needed.
        characters_min: usize,
    },
    /// More octets than are looked at.
    TooLong,
    /// Mail programs could not send it.
    ControlCharacters,
    /// Too easy to guess.
    Weak {
        /// What was found.
        strength: Strength,
        /// The score that is needed.
        strength_min: u8,
    },
}

/// How strong a password is for somebody who is called so. Takes some milliseconds: not for threads that serve.
#[must_use]
pub fn estimate(password: &str, called: &[String]) -> Strength {
    let mut words: Vec<&str> = called.iter().map(String::as_str).collect();
    let parts = called.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    words.extend(parts.filter(|part| part.chars().count() > 2));
    let found = zxcvbn::zxcvbn(password, &words);
    let (warning, suggestions) = match found.feedback() {
        Some(feedback) => (feedback.warning(), feedback.suggestions().to_vec()),
        None => (None, Vec::new()),
    };
    Strength { score: u8::from(found.score()), guesses_log10: found.guesses_log10().max(0.0), warning, suggestions }
}

/// Checks a password against the rules.
///
/// # Errors
/// The first flaw.
pub fn check_password(password: &str, called: &[String], rules: PasswordRules) -> Result<Strength, PasswordFlaw> {
    let characters_min = rules.characters_min.max(PASSWORD_CHARACTERS_FLOOR);
    if password.chars().any(char::is_control) {
        return Err(PasswordFlaw::ControlCharacters);
    }
    if password.chars().count() < characters_min {
        return Err(PasswordFlaw::TooShort { characters_min });
    }
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(PasswordFlaw::TooLong);
    }
    let strength = estimate(password, called);
    if strength.score < rules.strength_min {
        return Err(PasswordFlaw::Weak { strength, strength_min: rules.strength_min });
    }
    Ok(strength)
}

impl Strength {
    /// The score in words, `fr` or else English.
    #[must_use]
    pub fn in_words(&self, language: &str) -> &'static str {
        let (english, french) = match self.score {
            0 => ("very weak", "très faible"),
            1 => ("weak", "faible"),
            2 => ("fair", "moyenne"),
            3 => ("strong", "forte"),
            _ => ("very strong", "très forte"),
        };
        if language == "fr" { french } else { english }
    }

    /// What is wrong and what would help, a sentence each.
    #[must_use]
    pub fn advice(&self, language: &str) -> Vec<&'static str> {
        let french = language == "fr";
        let said = |(english, translated): (&'static str, &'static str)| if french { translated } else { english };
        let mut advice: Vec<&'static str> = self.warning.map(warning).map(said).into_iter().collect();
        advice.extend(self.suggestions.iter().copied().map(suggestion).map(said));
        if advice.is_empty() && self.score < 4 {
            advice.push(said(suggestion(Suggestion::AddAnotherWordOrTwo)));
        }
        advice
    }
}

impl PasswordFlaw {
    /// Why, in one sentence; `fr` or else English.
    #[must_use]
    pub fn reason(&self, language: &str) -> String {
        let french = language == "fr";
        match self {
            Self::TooShort { characters_min } if french => {
                format!("un mot de passe doit avoir au moins {characters_min} caractères")
            }
            Self::TooShort { characters_min } => format!("a password needs at least {characters_min} characters"),
            Self::TooLong if french => format!("un mot de passe a au plus {PASSWORD_OCTETS_MAX} octets"),
            Self::TooLong => format!("a password has at most {PASSWORD_OCTETS_MAX} octets"),
            Self::ControlCharacters if french => "un mot de passe ne peut pas contenir de caractères de contrôle : \
                 les logiciels de courrier ne sauraient pas l'envoyer"
                .to_owned(),
            Self::ControlCharacters => {
                "a password can't have control characters: mail programs could not send it".to_owned()
            }
            Self::Weak { strength, strength_min } => {
                let (is, min) = (strength.score, strength_min);
                if french {
                    format!("ce mot de passe est trop facile à deviner : sa robustesse est {is} sur 4, il faut {min}")
                } else {
                    format!("this password is too easy to guess: its strength is {is} of 4, and {min} is needed")
                }
            }
        }
    }

    /// How to do better.
    #[must_use]
    pub fn advice(&self, language: &str) -> String {
        let mut advice = match self {
            Self::Weak { strength, .. } => strength.advice(language),
            Self::TooShort { .. } | Self::TooLong | Self::ControlCharacters => Vec::new(),
        };
        advice.push(match (self, language == "fr") {
            (Self::TooLong | Self::ControlCharacters, true) => "Choisissez-en un autre.",
            (Self::TooLong | Self::ControlCharacters, false) => "Choose another one.",
            (_, true) => "Quatre mots sans rapport entre eux, ou un mot de passe généré, conviennent bien.",
            (_, false) => {
                "Four words that have nothing to do with each other do well, and so does a generated password."
            }
        });
        advice.join(" ")
    }
}

fn warning(warning: Warning) -> (&'static str, &'static str) {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => {
            ("Straight rows of keys are easy to guess.", "Les suites de touches voisines se devinent facilement.")
        }
        Warning::ShortKeyboardPatternsAreEasyToGuess => (
            "Short patterns on the keyboard are easy to guess.",
            "Les petits dessins sur le clavier se devinent facilement.",
        ),
        Warning::RepeatsLikeAaaAreEasyToGuess => {
            ("Repeats such as \"aaa\" are easy to guess.", "Les répétitions comme « aaa » se devinent facilement.")
        }
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => (
            "Repeats such as \"abcabcabc\" are hardly better than \"abc\".",
            "Les répétitions comme « abcabcabc » ne valent guère mieux que « abc ».",
        ),
        Warning::ThisIsATop10Password => {
            ("It is one of the ten most used passwords.", "C'est l'un des dix mots de passe les plus utilisés.")
        }
        Warning::ThisIsATop100Password => {
            ("It is one of the hundred most used passwords.", "C'est l'un des cent mots de passe les plus utilisés.")
        }
        Warning::ThisIsACommonPassword => ("It is a very common password.", "C'est un mot de passe très répandu."),
        Warning::ThisIsSimilarToACommonlyUsedPassword => {
            ("It is much like a common password.", "Il ressemble à un mot de passe répandu.")
        }
        Warning::SequencesLikeAbcAreEasyToGuess => {
            ("Sequences such as abc or 6543 are easy to guess.", "Les suites comme abc ou 6543 se devinent facilement.")
        }
        Warning::RecentYearsAreEasyToGuess => {
            ("Recent years are easy to guess.", "Les années récentes se devinent facilement.")
        }
        Warning::AWordByItselfIsEasyToGuess => {
            ("A word by itself is easy to guess.", "Un mot seul se devine facilement.")
        }
        Warning::DatesAreOftenEasyToGuess => {
            ("Dates are often easy to guess.", "Les dates se devinent souvent facilement.")
        }
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => {
            ("Names by themselves are easy to guess.", "Les noms et prénoms seuls se devinent facilement.")
        }
        Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            ("Common names are easy to guess.", "Les noms et prénoms répandus se devinent facilement.")
        }
    }
}

fn suggestion(suggestion: Suggestion) -> (&'static str, &'static str) {
    match suggestion {
        Suggestion::UseAFewWordsAvoidCommonPhrases => {
            ("Use a few words, but no common phrase.", "Prenez quelques mots, mais pas une expression courante.")
        }
        Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => (
            "Symbols, digits and capitals are not needed.",
            "Symboles, chiffres et majuscules ne sont pas nécessaires.",
        ),
        Suggestion::AddAnotherWordOrTwo => (
            "Add another word or two; uncommon ones are better.",
            "Ajoutez un mot ou deux, de préférence peu courants.",
        ),
        Suggestion::CapitalizationDoesntHelpVeryMuch => {
            ("Capitals do not help much.", "Les majuscules n'aident pas beaucoup.")
        }
        Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => (
            "All capitals are almost as easy to guess as all small letters.",
            "Tout en majuscules se devine presque aussi facilement que tout en minuscules.",
        ),
        Suggestion::ReversedWordsArentMuchHarderToGuess => (
            "Words written backwards are not much harder to guess.",
            "Les mots écrits à l'envers ne sont pas beaucoup plus difficiles à deviner.",
        ),
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => (
            "Replacing a by @ and the like does not help much.",
            "Remplacer a par @ et ainsi de suite n'aide pas beaucoup.",
        ),
        Suggestion::UseALongerKeyboardPatternWithMoreTurns => (
            "Use a longer pattern on the keyboard, with more turns.",
            "Prenez un dessin plus long sur le clavier, avec plus de détours.",
        ),
        Suggestion::AvoidRepeatedWordsAndCharacters => {
            ("Avoid repeated words and characters.", "Évitez les mots et les caractères répétés.")
        }
        Suggestion::AvoidSequences => ("Avoid sequences.", "Évitez les suites."),
        Suggestion::AvoidRecentYears => ("Avoid recent years.", "Évitez les années récentes."),
        Suggestion::AvoidYearsThatAreAssociatedWithYou => {
            ("Avoid years that have to do with you.", "Évitez les années qui ont un rapport avec vous.")
        }
        Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => (
            "Avoid dates and years that have to do with you.",
            "Évitez les dates et les années qui ont un rapport avec vous.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called() -> Vec<String> {
        ["Alice Martin", "alice.martin", "example.org"].map(str::to_owned).to_vec()
    }

    #[test]
    fn m04_a_password_has_to_be_hard_to_guess() {
        let rules = PasswordRules::default();
        for (password, reason) in [
            ("short", "at least 8 characters"),
            ("tab\there and more", "control characters"),
            ("password", "strength is 0 of 4"),
            ("password1", "strength is 0 of 4"),
            ("aaaaaaaaaaaa", "too easy to guess"),
            ("qwertyuiop", "too easy to guess"),
            ("alicemartin", "too easy to guess"),
            ("Alice.Martin1", "too easy to guess"),
            ("example.org1", "too easy to guess"),
        ] {
            let flaw = check_password(password, &called(), rules).unwrap_err();
            assert!(flaw.reason("en").contains(reason), "{password}: {}", flaw.reason("en"));
        }
        for password in ["a quiet pond, 3 herons", "k7wq-x2mf-pz9t", "cheval pile agrafe correct"] {
            check_password(password, &called(), rules).unwrap();
        }
        assert_eq!(check_password(&"é ".repeat(600), &called(), rules), Err(PasswordFlaw::TooLong));
    }

    #[test]
    fn m04_the_minimum_is_the_administrators_and_has_a_floor() {
        let lax = PasswordRules { characters_min: 1, strength_min: 0 };
        assert_eq!(check_password("abc", &[], lax), Err(PasswordFlaw::TooShort { characters_min: 8 }));
        assert_eq!(check_password("password", &[], lax).unwrap().score, 0);
        let strict = PasswordRules { characters_min: 12, strength_min: 4 };
        assert_eq!(check_password("k7wq-x2mf", &[], strict), Err(PasswordFlaw::TooShort { characters_min: 12 }));
    }

    #[test]
    fn m04_the_flaw_is_told_with_what_would_help_in_both_languages() {
        let flaw = check_password("qwertyuiop", &called(), PasswordRules::default()).unwrap_err();
        assert!(flaw.reason("fr").contains("trop facile à deviner"), "{}", flaw.reason("fr"));
        assert!(flaw.advice("en").contains("Add another word or two"), "{}", flaw.advice("en"));
        assert!(flaw.advice("fr").contains("Ajoutez un mot ou deux"), "{}", flaw.advice("fr"));
        let weak = estimate("alicemartin", &called());
        let rare = |called: &[String]| estimate("zorglubianka", called).guesses_log10;
        assert!(rare(&["Zorglubianka".to_owned()]) + 3.0 < rare(&[]), "what one is called is known");
        assert_eq!((weak.in_words("fr"), weak.in_words("en")), ("faible", "weak"));
    }

    #[test]
    fn whatever_is_typed_has_an_estimate() {
        for password in
            ["".to_owned(), "a".repeat(1_000), "ab1!".repeat(250), "\u{1F41F}é@4".repeat(90), "1980".repeat(200)]
        {
            let strength = estimate(&password, &called());
            assert!(strength.score <= 4 && strength.guesses_log10.is_finite());
        }
    }
}
