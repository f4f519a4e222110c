//! imap-codec at the centre: what it parses becomes our types here, and our types become what it writes.
//!
//! The only module besides `response` that names its types; a new version of it touches these alone.
//! Invariant: for every command that imap-codec accepts, this conversion and our grammar give the same result
//! (`differential`).

mod fetch;
mod response;
mod search;

pub(crate) use response::{codec_flag, codec_mailbox};

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::command as codec;
use imap_codec::imap_types::command::CommandBody as Body;
use imap_codec::imap_types::core::NString8;
use imap_codec::imap_types::datetime as codec_date;
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use imap_codec::imap_types::extensions::compress::CompressionAlgorithm;
use imap_codec::imap_types::extensions::metadata as codec_metadata;
use imap_codec::imap_types::flag as codec_flag_types;
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox};
use imap_codec::imap_types::sequence as codec_sequence;
use imap_codec::imap_types::status::StatusDataItemName;
use mail::InternalDate;

use crate::checks;
use crate::command::{
    Append, AppendContent, AppendMessage, Command, CommandBody, Create, Depth, GetMetadata, Qresync, Select,
    SetMetadata, SetQuota, Sort, StatusItem, Store, StoreAction, Thread, Ticket, Transfer,
};
use crate::date::{self, Date};
use crate::flag::Flag;
use crate::flaw::Flaw;
use crate::grammar::MetadataOption;
use crate::mailbox_name::{MailboxName, NameEncoding};
use crate::secret::Secret;
use crate::sequence::{SequenceBound, SequenceSet};
use crate::tag::Tag;
use fetch::fetch_items;
use search::{criteria, search_key, sort_criterion};

/// What imap-codec makes of a whole command: `None` when it does not understand it.
pub(crate) fn decode(text: &[u8], encoding: NameEncoding) -> Option<Result<Command, Flaw>> {
    match CommandCodec::default().decode(text) {
        Ok(([], command)) => Some(convert(command, encoding)),
        _ => None,
    }
}

fn convert(command: codec::Command<'_>, encoding: NameEncoding) -> Result<Command, Flaw> {
    let tag = Tag::new(command.tag.as_ref().as_bytes()).ok_or_else(|| Flaw::limit("the tag is too long"))?;
    Ok(Command { tag, body: body(command.body, encoding)? })
}

