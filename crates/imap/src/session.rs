//! One client's session: its state, and the way of a command from its text to its tagged response.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bus::MailboxWatch;
use imap_wire::response::{self, Code, Condition};
use imap_wire::{Announcement, Command, CommandBody, CommandText, FrameLimits, NameEncoding, NumberSet, Refusal, Tag};
use mail::AccountId;
use routing::may_set_quotas;
use routing::objects::{AccountObject, Service};
use storage::rows::MailboxRow;
use storage::sharing::person_seen::PersonSeen;
use world::Clock;

use crate::access::{MailboxAccess, no_right};
use crate::annotations::AnnotationsTold;
use crate::commands::update::Updated;
use crate::commands::upload::Uploads;
use crate::connection::{Connection, Event};
use crate::engine::capability::{Offer, Safety, capabilities};
use crate::engine::comparator::Comparator;
use crate::engine::enabled::Enabled;
use crate::engine::message_limit::Limited;
use crate::engine::table::{self, Rule, StateKind};
use crate::engine::view::SessionView;
use crate::fault::{Answer, Fault, Lost, uid_required};
use crate::limits::{BAD_COMMANDS_MAX, LOGIN_TIMEOUT};
use crate::notify::{Notifying, SelectedNews};
use crate::server::{Server, Slot};
use crate::settings::{Security, Settings};
use crate::views::Member;

/// One client's session.
pub(crate) struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) connection: Connection,
    pub(crate) peer: IpAddr,
    pub(crate) security: Security,
    pub(crate) tls: bool,
    pub(crate) user: Option<User>,
    pub(crate) selected: Option<Box<Selected>>,
    /// What the client has switched on.
    pub(crate) enabled: Enabled,
    /// How texts are compared (RFC 5255 §4).
    pub(crate) comparator: Comparator,
    /// What the client wants to hear of since its last NOTIFY.
    pub(crate) notify: Option<Box<Notifying>>,
    /// The messages that are being received, or were for the command at hand.
    pub(crate) uploads: Option<Box<Uploads>>,
    pub(crate) login_failures: u32,
    /// Set when the connection shall be closed after the current response.
    pub(crate) ending: Option<Cow<'static, str>>,
    bad_commands: u32,
}

/// Who is logged in.
pub(crate) struct User {
    pub(crate) account: Arc<AccountObject>,
    pub(crate) _slot: Slot<AccountId>,
    /// Set by ENABLE METADATA: which changes of annotations the client has been told of.
    pub(crate) annotations: Option<Box<AnnotationsTold>>,
}

/// The selected mailbox.
pub(crate) struct Selected {
    /// Whose it is.
    pub(crate) owner: AccountId,
    /// What may be done in it.
    pub(crate) access: MailboxAccess,
    /// What the reader has seen, where each has their own `\Seen`.
    pub(crate) reading: Option<PersonSeen>,
    /// As it was last read.
    pub(crate) row: MailboxRow,
    /// By EXAMINE.
    pub(crate) read_only: bool,
    /// What the client has been told.
    pub(crate) view: SessionView,
    /// UIDs that are `\Recent` in this session.
    pub(crate) recent: NumberSet,
    /// The client keeps a smaller MODSEQ than it has seen, because expunges waited (RFC 7162 §3.2).
    pub(crate) behind: bool,
    /// New messages of this session's own making, which it has been told of.
    pub(crate) own_arrivals: NumberSet,
    /// How many keywords the client has been told of.
    pub(crate) keywords_told: usize,
    /// UIDs that the last SEARCH saved: `$` (RFC 5182).
    pub(crate) saved: NumberSet,
    /// Searches whose results are kept up to date (RFC 5267).
    pub(crate) updates: Vec<Updated>,
    pub(crate) member: Member,
    pub(crate) watch: MailboxWatch,
}

impl Session {
    /// A session at its start.
    pub(crate) fn new(
        server: Arc<Server>,
        settings: Arc<Settings>,
        connection: Connection,
        peer: IpAddr,
        security: Security,
    ) -> Self {
        Self {
            server,
            settings,
            connection,
            peer,
            security,
            tls: false,
            user: None,
            selected: None,
            enabled: Enabled::default(),
            comparator: Comparator::default(),
            notify: None,
            uploads: None,
            login_failures: 0,
            ending: None,
            bad_commands: 0,
        }
    }

