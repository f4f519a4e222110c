//! Sharing on the stage: `@shared info alice=lrs bob=lr [per-person]`, `@member info alice=lr`, `@no-member info alice`,
//! `@acl bob Plans alice=lr anyone=l` (the list of that mailbox, which is made when it is not there), `@account carol`
//! or, of another organisation on the same server, `@account dora@other.example`,
//! `@quota alice octets=1000 messages=3 mailboxes=7`, `@role carol administrator`.

use mail::Address;
use routing::objects::{AccountKind, AccountObject, Member, Object, QuotaLimits, SeenState, SharedMailbox};
use routing::sharing::identifier;
use routing::{Acl, Rights};
use storage::objects::PutMode;

use super::{House, full};

fn address(name: &str) -> Address {
    Address::parse(&full(name)).unwrap()
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=').ok_or_else(|| format!("{text}: NAME=RIGHTS"))
}

impl House {
    /// Carries out a directive about sharing; `None` when it is none.
    pub async fn share(&self, directive: &str) -> Option<Result<(), String>> {
        let (verb, rest) = directive.split_once(' ')?;
        let words: Vec<&str> = rest.split(' ').collect();
        Some(match (verb, words.as_slice()) {
            ("account", [name]) => {
                self.store.add_account(AccountObject::new(address(name))).await.map(|_| ()).map_err(|e| e.to_string())
            }
            ("quota", [name, limits @ ..]) => self.put_quota(name, limits).await,
            ("role", [name, role]) => self.put_role(name, role).await,
            ("shared", [name, members @ ..]) => self.add_shared(name, members).await,
            ("member", [name, member]) => self.edit_members(name, Some(member), None).await,
            ("no-member", [name, person]) => self.edit_members(name, None, Some(person)).await,
            ("acl", [owner, mailbox, lines @ ..]) => self.put_lines(owner, mailbox, lines).await,
            _ => return None,
        })
    }

    async fn put_quota(&self, name: &str, limits: &[&str]) -> Result<(), String> {
        let mut quota = QuotaLimits::default();
        for limit in limits {
            let (resource, number) = limit.split_once('=').ok_or("RESOURCE=NUMBER")?;
            let number = Some(number.parse().map_err(|_| "a limit is a number")?);
            match resource {
                "octets" => quota.octets = number,
                "messages" => quota.messages = number,
                "mailboxes" => quota.mailboxes = number,
                other => return Err(format!("no resource is called {other}")),
            }
        }
        let account = self.account(name).id;
        self.store.set_quota(account, quota).await.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn put_role(&self, name: &str, role: &str) -> Result<(), String> {
        let mut account = (*self.account(name)).clone();
        account.role = serde_json::from_str(&format!("\"{role}\"")).map_err(|error| error.to_string())?;
        let put = self.store.put_object(Object::Account(account), PutMode::Replace).await;
        put.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn add_shared(&self, name: &str, words: &[&str]) -> Result<(), String> {
        let mut shared = SharedMailbox::default();
        for word in words {
            if *word == "per-person" {
                shared.seen = SeenState::PerPerson;
                continue;
            }
            let (person, rights) = pair(word)?;
            shared.members.push(Member { account: address(person), rights: rights.to_owned() });
        }
        let account =
            AccountObject { kind: AccountKind::Shared, shared: Some(shared), ..AccountObject::new(address(name)) };
        self.store.add_account(account).await.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn edit_members(&self, name: &str, put: Option<&str>, remove: Option<&str>) -> Result<(), String> {
        let mut account = (*self.account(name)).clone();
        let members = &mut account.shared.as_mut().unwrap().members;
        if let Some((person, rights)) = put.map(pair).transpose()? {
            members.retain(|member| member.account != address(person));
            members.push(Member { account: address(person), rights: rights.to_owned() });
        }
        if let Some(person) = remove {
            members.retain(|member| member.account != address(person));
        }
        let put = self.store.put_object(Object::Account(account), PutMode::Replace).await;
        put.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn put_lines(&self, owner: &str, mailbox: &str, lines: &[&str]) -> Result<(), String> {
        let owner = self.account(owner).id;
        if self.store.mailbox_by_name(owner, mailbox).await.unwrap().is_none() {
            self.store.create_mailbox(owner, mailbox, None).await.map_err(|error| error.to_string())?;
        }
        let row = self.store.mailbox_by_name(owner, mailbox).await.unwrap().unwrap();
        let mut wanted = Vec::new();
        for line in lines {
            let (name, rights) = pair(line)?;
            let full = if name.ends_with("anyone") { name.to_owned() } else { full(name) };
            let (who, negative) = identifier(&self.store.directory(), &full).ok_or("nobody")?;
            wanted.push((who, negative, Rights::parse(rights).map_err(|flaw| flaw.to_string())?));
        }
        let edit = move |acl: &mut Acl| {
            for (who, negative, rights) in &wanted {
                acl.set(*who, *negative, *rights);
            }
        };
        self.store.edit_acl(owner, row.id, edit).await.map(|_| ()).map_err(|error| error.to_string())
    }
}
