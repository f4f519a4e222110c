//! Transcripts: conversations that a mail administrator can read, and the runner that plays them.
//!
//! ```text
//! # a comment
//! @user alice            a directive, handed to the stage (see below for those of the runner)
//! C: NOOP                the client sends this line and CRLF
//! S: 250 ...             the next line of the server must match
//! S*: * 1 EXISTS         among the lines up to the next `S:`, in any order, others that are untagged may stand between
//! 2 C: NOOP              on the second connection
//! ```
//! In a pattern `...` matches anything (at the end: the rest of the line), `{name}` binds what it finds the first time
//! and must match it afterwards; in a `C:` line a bound `{name}` is replaced. `\...` and `\{` are taken as they are.
//! A directive of the stage may bind names too, for what a client has to compute: what they stand for is said in a `C:`
//! line, and cut as all that is said there.
//!
//! Directives of the runner: `@bytes TEXT` sends TEXT without CRLF (`\r \n \t \0 \\ \xHH`), `@repeat N TEXT` sends it
//! N times, `@closed` awaits the end of the connection. `2 @bytes …` means the second connection.
//!
//! What the client sends between two lines of the server is sent as one piece, so a transcript can be run at once,
//! octet by octet, or cut at any place.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A server to talk to, and what directives can do with it.
pub trait Stage {
    /// Opens a connection; called once for each number.
    ///
    /// # Errors
    /// A text that tells why it could not be done; so for all of them.
    fn connect(&mut self, connection: u32) -> Result<(), String>;
    /// Sends octets.
    ///
    /// # Errors
    /// See above.
    fn send(&mut self, connection: u32, octets: &[u8]) -> Result<(), String>;
    /// The next line of the server without its CRLF; `None` when it has closed the connection.
    ///
    /// # Errors
    /// See above; also when nothing comes.
    fn read_line(&mut self, connection: u32) -> Result<Option<String>, String>;
    /// Does what a directive says. Directives before the first line come before [`Stage::connect`].
    ///
    /// # Errors
    /// See above; also when the directive is unknown.
    fn directive(&mut self, connection: u32, directive: &str) -> Result<(), String>;
    /// The names that the last directive has bound, with what they stand for from now on.
    fn names(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Whether a line may stand between those that `S*:` expects.
    fn is_untagged(&self, line: &str) -> bool {
        line.starts_with("* ")
    }
    /// The transcript is over: is anything left that it does not mention?
    ///
    /// # Errors
    /// Tells what is left.
    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// How the client's octets are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeding {
    /// As much at a time as the conversation allows.
    AtOnce,
    /// One octet at a time.
    OctetByOctet,
    /// In two at this place, counted over all that the client says.
    CutAt(usize),
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Transcript {
    path: PathBuf,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    connection: u32,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Client(String),
    Octets(Vec<u8>),
    Server(String),
    Among(String),
    Closed,
    Directive(String),
}

/// Where a transcript and a server differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `path:line (feeding)`.
    pub place: String,
    /// What was expected and what came.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Failure {}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// Names the first line that is none.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let mut steps = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line_number = n + 1;
            let wrong =
                |message: &str| Failure { place: format!("{}:{line_number}", path.display()), message: message.into() };
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (connection, rest) = match line.split_once(' ') {
                Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => {
                    (number.parse().map_err(|_| wrong("no connection has this number"))?, rest)
                }
                _ => (1, line),
            };
            let what = if let Some(text) = tail(rest, "C:") {
                What::Client(text.to_owned())
            } else if let Some(text) = tail(rest, "S:") {
                What::Server(text.to_owned())
            } else if let Some(text) = tail(rest, "S*:") {
                What::Among(text.to_owned())
            } else if let Some(text) = tail(rest, "@bytes") {
                What::Octets(unescape(text).ok_or_else(|| wrong("an escape is none"))?)
            } else if let Some(text) = tail(rest, "@repeat") {
                let (count, text) = text.split_once(' ').ok_or_else(|| wrong("@repeat N TEXT"))?;
                let count = count.parse().map_err(|_| wrong("@repeat N TEXT"))?;
                What::Octets(unescape(text).ok_or_else(|| wrong("an escape is none"))?.repeat(count))
            } else if rest == "@closed" {
                What::Closed
            } else if let Some(directive) = rest.strip_prefix('@') {
                What::Directive(directive.to_owned())
            } else {
                return Err(wrong("neither C:, S:, S*: nor a directive"));
            };
            steps.push(Step { line: line_number, connection, what });
        }
        Ok(Self { path: path.to_owned(), steps })
    }

    /// Reads every `.txt` file below a directory, in the order of their paths.
    ///
    /// # Errors
    /// When a file can't be read, or is no transcript.
    pub fn load_all(directory: &Path) -> Result<Vec<Self>, Failure> {
        let failure = |path: &Path, error: std::io::Error| Failure {
            place: path.display().to_string(),
            message: error.to_string(),
        };
        let mut paths = Vec::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).map_err(|e| failure(&directory, e))? {
                let path = entry.map_err(|e| failure(&directory, e))?.path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "txt") {
                    paths.push(path);
                }
            }
        }
        paths.sort();
        paths
            .iter()
            .map(|path| Self::parse(path, &std::fs::read_to_string(path).map_err(|e| failure(path, e))?))
            .collect()
    }

    /// Where the transcript comes from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a directive begins with this word.
    #[must_use]
    pub fn has_directive(&self, word: &str) -> bool {
        self.directives(word).next().is_some()
    }

    /// What stands behind this word in the directives that begin with it.
    pub fn directives<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        self.steps.iter().filter_map(move |step| match &step.what {
            What::Directive(directive) => tail(directive, word),
            What::Client(_) | What::Octets(_) | What::Server(_) | What::Among(_) | What::Closed => None,
        })
    }

    /// Plays the transcript once.
    ///
    /// # Errors
    /// The first difference.
    pub fn run(&self, stage: &mut dyn Stage, feeding: Feeding) -> Result<(), Failure> {
        self.play(stage, feeding).map(drop)
    }

    /// Plays the transcript once, and gives what the client has said.
    fn play(&self, stage: &mut dyn Stage, feeding: Feeding) -> Result<Said, Failure> {
        let mut play = Play {
            stage,
            feeding,
            said: Said::default(),
            sent: 0,
            outbox: Vec::new(),
            outbox_of: 1,
            open: Vec::new(),
            bound: HashMap::new(),
            among: Vec::new(),
        };
        for step in &self.steps {
            play.step(step).map_err(|message| self.failure(step.line, feeding, message))?;
        }
        let last = self.steps.last().map_or(0, |step| step.line);
        play.flush().and_then(|()| play.stage.finish()).map_err(|message| self.failure(last, feeding, message))?;
        Ok(play.said)
    }

    /// Plays the transcript at once, octet by octet, and cut in two at every place; a long one at every place where a
    /// cut can matter, and at some others.
    ///
    /// # Errors
    /// The first difference.
    pub fn run_at_every_split<S: Stage>(&self, mut stage: impl FnMut() -> S) -> Result<(), Failure> {
        let said = self.play(&mut stage(), Feeding::AtOnce)?;
        self.run(&mut stage(), Feeding::OctetByOctet)?;
        for at in said.cuts() {
            self.run(&mut stage(), Feeding::CutAt(at))?;
        }
        Ok(())
    }

    fn failure(&self, line: usize, feeding: Feeding, message: String) -> Failure {
        Failure { place: format!("{}:{line} ({feeding:?})", self.path.display()), message }
    }
}

