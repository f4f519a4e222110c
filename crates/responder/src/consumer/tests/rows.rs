//! The rows of the mission, each from acceptance to what stands in mailboxes and queue.

use mail_parser::MessageParser;
use routing::objects::{Audience, GroupObject, Hours, HoursWhen, Identity, ListObject, ObjectKey, Wording};

use super::*;

impl Server {
    async fn edit(&self, id: u64, edit: impl FnOnce(&mut ResponderObject)) {
        let mut object = self.store.directory().responder(id).unwrap().as_ref().clone();
        edit(&mut object);
        self.store.put_object(Object::Responder(object), PutMode::Replace).await.unwrap();
    }

    async fn edit_account(&self, who: &str, edit: impl FnOnce(&mut AccountObject)) {
        let mut object = self.store.directory().account(&address(who)).unwrap().as_ref().clone();
        edit(&mut object);
        self.store.put_object(Object::Account(object), PutMode::Replace).await.unwrap();
    }

    /// Sends a message from a sender of its own; gives the subjects of the answers to it, in order.
    async fn answers_from(&self, sender: &str, to: &str, header: &str) -> Vec<String> {
        self.receive(sender, to, header).await;
        self.take_all().await.unwrap();
        let mut subjects = Vec::new();
        for row in self.queue().await {
            if row.recipients.iter().any(|recipient| recipient.address == address(sender)) {
                let text = self.text(&row.blob, u64::from(row.skip_octets)).await;
                subjects.push(MessageParser::default().parse(text.as_bytes()).unwrap().subject().unwrap().to_owned());
            }
        }
        subjects.sort();
        subjects
    }

    fn advance_days(&self, days: u64) {
        self.sim.clock.advance(Duration::from_secs(days * 86_400));
    }
}

const SUBJECT: &str = "Absence : Prix ?";

#[tokio::test]
async fn a01_a_robot_answers_whatever_comes() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.frequency_secs = 0).await;
    server
        .accept(
            ReversePath::Address(address("x@r.example")),
            "alice@a.example",
            b"From: x@r.example\r\nTo: undisclosed:;\r\n\r\nx\r\n",
        )
        .await;
    server
        .accept(ReversePath::Address(address("x@r.example")), "alice@a.example", b"From:\r\nno header at all\r\n")
        .await;
    server.accept(ReversePath::Address(address("x@r.example")), "alice@a.example", b"From: nobody\r\n\r\n").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 3);
}

#[tokio::test]
async fn a02_the_prefix_and_the_original_subject_decoded_and_encoded_again() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    let long = "=?iso-8859-1?Q?=C9t=E9?= =?utf-8?B?4oKs?= ".to_owned() + &"mot ".repeat(60);
    let content = format!("From: x@r.example\r\nTo: alice@a.example\r\nSubject: {long}\r\n\r\nx\r\n");
    server.accept(ReversePath::Address(address("x@r.example")), "alice@a.example", content.as_bytes()).await;
    server.take_all().await.unwrap();
    let answer = server.queued().await.remove(0);
    let parsed = MessageParser::default().parse(answer.as_bytes()).unwrap();
    assert!(parsed.subject().unwrap().starts_with("Absence : Été€ mot mot"), "{answer}");
    let (header, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(header.is_ascii() && header.split("\r\n").all(|line| line.len() <= 78), "{header}");
}

#[tokio::test]
async fn a03_html_with_a_generated_alternative_and_both() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| (r.text, r.html) = (None, Some("<p>Fermé</p>".to_owned()))).await;
    server.receive("x@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    let answer = server.queued().await.remove(0);
    let parsed = MessageParser::default().parse(answer.as_bytes()).unwrap();
    assert_eq!(parsed.body_text(0).unwrap().trim(), "Fermé");
    assert!(parsed.body_html(0).unwrap().contains("<p>Fermé</p>"));
}

#[tokio::test]
async fn a06_beside_a_mailbox_the_message_is_kept() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    assert_eq!(server.answers_from("x@r.example", "alice@a.example", "").await, [SUBJECT]);
    assert_eq!(server.mailbox("alice@a.example", "INBOX").await.len(), 1);
    assert_eq!(server.queue().await.len(), 1, "no failure notice");
}

