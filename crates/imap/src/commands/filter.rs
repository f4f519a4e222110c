//! FILTER in SEARCH and its kin (RFC 5466): filters are annotations of the server, `/private/filters/values/NAME`, or else
//! `/shared/filters/values/NAME`.

use imap_wire::response::{Code, Condition};
use imap_wire::{NumberSet, Search};
use storage::metadata::{Annotated, AnnotationPlace};

use crate::engine::filters::{Undefined, check, expand, names_filters};
use crate::engine::search::CHARSETS;
use crate::engine::table::is_sequence;
use crate::fault::{Answer, Fault, uid_required};
use crate::session::Session;

/// Where the values of filters are, behind `/private` or `/shared`.
const VALUES: &str = "/filters/values/";

impl Session {
    /// Puts filters in the place of their names; gives the answer when that can't be.
    pub(crate) async fn expand_filters(&mut self, search: &mut Search) -> Result<Option<Answer>, Fault> {
        if !names_filters(&search.key) {
            return Ok(None);
        }
        // RFC 5466 §3.1: the texts of filters are in UTF-8, and so must all be.
        if search.charset.as_deref().is_some_and(|charset| !matches!(charset, "UTF-8" | "US-ASCII")) {
            let text = "FILTER goes with UTF-8 only";
            let code = Some(Code::BadCharset(&CHARSETS));
            return Ok(Some(Answer { condition: Condition::Bad, code, text: text.into() }));
        }
        let who = self.account()?;
        let private = self.server.store.annotations(AnnotationPlace::private(Annotated::Server, who)).await?;
        let shared = self.server.store.annotations(AnnotationPlace::shared(Annotated::Server)).await?;
        let value = |name: &str| {
            let own = private.value(&format!("/private{VALUES}{name}"));
            own.or_else(|| shared.value(&format!("/shared{VALUES}{name}"))).map(<[u8]>::to_vec)
        };
        match expand(&search.key, &value) {
            Ok(key) => {
                search.key = key;
                // RFC 9586 §3: a filter may say what its user could not.
                let numbers = self.enabled.uid_only && search.key.any(&is_sequence);
                Ok(numbers.then(uid_required))
            }
            Err(Undefined(name)) => {
                // RFC 5182 §2.1: a NO leaves an empty result.
                if let (true, Some(selected)) =
                    (search.returns.is_some_and(|returns| returns.save), self.selected.as_deref_mut())
                {
                    selected.saved = NumberSet::empty();
                }
                Ok(Some(Answer::no(Code::UndefinedFilter(name), "There is no such filter")))
            }
        }
    }
}

/// Why an annotation of the server can't have this value: it would be a filter that is no search (RFC 5466 §3.2).
pub(crate) fn filter_flaw(name: &str, value: Option<&[u8]>) -> Option<Answer> {
    let rest = name.strip_prefix("/private").or_else(|| name.strip_prefix("/shared"))?;
    rest.strip_prefix(VALUES)?;
    let flaw = check(value?).err()?;
    Some(Answer::no(Code::Cannot, format!("That is no search: {flaw}")))
}
