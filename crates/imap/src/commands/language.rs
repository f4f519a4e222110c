//! LANGUAGE (RFC 5255 §3.2).

use imap_wire::response::{self, Code};

use crate::engine::language::Language;
use crate::fault::Answer;
use crate::session::Session;

impl Session {
    /// Without ranges: which languages there are. With ranges: the first that is spoken here; texts are in it, and in UTF-8,
    /// from this answer on.
    pub(crate) fn language(&mut self, ranges: &[String]) -> Answer {
        if ranges.is_empty() {
            response::language(self.connection.out(), &Language::ALL.map(Language::tag));
            return Answer::ok("Those are the languages");
        }
        let preferred = self.user.as_ref().map_or(Language::Unspecified, |user| {
            let directory = self.server.store.directory();
            let account = directory.account_by_id(user.account.id);
            account.map_or(Language::Unspecified, |account| Language::of_account(&account.language))
        });
        let Some(language) = Language::choose(ranges, preferred) else {
            return Answer::no(Code::Cannot, "That language is not spoken here; en and fr are");
        };
        self.enabled.language = language;
        response::language(self.connection.out(), &[language.tag()]);
        // RFC 5255 §3.4: the namespaces' names are other ones now.
        if self.user.is_some() {
            self.tell_namespaces();
        }
        Answer::ok("You speak English now")
    }
}