#[tokio::test]
async fn a07_tied_to_a_mailbox_or_free_at_an_alias() {
    let server = Server::new("a.example").await;
    server.alias("info@a.example", &["bob@a.example"]).await;
    server.add_responder("alice@a.example", |r| r.subject = "Tied".to_owned()).await;
    server.add_responder("info@a.example", |r| r.subject = "Free".to_owned()).await;
    assert_eq!(server.answers_from("x@r.example", "alice@a.example", "").await, ["Tied"]);
    assert_eq!(server.answers_from("y@r.example", "info@a.example", "").await, ["Free"]);
    assert_eq!(server.mailbox("bob@a.example", "INBOX").await.len(), 1);
    assert!(
        server.mailbox("bob@a.example", "Sent").await.is_empty(),
        "a free responder's answers are in nobody's Sent"
    );
}

#[tokio::test]
async fn a08_temporary_or_until_switched_off() {
    let server = Server::new("a.example").await;
    // Today is 2026-09-21.
    let day = |text: &str| Some(text.to_owned());
    let temporary = |r: &mut ResponderObject| (r.starts, r.ends) = (day("2026-09-22"), day("2026-09-24"));
    server.add_responder("alice@a.example", temporary).await;
    let permanent = server.add_responder("bob@a.example", |_| ()).await;
    let mut seen = Vec::new();
    for n in 0..6 {
        let count = async |to: &str| server.answers_from(&format!("x{n}@r.example"), to, "").await.len();
        let temporary = count("alice@a.example").await;
        seen.push((temporary, count("bob@a.example").await - temporary));
        server.advance_days(1);
    }
    assert_eq!(seen, [(0, 1), (1, 1), (1, 1), (1, 1), (0, 1), (0, 1)]);
    server.edit(permanent, |r| r.enabled = false).await;
    assert!(server.answers_from("y@r.example", "bob@a.example", "").await.is_empty());
}

#[tokio::test]
async fn a09_what_is_not_kept_is_deleted_only_while_window_and_hours_say_so() {
    let server = Server::new("a.example").await;
    // Monday 16:13 in Paris.
    let id = server
        .add_responder("alice@a.example", |r| {
            r.keep = false;
            (r.starts, r.ends) = (Some("2026-09-22".to_owned()), Some("2026-09-23".to_owned()));
            r.hours = Some(Hours { week: "tue 16:00-17:00".to_owned(), when: HoursWhen::Inside });
        })
        .await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        let before = server.mailbox("alice@a.example", "INBOX").await.len();
        server.receive("x@r.example", "alice@a.example", "").await;
        kept.push(server.mailbox("alice@a.example", "INBOX").await.len() - before);
        server.advance_days(1);
    }
    assert_eq!(kept, [1, 0, 1, 1], "before its window, in its hours, outside of them, after its end");
    server.edit(id, |r| (r.starts, r.ends, r.hours, r.enabled) = (None, None, None, false)).await;
    server.receive("x@r.example", "alice@a.example", "").await;
    assert_eq!(server.mailbox("alice@a.example", "INBOX").await.len(), 4);
}

#[tokio::test]
async fn a10_in_free_mode_the_copy_address_receives_what_the_alias_receives() {
    let server = Server::new("a.example").await;
    server.add_responder("shop@a.example", |r| r.copy_received_to = Some(address("bob@a.example"))).await;
    assert_eq!(server.answers_from("x@r.example", "shop@a.example", "").await, [SUBJECT]);
    assert_eq!(server.mailbox("bob@a.example", "INBOX").await.len(), 1);
    assert_eq!(server.queue().await.len(), 1, "somebody got it: no failure notice");
}

