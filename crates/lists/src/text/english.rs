//! The words of letters in English.

use mail::Address;

use super::{Because, Rest, Words, command, quoted, request, size};
use crate::budget::LetterKind;

pub(super) fn english(list: &str, address: &Address, words: &Words<'_>, relais: &str) -> (String, String) {
    let or_link = |link: &Option<&str>| {
        link.map(|link| format!("\n\nOr open this page and press the button there:\n{link}")).unwrap_or_default()
    };
    let manage = |link: &Option<&str>| match link {
        Some(link) => format!(
            "On this page you can change your address, choose whether your own messages come back to you, or leave. \
             It is for you alone, so please do not pass it on:\n{link}"
        ),
        None => format!(
            "To leave, or to change your address, write to {} with the word \"help\" as the subject.",
            request(address)
        ),
    };
    match words {
        Words::ConfirmJoin { link } => (
            format!("Please confirm: join {list}"),
            format!(
                "Somebody, probably you, asked that this address become a member of the mailing list {list} \
                 <{address}>.\n\nTo confirm, answer this letter; the answer may be empty.{}\n\nIf you did not ask for \
                 this, do nothing: you will not become a member.",
                or_link(link)
            ),
        ),
        Words::ConfirmLeave { link } => (
            format!("Please confirm: leave {list}"),
            format!(
                "Somebody, probably you, asked that this address leave the mailing list {list} <{address}>.\n\nTo \
                 confirm, answer this letter; the answer may be empty.{}\n\nIf you did not ask for this, do nothing: \
                 you stay a member.",
                or_link(link)
            ),
        ),
        Words::ConfirmMoveAsked { to, link } => (
            format!("Please confirm: your new address for {list}"),
            format!(
                "A message in your name asked that {list} <{address}> write to you at {to} from now on.\n\nIf that was \
                 you, answer this letter; the answer may be empty. Then the new address has to confirm as well.{}\n\n\
                 If it was not you, do nothing: nothing changes.",
                or_link(link)
            ),
        ),
        Words::ConfirmMove { from, link } => (
            format!("Please confirm: this address for {list}"),
            format!(
                "The member {from} of the mailing list {list} <{address}> wants to get its messages at this address from \
                 now on.\n\nTo confirm, answer this letter; the answer may be empty.{}\n\nIf you know nothing of this, \
                 do nothing: nothing changes.",
                or_link(link)
            ),
        ),
        Words::Moved { to } => (
            format!("Your address for {list} has changed"),
            format!(
                "The mailing list {list} <{address}> writes to you at {to} from now on, and no longer here.\n\nIf you \
                 did not ask for this, please write to {}-owner@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::Welcome { manage: link, added: true } => (
            format!("You have been added to {list}"),
            format!(
                "Somebody who runs the mailing list {list} <{address}> has made this address a member: you get what is \
                 written to it, and can write to all members at {address}.\n\nTo leave, write to {}-leave@{}; it takes \
                 one confirmation.\n\n{}",
                address.local(),
                address.domain(),
                manage(link)
            ),
        ),
        Words::Welcome { manage: link, added: false } => (
            format!("Welcome to {list}"),
            format!(
                "You are a member of the mailing list {list} now. To write to all members, write to {address}.\n\n{}",
                manage(link)
            ),
        ),
        Words::Goodbye => (
            format!("You have left {list}"),
            format!(
                "You are no longer a member of the mailing list {list} <{address}>. Messages that are already on their \
                 way may still arrive.\n\nTo come back, write to {}-join@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::AlreadyMember { manage: link } => (
            format!("You are a member of {list} already"),
            format!(
                "Somebody, probably you, asked that this address become a member of the mailing list {list} \
                 <{address}>. It is one already; nothing has changed.\n\n{}",
                manage(link)
            ),
        ),
        Words::NotMember => (
            format!("You are not a member of {list}"),
            format!(
                "A message in your name was about your membership of the mailing list {list} <{address}>. This address \
                 is not a member, so nothing was done. If you are a member with another address, please write from that \
                 one."
            ),
        ),
        Words::Closed => (
            format!("{list}: members are invited"),
            format!(
                "You asked to join the mailing list {list} <{address}>. Its owners choose the members. Please write to \
                 {}-owner@{}.",
                address.local(),
                address.domain()
            ),
        ),
        Words::WaitsForApproval => (
            format!("Your request to join {list}"),
            format!(
                "Your address is confirmed. A moderator of the mailing list {list} <{address}> decides now whether you \
                 become a member; you will hear of it."
            ),
        ),
        Words::JoinRejected { reason } => (
            format!("Your request to join {list}"),
            format!(
                "The moderators of the mailing list {list} <{address}> have not agreed to your membership.{}",
                because_en(reason)
            ),
        ),
        Words::Help { member, manage: link } => (
            format!("Help for {list}"),
            format!(
                "This is the mailing list {list}. A message to {address} goes to all members.\n\nWrite to {0} with one \
                 of these words as the subject:\n\n  subscribe           to become a member\n  unsubscribe         to \
                 leave\n  move NEW@ADDRESS    to get messages at another address\n  help                to get this \
                 letter\n\nPeople read {1}-owner@{2}.{3}",
                request(address),
                address.local(),
                address.domain(),
                if *member { format!("\n\n{}", manage(link)) } else { String::new() }
            ),
        ),
        Words::Moderate { shown, link, days, rest } => (
            format!("{list}: a message waits for you"),
            format!(
                "A message to {list} <{address}> waits for a moderator{}\n\nFrom: {}\nSubject: {}\nSize: {}\n\n{}\n\nTo \
                 decide, answer this letter with one word in the first line:\n\n  approve\n  reject REASON (the author \
                 is told the reason; it may be left out)\n{}\nThe first decision counts. Without one, the message is \
                 refused after {days} days.{}",
                match shown.because {
                    Because::NonMember => ": its author is not a member.",
                    Because::Moderated
                    | Because::TooLarge
                    | Because::HeaderTooLong
                    | Because::TooManyWait
                    | Because::TooMuchWaits => ".",
                },
                shown.author,
                shown.subject,
                size(shown.octets, &["octets", "kB", "MB"]),
                quoted(shown.excerpt),
                link.map(|link| format!("\nOr open this page:\n{link}\n")).unwrap_or_default(),
                rest_en(rest, address, relais),
            ),
        ),
        Words::Approve { who, link } => (
            format!("{list}: {who} wants to join"),
            format!(
                "{who} wants to become a member of {list} <{address}>. The address is confirmed.\n\nTo decide, answer \
                 this letter with one word in the first line:\n\n  approve\n  reject REASON (the reason may be left \
                 out)\n{}\nThe first decision counts.",
                link.map(|link| format!("\nOr open this page:\n{link}\n")).unwrap_or_default(),
            ),
        ),
        Words::Decided { by, approved } => (
            format!("{list}: decided already"),
            format!(
                "Thank you, but {by} was faster: the message was {}.",
                if *approved { "approved" } else { "rejected" }
            ),
        ),
        Words::NotUnderstood => (
            format!("{list}: your answer was not understood"),
            "Your answer has to begin with one of the words approve or reject, in a line of its own or followed by the \
             reason. Nothing was decided; please answer again."
                .to_owned(),
        ),
        Words::Void => (
            format!("{list}: nothing to confirm"),
            "There is nothing (any more) that your answer could confirm or decide: it was done already, or too much \
             time has passed. If need be, please ask again."
                .to_owned(),
        ),
        Words::Refused { subject, because } => (
            format!("{list}: your message was refused"),
            format!(
                "Your message \"{subject}\" to {list} <{address}> was not sent on: {}.",
                match because {
                    Because::TooLarge => "it is too large for this list",
                    Because::HeaderTooLong => "its header is too long",
                    Because::TooManyWait => "too many messages wait for its moderators; please try again later",
                    Because::TooMuchWaits =>
                        "the messages that wait for its moderators leave no room for one of this size; please try \
                         again later",
                    Because::NonMember | Because::Moderated =>
                        "only members may write to it, and your address is not a member's",
                }
            ),
        ),
        Words::Rejected { subject, reason } => (
            format!("{list}: your message was rejected"),
            format!(
                "A moderator has not let your message \"{subject}\" to {list} <{address}> through.{}",
                because_en(reason)
            ),
        ),
        Words::Waiting { subject } => (
            format!("{list}: your message waits for a moderator"),
            format!("Your message \"{subject}\" to {list} <{address}> was received. A moderator decides on it."),
        ),
        Words::Undelivered { subject } => (
            format!("{list}: your message is kept back"),
            format!(
                "Your message \"{subject}\" to {list} <{address}> has reached nobody: at the moment there is no mailbox that \
                 takes it. It is kept, and the administrators of the server can send it on. If it is urgent, please write \
                 to somebody else."
            ),
        ),
        Words::Expired { subject, days } => (
            format!("{list}: your message was not sent on"),
            format!(
                "No moderator has decided on your message \"{subject}\" to {list} <{address}> within {days} days, so it \
                 was not sent on. If it still matters, please send it again."
            ),
        ),
        Words::SuspendedOwner { member } => (
            format!("{list}: {member} was suspended"),
            format!(
                "Mail to the member {member} of {list} <{address}> came back again and again. No more messages are sent \
                 there; the member was written to once more. When the address works again, an owner can set the member \
                 active."
            ),
        ),
        Words::Suspended { back } => (
            format!("{list} can't reach you"),
            format!(
                "Messages of the mailing list {list} <{address}> to you came back again and again, so no more are sent. \
                 If you can read this, your address works again.\n\n{}",
                match back {
                    Some(link) => format!("To get messages again, open this page:\n{link}"),
                    None => format!(
                        "To get messages again, write to {}-join@{}.",
                        address.local(),
                        address.domain()
                    ),
                }
            ),
        ),
        Words::Spent { kind, who, max, reader } => (
            format!("{list}: today's letters are used up"),
            format!(
                "{}\n\nThat much is sent in a day so that nobody can use {list} <{address}> to fill the mailboxes of others. \
                 Tomorrow there are new ones. If you see this often, somebody may be writing orders in the name of others; \
                 `{relais} trace --recipient` with the list's addresses shows them.",
                spent_en(*kind, who, (*max, relais), address, *reader)
            ),
        ),
    }
}

fn rest_en(rest: &Rest<'_>, address: &Address, relais: &str) -> String {
    let mut out = String::new();
    if rest.others > 0 {
        out.push_str(&format!("\n\nOther messages that wait: {}.", rest.others));
    }
    if rest.last_today {
        out.push_str(
            "\n\nThis is the last letter about waiting messages that you get today. Those that come later wait without a \
             letter; the first letter of another day says how many there are.",
        );
    }
    if !out.is_empty() {
        out.push_str(&match rest.all {
            Some(link) => format!(" All of them are on this page:\n{link}"),
            None => match rest.reader {
                Some(_) => format!(
                    " You see all of them with `{} list waiting {address}` on the server.",
                    command(relais, rest.reader)
                ),
                None => format!(" An administrator sees all of them with `{relais} list waiting {address}`."),
            },
        });
    }
    out
}

fn spent_en(
    kind: LetterKind,
    who: &str,
    (max, relais): (u32, &str),
    address: &Address,
    reader: Option<&Address>,
) -> String {
    match kind {
        LetterKind::ConfirmLeave => format!(
            "{who} was sent {max} letters today with which to confirm leaving the list; further orders to leave are not \
             answered today. Answering any of those letters is enough. If {who} asks you, `{} list member remove \
             {address} {who}` does it.",
            command(relais, reader)
        ),
        LetterKind::Confirm => format!(
            "{who} was sent {max} letters today to confirm joining or a change of address; further orders for that address \
             are not answered today. Leaving is not affected."
        ),
        LetterKind::AllConfirmations => format!(
            "{max} letters to confirm joining or a change of address were sent today; further orders are not answered \
             today. Leaving is not affected."
        ),
        LetterKind::AllAdded => format!(
            "{max} people whom owners have added were told so by letter today; who is added later today is a member and gets \
             no letter. Please tell them yourself."
        ),
        LetterKind::AllToWriters
        | LetterKind::Note
        | LetterKind::Refused
        | LetterKind::Waiting
        | LetterKind::Moderate
        | LetterKind::Added
        | LetterKind::Spent => format!(
            "{max} letters to people who wrote (help, refusals and the like) were sent today; further ones are not sent \
             today. Posts and orders are dealt with as ever."
        ),
    }
}

fn because_en(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!("\n\nThe reason given:\n\n{}", quoted(reason)) }
}