    /// Lives the session to its end.
    pub(crate) async fn run(mut self: Box<Self>) {
        if let Err(lost) = self.talk().await {
            metrics::counter!("relais_imap_sessions_ended_total", "reason" => lost.name()).increment(1);
            if let Some((text, code)) = lost.bye() {
                self.say_bye(code.as_ref(), text);
            }
        }
        self.selected = None;
        self.uploads = None;
        self.server.orders.age(self.server.store.now());
        self.connection.close().await;
    }

    async fn talk(&mut self) -> Result<(), Lost> {
        if self.security == Security::ImplicitTls {
            let Some(tls) = self.server.tls.as_ref().map(|tls| tls.current()) else { return Err(Lost::Closed) };
            Box::pin(self.connection.start_tls(tls)).await?;
            self.tls = true;
        }
        let code = Code::Capability(self.capabilities());
        let text = format!("{} IMAP ready", self.settings.hostname);
        response::greeting(self.connection.out(), Some(&code), &text);
        while self.ending.is_none() {
            let silence_max = if self.user.is_some() { self.settings.autologout } else { LOGIN_TIMEOUT };
            let event = match self.notify {
                None => self.connection.next(Some(silence_max)).await?,
                // Boxed: the many sessions without NOTIFY should be small.
                Some(_) => Box::pin(self.next_amid_news(silence_max)).await?,
            };
            match event {
                Event::Command(text) => self.command(text).await?,
                Event::Announced(announcement) => Box::pin(self.announced(announcement)).await?,
                Event::Chunk(chunk) => Box::pin(self.upload_chunk(&chunk)).await,
                Event::MessageEnd { ticket, nul } => Box::pin(self.upload_end(ticket, nul)).await,
                Event::Misbehaviour { refusal, close } => {
                    self.refuse(refusal);
                    if close {
                        self.ending = Some("The connection is out of step".into());
                    }
                }
                // Nobody asked for a line: the framer only gives one when told to.
                Event::Line(_) | Event::BadLine(_) => {}
            }
            // Nothing bounds how many commands come in one piece: what they are told is not collected.
            self.connection.flush_some().await?;
        }
        if let Some(text) = self.ending.take().filter(|text| !text.is_empty()) {
            self.say_bye(None, &text);
        }
        Ok(())
    }

    /// The tagged response, in the client's language.
    pub(crate) fn say_answer(&mut self, tag: &Tag, answer: &Answer) {
        let (text, charset) = (self.enabled.language.say(&answer.text), self.enabled.text_charset());
        response::tagged_in(self.connection.out(), tag, answer.condition, answer.code.as_ref(), &text, charset);
    }

    /// The answer to a command whose tag may be unreadable.
    pub(crate) fn say_answer_to(&mut self, tag: Option<&Tag>, answer: &Answer) {
        match tag {
            Some(tag) => self.say_answer(tag, answer),
            None => self.say(answer.condition, answer.code.as_ref(), &answer.text),
        }
    }

    /// What is no command is answered and counted.
    fn refuse(&mut self, refusal: Refusal) {
        self.uploads = None;
        let tag = refusal.tag.clone();
        self.say_answer_to(tag.as_ref(), &refusal.into());
        self.count_bad();
    }

    /// `* OK [code] text` and the like, in the client's language.
    pub(crate) fn say(&mut self, condition: Condition, code: Option<&Code>, text: &str) {
        let (text, charset) = (self.enabled.language.say(text), self.enabled.text_charset());
        response::untagged_in(self.connection.out(), condition, code, &text, charset);
    }

    /// The answer of a command that worked on the highest UIDs alone of what it named. Where the answer has a code already, an
    /// untagged NO tells (RFC 9738 §3.1).
    pub(crate) fn answer_limited(&mut self, answer: Answer, limited: Option<Limited>) -> Answer {
        match limited {
            None => answer,
            Some(limited) if answer.condition == Condition::Ok && answer.code.is_none() => answer.with(limited.code()),
            Some(limited) => {
                self.say(Condition::No, Some(&limited.code()), "Only the messages with the highest UIDs");
                answer
            }
        }
    }

    /// `* BYE [code] text`, in the client's language.
    pub(crate) fn say_bye(&mut self, code: Option<&Code>, text: &str) {
        let (text, charset) = (self.enabled.language.say(text), self.enabled.text_charset());
        response::bye_in(self.connection.out(), code, &text, charset);
    }

