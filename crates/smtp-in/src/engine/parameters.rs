//! The parameters of MAIL and RCPT as written (RFC 5321 §4.1.2 `esmtp-param`): each once, each announced.

use crate::misbehaviour::Misbehaviour;

/// Keywords, in the case they came, with their values.
pub(super) struct Parameters<'a>(Vec<(&'a str, Option<&'a str>)>);

impl<'a> Parameters<'a> {
    /// Splits what stands behind the path.
    pub(super) fn parse(text: &'a str, announced: &[&str], form: &'static str) -> Result<Self, Misbehaviour> {
        let mut found: Vec<(&str, Option<&str>)> = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let (keyword, value) = word.split_once('=').map_or((word, None), |(k, v)| (k, Some(v)));
            let mut letters = keyword.bytes();
            if !letters.next().is_some_and(|b| b.is_ascii_alphanumeric())
                || !letters.all(|b| b.is_ascii_alphanumeric() || b == b'-')
            {
                return Err(Misbehaviour::Syntax(form));
            }
            if value.is_some_and(|value| value.is_empty() || value.contains('=')) {
                return Err(Misbehaviour::Syntax(form));
            }
            if !announced.iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
                return Err(Misbehaviour::UnsupportedParameter);
            }
            if found.iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(keyword)) {
                return Err(Misbehaviour::RepeatedParameter);
            }
            found.push((keyword, value));
        }
        Ok(Self(found))
    }

    /// Takes one parameter out, so that smtp-proto does not see it.
    pub(super) fn take(&mut self, keyword: &str) -> Option<Option<&'a str>> {
        let at = self.0.iter().position(|(found, _)| found.eq_ignore_ascii_case(keyword))?;
        Some(self.0.remove(at).1)
    }

    /// The value of a parameter that stays.
    pub(super) fn value(&self, keyword: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(keyword)).and_then(|(_, value)| *value)
    }

    /// The command line for smtp-proto: the verb with an empty path, and what has not been taken out.
    pub(super) fn line(&self, command: &str) -> String {
        let mut line = command.to_owned();
        for (keyword, value) in &self.0 {
            line.push(' ');
            line.push_str(keyword);
            if let Some(value) = value {
                line.push('=');
                line.push_str(value);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNOUNCED: &[&str] = &["SIZE", "SMTPUTF8"];

    #[test]
    fn trap_a_parameter_comes_once() {
        let repeated = Parameters::parse(" SIZE=1 size=2", ANNOUNCED, "").err();
        assert_eq!(repeated, Some(Misbehaviour::RepeatedParameter));
    }

    #[test]
    fn only_what_was_announced() {
        assert_eq!(Parameters::parse(" BY=1;R", ANNOUNCED, "").err(), Some(Misbehaviour::UnsupportedParameter));
        for wrong in [" =1", " SIZE=", " SIZE=1=2", " -A=1", " A_B"] {
            assert_eq!(Parameters::parse(wrong, ANNOUNCED, "x").err(), Some(Misbehaviour::Syntax("x")), "{wrong}");
        }
    }

    #[test]
    fn what_stays_is_written_again() {
        let mut parameters = Parameters::parse("  smtputf8  SIZE=7", ANNOUNCED, "").unwrap();
        assert_eq!(parameters.value("size"), Some("7"));
        assert_eq!(parameters.line("MAIL FROM:<>"), "MAIL FROM:<> smtputf8 SIZE=7");
        assert_eq!(parameters.take("SMTPUTF8"), Some(None));
        assert_eq!(parameters.line("MAIL FROM:<>"), "MAIL FROM:<> SIZE=7");
    }
}