fn body(body: Body<'_>, encoding: NameEncoding) -> Result<CommandBody, Flaw> {
    let name = |mailbox: &Mailbox<'_>| checks::mailbox(mailbox_bytes(mailbox), encoding);
    Ok(match body {
        Body::Capability => CommandBody::Capability,
        Body::Noop => CommandBody::Noop,
        Body::Logout => CommandBody::Logout,
        Body::StartTLS => CommandBody::StartTls,
        Body::Authenticate { mechanism, initial_response } => CommandBody::Authenticate {
            mechanism: mechanism.as_ref().to_ascii_uppercase(),
            initial_response: initial_response.map(|secret| Secret::new(secret.declassify().as_ref())),
        },
        Body::Login { username, password } => CommandBody::Login {
            username: checks::username(username.as_ref())?,
            password: Secret::new(password.declassify().as_ref()),
        },
        Body::Select { mailbox, parameters } => select(name(&mailbox)?, false, &parameters)?,
        Body::Examine { mailbox, parameters } => select(name(&mailbox)?, true, &parameters)?,
        Body::Unselect => CommandBody::Unselect,
        Body::Create { mailbox } => CommandBody::Create(Create { mailbox: name(&mailbox)?, special_uses: Vec::new() }),
        Body::Delete { mailbox } => CommandBody::Delete(name(&mailbox)?),
        Body::Rename { from, to } => CommandBody::Rename { from: name(&from)?, to: name(&to)? },
        Body::Subscribe { mailbox } => CommandBody::Subscribe(name(&mailbox)?),
        Body::Unsubscribe { mailbox } => CommandBody::Unsubscribe(name(&mailbox)?),
        Body::List { reference, mailbox_wildcard } => CommandBody::List(checks::plain_list(
            checks::list_text(mailbox_bytes(&reference), encoding)?,
            checks::list_text(pattern_bytes(&mailbox_wildcard), encoding)?,
        )),
        Body::Lsub { reference, mailbox_wildcard } => CommandBody::Lsub {
            reference: checks::list_text(mailbox_bytes(&reference), encoding)?,
            pattern: checks::list_text(pattern_bytes(&mailbox_wildcard), encoding)?,
        },
        Body::Status { mailbox, item_names } => {
            let items: Result<Vec<_>, _> = item_names.iter().map(status_item).collect();
            CommandBody::Status { mailbox: name(&mailbox)?, items: checks::status_items(items?)? }
        }
        Body::Append { mailbox, flags, date, message } => CommandBody::Append(Append {
            mailbox: name(&mailbox)?,
            messages: vec![AppendMessage {
                flags: our_flags(&flags)?,
                date: date.as_ref().map(internal_date).transpose()?,
                content: AppendContent::Message(ticket(&message)?),
            }],
        }),
        Body::Check => CommandBody::Check,
        Body::Close => CommandBody::Close,
        Body::Expunge => CommandBody::Expunge { uids: None },
        Body::ExpungeUid { sequence_set } => CommandBody::Expunge { uids: Some(set(&sequence_set)?) },
        Body::Search { charset, criteria, uid } => {
            let keys: Result<Vec<_>, _> = criteria.into_iter().map(search_key).collect();
            let charset = charset.map(|charset| charset.as_ref().to_ascii_uppercase());
            CommandBody::Search(checks::search(uid, charset, None, keys?)?)
        }
        Body::Fetch { sequence_set, macro_or_item_names, uid, modifiers } => {
            let mut given = checks::FetchModifiers::default();
            for modifier in modifiers {
                match modifier {
                    codec::FetchModifier::ChangedSince(value) => given.changed_since(value.get())?,
                    codec::FetchModifier::Vanished => given.vanished()?,
                }
            }
            let items = fetch_items(macro_or_item_names)?;
            CommandBody::Fetch(checks::fetch(set(&sequence_set)?, uid, items, given)?)
        }
        Body::Store { sequence_set, kind, response, flags, uid, modifiers } => {
            let mut unchanged_since = None;
            for codec::StoreModifier::UnchangedSince(value) in modifiers {
                if unchanged_since.replace(checks::modseq(value)?).is_some() {
                    return Err(twice("UNCHANGEDSINCE"));
                }
            }
            CommandBody::Store(Store {
                set: set(&sequence_set)?,
                uid,
                action: match kind {
                    codec_flag_types::StoreType::Replace => StoreAction::Replace,
                    codec_flag_types::StoreType::Add => StoreAction::Add,
                    codec_flag_types::StoreType::Remove => StoreAction::Remove,
                },
                silent: response == codec_flag_types::StoreResponse::Silent,
                flags: our_flags(&flags)?,
                unchanged_since,
            })
        }
        Body::Copy { sequence_set, mailbox, uid } => {
            CommandBody::Copy(Transfer { set: set(&sequence_set)?, uid, mailbox: name(&mailbox)? })
        }
        Body::Move { sequence_set, mailbox, uid } => {
            CommandBody::Move(Transfer { set: set(&sequence_set)?, uid, mailbox: name(&mailbox)? })
        }
        Body::Idle => CommandBody::Idle,
        Body::Enable { capabilities } => {
            CommandBody::Enable(capabilities.into_iter().map(|c| c.to_string().to_ascii_uppercase()).collect())
        }
        Body::Id { parameters } => CommandBody::Id(
            parameters
                .unwrap_or_default()
                .into_iter()
                .map(|(field, value)| (field.into_inner().into_owned(), value.into_option().map(Into::into)))
                .collect(),
        ),
        Body::Namespace => CommandBody::Namespace,
        Body::GetQuota { root } => CommandBody::GetQuota(checks::quota_root(root.as_ref())?),
        Body::GetQuotaRoot { mailbox } => CommandBody::GetQuotaRoot(name(&mailbox)?),
        Body::SetQuota { root, quotas } => {
            let limits = quotas.iter().map(|quota| (quota.resource.to_string().into_bytes(), quota.limit)).collect();
            let (root, limits) = (checks::quota_root(root.as_ref())?, checks::quota_limits(limits)?);
            CommandBody::SetQuota(SetQuota { root, limits })
        }
        Body::GetMetadata { options, mailbox, entries } => {
            let options = options.into_iter().map(metadata_option).collect();
            let entries = entries.into_iter().map(|entry| entry.as_ref().to_vec()).collect();
            let query = checks::metadata_query(entries, options)?;
            CommandBody::GetMetadata(GetMetadata { mailbox: name(&mailbox)?, query })
        }
        Body::SetMetadata { mailbox, entry_values } => {
            let pairs = entry_values.into_iter().map(|pair| (pair.entry.as_ref().to_vec(), metadata_value(pair.value)));
            let entries = checks::metadata_entries(pairs.collect())?;
            CommandBody::SetMetadata(SetMetadata { mailbox: name(&mailbox)?, entries })
        }
        Body::Sort { sort_criteria, charset, search_criteria, uid } => CommandBody::Sort(Sort {
            criteria: checks::sort_criteria(sort_criteria.into_iter().map(sort_criterion).collect())?,
            search: criteria(uid, charset.as_ref(), search_criteria)?,
        }),
        Body::Thread { algorithm, charset, search_criteria, uid } => CommandBody::Thread(Thread {
            algorithm: checks::thread_algorithm(algorithm.to_string().as_bytes())?,
            search: criteria(uid, charset.as_ref(), search_criteria)?,
        }),
        Body::Compress { algorithm: CompressionAlgorithm::Deflate } => CommandBody::Compress,
        Body::Compress { .. } => return Err(unsupported("that algorithm")),
    })
}

fn unsupported(what: &'static str) -> Flaw {
    Flaw::of(format!("{what} is not supported"))
}

fn twice(what: &'static str) -> Flaw {
    Flaw::of(format!("{what} is given twice"))
}