    /// The next event from the client; what it wants to hear of is told meanwhile (RFC 5465). What happens while the client is in
    /// the middle of a command waits for its end.
    async fn next_amid_news(&mut self, silence_max: Duration) -> Result<Event, Lost> {
        let clock = Arc::clone(&self.server.world.clock);
        // To be told something is not to have said anything (RFC 3501 §5.4).
        let silent_from = clock.now();
        loop {
            let between = self.connection.framer.is_idle();
            if between && self.notify.as_deref().is_some_and(|notify| notify.pending) {
                self.tell_news(false).await?;
            }
            let immediate = matches!(self.selected_news(), SelectedNews::Some(_));
            let silent_ms = clock.now().0.saturating_sub(silent_from.0);
            let left = silence_max.saturating_sub(Duration::from_millis(u64::try_from(silent_ms).unwrap_or(0)));
            let selected = self.selected.as_deref_mut().filter(|_| immediate);
            let ring = ring(selected.map(|selected| &mut selected.watch), self.notify.as_deref(), &*clock);
            tokio::select! {
                biased;
                event = self.connection.next(Some(left)) => return event,
                () = ring, if between => {}
            }
            if let Some(notify) = self.notify.as_deref_mut() {
                notify.pending = true;
            }
        }
    }

    /// A whole command: parse, check, do, tell, answer.
    async fn command(&mut self, text: CommandText) -> Result<(), Lost> {
        let decoded = imap_wire::decode(&text, self.encoding());
        drop(text);
        match decoded {
            Ok(Command { tag, body }) => self.perform(tag, body).await,
            Err(refusal) => {
                self.refuse(refusal);
                Ok(())
            }
        }
    }

    async fn perform(&mut self, tag: Tag, body: CommandBody) -> Result<(), Lost> {
        self.leave_if_shut_out()?;
        let name = body.name();
        let rule = table::rule(&body);
        let mut farewell = None;
        let answer = match rule.allowed.check(self.state()) {
            Err(why) => Ok(Answer::bad(why)),
            Ok(()) if self.enabled.uid_only && table::names_numbers(&body, rule) => Ok(uid_required()),
            Ok(()) => match Box::pin(self.look_elsewhere(rule)).await {
                // Not boxed: what waits for hours should be small.
                Ok(()) if matches!(body, CommandBody::Idle) => self.idle().await,
                Ok(()) => Box::pin(self.execute(&tag, body)).await,
                // The command is not done: its answer says so before the farewell.
                Err(Fault::Lost(lost @ Lost::RightsWithdrawn)) => {
                    farewell = Some(lost);
                    Ok(no_right())
                }
                Err(fault) => Err(fault),
            },
        };
        self.uploads = None;
        let answer = match answer {
            Ok(answer) => answer,
            Err(Fault::Lost(lost)) => return Err(lost),
            Err(Fault::Storage(error)) => self.explain(name, &error),
        };
        let what = if farewell.is_some() { table::Sync::Nothing } else { rule.sync };
        match Box::pin(self.sync(what, rule.uid)).await {
            Ok(()) => {}
            // What the command did is done: its answer comes before the farewell.
            Err(Fault::Lost(lost @ (Lost::MailboxDeleted | Lost::RightsWithdrawn))) => farewell = Some(lost),
            Err(Fault::Lost(lost)) => return Err(lost),
            // What could not be told now is told with the next command.
            Err(Fault::Storage(error)) => {
                self.explain(name, &error);
            }
        }
        match Box::pin(self.tell_annotations()).await {
            Ok(()) => {}
            Err(Fault::Lost(lost)) => return Err(lost),
            // As above: the next command tells.
            Err(Fault::Storage(error)) => {
                self.explain(name, &error);
            }
        }
        self.count(name, answer.condition);
        self.say_answer(&tag, &answer);
        // STARTTLS: the answer goes out in clear, then the handshake begins.
        if name == "STARTTLS" && answer.condition == Condition::Ok {
            Box::pin(self.turn_on_tls()).await?;
        }
        // RFC 4978 §3: the answer still goes out as it is.
        if name == "COMPRESS" && answer.condition == Condition::Ok {
            self.connection.flush().await?;
            self.connection.compress();
        }
        if name == "UNAUTHENTICATE" && answer.condition == Condition::Ok {
            self.connection.flush().await?;
            self.forget();
        }
        farewell.map_or(Ok(()), Err)
    }

    /// The client knows MODSEQs from now on. The first command that says so is told where the selected mailbox is (RFC 7162
    /// §3.1).
    pub(crate) fn know_modseqs(&mut self) {
        if std::mem::replace(&mut self.enabled.condstore, true) {
            return;
        }
        if let Some(modseq) = self.selected.as_deref().map(|selected| selected.view.told_modseq()) {
            let code = Code::HighestModSeq(modseq.0);
            self.say(Condition::Ok, Some(&code), "Highest");
        }
    }

