//! French for names that are put into sentences: "d'alice", not "de alice".

/// `de` with a name or an address, elided before a vowel and before an h, which is mute in most names.
#[must_use]
pub fn de(name: &str) -> String {
    elided("de", "d'", name)
}

/// `que` with one, the same way.
#[must_use]
pub fn que(name: &str) -> String {
    elided("que", "qu'", name)
}

/// A text with a name in the place of each `%`, and what stands before it elided. Other languages have no `de %` and no `que %`.
#[must_use]
pub fn named(text: &str, name: &str) -> String {
    // One pass: a `%` of the name is none of the text.
    let mut out = String::with_capacity(text.len().saturating_add(name.len()));
    let mut parts = text.split('%').peekable();
    while let Some(part) = parts.next() {
        let (before, put) = match (part.strip_suffix("de "), part.strip_suffix("que ")) {
            _ if parts.peek().is_none() => (part, String::new()),
            (Some(before), _) if before.is_empty() || before.ends_with(' ') => (before, de(name)),
            (_, Some(before)) if before.is_empty() || before.ends_with(' ') => (before, que(name)),
            _ => (part, name.to_owned()),
        };
        out.push_str(before);
        out.push_str(&put);
    }
    out
}

fn elided(whole: &str, short: &str, name: &str) -> String {
    let plain = crate::without_accents(name).to_lowercase();
    let mut letters = plain.chars();
    let elides = match letters.next() {
        Some('a' | 'e' | 'i' | 'o' | 'u' | 'h') => true,
        // Yves and Yvonne, but not Yann.
        Some('y') => letters.next().is_some_and(|next| next.is_ascii_alphabetic() && !"aeiouy".contains(next)),
        _ => false,
    };
    if elides { format!("{short}{name}") } else { format!("{whole} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vowel_elides_what_stands_before_it() {
        for (name, said) in [
            ("alice@example.org", "d'alice@example.org"),
            ("Élodie", "d'Élodie"),
            ("Œuvres du quartier", "d'Œuvres du quartier"),
            ("Hélène", "d'Hélène"),
            ("Yves", "d'Yves"),
            ("Yann", "de Yann"),
            ("bob@example.org", "de bob@example.org"),
            ("192.0.2.1", "de 192.0.2.1"),
            ("", "de "),
        ] {
            assert_eq!(de(name), said);
        }
        assert_eq!(named("membre de %.", "Amis"), "membre d'Amis.");
        assert_eq!(named("% : un modérateur de % décide", "100%"), "100% : un modérateur de 100% décide");
        assert_eq!(named("Il demande que % écrive", "Anne"), "Il demande qu'Anne écrive");
        assert_eq!(named("A moderator of % decides", "Amis"), "A moderator of Amis decides");
        assert_eq!((que("Amis").as_str(), que("Jardins").as_str()), ("qu'Amis", "que Jardins"));
    }
}
