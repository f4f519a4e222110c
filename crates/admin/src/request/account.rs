//! About accounts.

use auth::Password;
use mail::{Address, Domain};
use routing::objects::{Role, Service, SubmissionLimits};
use serde::{Deserialize, Serialize};

use super::{Edit, IdentityRequest, Leaving, keep};
use crate::terms::Terms;

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The primary address, also the login.
    pub address: Address,
    /// The sender name.
    #[serde(default)]
    pub display_name: String,
    /// The password; with neither this nor a hash, one is generated.
    #[serde(default)]
    pub password: Option<Password>,
    /// The hash of a password (Argon2id, PHC form), taken as it is.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// What the person may do.
    #[serde(default)]
    pub role: Role,
    /// Octets of mail that fit; `None` for no limit.
    #[serde(default)]
    pub quota_octets: Option<u64>,
    /// Messages that fit; `None` for no limit.
    #[serde(default)]
    pub quota_messages: Option<u64>,
    /// Mailboxes that there may be, INBOX included; `None` for no limit.
    #[serde(default)]
    pub quota_mailboxes: Option<u64>,
    /// IANA name of the person's time zone; `None`: as the domain's.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `fr` or `en`; `None`: as the domain's.
    #[serde(default)]
    pub language: Option<String>,
    /// The person whom it belongs to, when that is not told by the address: the same for all their mailboxes (M1).
    #[serde(default)]
    pub owner: String,
    /// An address elsewhere that hears of changes of the password (M4).
    #[serde(default)]
    pub recovery: Option<Address>,
    /// Further domains in which the same local part is this account (R5); `None`: those of the domain's users.
    #[serde(default)]
    pub also_in: Option<Vec<Domain>>,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// Whether the person is told (M2): a letter with the connection settings in the new mailbox, and one outside.
    #[serde(default)]
    pub welcome: bool,
    /// The address outside that is told as well, when not `recovery`.
    #[serde(default)]
    pub notify: Option<Address>,
}

impl NewAccount {
    /// An account with everything else at its default.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            display_name: String::new(),
            password: None,
            password_hash: None,
            role: Role::User,
            quota_octets: None,
            quota_messages: None,
            quota_mailboxes: None,
            time_zone: None,
            language: None,
            owner: String::new(),
            recovery: None,
            also_in: None,
            note: String::new(),
            welcome: false,
            notify: None,
        }
    }
}

/// A change of how much an account may send in a day; what is empty is as everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionEdit {
    /// Messages.
    #[serde(default = "keep")]
    pub messages: Edit<u32>,
    /// Recipients of those messages.
    #[serde(default = "keep")]
    pub recipients: Edit<u32>,
    /// Recipients outside that it has not written to before.
    #[serde(default = "keep")]
    pub first_time: Edit<u32>,
    /// What it has sent today counts no more.
    #[serde(default)]
    pub forget_today: bool,
}

impl SubmissionEdit {
    /// No change.
    pub const KEEP: Self =
        Self { messages: Edit::Keep, recipients: Edit::Keep, first_time: Edit::Keep, forget_today: false };

    pub(crate) fn apply(self, limits: &mut SubmissionLimits) {
        self.messages.apply(&mut limits.messages);
        self.recipients.apply(&mut limits.recipients);
        self.first_time.apply(&mut limits.first_time);
    }
}

impl Default for SubmissionEdit {
    fn default() -> Self {
        Self::KEEP
    }
}