    /// After UNAUTHENTICATE: all is as at the start, but TLS stays (RFC 8437 §3).
    fn forget(&mut self) {
        // By name, so that what a session learns to keep has to be thought of here.
        let Self {
            server: _,
            settings: _,
            connection,
            peer: _,
            security: _,
            tls: _,
            user,
            selected,
            enabled,
            comparator,
            notify,
            uploads,
            login_failures: _,
            ending: _,
            bad_commands: _,
        } = self;
        *user = None;
        *selected = None;
        *enabled = Enabled::default();
        *comparator = Comparator::default();
        *notify = None;
        *uploads = None;
        connection.logged_out();
        connection.framer.set_limits(FrameLimits::BEFORE_LOGIN);
        connection.framer.set_encoding(enabled.name_encoding());
    }

    /// Ends the session when what let the person in does not any more: the password was changed, the account is gone, or
    /// IMAP was withdrawn.
    pub(crate) fn leave_if_shut_out(&self) -> Result<(), Lost> {
        let Some(user) = &self.user else { return Ok(()) };
        let end = routing::session_end(&self.server.store.directory(), &user.account, Service::Imap);
        let Some(reason) = end else { return Ok(()) };
        tracing::info!(peer = %self.peer, account = %user.account.address, %reason, "session ended");
        Err(Lost::ShutOut)
    }

    fn explain(&self, command: &str, error: &storage::StorageError) -> Answer {
        let answer = Answer::of(error);
        if error.is_temporary() || answer.code == Some(Code::ServerBug) {
            metrics::counter!("relais_imap_storage_errors_total").increment(1);
            let account = self.user.as_ref().map(|user| user.account.address.to_string()).unwrap_or_default();
            tracing::warn!(peer = %self.peer, account, command, %error, "the store refused");
        }
        answer
    }

    /// Whether the selected mailbox is another account's.
    fn is_elsewhere(&self) -> bool {
        let account = self.user.as_ref().map(|user| user.account.id);
        self.selected.as_deref().is_some_and(|selected| Some(selected.owner) != account)
    }

    /// Before a command while another account's mailbox is selected: what may be done there can have changed since the last one,
    /// and commands that need no selected mailbox reach into it too (CATENATE, ESEARCH).
    async fn look_elsewhere(&mut self, rule: Rule) -> Result<(), Fault> {
        // What only leaves the mailbox may always do so.
        let leaves = rule.allowed != table::Allowed::Selected && rule.sync == table::Sync::Nothing;
        if leaves || !self.is_elsewhere() {
            return Ok(());
        }
        match self.look_at_rights().await {
            // As with one's own: the command finds nothing in it, then comes the farewell.
            Err(Fault::Lost(Lost::MailboxDeleted)) => Ok(()),
            looked => looked,
        }
    }

