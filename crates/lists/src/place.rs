//! The list or the group that a part of the store belongs to.

use std::sync::Arc;

use delivery::limits::GROUP_WAITING_DAYS;
use mail::{AccountId, Address};
use routing::Directory;
use routing::objects::{GroupObject, ListObject};

use crate::header::name_of;
use crate::incoming::one_line;
use crate::text::Language;

/// A list or a group.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    List(Arc<ListObject>),
    Group(Arc<GroupObject>),
}

impl Place {
    /// What has this part; `None`: deleted since.
    pub(crate) fn of(directory: &Directory, part: AccountId) -> Option<Self> {
        let list = directory.list_by_id(part).cloned().map(Self::List);
        list.or_else(|| directory.group_by_id(part).cloned().map(Self::Group))
    }

    pub(crate) fn part(&self) -> AccountId {
        match self {
            Self::List(list) => list.id,
            Self::Group(group) => group.id,
        }
    }

    pub(crate) fn address(&self) -> &Address {
        match self {
            Self::List(list) => &list.address,
            Self::Group(group) => &group.address,
        }
    }

    /// Its address with a suffix behind the local part.
    pub(crate) fn address_with(&self, suffix: &str) -> Option<Address> {
        let address = self.address();
        Address::new(&format!("{}{suffix}", address.local().as_str()), address.domain().clone()).ok()
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::List(list) => name_of(list),
            Self::Group(group) => match one_line(&group.display_name) {
                name if name.is_empty() => group.address.local().to_string(),
                name => name,
            },
        }
    }

    /// Who decides on waiting messages.
    pub(crate) fn deciders(&self) -> &[Address] {
        match self {
            Self::List(list) => list.deciders(),
            Self::Group(group) => &group.moderators,
        }
    }

    /// Who is told what goes wrong.
    pub(crate) fn owners(&self) -> &[Address] {
        match self {
            Self::List(list) => &list.owners,
            Self::Group(group) => &group.moderators,
        }
    }

    pub(crate) fn waiting_days(&self) -> u32 {
        match self {
            Self::List(list) => list.settings.waiting_days.max(1),
            Self::Group(_) => GROUP_WAITING_DAYS,
        }
    }

    /// The language of letters to people whose own is not known.
    pub(crate) fn language(&self, directory: &Directory) -> Language {
        match self {
            Self::List(list) => Language::of(&list.settings.language),
            Self::Group(group) => {
                let domain = directory.domain(group.address.domain());
                Language::of(domain.map_or("en", |domain| &domain.language))
            }
        }
    }
}