/// About accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountRequest {
    /// Make one.
    Add(NewAccount),
    /// Make many; those that exist are left as they are.
    Import {
        /// The accounts.
        accounts: Vec<NewAccount>,
    },
    /// All, or those of one domain or person.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
        /// Only this person's (M1).
        #[serde(default)]
        owner: Option<String>,
    },
    /// One, with its mailboxes.
    Show {
        /// Its address.
        address: Address,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// The sender name.
        #[serde(default)]
        display_name: Option<String>,
        /// A new password.
        #[serde(default)]
        password: Option<Password>,
        /// A new password, to be generated and told.
        #[serde(default)]
        generate_password: bool,
        /// What the person may do.
        #[serde(default)]
        role: Option<Role>,
        /// Octets of mail that fit.
        #[serde(default = "keep")]
        quota_octets: Edit<u64>,
        /// How much it may send in a day.
        #[serde(default)]
        submission: SubmissionEdit,
        /// Seconds that what is submitted waits, so that it can be taken back; 0: it goes at once.
        #[serde(default)]
        undo_send_secs: Option<u32>,
        /// Messages that fit.
        #[serde(default = "keep")]
        quota_messages: Edit<u64>,
        /// Mailboxes that there may be, INBOX included.
        #[serde(default = "keep")]
        quota_mailboxes: Edit<u64>,
        /// Time zone.
        #[serde(default)]
        time_zone: Option<String>,
        /// Language.
        #[serde(default)]
        language: Option<String>,
        /// Whether logging in is allowed.
        #[serde(default)]
        enabled: Option<bool>,
        /// The person whom it belongs to.
        #[serde(default)]
        owner: Option<String>,
        /// The address elsewhere that hears of changes of the password.
        #[serde(default = "keep")]
        recovery: Edit<Address>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// The domains that a domain administrator edits; empty: their own.
        #[serde(default)]
        administers: Option<Vec<Domain>>,
        /// Ways in to withdraw (M6).
        #[serde(default)]
        withdraw: Vec<Service>,
        /// Ways in to give back.
        #[serde(default)]
        restore: Vec<Service>,
        /// Further domains in which the same local part becomes this account (R5).
        #[serde(default)]
        add_domains: Vec<Domain>,
        /// Further domains in which it no longer is.
        #[serde(default)]
        remove_domains: Vec<Domain>,
    },
    /// Change what its address demands of who writes to it.
    Rules {
        /// Its address.
        address: Address,
        /// What changes; there is no fall-back for absence here.
        terms: Box<Terms>,
    },
    /// Change the password (M4). Who changes their own has to know the old one.
    Password {
        /// Whose.
        address: Address,
        /// The old password.
        #[serde(default)]
        old: Option<Password>,
        /// The new one; `None`: one is generated and told.
        #[serde(default)]
        new: Option<Password>,
    },
    /// How strong is a password, and would it be taken? Nothing is changed.
    Strength {
        /// Whose it would be.
        #[serde(default)]
        address: Option<Address>,
        /// It.
        password: Password,
        /// `fr` or `en`; `None`: the account's, or English.
        #[serde(default)]
        language: Option<String>,
    },
    /// What a mail program has to know (M5).
    Settings {
        /// For whom.
        address: Address,
        /// `fr` or `en`; `None`: the account's.
        #[serde(default)]
        language: Option<String>,
    },
    /// Change which aliases lead to the mailbox (M3).
    Aliases {
        /// Its address.
        address: Address,
        /// These lead to it from now on; those that are not there are made.
        #[serde(default)]
        add: Vec<Address>,
        /// These do not any more; those that would lead nowhere are deleted.
        #[serde(default)]
        remove: Vec<Address>,
    },
    /// About names to write under, and signatures (M7).
    Identity(IdentityRequest),
    /// Every user of a domain has their login in further domains too (R5); how many mailboxes it may have (M1).
    UsersOf {
        /// The domain.
        domain: Domain,
        /// Further domains to add.
        #[serde(default)]
        add_domains: Vec<Domain>,
        /// Further domains to take away.
        #[serde(default)]
        remove_domains: Vec<Domain>,
        /// Mailboxes in it at the most, 0 for no limit.
        #[serde(default = "keep")]
        accounts_max: Edit<u32>,
        /// Mailboxes in it of one person at the most, 0 for no limit.
        #[serde(default = "keep")]
        accounts_per_owner_max: Edit<u32>,
    },
    /// Delete one, with its mail.
    Remove {
        /// Its address.
        address: Address,
        /// Even when it holds mail, or others lead to it.
        #[serde(default)]
        force: bool,
    },
    /// The person has left: everything that follows, in one act.
    OffBoard(Leaving),
    /// They have not: everything as before, as far as it is still there.
    OffBoardUndo {
        /// The account.
        address: Address,
    },
}
