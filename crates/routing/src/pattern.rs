//! Pattern aliases: regular expressions over the local part, with what their groups found in the targets.
//!
//! Matching takes time linear in the local part (at most 64 octets), whatever the pattern; a compiled pattern has a bound
//! of its own. A capture may stand before the `@` of a target alone: in the domain it would let the sender choose where
//! this server sends mail.

use mail::{Address, Domain};
use regex::{Captures, Regex, RegexBuilder};

use crate::limits::{PATTERN_COMPILED_OCTETS_MAX, PATTERN_OCTETS_MAX, PATTERN_TARGETS_MAX, PATTERNS_MAX};
use crate::objects::{DomainObject, PatternAlias, Target};

/// Why a pattern alias can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFlaw {
    /// More than a domain may have.
    #[error("the domain has {PATTERNS_MAX} patterns already; that is the limit")]
    TooMany,
    /// It is longer than allowed, or empty.
    #[error("a pattern has 1 to {PATTERN_OCTETS_MAX} octets")]
    Length,
    /// No regular expression.
    #[error("\"{pattern}\" is no regular expression: {why}")]
    Syntax {
        /// It.
        pattern: String,
        /// What is wrong, on one line.
        why: String,
    },
    /// Compiled it is too large.
    #[error("\"{0}\" is too large: use fewer or smaller repetitions")]
    TooLarge(String),
    /// No targets, or too many.
    #[error("a pattern leads to 1 to {PATTERN_TARGETS_MAX} targets")]
    Targets,
    /// A target that is none.
    #[error("the target {0}")]
    Target(String),
    /// A capture in a place where none may be.
    #[error("\"{0}\": a group such as $1 may stand before the @ only, or a sender could choose where mail is sent")]
    CaptureInDomain(String),
    /// A group that the pattern does not have.
    #[error("\"{target}\" names ${group}, a group that the pattern does not have; write ${{1}} when letters follow")]
    NoSuchGroup {
        /// The target.
        target: String,
        /// The group.
        group: String,
    },
}

/// The patterns of a domain, compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(Vec<(usize, Regex, PatternAlias)>);

/// The pattern that fits an address, and what its targets become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMatch {
    /// Its place in the domain's list, from 1.
    pub number: usize,
    /// It.
    pub pattern: String,
    /// Its targets; an error is a text that is no target.
    pub targets: Vec<Result<Target, String>>,
}

impl Patterns {
    /// Compiles those in force; one that can't be is passed over.
    pub(crate) fn of(domain: &DomainObject) -> Self {
        let numbered = domain.patterns.iter().take(PATTERNS_MAX).enumerate().filter(|(_, alias)| alias.enabled);
        let compiled = numbered
            .filter_map(|(at, alias)| Some((at.saturating_add(1), compile(&alias.pattern).ok()?, alias.clone())));
        Self(compiled.collect())
    }

    /// The first that fits a canonical local part.
    pub(crate) fn first(&self, local: &str) -> Option<PatternMatch> {
        self.0.iter().find_map(|(number, regex, alias)| {
            let captures = regex.captures(local)?;
            let targets = alias.targets.iter().map(|target| expanded(target, &captures)).collect();
            Some(PatternMatch { number: *number, pattern: alias.pattern.clone(), targets })
        })
    }
}

/// The pattern of a domain that fits a local part, and what its targets become: how one is tried out.
#[must_use]
pub fn matching_pattern(domain: &DomainObject, address: &Address) -> Option<PatternMatch> {
    Patterns::of(domain).first(address.local().canonical().as_str())
}

/// Whether a pattern alias may be saved; its fixed targets are checked with the domain.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_pattern(alias: &PatternAlias) -> Result<(), PatternFlaw> {
    let regex = compile(&alias.pattern)?;
    if alias.targets.is_empty() || alias.targets.len() > PATTERN_TARGETS_MAX {
        return Err(PatternFlaw::Targets);
    }
    for target in &alias.targets {
        if target.trim_start().starts_with(':') || !target.contains('$') {
            Target::try_from(target.clone()).map_err(PatternFlaw::Target)?;
            continue;
        }
        let Some((local, domain)) = target.rsplit_once('@') else {
            return Err(PatternFlaw::Target(format!("\"{target}\": write an address, as $1@example.org")));
        };
        if domain.contains('$') {
            return Err(PatternFlaw::CaptureInDomain(target.clone()));
        }
        Domain::parse(domain.trim()).map_err(|flaw| PatternFlaw::Target(format!("\"{target}\": {flaw}")))?;
        for group in groups_named(local) {
            let there = match group.parse::<usize>() {
                Ok(number) => number < regex.captures_len(),
                Err(_) => regex.capture_names().flatten().any(|name| name == group),
            };
            if !there {
                return Err(PatternFlaw::NoSuchGroup { target: target.clone(), group: group.to_owned() });
            }
        }
    }
    Ok(())
}