fn select(mailbox: MailboxName, read_only: bool, parameters: &[codec::SelectParameter]) -> Result<CommandBody, Flaw> {
    let (mut condstore, mut qresync) = (false, None);
    for parameter in parameters {
        match parameter {
            codec::SelectParameter::CondStore => condstore = true,
            codec::SelectParameter::QResync { uid_validity, mod_sequence_value, known_uids, seq_match_data } => {
                let given = checks::qresync(Qresync {
                    uid_validity: uid_validity.get(),
                    modseq: mod_sequence_value.get(),
                    known_uids: known_uids.as_ref().map(set).transpose()?,
                    sequence_match: match seq_match_data {
                        Some((numbers, uids)) => Some((set(numbers)?, set(uids)?)),
                        None => None,
                    },
                })?;
                if qresync.replace(Box::new(given)).is_some() {
                    return Err(twice("QRESYNC"));
                }
            }
        }
    }
    Ok(CommandBody::Select(Select { mailbox, read_only, condstore, qresync }))
}

fn metadata_option(option: codec_metadata::GetMetadataOption) -> MetadataOption {
    match option {
        codec_metadata::GetMetadataOption::MaxSize(size) => MetadataOption::SizeMax(size.into()),
        codec_metadata::GetMetadataOption::Depth(depth) => MetadataOption::Depth(match depth {
            codec_metadata::Depth::Null => Depth::Entry,
            codec_metadata::Depth::One => Depth::Children,
            codec_metadata::Depth::Infinity => Depth::All,
        }),
    }
}

fn metadata_value(value: NString8<'_>) -> Option<Vec<u8>> {
    match value {
        NString8::NString(value) => value.into_option().map(Into::into),
        NString8::Literal8(literal) => Some(literal.data.into_owned()),
    }
}

fn mailbox_bytes<'a>(mailbox: &'a Mailbox<'_>) -> &'a [u8] {
    match mailbox {
        Mailbox::Inbox => MailboxName::INBOX.as_bytes(),
        Mailbox::Other(other) => other.as_ref(),
    }
}

fn pattern_bytes<'a>(pattern: &'a ListMailbox<'_>) -> &'a [u8] {
    match pattern {
        ListMailbox::Token(token) => token.as_ref(),
        ListMailbox::String(string) => string.as_ref(),
    }
}

fn status_item(item: &StatusDataItemName) -> Result<StatusItem, Flaw> {
    Ok(match item {
        StatusDataItemName::Messages => StatusItem::Messages,
        StatusDataItemName::Recent => StatusItem::Recent,
        StatusDataItemName::UidNext => StatusItem::UidNext,
        StatusDataItemName::UidValidity => StatusItem::UidValidity,
        StatusDataItemName::Unseen => StatusItem::Unseen,
        StatusDataItemName::Deleted => StatusItem::Deleted,
        StatusDataItemName::Size => StatusItem::Size,
        StatusDataItemName::HighestModSeq => StatusItem::HighestModSeq,
        StatusDataItemName::DeletedStorage => StatusItem::DeletedStorage,
    })
}

fn our_flags(flags: &[codec_flag_types::Flag<'_>]) -> Result<Vec<Flag>, Flaw> {
    flags.iter().map(|flag| checks::flag(flag.to_string().as_bytes())).collect()
}

fn ticket(message: &LiteralOrLiteral8<'_>) -> Result<Ticket, Flaw> {
    let ticket = match message {
        LiteralOrLiteral8::Literal8(literal) => Ticket::from_bytes(&literal.data),
        LiteralOrLiteral8::Literal(_) => None,
    };
    ticket.ok_or_else(|| Flaw::of("the message was not received"))
}

fn day(date: &codec_date::NaiveDate) -> Result<Date, Flaw> {
    let instant = date.as_ref().and_hms_opt(0, 0, 0).map(|midnight| midnight.and_utc().timestamp());
    instant.and_then(|secs| Date::from_days_since_epoch(secs.div_euclid(86_400))).ok_or_else(|| Flaw::of("no such day"))
}

fn internal_date(when: &codec_date::DateTime) -> Result<InternalDate, Flaw> {
    let when = when.as_ref();
    let offset = i16::try_from(when.offset().local_minus_utc() / 60).ok();
    offset.and_then(|mins| date::internal_date(when.timestamp(), mins)).ok_or_else(|| Flaw::of("no such date"))
}

fn set(set: &codec_sequence::SequenceSet) -> Result<SequenceSet, Flaw> {
    let bound = |bound: &codec_sequence::SeqOrUid| match bound {
        codec_sequence::SeqOrUid::Value(number) => SequenceBound::Number(number.get()),
        codec_sequence::SeqOrUid::Asterisk => SequenceBound::Largest,
    };
    let ranges = set.0.as_ref().iter().map(|sequence| match sequence {
        codec_sequence::Sequence::Single(a) => (bound(a), bound(a)),
        codec_sequence::Sequence::Range(a, b) => (bound(a), bound(b)),
    });
    SequenceSet::new(ranges.collect()).ok_or_else(|| Flaw::of("the sequence set is empty"))
}