/// A transcript with fewer octets is cut at every single place.
const SHORT_OCTETS: usize = 4_000;
/// A longer one is cut at every place as near as this to where a step begins or ends,
const EDGE_OCTETS: usize = 100;
/// as near as this to a multiple of 1,024 octets of a line,
const NEAR_OCTETS: usize = 24;
/// and at each so-manieth place besides.
const COARSE_OCTETS: usize = 97;

/// What the client says in a run, every `{name}` replaced.
#[derive(Default)]
struct Said {
    octets: Vec<u8>,
    /// Where its steps end, in order.
    edges: Vec<usize>,
}

impl Said {
    /// Where to cut: everywhere, or in a long transcript near the ends of its steps and of its lines, and where a limit
    /// may lie: around every kibioctet of a line.
    fn cuts(&self) -> Vec<usize> {
        let mut line_start = 0;
        let mut cuts = Vec::new();
        for at in 1..self.octets.len() {
            if at >= 2 && self.octets.get(at - 2..at) == Some(b"\r\n") {
                line_start = at;
            }
            // Edges are in order: the nearest are the two around; the first step begins at 0.
            let next = self.edges.partition_point(|edge| *edge < at);
            let before = next.checked_sub(1).map_or(Some(&0), |n| self.edges.get(n));
            let near_edge =
                [before, self.edges.get(next)].into_iter().flatten().any(|edge| edge.abs_diff(at) <= EDGE_OCTETS);
            let in_line = at - line_start;
            let near_limit = in_line > 512 && (in_line + NEAR_OCTETS) % 1024 <= 2 * NEAR_OCTETS;
            if self.octets.len() <= SHORT_OCTETS || near_edge || near_limit || at % COARSE_OCTETS == 0 {
                cuts.push(at);
            }
        }
        cuts
    }
}