#[tokio::test]
async fn a10_the_deputy_is_named_and_gets_copies_when_wished() {
    let server = Server::new("a.example").await;
    let id = server
        .add_responder("alice@a.example", |r| {
            r.kind = ResponderKind::OutOfOffice;
            r.deputy = Some(address("bob@a.example"));
            r.text = Some("Écrivez à {deputy}.".to_owned());
        })
        .await;
    server.receive("x@r.example", "alice@a.example", "").await;
    assert!(server.mailbox("bob@a.example", "INBOX").await.is_empty());
    server.edit(id, |r| r.copy_to_deputy = true).await;
    server.receive("y@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.mailbox("bob@a.example", "INBOX").await.len(), 1);
    let answer = server.queued().await.remove(0);
    let parsed = MessageParser::default().parse(answer.as_bytes()).unwrap();
    assert_eq!(parsed.body_text(0).unwrap().trim(), "Écrivez à bob@a.example.");
}

#[tokio::test]
async fn a11_an_edit_counts_from_the_next_message_on_and_a_deletion_too() {
    let server = Server::new("a.example").await;
    let id = server.add_responder("alice@a.example", |_| ()).await;
    assert_eq!(server.answers_from("x@r.example", "alice@a.example", "").await, [SUBJECT]);
    server.edit(id, |r| r.subject = "Other".to_owned()).await;
    assert_eq!(server.answers_from("y@r.example", "alice@a.example", "").await, ["Other"]);
    server.store.remove_object(ObjectKey::Responder(id)).await.unwrap();
    assert!(server.answers_from("z@r.example", "alice@a.example", "").await.is_empty());
}

#[tokio::test]
async fn a12_enabled_with_subject_and_message_and_received_within() {
    let server = Server::new("a.example").await;
    let id = server.add_responder("alice@a.example", |_| ()).await;
    let edits: [fn(&mut ResponderObject); 5] = [
        |r| r.enabled = false,
        |r| r.subject_prefix = String::new(),
        |r| r.text = None,
        |r| r.starts = Some("2026-09-22".to_owned()),
        |r| r.ends = Some("2026-09-20".to_owned()),
    ];
    let good = server.store.directory().responder(id).unwrap().as_ref().clone();
    for (n, edit) in edits.iter().enumerate() {
        server.edit(id, edit).await;
        assert!(server.answers_from(&format!("x{n}@r.example"), "alice@a.example", "").await.is_empty(), "{n}");
        server.edit(id, |r| *r = good.clone()).await;
    }
    // The date of receipt counts, not when the responder comes to it.
    server.edit(id, |r| r.ends = Some("2026-09-21".to_owned())).await;
    server.receive("late@r.example", "alice@a.example", "").await;
    server.advance_days(3);
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn a13_robots_each_answer_and_of_several_absences_the_most_specific() {
    let server = Server::new("a.example").await;
    for name in ["Robot 1", "Robot 2"] {
        server.add_responder("alice@a.example", |r| r.subject = name.to_owned()).await;
    }
    let away = |name: &'static str, starts: &'static str, ends: &'static str| {
        move |r: &mut ResponderObject| {
            (r.kind, r.subject) = (ResponderKind::OutOfOffice, name.to_owned());
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            (r.starts, r.ends) = (some(starts), some(ends));
        }
    };
    server.add_responder("alice@a.example", away("Always", "", "")).await;
    server.add_responder("alice@a.example", away("Month", "2026-09-01", "2026-09-30")).await;
    server.add_responder("alice@a.example", away("Day", "2026-09-22", "2026-09-22")).await;
    let to = "alice@a.example";
    assert_eq!(server.answers_from("x@r.example", to, "").await, ["Month", "Robot 1", "Robot 2"]);
    server.advance_days(1);
    assert_eq!(server.answers_from("y@r.example", to, "").await, ["Day", "Robot 1", "Robot 2"]);
    server.advance_days(20);
    assert_eq!(server.answers_from("z@r.example", to, "").await, ["Always", "Robot 1", "Robot 2"]);
}

#[tokio::test]
async fn v02_the_signature_stands_below_text_and_html() {
    let server = Server::new("a.example").await;
    server.alias("info@a.example", &["alice@a.example"]).await;
    let identity = |at: &str, name: &str, text: &str| Identity {
        address: address(at),
        display_name: name.to_owned(),
        signature_text: text.to_owned(),
        signature_html: String::new(),
    };
    let identities = vec![identity("alice@a.example", "", "Alice"), identity("info@a.example", "Accueil", "L'accueil")];
    server.edit_account("alice@a.example", |account| account.identities = identities).await;
    server
        .add_responder("alice@a.example", |r| {
            (r.kind, r.html) = (ResponderKind::OutOfOffice, Some("<p>Loin</p>".to_owned()));
        })
        .await;
    server.receive("x@r.example", "info@a.example", "").await;
    server.take_all().await.unwrap();
    let answer = server.queued().await.remove(0);
    assert!(answer.contains("From: \"Accueil\" <info@a.example>\r\n"), "{answer}");
    let parsed = MessageParser::default().parse(answer.as_bytes()).unwrap();
    assert!(parsed.body_text(0).unwrap().ends_with("\r\n\r\n-- \r\nL'accueil\r\n"), "{answer}");
    assert!(parsed.body_html(0).unwrap().contains("L&#39;accueil"), "{answer}");
}

#[tokio::test]
async fn v02_colleagues_read_other_words_and_only_who_has_logged_in_is_one() {
    let server = Server::new("a.example").await;
    server
        .add_responder("alice@a.example", |r| {
            (r.kind, r.subject) = (ResponderKind::OutOfOffice, "Outside".to_owned());
            r.inside = Some(Wording { subject: "Inside".to_owned(), ..Wording::default() });
        })
        .await;
    server.submit("bob@a.example", "alice@a.example").await;
    server.take_all().await.unwrap();
    let inbox = server.mailbox("bob@a.example", "INBOX").await;
    assert!(server.text(&inbox[0].blob, 0).await.contains("Subject: Inside\r\n"));
    // The same reverse-path from another server proves nothing.
    server.receive("audit@a.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    let inbox = server.mailbox("audit@a.example", "INBOX").await;
    assert!(server.text(&inbox[0].blob, 0).await.contains("Subject: Outside\r\n"));
}

#[tokio::test]
async fn v03_contacts_only_and_whom_one_wrote_to_is_a_contact() {
    let server = Server::new("a.example").await;
    server
        .add_responder("alice@a.example", |r| {
            (r.kind, r.audience, r.frequency_secs) = (ResponderKind::OutOfOffice, Audience::Contacts, 0);
        })
        .await;
    assert!(server.answers_from("carol@r.example", "alice@a.example", "").await.is_empty());
    server.submit("alice@a.example", "Carol@r.example").await;
    let queued = server.queue().await.len();
    server.receive("carol@R.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), queued + 1);
    let alice = server.store.directory().account(&address("alice@a.example")).unwrap().id;
    server.store.add_contact(alice, address("dora@r.example")).await.unwrap();
    assert_eq!(server.answers_from("dora@r.example", "alice@a.example", "").await.len(), 1);
    server.store.remove_contact(alice, address("dora@r.example")).await.unwrap();
    assert_eq!(server.answers_from("dora@r.example", "alice@a.example", "").await.len(), 1, "not again");
    // Colleagues are among the contacts.
    server.submit("bob@a.example", "alice@a.example").await;
    server.take_all().await.unwrap();
    assert_eq!(server.mailbox("bob@a.example", "INBOX").await.len(), 1);
}

#[tokio::test]
async fn v03_never_oneself_a_group_a_list_or_twice() {
    let server = Server::new("a.example").await;
    let group =
        GroupObject { members: vec![address("alice@a.example")], ..GroupObject::new(address("board@a.example")) };
    server.store.add_group(group).await.unwrap();
    server.store.add_list(ListObject::new(address("garden@a.example"))).await.unwrap();
    server.alias("all@a.example", &[""]).await;
    for who in ["alice@a.example", "bob@a.example"] {
        server.add_responder(who, |r| r.kind = ResponderKind::OutOfOffice).await;
    }
    // To the group, or to everybody: nobody is addressed by name.
    server.receive("x@r.example", "board@a.example", "").await;
    server.receive("x@r.example", "all@a.example", "").await;
    // From the group or the list.
    server.receive("board@a.example", "alice@a.example", "").await;
    server.receive("garden@a.example", "bob@a.example", "").await;
    server.submit("alice@a.example", "alice@a.example").await;
    server.take_all().await.unwrap();
    assert!(server.queue().await.is_empty());
    assert!(server.mailbox("alice@a.example", "Sent").await.is_empty());
    assert!(server.mailbox("bob@a.example", "Sent").await.is_empty());
    // By name beside the group: answered.
    server.receive("y@r.example", "board@a.example", "Cc: alice@a.example\r\n").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn v05_no_answer_to_spam_or_to_whom_somebody_pretends_to_be() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.frequency_secs = 0).await;
    for header in [
        "Authentication-Results: mx.a.example; dmarc=fail header.from=r.example\r\n",
        "Authentication-Results: mx.a.example; spf=fail\r\n",
        "X-Spam-Flag: YES\r\n",
    ] {
        assert!(server.answers_from("x@r.example", "alice@a.example", header).await.is_empty(), "{header}");
    }
    // Delivered to Junk: nobody wants an answer to that.
    server.receive("x@r.example", "alice@a.example", "").await;
    let account = server.store.directory().account(&address("alice@a.example")).unwrap().id;
    let junk = server.store.mailbox_by_name(account, "Junk").await.unwrap().unwrap().id;
    let row = server.store.events_after(Topic::MessageStored, 0, 1).await.unwrap().remove(0);
    let mut event = MessageStored::decode(&row.payload).unwrap();
    event.kept.as_mut().unwrap().mailbox = junk;
    server.responder.take(&EventRow { payload: event.encode(), ..row }).await.unwrap();
    assert!(server.queue().await.is_empty());
    let elsewhere = "Authentication-Results: mx.other.example; dmarc=fail\r\n";
    assert_eq!(server.answers_from("x@r.example", "alice@a.example", elsewhere).await.len(), 1);
}

#[tokio::test]
async fn v05_a_message_may_bring_no_words_of_its_own() {
    let server = Server::new("a.example").await;
    server
        .add_responder("alice@a.example", |r| {
            r.subject = "Re: {subject} {sender_name}".to_owned();
            r.html = Some("<p>{sender_name}: {subject}</p>".to_owned());
            r.text = Some("{sender_name}: {subject}".to_owned());
        })
        .await;
    let content = b"From: \"{name} <script>\" <x@r.example>\r\nTo: alice@a.example\r\n\
        Subject: =?utf-8?Q?=7Bdate=7D=0D=0ABcc:_evil@x.example=0D=0A=0D=0A=3Cscript=3E?=\r\n\r\nx\r\n";
    server.accept(ReversePath::Address(address("x@r.example")), "alice@a.example", content).await;
    server.take_all().await.unwrap();
    let answer = server.queued().await.remove(0);
    let parsed = MessageParser::default().parse(answer.as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("Re: {date} Bcc: evil@x.example <script> {name} <script>"));
    assert!(parsed.bcc().is_none() && !parsed.body_html(0).unwrap().contains("<script>"), "{answer}");
    assert_eq!(server.queue().await[0].recipients.len(), 1);
}

#[tokio::test]
async fn a05_subaddresses_of_ours_are_one_sender_and_all_responders_share_a_cap() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    server.receive("bob+one@a.example", "alice@a.example", "").await;
    server.receive("bob+two@a.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.mailbox("bob@a.example", "INBOX").await.len(), 1);
    for n in 0..10 {
        server.alias(&format!("robot{n}@a.example"), &[":blackhole:"]).await;
        server.add_responder(&format!("robot{n}@a.example"), |r| r.frequency_secs = 0).await;
    }
    for round in 0..20 {
        for n in 0..10 {
            server.receive("x@r.example", &format!("robot{n}@a.example"), "").await;
        }
        server.take_all().await.unwrap();
        if round == 0 {
            assert_eq!(server.queue().await.len(), 10);
        }
    }
    assert_eq!(server.queue().await.len(), routing::limits::SENDER_ANSWERS_PER_DAY_MAX as usize);
}

#[tokio::test]
async fn a05_spellings_of_a_sender_share_a_cap_and_so_do_the_senders_of_a_domain() {
    use routing::limits::{DOMAIN_ANSWERS_PER_DAY_MAX, SENDER_ANSWERS_PER_DAY_MAX};
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    for n in 0..SENDER_ANSWERS_PER_DAY_MAX + 5 {
        server.receive(&format!("x+{n}@r.example"), "alice@a.example", "").await;
    }
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), SENDER_ANSWERS_PER_DAY_MAX as usize);
    for n in 0..DOMAIN_ANSWERS_PER_DAY_MAX {
        server.receive(&format!("y{n}@r.example"), "alice@a.example", "").await;
    }
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), DOMAIN_ANSWERS_PER_DAY_MAX as usize);
    assert_eq!(server.answers_from("x@other.example", "alice@a.example", "").await, [SUBJECT], "other domains");
    // Its day over, the domain is answered again.
    server.sim.clock.advance(Duration::from_secs(86_400));
    assert_eq!(server.answers_from("z@r.example", "alice@a.example", "").await, [SUBJECT]);
}