    async fn execute(&mut self, tag: &Tag, body: CommandBody) -> Result<Answer, Fault> {
        match body {
            CommandBody::Capability => Ok(self.capability()),
            CommandBody::Noop => Ok(Answer::ok("Done")),
            CommandBody::Check => Ok(Answer::ok("All is on disk")),
            CommandBody::Logout => Ok(self.logout()),
            CommandBody::Id(fields) => Ok(self.id(&fields)),
            CommandBody::StartTls => Ok(self.starttls()),
            CommandBody::Compress => Ok(self.compress()),
            CommandBody::Authenticate { mechanism, initial_response } => {
                Box::pin(self.authenticate(&mechanism, initial_response)).await
            }
            CommandBody::Login { username, password } => Box::pin(self.login(&username, &password)).await,
            CommandBody::Enable(names) => Ok(self.enable(&names)),
            CommandBody::Select(select) => Box::pin(self.select(select)).await,
            CommandBody::Create(create) => Box::pin(self.create(create)).await,
            CommandBody::Delete(mailbox) => Box::pin(self.delete(&mailbox)).await,
            CommandBody::Rename { from, to } => Box::pin(self.rename(&from, &to)).await,
            CommandBody::Subscribe(mailbox) => Box::pin(self.subscribe(&mailbox, true)).await,
            CommandBody::Unsubscribe(mailbox) => Box::pin(self.subscribe(&mailbox, false)).await,
            CommandBody::List(list) => Box::pin(self.list(&list)).await,
            CommandBody::Lsub { reference, pattern } => Box::pin(self.lsub(&reference, &pattern)).await,
            CommandBody::Namespace => Ok(self.namespace()),
            CommandBody::Status { mailbox, items } => Box::pin(self.status(&mailbox, &items)).await,
            CommandBody::Append(append) => Box::pin(self.append(append)).await,
            CommandBody::SetAcl(command) => Box::pin(self.set_acl(&command)).await,
            CommandBody::DeleteAcl { mailbox, identifier } => Box::pin(self.delete_acl(&mailbox, &identifier)).await,
            CommandBody::GetAcl(mailbox) => Box::pin(self.get_acl(&mailbox)).await,
            CommandBody::ListRights { mailbox, identifier } => Box::pin(self.list_rights(&mailbox, &identifier)).await,
            CommandBody::MyRights(mailbox) => Box::pin(self.my_rights(&mailbox)).await,
            CommandBody::Language(ranges) => Ok(self.language(&ranges)),
            CommandBody::GetQuota(root) => Box::pin(self.get_quota(&root)).await,
            CommandBody::GetQuotaRoot(mailbox) => Box::pin(self.get_quota_root(&mailbox)).await,
            CommandBody::SetQuota(command) => Box::pin(self.set_quota(&command)).await,
            CommandBody::GetMetadata(command) => Box::pin(self.get_metadata(&command)).await,
            CommandBody::SetMetadata(command) => Box::pin(self.set_metadata(command)).await,
            CommandBody::GenUrlAuth(urls) => Box::pin(self.gen_urlauth(&urls)).await,
            CommandBody::ResetKey { mailbox, mechanisms } => {
                Box::pin(self.reset_key(mailbox.as_ref(), &mechanisms)).await
            }
            CommandBody::UrlFetch(urls) => Box::pin(self.url_fetch(&urls)).await,
            // Handled before: see `perform`.
            CommandBody::Idle => Ok(Answer::bad("IDLE can't be nested")),
            CommandBody::Notify(notify) => Box::pin(self.notify(notify)).await,
            CommandBody::Unauthenticate => Ok(self.unauthenticate()),
            CommandBody::Close => Box::pin(self.close()).await,
            CommandBody::Unselect => Ok(self.unselect()),
            CommandBody::Expunge { uids } => Box::pin(self.expunge(uids.as_ref())).await,
            CommandBody::Search(search) => Box::pin(self.search(tag, search)).await,
            CommandBody::Sort(sort) => Box::pin(self.sort(tag, sort)).await,
            CommandBody::Thread(thread) => Box::pin(self.thread(tag, thread)).await,
            CommandBody::Esearch(search) => Box::pin(self.esearch(tag, search)).await,
            CommandBody::CancelUpdate(tags) => self.cancel_update(&tags),
            CommandBody::Comparator(patterns) => Ok(self.choose_comparator(&patterns)),
            CommandBody::Fetch(fetch) => Box::pin(self.fetch(fetch)).await,
            CommandBody::Store(store) => Box::pin(self.store(store)).await,
            CommandBody::Copy(transfer) => Box::pin(self.copy(tag, &transfer)).await,
            CommandBody::Move(transfer) => Box::pin(self.move_messages(tag, &transfer)).await,
            CommandBody::Replace(replace) => Box::pin(self.replace(replace)).await,
            CommandBody::UidBatches { size, batches } => self.uid_batches(tag, size, batches),
        }
    }

    /// A message literal is announced: the answer comes before the octets (RFC 3501 §7.5, RFC 7889).
    async fn announced(&mut self, announcement: Announcement) -> Result<(), Lost> {
        self.leave_if_shut_out()?;
        let verdict = match table::Allowed::Authenticated.check(self.state()) {
            Err(why) => Err(Answer::bad(why)),
            Ok(()) => match self.weigh_append(&announcement).await {
                Ok(weighed) => weighed,
                Err(Fault::Lost(lost)) => return Err(lost),
                Err(Fault::Storage(error)) => Err(self.explain("APPEND", &error)),
            },
        };
        match verdict {
            Ok(()) => self.begin_upload(),
            Err(refusal) => {
                self.refuse_append(&announcement, &refusal);
                self.count("APPEND", refusal.condition);
            }
        }
        Ok(())
    }