struct Play<'a> {
    stage: &'a mut dyn Stage,
    feeding: Feeding,
    said: Said,
    /// How much of it has been sent.
    sent: usize,
    outbox: Vec<u8>,
    outbox_of: u32,
    open: Vec<u32>,
    bound: HashMap<String, String>,
    among: Vec<String>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let octets = match &step.what {
            What::Client(line) => format!("{}\r\n", self.replace(line)?).into_bytes(),
            What::Octets(octets) => octets.clone(),
            What::Directive(directive) => {
                self.flush()?;
                self.stage.directive(step.connection, directive)?;
                self.bound.extend(self.stage.names());
                return Ok(());
            }
            What::Server(pattern) => {
                self.flush()?;
                self.connect(step.connection)?;
                return self.expect(step.connection, pattern);
            }
            What::Among(pattern) => {
                self.among.push(pattern.clone());
                return Ok(());
            }
            What::Closed => {
                self.flush()?;
                return match self.stage.read_line(step.connection)? {
                    None => Ok(()),
                    Some(line) => Err(format!("expected the end of the connection, got {line:?}")),
                };
            }
        };
        if step.connection != self.outbox_of {
            self.flush()?;
            self.outbox_of = step.connection;
        }
        self.said.octets.extend_from_slice(&octets);
        self.said.edges.push(self.said.octets.len());
        self.outbox.extend(octets);
        Ok(())
    }

    fn connect(&mut self, connection: u32) -> Result<(), String> {
        if !self.open.contains(&connection) {
            self.open.push(connection);
            self.stage.connect(connection)?;
        }
        Ok(())
    }

    /// Sends what has gathered.
    fn flush(&mut self) -> Result<(), String> {
        let octets = std::mem::take(&mut self.outbox);
        if octets.is_empty() {
            return Ok(());
        }
        self.connect(self.outbox_of)?;
        let from = self.sent;
        self.sent += octets.len();
        let pieces: Vec<&[u8]> = match self.feeding {
            Feeding::AtOnce => vec![&octets],
            Feeding::OctetByOctet => octets.chunks(1).collect(),
            Feeding::CutAt(at) => match at.checked_sub(from).and_then(|at| octets.split_at_checked(at)) {
                Some((head, tail)) => vec![head, tail],
                None => vec![&octets],
            },
        };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            self.stage.send(self.outbox_of, piece)?;
        }
        Ok(())
    }

    fn expect(&mut self, connection: u32, pattern: &str) -> Result<(), String> {
        let mut among = std::mem::take(&mut self.among);
        let loose = !among.is_empty();
        loop {
            let Some(line) = self.stage.read_line(connection)? else {
                return Err(format!("expected {pattern:?}, but the connection has ended"));
            };
            if let Some(at) = among.iter().position(|pattern| matches(pattern, &line, &mut self.bound)) {
                among.remove(at);
            } else if matches(pattern, &line, &mut self.bound) {
                return if among.is_empty() { Ok(()) } else { Err(format!("still expected {among:?}, got {line:?}")) };
            } else if !loose || !self.stage.is_untagged(&line) {
                return Err(format!("expected {pattern:?}, got {line:?}"));
            }
        }
    }

    /// Puts what is bound in the place of its name. A name that nothing has bound is an error: said as it is, it would hide one.
    fn replace(&self, line: &str) -> Result<String, String> {
        let mut replaced = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once('{') {
            let name = behind.split_once('}').map_or("", |(name, _)| name);
            replaced.push_str(before);
            if let Some(value) = self.bound.get(name) {
                replaced.push_str(value);
                rest = behind.get(name.len() + 1..).unwrap_or_default();
            } else if !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_') {
                return Err(format!("nothing has bound {{{name}}}"));
            } else {
                replaced.push('{');
                rest = behind;
            }
        }
        replaced.push_str(rest);
        Ok(replaced)
    }
}