#[tokio::test]
async fn a13_of_fifty_responders_the_first_five_answer_one_message_and_the_trace_tells_the_others() {
    let server = Server::new("a.example").await;
    for _ in 0..routing::limits::RESPONDERS_PER_ADDRESS_MAX {
        server.add_responder("alice@a.example", |r| r.frequency_secs = 0).await;
    }
    for round in 1..=2 {
        server.receive("x@r.example", "alice@a.example", "").await;
        server.take_all().await.unwrap();
        assert_eq!(server.queue().await.len(), round * routing::limits::ANSWERS_PER_PERSON_MAX);
    }
    assert_eq!(server.mailbox("alice@a.example", "INBOX").await.len(), 2);
    for id in 1..=50 {
        let state = server.store.responder_state(id).await.unwrap();
        assert_eq!(state.map_or(0, |state| state.answered), if id <= 5 { 2 } else { 0 }, "number {id}");
    }
}

#[tokio::test]
async fn v05_what_nobody_says_that_they_wrote_is_not_answered() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    let content = b"To: alice@a.example\r\nSubject: x\r\n\r\nFrom: x@r.example\r\n";
    server.accept(ReversePath::Address(address("x@r.example")), "alice@a.example", content).await;
    server.take_all().await.unwrap();
    assert!(server.queue().await.is_empty());
    assert_eq!(server.mailbox("alice@a.example", "INBOX").await.len(), 1, "it is kept all the same");
}

