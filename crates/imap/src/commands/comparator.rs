//! COMPARATOR (RFC 5255 §4.7): how texts are compared in this session.

use imap_wire::response::{self, Code};

use crate::engine::comparator::Comparator;
use crate::fault::Answer;
use crate::session::Session;

impl Session {
    /// Without patterns tells the active comparator; with some, the first pattern that any comparator matches decides.
    pub(crate) fn choose_comparator(&mut self, patterns: &[Vec<u8>]) -> Answer {
        let mut matching: Vec<Comparator> = Vec::new();
        for pattern in patterns.iter().filter_map(|pattern| str::from_utf8(pattern).ok()) {
            matching.extend(Comparator::matching(pattern));
        }
        if !patterns.is_empty() {
            let Some(chosen) = matching.first() else {
                return Answer::no(Code::BadComparator, "There is no such comparator");
            };
            self.comparator = *chosen;
        }
        let mut names: Vec<&str> = Vec::new();
        for name in matching.iter().map(|comparator| comparator.name()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        response::comparator(self.connection.out(), self.comparator.name(), &names);
        Answer::ok("So texts are compared")
    }
}
