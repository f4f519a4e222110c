//! `Misbehaviour`: what a client can do wrong, each with its reply and its counter.
//!
//! Codes: RFC 5321 §4.2.2, §4.3.2; enhanced codes: RFC 3463. The texts are public and stable.

use mail::{EnhancedCode, PathFlaw, Reply};

/// What a client did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// A line over its limit. It was read to its end and thrown away.
    LineTooLong,
    /// An over-long line whose end is not in sight.
    LineEndless,
    /// A line that ends with LF alone, and nothing behind it.
    LineEndsWithLf,
    /// An AUTH line over 12,288 octets (RFC 4954 §4).
    AuthLineTooLong,
    /// CR or LF inside a command line.
    BareNewlineInCommand,
    /// NUL or another control character in a command line.
    ControlCharacter,
    /// A command line that is no UTF-8.
    BadUtf8,
    /// No such command.
    UnknownCommand,
    /// A command of SMTP that this server does not have.
    NotImplemented,
    /// A command that takes no argument has one.
    ArgumentNotAllowed,
    /// The argument is missing or not as the grammar wants it; the text shows the form.
    Syntax(&'static str),
    /// The name behind EHLO or HELO is none.
    BadHelo,
    /// The path of MAIL is wrong.
    BadReversePath(PathFlaw),
    /// The path of RCPT is wrong.
    BadForwardPath(PathFlaw),
    /// An address outside ASCII without the SMTPUTF8 parameter (RFC 6531 §3.5).
    NeedsSmtpUtf8,
    /// A parameter with a wrong value.
    BadParameter(&'static str),
    /// A parameter twice.
    RepeatedParameter,
    /// A parameter that was not announced.
    UnsupportedParameter,
    /// DATA for a message that was announced with BODY=BINARYMIME (RFC 3030 §3).
    BinaryNeedsChunks,
    /// HOLDFOR or HOLDUNTIL beyond what is announced (RFC 4865 §4).
    HeldTooLong,
    /// BURL with a URL of another kind than IMAP's (RFC 4468 §3.3).
    UnknownUrl,
    /// SOLICIT with a class that is not wanted here (RFC 3865 §4.2).
    Soliciting,
    /// More domains among the recipients than one transaction may have (RFC 9422 §4.3).
    TooManyDomains,
    /// A command before EHLO or HELO.
    HelloFirst,
    /// LMTP begins with LHLO.
    LhloFirst,
    /// EHLO or HELO to LMTP (RFC 2033 §4.1).
    LhloHere,
    /// XCLIENT from somebody who may not say it.
    XclientRefused,
    /// RCPT, DATA or BDAT without MAIL.
    MailFirst,
    /// DATA, BDAT or BURL without an accepted recipient.
    NoRecipients,
    /// The same over LMTP, where it is 503 (RFC 2033 §4.2).
    NoLmtpRecipients,
    /// MAIL inside a mail transaction.
    NestedMail,
    /// STARTTLS or AUTH inside a mail transaction.
    InsideTransaction,
    /// DATA, RCPT or MAIL between the chunks of a message (RFC 3030 §2).
    BetweenChunks,
    /// BDAT or BURL after a chunk or URL that failed (RFC 3030 §2, RFC 4468 §3.2).
    ChunkAfterFailure,
    /// A chunk size with more digits than any message has; where the chunk ends is unknown.
    ChunkSizeUnreadable,
    /// STARTTLS where it is not offered.
    TlsNotOffered,
    /// STARTTLS under TLS.
    AlreadyTls,
    /// Anything but EHLO, STARTTLS, NOOP, QUIT before TLS on a submission port.
    TlsFirst,
    /// AUTH without TLS (RFC 4954 §6).
    TlsBeforeAuth,
    /// MAIL without AUTH on a submission port.
    AuthFirst,
    /// AUTH a second time (RFC 4954 §4).
    AlreadyAuthenticated,
    /// A mechanism that was not announced.
    UnknownMechanism,
    /// A response that is no base64.
    BadBase64,
    /// A response whose content is not what the mechanism wants.
    BadCredentials,
    /// The client cancelled with `*`.
    AuthCancelled,
    /// The login or the password is wrong.
    AuthRefused,
    /// Too many failed authentications.
    TooManyAuthFailures,
    /// A message over the limit, by SIZE or by its octets.
    MessageTooLarge,
    /// A message so large that reading it to its end is not worth it.
    MessageFarTooLarge,
    /// More recipients than one transaction may have.
    TooManyRecipients,
    /// CR or LF alone inside the message.
    BareNewlineInMessage,
    /// NUL inside the message.
    NulInMessage,
    /// Too many errors in a row.
    TooManyBadCommands,
    /// Too many commands that bring no mail forward.
    TooManyIdleCommands,
    /// Too many recipients refused.
    TooManyRefusedRecipients,
    /// Too many mail transactions in one connection.
    TooManyTransactions,
    /// Nothing was heard for too long.
    Idle,
    /// The message takes too long.
    BodyTooSlow,
    /// Too many connections, in all, or from one address or network.
    TooManyConnections,
}

impl Misbehaviour {
    /// What the client is told.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let fixed =
            |code, (class, subject, detail), text| Reply::fixed(code, EnhancedCode(class, subject, detail), text);
        match self {
            Self::LineTooLong => fixed(500, (5, 5, 2), "The line is too long"),
            Self::LineEndless => fixed(500, (5, 5, 2), "The line does not end; closing"),
            Self::LineEndsWithLf => fixed(500, (5, 5, 2), "The line ends with LF alone; lines must end with CR LF"),
            // RFC 4954 §4: 500, and 5.5.6 of §6 for this one line.
            Self::AuthLineTooLong => fixed(500, (5, 5, 6), "The authentication line is too long"),
            Self::BareNewlineInCommand => fixed(500, (5, 5, 2), "Lines end with CR LF, and have neither alone"),
            Self::ControlCharacter => fixed(500, (5, 5, 2), "The line has a control character"),
            Self::BadUtf8 => fixed(500, (5, 5, 2), "The line is not valid UTF-8"),
            Self::UnknownCommand => fixed(500, (5, 5, 1), "No such command"),
            Self::NotImplemented => fixed(502, (5, 5, 1), "This command is not implemented"),
            Self::ArgumentNotAllowed => fixed(501, (5, 5, 4), "This command takes no argument"),
            Self::Syntax(form) => Reply::new(501, Some(EnhancedCode(5, 5, 4)), format!("Syntax: {form}")),
            Self::BadHelo => fixed(501, (5, 5, 4), "The name must be a domain or an address literal"),
            Self::BadReversePath(flaw) => Reply::new(501, Some(EnhancedCode(5, 1, 7)), sentence(&flaw.to_string())),
            Self::BadForwardPath(flaw) => Reply::new(501, Some(EnhancedCode(5, 1, 3)), sentence(&flaw.to_string())),
            Self::NeedsSmtpUtf8 => fixed(553, (5, 6, 7), "This address needs the SMTPUTF8 parameter of MAIL"),
            // RFC 4865 §4.
            Self::BadParameter("HOLDUNTIL") => fixed(
                501,
                (5, 5, 4),
                "The value of HOLDUNTIL is wrong: it is a date and time (RFC 3339), such as 2030-12-31T08:00:00Z, without HOLDFOR",
            ),
            Self::BadParameter(name) => {
                Reply::new(501, Some(EnhancedCode(5, 5, 4)), format!("The value of {name} is wrong"))
            }
            Self::RepeatedParameter => fixed(501, (5, 5, 4), "A parameter is given twice"),
            Self::UnsupportedParameter => fixed(555, (5, 5, 4), "A parameter is not supported"),
            Self::BinaryNeedsChunks => fixed(503, (5, 5, 1), "A message with BODY=BINARYMIME comes by BDAT"),
            Self::HeldTooLong => fixed(501, (5, 5, 4), "The message would be held longer than EHLO allows"),
            Self::UnknownUrl => fixed(504, (5, 5, 4), "Only URLs of IMAP are taken"),
            Self::Soliciting => fixed(550, (5, 7, 1), "Solicitations of this class are not wanted here"),
            Self::TooManyDomains => {
                fixed(452, (4, 5, 3), "Recipients in too many domains; send the rest in a new transaction")
            }
            Self::HelloFirst => fixed(503, (5, 5, 1), "Say EHLO first"),
            Self::LhloFirst => fixed(503, (5, 5, 1), "Say LHLO first"),
            Self::LhloHere => fixed(500, (5, 5, 1), "This is LMTP; say LHLO"),
            Self::XclientRefused => fixed(550, (5, 7, 1), "You may not say XCLIENT"),
            Self::MailFirst => fixed(503, (5, 5, 1), "Say MAIL first"),
            // RFC 5321 §3.3: 503 or 554 when there is no recipient.
            Self::NoRecipients => fixed(554, (5, 5, 1), "No valid recipients"),
            Self::NoLmtpRecipients => fixed(503, (5, 5, 1), "No valid recipients"),
            Self::NestedMail => fixed(503, (5, 5, 1), "A mail transaction is open; RSET ends it"),
            Self::InsideTransaction => {
                fixed(503, (5, 5, 1), "A mail transaction is open, and this comes before one; RSET ends it")
            }
            Self::BetweenChunks => fixed(503, (5, 5, 1), "A message is being sent by BDAT; RSET gives it up"),
            Self::ChunkAfterFailure => fixed(503, (5, 5, 1), "An earlier chunk has failed; begin again with RSET"),
            Self::ChunkSizeUnreadable => fixed(501, (5, 5, 4), "The chunk size has too many digits; closing"),
            Self::TlsNotOffered => fixed(502, (5, 5, 1), "TLS is not available here"),
            Self::AlreadyTls => fixed(503, (5, 5, 1), "TLS is on already"),
            Self::TlsFirst => fixed(530, (5, 7, 0), "Say STARTTLS first"),
            Self::TlsBeforeAuth => fixed(538, (5, 7, 11), "Authentication needs TLS; say STARTTLS first"),
            Self::AuthFirst => fixed(530, (5, 7, 0), "Authentication required"),
            Self::AlreadyAuthenticated => fixed(503, (5, 5, 1), "Authenticated already"),
            Self::UnknownMechanism => fixed(504, (5, 5, 4), "This mechanism is not supported"),
            Self::BadBase64 => fixed(501, (5, 5, 2), "The response is not valid base64"),
            Self::BadCredentials => fixed(501, (5, 5, 2), "The response is not what the mechanism wants"),
            Self::AuthCancelled => fixed(501, (5, 7, 0), "Authentication cancelled"),
            Self::AuthRefused => fixed(535, (5, 7, 8), "Login or password is wrong"),
            Self::TooManyAuthFailures => fixed(421, (4, 7, 0), "Too many failed authentications; closing"),
            Self::MessageTooLarge => fixed(552, (5, 3, 4), "The message is larger than this server takes"),
            Self::MessageFarTooLarge => fixed(552, (5, 3, 4), "The message is far too large; closing"),
            Self::TooManyRecipients => fixed(452, (4, 5, 3), "Too many recipients; send the rest in a new transaction"),
            Self::BareNewlineInMessage => {
                fixed(550, (5, 6, 11), "The message has CR or LF alone; lines must end with CR LF")
            }
            Self::NulInMessage => fixed(550, (5, 6, 0), "The message has a NUL octet"),
            Self::TooManyBadCommands => fixed(421, (4, 7, 0), "Too many errors; closing"),
            Self::TooManyIdleCommands => fixed(421, (4, 7, 0), "Too many commands without mail; closing"),
            Self::TooManyRefusedRecipients => fixed(421, (4, 7, 0), "Too many recipients were refused; closing"),
            Self::TooManyTransactions => fixed(421, (4, 7, 0), "Enough for one connection; come again"),
            Self::Idle => fixed(421, (4, 4, 2), "Nothing was heard for too long; closing"),
            Self::BodyTooSlow => fixed(421, (4, 4, 2), "The message takes too long; closing"),
            Self::TooManyConnections => fixed(421, (4, 7, 0), "Too many connections; come again later"),
        }
    }

    /// The value of the `reason` label of the counter `relais_smtp_in_misbehaviour_total`.
    #[must_use]
    pub fn counter(&self) -> &'static str {
        match self {
            Self::LineTooLong => "line_too_long",
            Self::LineEndless => "line_endless",
            Self::LineEndsWithLf => "line_ends_with_lf",
            Self::AuthLineTooLong => "auth_line_too_long",
            Self::BareNewlineInCommand => "bare_newline_in_command",
            Self::ControlCharacter => "control_character",
            Self::BadUtf8 => "bad_utf8",
            Self::UnknownCommand => "unknown_command",
            Self::NotImplemented => "not_implemented",
            Self::ArgumentNotAllowed => "argument_not_allowed",
            Self::Syntax(_) => "syntax",
            Self::BadHelo => "bad_helo",
            Self::BadReversePath(_) => "bad_reverse_path",
            Self::BadForwardPath(_) => "bad_forward_path",
            Self::NeedsSmtpUtf8 => "needs_smtputf8",
            Self::BadParameter(_) => "bad_parameter",
            Self::RepeatedParameter => "repeated_parameter",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::BinaryNeedsChunks => "binary_needs_chunks",
            Self::HeldTooLong => "held_too_long",
            Self::UnknownUrl => "unknown_url",
            Self::Soliciting => "soliciting",
            Self::TooManyDomains => "too_many_domains",
            Self::HelloFirst => "hello_first",
            Self::LhloFirst => "lhlo_first",
            Self::LhloHere => "lhlo_here",
            Self::XclientRefused => "xclient_refused",
            Self::MailFirst => "mail_first",
            Self::NoRecipients => "no_recipients",
            Self::NoLmtpRecipients => "no_lmtp_recipients",
            Self::NestedMail => "nested_mail",
            Self::InsideTransaction => "inside_transaction",
            Self::BetweenChunks => "between_chunks",
            Self::ChunkAfterFailure => "chunk_after_failure",
            Self::ChunkSizeUnreadable => "chunk_size_unreadable",
            Self::TlsNotOffered => "tls_not_offered",
            Self::AlreadyTls => "already_tls",
            Self::TlsFirst => "tls_first",
            Self::TlsBeforeAuth => "tls_before_auth",
            Self::AuthFirst => "auth_first",
            Self::AlreadyAuthenticated => "already_authenticated",
            Self::UnknownMechanism => "unknown_mechanism",
            Self::BadBase64 => "bad_base64",
            Self::BadCredentials => "bad_credentials",
            Self::AuthCancelled => "auth_cancelled",
            Self::AuthRefused => "auth_refused",
            Self::TooManyAuthFailures => "too_many_auth_failures",
            Self::MessageTooLarge => "message_too_large",
            Self::MessageFarTooLarge => "message_far_too_large",
            Self::TooManyRecipients => "too_many_recipients",
            Self::BareNewlineInMessage => "bare_newline_in_message",
            Self::NulInMessage => "nul_in_message",
            Self::TooManyBadCommands => "too_many_bad_commands",
            Self::TooManyIdleCommands => "too_many_idle_commands",
            Self::TooManyRefusedRecipients => "too_many_refused_recipients",
            Self::TooManyTransactions => "too_many_transactions",
            Self::Idle => "idle",
            Self::BodyTooSlow => "body_too_slow",
            Self::TooManyConnections => "too_many_connections",
        }
    }

    /// Whether the connection ends with it.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.reply().code == 421
            || matches!(self, Self::ChunkSizeUnreadable | Self::MessageFarTooLarge | Self::LineEndless)
    }

    /// Whether honest clients hardly ever do it: garbage, other protocols. What only stands at the wrong place, or is too much of something, is
    /// not among them, nor what is in a message: that is its author's, and the client may be everybody's provider.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        matches!(
            self,
            Self::LineTooLong
                | Self::LineEndless
                | Self::LineEndsWithLf
                | Self::AuthLineTooLong
                | Self::BareNewlineInCommand
                | Self::ControlCharacter
                | Self::BadUtf8
                | Self::UnknownCommand
                | Self::NotImplemented
                | Self::Syntax(_)
                | Self::BadHelo
                | Self::BadReversePath(_)
                | Self::BadForwardPath(_)
                | Self::BadParameter(_)
                | Self::RepeatedParameter
                | Self::HelloFirst
                | Self::MailFirst
                | Self::XclientRefused
                | Self::ChunkSizeUnreadable
                | Self::UnknownMechanism
                | Self::BadBase64
                | Self::BadCredentials
                | Self::TooManyBadCommands
        )
    }

    /// Whether it counts towards the errors in a row. What an honest client that pipelines or has much to send
    /// runs into does not, and has a bound of its own (`Limits::excused_errors_max`).
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(
            self,
            Self::TooManyRecipients
                | Self::TooManyDomains
                | Self::MessageTooLarge
                | Self::BareNewlineInMessage
                | Self::NulInMessage
                | Self::ChunkAfterFailure
                | Self::NoRecipients
                | Self::NoLmtpRecipients
                | Self::AuthRefused
                | Self::AuthCancelled
        )
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