    /// The state, as the table names it.
    pub(crate) const fn state(&self) -> StateKind {
        match (&self.user, &self.selected) {
            (None, _) => StateKind::NotAuthenticated,
            (Some(_), None) => StateKind::Authenticated,
            (Some(_), Some(_)) => StateKind::Selected,
        }
    }

    /// How names of mailboxes travel here.
    pub(crate) const fn encoding(&self) -> NameEncoding {
        self.enabled.name_encoding()
    }

    /// The account that is logged in. The table lets no command that asks for it run without one.
    pub(crate) fn account(&self) -> Result<AccountId, Fault> {
        self.user.as_ref().map(|user| user.account.id).ok_or(Fault::Storage(storage::StorageError::NoSuchAccount))
    }

    /// The selected mailbox. The table lets no command that asks for it run without one.
    pub(crate) fn selected(&mut self) -> Result<&mut Selected, Fault> {
        self.selected.as_deref_mut().ok_or(Fault::Storage(storage::StorageError::NoSuchMailbox))
    }

    /// Account and mailbox, as the store takes them.
    pub(crate) fn key(&mut self) -> Result<(AccountId, mail::MailboxId), Fault> {
        let selected = self.selected()?;
        Ok((selected.owner, selected.row.id))
    }

    /// What can be had right now.
    pub(crate) fn capabilities(&self) -> Vec<String> {
        let directory = self.server.store.directory();
        let offer = Offer {
            append_octets_max: self.settings.append_octets_max,
            message_limit: self.settings.message_limit,
            unauthenticate: self.settings.unauthenticate,
            sets_quotas: self.user.as_ref().is_some_and(|user| may_set_quotas(&directory, user.account.id)),
        };
        capabilities(self.state(), self.safety(), offer)
    }

    /// How safe the connection is.
    pub(crate) fn safety(&self) -> Safety {
        let facts = self.connection.tls();
        Safety {
            tls: self.tls,
            starttls: self.server.tls.is_some(),
            passwords: self.tls
                || (self.settings.plaintext_login_on_loopback && self.peer.to_canonical().is_loopback()),
            scram: self.server.authenticator.offers_scram(),
            tokens: self.server.authenticator.offers_tokens(),
            bindable: facts.is_some_and(|facts| !facts.bindings.is_empty()),
            certified: facts.is_some_and(|facts| !facts.certified.is_empty()),
        }
    }

    /// Larger commands are welcome from someone who has logged in, and so is staying.
    pub(crate) fn welcome(&mut self) {
        self.connection.logged_in(!self.settings.unauthenticate);
        self.connection.framer.set_limits(FrameLimits::LOGGED_IN);
    }

    /// A command is answered.
    fn count(&mut self, command: &'static str, condition: Condition) {
        let result = match condition {
            Condition::Ok => "ok",
            Condition::No => "no",
            Condition::Bad => "bad",
        };
        if condition == Condition::Bad {
            self.count_bad();
        } else {
            self.bad_commands = 0;
        }
        metrics::counter!("relais_imap_commands_total", "command" => command, "result" => result).increment(1);
        tracing::trace!(peer = %self.peer, command, result);
    }

    fn count_bad(&mut self) {
        metrics::counter!("relais_imap_bad_commands_total").increment(1);
        self.bad_commands = self.bad_commands.saturating_add(1);
        if self.bad_commands >= BAD_COMMANDS_MAX && self.ending.is_none() {
            self.ending = Some("Too many commands that make no sense".into());
        }
        // Who has logged in may err.
        if self.user.is_none()
            && let Some(why) = self.server.bad_command(self.peer)
        {
            self.ending = Some(why.into());
        }
    }
}

/// Ends when the selected mailbox changes, or something else that the client wants to hear of.
pub(crate) async fn ring(selected: Option<&mut MailboxWatch>, notify: Option<&Notifying>, clock: &dyn Clock) {
    let selected = async {
        match selected {
            Some(watch) => {
                watch.changed().await;
            }
            None => std::future::pending().await,
        }
    };
    let elsewhere = async {
        match notify {
            Some(notify) => notify.rung(clock).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = selected => {}
        () = elsewhere => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    /// What every idling client costs, beside the mailbox that it watches and its socket: a command that grew into the session's
    /// future instead of being boxed shows here.
    #[test]
    fn a_session_that_waits_is_small() {
        assert!(size_of_future(|session: Box<Session>| session.run()) <= 2_560);
        assert!(size_of_future(|session: &'static mut Session| session.idle()) <= 1_280);
        assert!(size_of::<Session>() + size_of::<Selected>() <= 1_280);
    }
}
