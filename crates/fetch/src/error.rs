//! What goes wrong while mail is fetched, in words for the owner of the external account.

use auth::SealError;
use delivery::Refused;
use storage::StorageError;
use zeroize::Zeroizing;

use crate::limits::TOLD_CHARACTERS_MAX;

/// Why a look at an external account ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The name of the host leads nowhere.
    #[error("the host {0} is not found: {1}")]
    NoHost(String, String),
    /// No address of the host takes a connection.
    #[error("no connection to {0}: {1}")]
    NoConnection(String, String),
    /// The handshake failed, or the certificate is not the host's.
    #[error("no safe connection (TLS): {0}")]
    Tls(String),
    /// STARTTLS is wanted and not offered.
    #[error("the server does not offer STARTTLS, and the password does not go unprotected; try TLS from the start")]
    NoStartTls,
    /// Plain text is for this machine alone.
    #[error("plain text is allowed to this machine itself only, and {0} is another one")]
    NotHere(String),
    /// The server was silent for too long.
    #[error("the server did not answer in time")]
    TimedOut,
    /// A look took all its time without getting anywhere.
    #[error("the server is too slow: nothing was fetched in the time of one look")]
    TooSlow,
    /// The server closed the connection.
    #[error("the server closed the connection in the middle")]
    Closed,
    /// What comes is not the protocol.
    #[error("the server does not speak the protocol: {0}")]
    Protocol(String),
    /// Login or password is wrong.
    #[error("the server refused the login: {0}")]
    LoginRefused(String),
    /// There is no password, or none that could be said.
    #[error("there is no password; set one")]
    NoPassword,
    /// The stored password can't be opened.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// A command was refused.
    #[error("the server refused {0}: {1}")]
    CommandRefused(&'static str, String),
    /// A folder can't be opened.
    #[error("the folder {0} can't be opened: {1}")]
    NoFolder(String, String),
    /// Messages can't be told apart.
    #[error(
        "the server does not number its messages (UIDL), so that what was fetched can't be known again; choose to delete after fetching"
    )]
    NoUidl,
    /// More than is looked at.
    #[error("the mailbox holds more than {0} messages; file or delete some there")]
    TooMany(usize),
    /// The account here is gone or was switched off meanwhile.
    #[error("the external account or its owner is gone or switched off")]
    Gone,
    /// A message is larger than it may be, as it turned out too late: the connection is of no use any more.
    #[error("a message is larger than it was said to be")]
    TooLarge,
    /// The account here is full.
    #[error("the mailbox here is full (quota); fetching goes on when there is room")]
    OverQuota,
    /// Our own store.
    #[error("the message could not be stored here: {0}")]
    Storage(StorageError),
}

impl From<StorageError> for FetchError {
    fn from(error: StorageError) -> Self {
        if matches!(error, StorageError::OverQuota) { Self::OverQuota } else { Self::Storage(error) }
    }
}

impl From<Refused> for FetchError {
    fn from(refused: Refused) -> Self {
        Self::Storage(StorageError::Io(refused.to_string()))
    }
}

/// What a server said, without control characters and whole: before it is shown, [`fit`] takes the password out and cuts it.
pub(crate) fn told(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.trim().is_empty() { "no reason was given".to_owned() } else { plain(&text) }
}

/// A text that may repeat what a server said, fit for a log, a letter and a terminal: without the password, in clear, as IMAP
/// quotes it or as SASL sends it, and of bounded length. The password goes first, or a part of it could be left at the cut.
pub(crate) fn fit(text: &str, login: &str, password: Option<&str>) -> String {
    use base64::Engine as _;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let mut text = Zeroizing::new(text.to_owned());
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        // RFC 4616 §2, RFC 9051 §9 (quoted), the password in clear, and AUTH LOGIN.
        let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
        let forms = [base64(&format!("\0{login}\0{password}")), plain(&quoted), plain(password), base64(password)];
        for form in forms.map(Zeroizing::new) {
            text = Zeroizing::new(text.replace(form.as_str(), "…"));
        }
    }
    let cut: Zeroizing<String> = Zeroizing::new(text.chars().take(TOLD_CHARACTERS_MAX).collect());
    cut.trim().to_owned()
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line_of_bounded_length() {
        assert_eq!(told(b"no\r\n\x1b[31mway\xff"), "no   [31mway\u{fffd}");
        assert_eq!(fit(&told(&[b'x'; 10_000]), "alice", None).len(), TOLD_CHARACTERS_MAX);
        assert_eq!(told(b" \r\n"), "no reason was given");
    }

    #[test]
    fn a_password_that_comes_back_is_not_told() {
        let said = "bad password hunter2 (AGFsaWNlAGh1bnRlcjI=, aHVudGVyMg==)";
        assert_eq!(fit(said, "alice", Some("hunter2")), "bad password … (…, …)");
        assert_eq!(fit("bad password", "alice", Some("")), "bad password");
        // As it was quoted.
        let password = r#"a"b\c"#;
        assert_eq!(fit(r#"LOGIN "alice" "a\"b\\c" or a"b\c"#, "alice", Some(password)), r#"LOGIN "alice" "…" or …"#);
    }

    #[test]
    fn no_part_of_a_password_is_left_where_a_text_is_cut() {
        for before in TOLD_CHARACTERS_MAX - 10..TOLD_CHARACTERS_MAX + 3 {
            let said = told(format!("{} hunter2", "x".repeat(before)).as_bytes());
            let shown = fit(&said, "alice", Some("hunter2"));
            assert!(!shown.contains('h') && shown.chars().count() <= TOLD_CHARACTERS_MAX, "{before}: {shown}");
        }
        // With a space at its end, or a tab.
        for password in ["hunter2 ", "hunter\t2"] {
            let shown = fit(&told(format!("no: {password}\r\n").as_bytes()), "alice", Some(password));
            assert!(!shown.contains("hunter"), "{shown}");
        }
    }
}
