//! The reader of answers for `relais-fuzz-targets`, which give it any octets. For nobody else.

use crate::client::answer::AnswerReader;

/// Reads one answer after the other.
#[derive(Default)]
pub struct Answers(AnswerReader);

impl Answers {
    /// Reads on: how many octets were used, and, once an answer is complete, its code and text; `Some(None)` when this is
    /// no SMTP.
    pub fn read(&mut self, octets: &[u8]) -> (usize, Option<Option<(u16, String)>>) {
        let (used, done) = self.0.read(octets);
        let Some(done) = done else { return (used, None) };
        self.0 = AnswerReader::default();
        let reply = done.ok().map(|answer| answer.reply());
        (used, Some(reply.map(|reply| (reply.code, reply.text.into_owned()))))
    }
}