fn tail<'a>(line: &'a str, head: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(head)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ') }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            octets.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match chars.next()? {
            'r' => octets.push(b'\r'),
            'n' => octets.push(b'\n'),
            't' => octets.push(b'\t'),
            '0' => octets.push(0),
            '\\' => octets.push(b'\\'),
            'x' => {
                let high = chars.next()?.to_digit(16)?;
                let low = chars.next()?.to_digit(16)?;
                octets.push(u8::try_from(high * 16 + low).ok()?);
            }
            _ => return None,
        }
    }
    Some(octets)
}

enum Token<'a> {
    Literal(&'a str),
    Anything,
    Name(&'a str),
}

/// Whether a line matches; names are bound only when it does.
fn matches(pattern: &str, line: &str, bound: &mut HashMap<String, String>) -> bool {
    let mut trial = bound.clone();
    let good = matches_from(pattern, line, &mut trial);
    if good {
        *bound = trial;
    }
    good
}

fn matches_from(pattern: &str, line: &str, bound: &mut HashMap<String, String>) -> bool {
    let Some((token, rest)) = first_token(pattern) else { return line.is_empty() };
    match token {
        Token::Literal(literal) => line.strip_prefix(literal).is_some_and(|line| matches_from(rest, line, bound)),
        Token::Anything if rest.is_empty() => true,
        Token::Anything => splits(line).any(|(_, behind)| matches_from(rest, behind, bound)),
        Token::Name(name) => match bound.get(name).cloned() {
            Some(value) => line.strip_prefix(value.as_str()).is_some_and(|line| matches_from(rest, line, bound)),
            None => splits(line).skip(1).any(|(found, behind)| {
                let mut trial = bound.clone();
                trial.insert(name.to_owned(), found.to_owned());
                let good = matches_from(rest, behind, &mut trial);
                if good {
                    *bound = trial;
                }
                good
            }),
        },
    }
}

fn splits(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    ends.filter_map(|at| line.split_at_checked(at))
}

/// The first token of a pattern, and what follows it.
fn first_token(pattern: &str) -> Option<(Token<'_>, &str)> {
    if let Some(rest) = pattern.strip_prefix("...") {
        return Some((Token::Anything, rest));
    }
    if let Some(rest) = pattern.strip_prefix('{')
        && let Some((name, rest)) = rest.split_once('}')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return Some((Token::Name(name), rest));
    }
    let plain = pattern.strip_prefix('\\').filter(|rest| rest.starts_with("...") || rest.starts_with('{'));
    let pattern = plain.unwrap_or(pattern);
    // At least one character, or three escaped dots, then up to the next thing that is special.
    let skip = if plain.is_some() && pattern.starts_with('.') { 3 } else { pattern.chars().next()?.len_utf8() };
    let end = pattern
        .char_indices()
        .skip_while(|(at, _)| *at < skip)
        .find(|(at, c)| matches!(c, '{' | '\\') || pattern.get(*at..).is_some_and(|rest| rest.starts_with("...")))
        .map_or(pattern.len(), |(at, _)| at);
    pattern.split_at_checked(end).map(|(literal, rest)| (Token::Literal(literal), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, line: &str) -> bool {
        matches(pattern, line, &mut HashMap::new())
    }

    #[test]
    fn dots_match_the_rest() {
        assert!(fits("250 ...", "250 2.0.0 Here"));
        assert!(fits("a ... z", "a b c z"));
        assert!(!fits("a ... z", "a b c"));
        assert!(!fits("250 x", "250 xy"));
        assert!(fits("a\\... ...", "a... b"));
        assert!(!fits("a\\...", "abc"));
        assert!(fits("* LIST (\\HasNoChildren) {d}", "* LIST (\\HasNoChildren) x"));
        assert!(fits("x \\{5}", "x {5}"));
        assert!(fits("x {5}", "x {5}"));
    }

    #[test]
    fn a_name_is_bound_once() {
        let mut bound = HashMap::new();
        assert!(matches("[UIDVALIDITY {v}] ...", "[UIDVALIDITY 17] x", &mut bound));
        assert_eq!(bound["v"], "17");
        assert!(!matches("{v}", "18", &mut bound));
        assert!(matches("{v} {w}", "17 a b", &mut bound));
        assert_eq!(bound["w"], "a b");
    }

    /// Answers each line with what it got, between two untagged lines.
    #[derive(Default)]
    struct Echo {
        input: Vec<u8>,
        lines: std::collections::VecDeque<String>,
        told: Vec<String>,
        sent: Vec<Vec<u8>>,
    }

    impl Stage for Echo {
        fn connect(&mut self, connection: u32) -> Result<(), String> {
            self.lines.push_back(format!("hello {connection}"));
            Ok(())
        }
        fn send(&mut self, _: u32, octets: &[u8]) -> Result<(), String> {
            self.input.extend(octets);
            self.sent.push(octets.to_vec());
            while let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
                let line = String::from_utf8(line).unwrap();
                self.lines.extend(["* one".to_owned(), "* two".to_owned(), format!("got {line}")]);
            }
            Ok(())
        }
        fn read_line(&mut self, _: u32) -> Result<Option<String>, String> {
            Ok(self.lines.pop_front())
        }
        fn directive(&mut self, _: u32, directive: &str) -> Result<(), String> {
            self.told.push(directive.to_owned());
            Ok(())
        }
        fn names(&mut self) -> Vec<(String, String)> {
            let told = self.told.last().and_then(|directive| directive.strip_prefix("compute "));
            told.map(|text| ("it".to_owned(), text.to_owned())).into_iter().collect()
        }
        fn finish(&mut self) -> Result<(), String> {
            self.lines.pop_front().map_or(Ok(()), Err)
        }
    }

    fn play(text: &str) -> Result<(), Failure> {
        let transcript = Transcript::parse(Path::new("t"), text)?;
        transcript.run_at_every_split(Echo::default)
    }

    #[test]
    fn a_conversation_is_played() {
        let text = "# about\n@user alice\nS: hello 1\nC: abc\nS*: * two\nS: got {x}\nC: {x}\nS: * one\nS: * two\n\
                    S: got abc\n@bytes d\\x65\n@repeat 2 f\n@bytes \\r\\n\nS*: * one\nS*: * two\nS: got deff\n@closed\n";
        assert_eq!(play(text), Ok(()));
    }

    /// The second of two exchanges computes anew; what a name stands for is cut as well as what stands in the file.
    #[test]
    fn a_directive_binds_names_which_are_said_and_cut() {
        let exchange = "C: a{it}\nS*: * one\nS*: * two\n";
        let text = format!("S: hello 1\n@compute long\n{exchange}S: got along\n@compute x\n{exchange}S: got ax\n");
        assert_eq!(play(&text), Ok(()));
        let transcript = Transcript::parse(Path::new("t"), &text).unwrap();
        let said = transcript.play(&mut Echo::default(), Feeding::AtOnce).unwrap();
        assert_eq!((said.octets.as_slice(), said.edges.as_slice()), (&b"along\r\nax\r\n"[..], &[7, 11][..]));
        assert_eq!(said.cuts(), (1..11).collect::<Vec<_>>());
        let mut echo = Echo::default();
        transcript.run(&mut echo, Feeding::CutAt(9)).unwrap();
        assert_eq!(echo.sent, [&b"along\r\n"[..], b"ax", b"\r\n"]);
        assert_eq!(transcript.directives("compute").collect::<Vec<_>>(), ["long", "x"]);
        assert!(transcript.has_directive("compute") && !transcript.has_directive("comp"));
    }

    #[test]
    fn a_name_that_nothing_has_bound_is_not_said() {
        let failure = play("S: hello 1\nC: a {one_two} b\n").unwrap_err();
        assert!(failure.to_string().contains("nothing has bound {one_two}"), "{failure}");
        let literals = "S: hello 1\nC: {5} {5+} {} { {A} {it\nS*: * one\nS*: * two\nS: got {x}\nC: {x}{x}\nS: * one\nS: * two\n\
                        S: got {5} {5+} {} { {A} {it{5} {5+} {} { {A} {it\n";
        assert_eq!(play(literals), Ok(()));
    }

    /// Hears everything and says nothing.
    struct Mute;

    impl Stage for Mute {
        fn connect(&mut self, _: u32) -> Result<(), String> {
            Ok(())
        }
        fn send(&mut self, _: u32, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
        fn read_line(&mut self, _: u32) -> Result<Option<String>, String> {
            Ok(None)
        }
        fn directive(&mut self, _: u32, _: &str) -> Result<(), String> {
            Ok(())
        }
    }

    fn cuts(text: &str) -> Vec<usize> {
        let transcript = Transcript::parse(Path::new("t"), text).unwrap();
        transcript.play(&mut Mute, Feeding::AtOnce).unwrap().cuts()
    }

    #[test]
    fn long_lines_are_cut_wherever_a_limit_may_lie() {
        let text = "C: HELLO\n@bytes NOOP \n@repeat 20000 x\n@bytes \\r\\n\nC: NOOP\n";
        let long = cuts(text);
        let line = "HELLO\r\n".len();
        for limit in [1024, 2048, 8192, 12_288, 16_384] {
            for at in limit - 12..=limit + 12 {
                assert!(long.contains(&(line + at)), "{at}");
            }
        }
        for at in (1..100).chain(20_000 - 60..20_019) {
            assert!(long.contains(&at), "{at}");
        }
        assert!(!long.contains(&5_000) && long.len() < 2_000, "{}", long.len());
        // A short one is cut everywhere.
        assert_eq!(cuts("C: HELLO\nC: NOOP\n"), (1..13).collect::<Vec<_>>());
    }

    #[test]
    fn differences_are_told_with_their_place() {
        let failure = play("S: hello 2\n").unwrap_err();
        assert_eq!(failure.place, "t:1 (AtOnce)");
        assert_eq!(failure.message, "expected \"hello 2\", got \"hello 1\"");
        assert!(play("S: hello 1\nC: a\nS*: * three\nS: got a\n").is_err());
        assert!(play("S: hello 1\nC: a\nS: * one\n").is_err(), "lines are left over");
        assert!(play("X: hello\n").is_err());
    }
}
