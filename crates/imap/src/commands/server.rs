//! Commands about the connection: CAPABILITY, LOGOUT, ID, ENABLE, NAMESPACE, STARTTLS, COMPRESS (RFC 3501 §6.1, §6.2.1;
//! RFC 2971, RFC 5161, RFC 2342, RFC 4978).

use imap_wire::response::{self, Code, Namespace};

use crate::engine::pattern::DELIMITER;
use crate::fault::{Answer, Lost};
use crate::foreign::prefixes;
use crate::session::Session;

impl Session {
    pub(crate) fn capability(&mut self) -> Answer {
        let names = self.capabilities();
        response::capability(self.connection.out(), &names);
        Answer::ok("That is what I can do")
    }

    /// RFC 3501 §6.1.3: BYE comes before the tagged OK.
    pub(crate) fn logout(&mut self) -> Answer {
        self.selected = None;
        self.say_bye(None, "Logging out");
        self.ending = Some("".into());
        Answer::ok("Bye")
    }

    /// RFC 2971. What a client says of itself goes to the log, at a level that is off by default.
    pub(crate) fn id(&mut self, fields: &[(Vec<u8>, Option<Vec<u8>>)]) -> Answer {
        for (name, value) in fields {
            let value = value.as_deref().map(|value| value.escape_ascii().to_string());
            tracing::debug!(peer = %self.peer, field = %name.escape_ascii(), value, "ID");
        }
        response::id(self.connection.out(), &[("name", "Relais"), ("version", env!("CARGO_PKG_VERSION"))]);
        Answer::ok("Pleased to meet you")
    }

    /// RFC 5161: unknown capabilities are passed over.
    pub(crate) fn enable(&mut self, names: &[String]) -> Answer {
        let mut enabled = Vec::new();
        let wants = |wanted: &str| names.iter().any(|name| name == wanted);
        if wants("CONDSTORE") {
            self.know_modseqs();
            enabled.push("CONDSTORE");
        }
        for name in ["METADATA", "METADATA-SERVER"] {
            if names.iter().any(|wanted| wanted == name) {
                self.hear_of_annotations();
                enabled.push(name);
            }
        }
        // RFC 7162 §3.2.3: with or without CONDSTORE.
        if wants("QRESYNC") {
            self.know_modseqs();
            self.enabled.qresync = true;
            enabled.push("QRESYNC");
        }
        // RFC 9051 §6.3.1: names in UTF-8, ESEARCH, no \Recent.
        if wants("IMAP4REV2") {
            self.enabled.rev2 = true;
            enabled.push("IMAP4rev2");
        }
        // RFC 9586 §3.1.
        if wants("UIDONLY") {
            self.enabled.uid_only = true;
            enabled.push("UIDONLY");
        }
        // RFC 6855 §3
        if wants("UTF8=ACCEPT") {
            self.enabled.utf8 = true;
            enabled.push("UTF8=ACCEPT");
        }
        self.connection.framer.set_encoding(self.encoding());
        response::enabled(self.connection.out(), &enabled);
        Answer::ok("Enabled")
    }

    pub(crate) fn namespace(&mut self) -> Answer {
        self.tell_namespaces();
        Answer::ok("Yours, other users', shared ones")
    }

    /// `* NAMESPACE …`, with the prefixes in the language that the client has chosen (RFC 5255 §3.4).
    pub(crate) fn tell_namespaces(&mut self) {
        let [others, shared] = prefixes();
        let language = self.enabled.language;
        let translated = [others.as_str(), shared.as_str()].map(|prefix| language.say(prefix));
        let [others_said, shared_said] = &translated;
        let encoding = self.encoding();
        response::namespace(
            self.connection.out(),
            encoding,
            &[space("", "")],
            &[space(&others, others_said)],
            &[space(&shared, shared_said)],
        );
    }

    pub(crate) fn starttls(&mut self) -> Answer {
        if self.tls {
            return Answer::bad("TLS is on already");
        }
        if self.connection.is_compressed() {
            return Answer::bad("Compression is on already; TLS goes first");
        }
        if self.server.tls.is_none() {
            return Answer::bad("TLS is not available");
        }
        Answer::ok("Begin the TLS handshake")
    }

    /// RFC 4978 §3; it begins once the answer is sent.
    pub(crate) fn compress(&mut self) -> Answer {
        if self.connection.is_compressed() {
            return Answer::bad("DEFLATE is active already").with(Code::CompressionActive);
        }
        Answer::ok("DEFLATE is active")
    }

    /// RFC 8437 §3; all is forgotten once the answer is sent. §8: an administrator can switch it off.
    pub(crate) fn unauthenticate(&mut self) -> Answer {
        if !self.settings.unauthenticate {
            return Answer::bad("UNAUTHENTICATE is switched off");
        }
        Answer::ok("Who are you?")
    }

    /// After STARTTLS was answered.
    pub(crate) async fn turn_on_tls(&mut self) -> Result<(), Lost> {
        self.connection.flush().await?;
        let Some(tls) = self.server.tls.as_ref().map(|tls| tls.current()) else { return Err(Lost::Closed) };
        self.connection.start_tls(tls).await?;
        self.tls = true;
        Ok(())
    }
}

/// A namespace, and how its prefix is called in the client's language.
fn space<'a>(prefix: &'a str, said: &'a str) -> Namespace<'a> {
    Namespace { prefix, delimiter: DELIMITER, translation: Some(said).filter(|said| *said != prefix) }
}