fn compile(pattern: &str) -> Result<Regex, PatternFlaw> {
    if pattern.is_empty() || pattern.len() > PATTERN_OCTETS_MAX {
        return Err(PatternFlaw::Length);
    }
    // Alone first, so that brackets which do not match can't close those around it.
    let syntax = |error: &regex::Error| {
        let text = error.to_string();
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        PatternFlaw::Syntax { pattern: pattern.to_owned(), why: last.trim_start_matches("error: ").to_owned() }
    };
    let built = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        builder.case_insensitive(true).size_limit(PATTERN_COMPILED_OCTETS_MAX).nest_limit(50);
        builder.build().map_err(|error| {
            let too_large = matches!(error, regex::Error::CompiledTooBig(_));
            if too_large { PatternFlaw::TooLarge(pattern.to_owned()) } else { syntax(&error) }
        })
    };
    built(pattern)?;
    built(&format!(r"\A(?:{pattern})\z"))
}

fn expanded(target: &str, captures: &Captures<'_>) -> Result<Target, String> {
    let plain = target.trim_start().starts_with(':') || !target.contains('$');
    let Some((local, domain)) = target.rsplit_once('@').filter(|_| !plain) else {
        return Target::try_from(target.to_owned());
    };
    let mut text = String::new();
    captures.expand(local.trim_start(), &mut text);
    let domain = Domain::parse(domain.trim()).map_err(|flaw| format!("\"{target}\": {flaw}"))?;
    Address::new(&text, domain).map(Target::Address).map_err(|flaw| format!("\"{text}\": {flaw}"))
}

/// A template in which every group has found the same text.
pub(crate) fn filled(template: &str, found: &str) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(behind) = behind.strip_prefix('$') {
            text.push('$');
            rest = behind;
            continue;
        }
        text.push_str(found);
        rest = match behind.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((_, behind)) => behind,
            None => behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        };
    }
    text + rest
}

/// The groups that a template names: `$1`, `$name`, `${name}`; `$$` is a dollar.
fn groups_named(template: &str) -> impl Iterator<Item = &str> {
    let mut rest = template;
    std::iter::from_fn(move || {
        loop {
            let (_, behind) = rest.split_once('$')?;
            if let Some(behind) = behind.strip_prefix('$') {
                rest = behind;
            } else if let Some((name, behind)) = behind.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                rest = behind;
                return Some(name);
            } else {
                let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(behind.len());
                rest = behind.get(end..).unwrap_or_default();
                return behind.get(..end);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, domain};

    fn new(pattern: &str, targets: &[&str]) -> PatternAlias {
        PatternAlias::new(pattern, targets.iter().map(|text| (*text).to_owned()).collect())
    }

    fn becomes(pattern: &str, target: &str, text: &str) -> Option<String> {
        let mut object = domain("a.example");
        object.patterns = vec![new(pattern, &[target])];
        let mut found = matching_pattern(&object, &address(text))?;
        Some(found.targets.remove(0).map_or_else(|error| format!("! {error}"), String::from))
    }

    #[test]
    fn a_pattern_is_over_the_whole_local_part_without_case() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(becomes("sales-(.+)", "$1@b.example", "Sales-Alice@a.example"), some("alice@b.example"));
        assert_eq!(becomes("sales-(.+)", "$1@b.example", "xsales-alice@a.example"), None);
        assert_eq!(becomes("a|b", "x@b.example", "ab@a.example"), None, "anchored outside the alternatives");
        assert_eq!(
            becomes("(?<first>[a-z]+)\\.(?<last>[a-z]+)", "${last}.$first@b.example", "ann.lee@a.example"),
            some("lee.ann@b.example")
        );
        assert_eq!(becomes("(x)?y", "$1@b.example", "y@a.example").map(|text| text.starts_with('!')), Some(true));
        assert_eq!(becomes("a(.+)", ":fail: gone", "abc@a.example"), some(":fail: gone"));
    }

    #[test]
    fn the_first_in_force_that_fits_is_taken() {
        let mut object = domain("a.example");
        object.patterns =
            vec![new("a.*", &["one@b.example"]), new(".*", &["two@b.example"]), new("ab", &["three@b.example"])];
        assert_eq!(matching_pattern(&object, &address("ab@a.example")).unwrap().number, 1);
        object.patterns[0].enabled = false;
        assert_eq!(matching_pattern(&object, &address("ab@a.example")).unwrap().number, 2);
    }

    #[test]
    fn each_flaw_is_told() {
        for (pattern, target, said) in [
            ("", "x@b.example", "1 to 500 octets"),
            ("(", "x@b.example", "no regular expression"),
            (")(", "x@b.example", "no regular expression"),
            ("a{1000}{1000}", "x@b.example", "too large"),
            ("(.*)", "$1@$1", "before the @ only"),
            ("(.*)=(.*)", "$1@$2.example", "before the @ only"),
            ("(.*)", "$2@b.example", "does not have"),
            ("(.*)", "$1x@b.example", "${1}"),
            ("(.*)", "$1", "write an address"),
            ("a", "nobody", "nobody"),
        ] {
            let flaw = check_pattern(&new(pattern, &[target])).unwrap_err().to_string();
            assert!(flaw.contains(said), "{pattern} → {target}: {flaw}");
        }
        assert_eq!(check_pattern(&new("a", &[])), Err(PatternFlaw::Targets));
        for (pattern, target) in [
            ("(.*)", "$1@b.example"),
            ("(.*)", "${1}x@b.example"),
            ("a", ":blackhole:"),
            ("(?<n>.)", "$n@b.example"),
            ("a", "x$$@b.example"),
        ] {
            assert_eq!(check_pattern(&new(pattern, &[target])), Ok(()), "{pattern} → {target}");
        }
    }
}