#[tokio::test]
async fn v05_who_is_on_the_suppression_list_is_not_answered_and_the_trace_says_so() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    let (who, now) = (address("dead@r.example"), server.store.now());
    let enter = move |tx: &mut Transaction<'_>| {
        tx.suppress(&who, storage::suppressed::SuppressionReason::HardBounce, "550 no", now, None).map(drop)
    };
    server.store.transact(enter).await.unwrap();
    server.receive("dead@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert!(server.queue().await.is_empty());
    let kept = server.mailbox("alice@a.example", "INBOX").await;
    assert!(!kept[0].system_flags.contains(SystemFlags::ANSWERED), "nobody was answered");
    let query = storage::trace::TraceQuery { limit: 9, ..storage::trace::TraceQuery::default() };
    let traces = server.store.traces(&query).await.unwrap();
    let told: Vec<String> = traces.iter().flat_map(|one| &one.steps).map(|taken| taken.step.to_string()).collect();
    assert!(
        told.iter()
            .any(|step| step.contains("at alice@a.example does not answer: the sender is on the suppression list")),
        "{told:?}"
    );
    assert!(!told.iter().any(|step| step.ends_with(" answers")), "{told:?}");
    // Where the list keeps nothing from leaving, the answer leaves.
    let nothing = delivery::SuppressionSettings { blocks: delivery::Blocks::Nothing, ..Default::default() };
    let responder = Responder::new(server.delivery.clone().suppressing(nothing));
    server.receive("dead@r.example", "alice@a.example", "").await;
    let row = server.store.events_after(Topic::MessageStored, 0, 9).await.unwrap().remove(0);
    responder.handle(&row).await.unwrap();
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn v01_an_absence_ends_with_its_account() {
    let server = Server::new("a.example").await;
    let absence = |r: &mut ResponderObject| r.kind = ResponderKind::OutOfOffice;
    server.add_responder("alice@a.example", absence).await;
    server.receive("x@r.example", "alice@a.example", "").await;
    server.store.remove_account(&address("alice@a.example")).await.unwrap();
    server.take_all().await.unwrap();
    assert!(server.queue().await.is_empty(), "nobody is there to be away");
    let to = ForwardPath::Address(address("alice@a.example"));
    let refused = server.delivery.decide(&Asking::anyone(server.store.now()), &to).await.unwrap_err();
    assert_eq!(refused.reply.code, 550);
}

#[tokio::test]
async fn v05_a_further_domain_names_the_person_and_answers() {
    let server = Server::new("a.example").await;
    server.put(Object::Domain(DomainObject::new(Domain::parse("b.example").unwrap()))).await;
    server.edit_account("alice@a.example", |account| account.also_in = vec![Domain::parse("b.example").unwrap()]).await;
    server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.receive("x@r.example", "alice@b.example", "").await;
    // Written to at one address, named by the other.
    let content = b"From: y@r.example\r\nTo: Alice <ALICE@b.example>\r\nSubject: x\r\n\r\nx\r\n";
    server.accept(ReversePath::Address(address("y@r.example")), "alice@a.example", content).await;
    server.submit("alice@a.example", "alice@b.example").await;
    server.take_all().await.unwrap();
    let queued = server.queued().await;
    assert_eq!(queued.len(), 2, "and not oneself");
    assert!(queued[0].contains("From: \"Alice Martin\" <alice@b.example>\r\n"), "{}", queued[0]);
    // One absence at the further address, and one at the primary: the more specific one answers, once.
    server
        .add_responder("alice@b.example", |r| {
            (r.kind, r.subject) = (ResponderKind::OutOfOffice, "Only there".to_owned());
            r.ends = Some("2026-09-30".to_owned());
        })
        .await;
    assert_eq!(server.answers_from("z@r.example", "alice@b.example", "").await, ["Only there"]);
    assert_eq!(server.answers_from("v@r.example", "alice@a.example", "").await, [SUBJECT]);
}
