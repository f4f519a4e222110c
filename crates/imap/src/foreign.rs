//! The mailboxes of others that somebody may look up: those of the shared accounts that they are a member of, those
//! whose access lists name them, or everyone, and the archives of the mailing lists that they run or whose setting lets them read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mail::{AccountId, MailboxId};
use routing::Rights;
use routing::namespace::{LIST_ARCHIVE, OTHER_USERS, SHARED, shown_name_of};
use routing::objects::ListObject;
use routing::sharing::readable_lists;
use storage::StorageError;
use storage::rows::MailboxRow;

use crate::access::{Target, archive, weigh};
use crate::engine::pattern::DELIMITER;
use crate::fault::Fault;
use crate::limits::FOREIGN_MAILBOXES_MAX;
use crate::session::Session;

/// Which mailboxes of an account may be shown.
enum Scope {
    /// All that the rights allow.
    Member,
    /// These.
    Named(BTreeSet<MailboxId>),
}

impl Session {
    /// Others' mailboxes by the name under which they are seen here, in order; at most [`FOREIGN_MAILBOXES_MAX`].
    pub(crate) async fn foreign_mailboxes(&mut self) -> Result<BTreeMap<String, Target>, Fault> {
        let who = self.account()?;
        let store = self.server.store.clone();
        let mut scopes: BTreeMap<AccountId, Scope> = BTreeMap::new();
        for (owner, mailbox) in store.shared_with(who).await? {
            if let Scope::Named(named) = scopes.entry(owner).or_insert_with(|| Scope::Named(BTreeSet::new())) {
                named.insert(mailbox);
            }
        }
        {
            let directory = store.directory();
            let address = directory.account_by_id(who).map(|account| account.address.clone());
            let shared = address.iter().flat_map(|address| directory.memberships(address));
            scopes.extend(shared.map(|account| (account.id, Scope::Member)));
        }
        scopes.remove(&who);
        let mut found = BTreeMap::new();
        for (owner, scope) in scopes {
            let acls = match &scope {
                Scope::Member => store.acls(owner).await?,
                Scope::Named(_) => Default::default(),
            };
            for row in self.candidates(owner, &scope).await? {
                let acl = match (&scope, acls.get(&row.id)) {
                    (Scope::Named(_), _) => store.acl(owner, row.id).await?,
                    (Scope::Member, acl) => acl.cloned().unwrap_or_default(),
                };
                let access = weigh(&store, owner, &acl, who);
                if !access.rights.has(Rights::LOOKUP) {
                    continue;
                }
                let Some(name) = shown_name_of(&store.directory(), owner, &row.name) else { continue };
                if found.len() >= FOREIGN_MAILBOXES_MAX {
                    tracing::warn!(account = %who, "more mailboxes are shared with an account than it is shown");
                    return Ok(found);
                }
                found.insert(name, Target { owner, row, access });
            }
        }
        self.archives(&mut found).await?;
        Ok(found)
    }

    /// Adds the archives of mailing lists.
    async fn archives(&mut self, found: &mut BTreeMap<String, Target>) -> Result<(), Fault> {
        let who = self.account()?;
        let store = self.server.store.clone();
        let lists: Vec<Arc<ListObject>> = {
            let directory = store.directory();
            let account = directory.account_by_id(who);
            account.map(|account| readable_lists(&directory, account).cloned().collect()).unwrap_or_default()
        };
        for list in lists {
            let access = archive(&store, &list, who).await?;
            if !access.rights.has(Rights::LOOKUP) {
                continue;
            }
            let Some(row) = store.mailbox_by_name(list.id, LIST_ARCHIVE).await? else { continue };
            let Some(name) = shown_name_of(&store.directory(), list.id, &row.name) else { continue };
            if found.len() >= FOREIGN_MAILBOXES_MAX {
                tracing::warn!(account = %who, "more mailboxes are shared with an account than it is shown");
                return Ok(());
            }
            found.insert(name, Target { owner: list.id, row, access });
        }
        Ok(())
    }

    async fn candidates(&mut self, owner: AccountId, scope: &Scope) -> Result<Vec<MailboxRow>, StorageError> {
        let store = self.server.store.clone();
        let Scope::Named(named) = scope else { return store.mailboxes(owner).await };
        let mut rows = Vec::with_capacity(named.len());
        for id in named {
            rows.extend(store.mailbox(owner, *id).await?);
        }
        Ok(rows)
    }
}

/// What others' names begin with, in the order of NAMESPACE.
pub(crate) fn prefixes() -> [String; 2] {
    [OTHER_USERS, SHARED].map(|space| format!("{space}{DELIMITER}"))
}
