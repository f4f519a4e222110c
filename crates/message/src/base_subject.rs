//! The base subject, by which SORT and THREAD compare: RFC 5256 §2.1, with the grammar of its §5.

/// What is left of a subject, and whether anything said that it answers or forwards another message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseSubject {
    /// The subject without `Re:`, `Fwd:`, `(fwd)`, `[list]` and the like.
    pub text: String,
    /// A `Re:`, `Fw:`, `(fwd)` or `[fwd: ]` was taken away (RFC 5256 §3, REFERENCES step 5).
    pub is_reply_or_forward: bool,
}

/// The base subject of a decoded subject.
pub fn base_subject(decoded: &str) -> BaseSubject {
    // (1) All white space becomes single spaces.
    let folded = fold_white_space(decoded);
    let mut text = folded.as_str();
    let mut is_reply_or_forward = false;
    loop {
        // (2) Trailers.
        loop {
            let before = text.len();
            text = text.trim_end_matches(' ');
            if let Some(stripped) = strip_suffix(text, "(fwd)") {
                text = stripped;
                is_reply_or_forward = true;
            }
            if text.len() == before {
                break;
            }
        }
        // (5) Repeat (3) and (4).
        loop {
            // (3) Leaders.
            let before = text.len();
            text = text.trim_start_matches(' ');
            if let Some(stripped) = strip_reply_leader(text) {
                text = stripped;
                is_reply_or_forward = true;
                continue;
            }
            // (4) A blob, unless nothing would be left.
            if let Some(stripped) = strip_blob(text).filter(|rest| !rest.trim_matches(' ').is_empty()) {
                text = stripped;
            }
            if text.len() == before {
                break;
            }
        }
        // (6) A wrapper of a forwarded subject.
        match strip_prefix(text, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => {
                text = inner;
                is_reply_or_forward = true;
            }
            None => break,
        }
    }
    BaseSubject { text: text.to_owned(), is_reply_or_forward }
}

/// All runs of white space as one space.
pub(crate) fn fold_white_space(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        if !matches!(character, ' ' | '\t' | '\r' | '\n') {
            folded.push(character);
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded
}

/// `*subj-blob subj-refwd`.
fn strip_reply_leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(stripped) = strip_blob(rest) {
        rest = stripped;
    }
    let rest = strip_prefix(rest, "re").or_else(|| strip_prefix(rest, "fwd")).or_else(|| strip_prefix(rest, "fw"))?;
    let rest = rest.trim_start_matches(' ');
    strip_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob`: brackets without brackets inside, then spaces.
fn strip_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let (_, rest) = inner.split_once(['[', ']'])?;
    // Which of the two was it?
    let closed = inner.len().checked_sub(rest.len())?.checked_sub(1)?;
    (inner.as_bytes().get(closed) == Some(&b']')).then(|| rest.trim_start_matches(' '))
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (front, rest) = text.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (front, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(front)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base(subject: &str) -> String {
        base_subject(subject).text
    }

    #[test]
    fn leaders_blobs_and_trailers_go() {
        for subject in [
            "hello world",
            "Re: hello world",
            "RE:hello\t  world",
            "Fwd: Re: hello world",
            "fw: hello world (fwd)",
            "[list] Re: hello world",
            "Re: [list] hello world",
            "Re [list]: hello world  (FWD) (fwd) ",
            "[fwd: hello world]",
            "[Fwd: [list] Re: hello world (fwd)] ",
            "[a][b] [c] hello world",
        ] {
            assert_eq!(base(subject), "hello world", "{subject}");
        }
    }

    #[test]
    fn what_only_looks_like_an_artifact_stays() {
        assert_eq!(base("[only]"), "[only]");
        assert_eq!(base("Re: [only]"), "[only]");
        assert_eq!(base("[a[b]] x"), "[a[b]] x");
        assert_eq!(base("Results: x"), "Results: x");
        assert_eq!(base("Aw: x"), "Aw: x");
        assert_eq!(base("reß: x"), "reß: x");
        assert_eq!(base(""), "");
        assert_eq!(base("re:"), "");
    }

    #[test]
    fn replies_are_noticed() {
        assert!(base_subject("Re: x").is_reply_or_forward);
        assert!(base_subject("x (fwd)").is_reply_or_forward);
        assert!(base_subject("[fwd: x]").is_reply_or_forward);
        assert!(!base_subject("[list] x").is_reply_or_forward);
    }

    proptest! {
        #[test]
        fn a_base_subject_is_its_own_base(subject in "(re|fwd?|\\[[a-z]{0,2}\\]?|:|\\(fwd\\)|\\[fwd:|\\]| |ü|x){0,12}") {
            let once = base(&subject);
            prop_assert_eq!(base(&once), once);
        }
    }
}
