//! A server elsewhere, small and honest until told otherwise: IMAP or POP3 over one mailbox.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use world::Stream;
use world::simulated::SimulatedWorld;

#[derive(Clone, Debug)]
pub(super) struct Msg {
    pub(super) uid: u32,
    pub(super) flags: String,
    pub(super) octets: Vec<u8>,
}

type Override = Box<dyn Fn(&str) -> Option<Vec<u8>> + Send>;

pub(super) struct State {
    pub(super) pop3: bool,
    pub(super) validity: u32,
    pub(super) messages: Vec<Msg>,
    pub(super) uidplus: bool,
    /// Octets of one write.
    pub(super) step: usize,
    /// Closes after so many octets.
    pub(super) cut: Option<usize>,
    /// Says this instead.
    pub(super) says: Option<Override>,
    pub(super) heard: Vec<String>,
    pub(super) silent: bool,
    pub(super) tls: Option<(TlsAcceptor, bool)>,
}

#[derive(Clone)]
pub(super) struct Far(pub(super) Arc<Mutex<State>>);

pub(super) const DATE: &str = "17-Jul-1996 02:44:25 -0700";

impl Far {
    pub(super) fn listen(sim: &SimulatedWorld, at: SocketAddr, pop3: bool) -> Self {
        let state = State {
            pop3,
            validity: 7,
            messages: Vec::new(),
            uidplus: true,
            step: usize::MAX,
            cut: None,
            says: None,
            heard: Vec::new(),
            silent: false,
            tls: None,
        };
        let far = Self(Arc::new(Mutex::new(state)));
        let served = far.clone();
        sim.connector.listen(at, move |stream| {
            let far = served.clone();
            tokio::spawn(async move { far.serve(stream).await });
        });
        far
    }

    pub(super) fn put(&self, uid: u32, flags: &str, octets: &[u8]) {
        self.0.lock().messages.push(Msg { uid, flags: flags.to_owned(), octets: octets.to_vec() });
    }

    pub(super) fn uids(&self) -> Vec<u32> {
        self.0.lock().messages.iter().map(|one| one.uid).collect()
    }

    pub(super) fn heard(&self, verb: &str) -> usize {
        self.0.lock().heard.iter().filter(|line| line.contains(verb)).count()
    }

    async fn serve(&self, mut stream: Box<dyn Stream>) {
        let (pop3, tls) = {
            let state = self.0.lock();
            (state.pop3, state.tls.clone())
        };
        if let Some((acceptor, true)) = &tls {
            match acceptor.accept(stream).await {
                Ok(secured) => stream = Box::new(secured),
                Err(_) => return,
            }
        }
        let mut sent = 0;
        let greeting = if pop3 { "+OK hello\r\n" } else { "* OK hello\r\n" };
        if !self.say(&mut stream, greeting.as_bytes(), &mut sent).await {
            return;
        }
        let mut pending = Vec::new();
        let mut session = Session::default();
        loop {
            let mut piece = [0; 4096];
            while !pending.contains(&b'\n') {
                match stream.read(&mut piece).await {
                    Ok(read) if read > 0 => pending.extend_from_slice(&piece[..read]),
                    _ => return,
                }
            }
            let end = pending.iter().position(|octet| *octet == b'\n').unwrap();
            let line: Vec<u8> = pending.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap().trim_end().to_owned();
            self.0.lock().heard.push(line.clone());
            let starts = line.ends_with("STARTTLS") || line == "STLS";
            let answer = self.answer(&line, &mut session);
            if !self.say(&mut stream, &answer, &mut sent).await {
                return;
            }
            if let Some((acceptor, false)) = tls.as_ref().filter(|_| starts) {
                match acceptor.accept(stream).await {
                    Ok(secured) => stream = Box::new(secured),
                    Err(_) => return,
                }
            }
        }
    }

    /// Whether the connection goes on.
    async fn say(&self, stream: &mut Box<dyn Stream>, octets: &[u8], sent: &mut usize) -> bool {
        let (step, cut, silent) = {
            let state = self.0.lock();
            (state.step, state.cut, state.silent)
        };
        if silent {
            std::future::pending::<()>().await;
        }
        for piece in octets.chunks(step.min(octets.len().max(1))) {
            let room = cut.map_or(piece.len(), |cut| cut.saturating_sub(*sent).min(piece.len()));
            *sent += room;
            if stream.write_all(&piece[..room]).await.is_err() || stream.flush().await.is_err() {
                return false;
            }
            if room < piece.len() {
                stream.shutdown().await.ok();
                return false;
            }
            if step < 64 {
                tokio::task::yield_now().await;
            }
        }
        true
    }

    fn answer(&self, line: &str, session: &mut Session) -> Vec<u8> {
        let mut state = self.0.lock();
        if let Some(said) = state.says.as_ref().and_then(|says| says(line)) {
            return said;
        }
        if state.pop3 { pop3(&mut state, line, session) } else { imap(&mut state, line) }
    }
}

#[derive(Default)]
struct Session {
    marked: Vec<usize>,
}

fn imap(state: &mut State, line: &str) -> Vec<u8> {
    let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
    let ok = |out: String| format!("{out}{tag} OK done\r\n").into_bytes();
    let words: Vec<&str> = command.split(' ').collect();
    let named = |set: &str| -> Vec<u32> { set.split(',').map(|uid| uid.parse().unwrap()).collect() };
    match words.as_slice() {
        ["CAPABILITY"] => {
            let plus = if state.uidplus { " UIDPLUS" } else { "" };
            let tls = if state.tls.is_some() { " STARTTLS" } else { "" };
            ok(format!("* CAPABILITY IMAP4rev1{plus}{tls}\r\n"))
        }
        ["LOGIN", "\"far\"", "\"hunter2\""] | ["STARTTLS"] => ok(String::new()),
        ["LOGIN", ..] => format!("{tag} NO wrong: {command}\r\n").into_bytes(),
        ["SELECT" | "EXAMINE", "\"INBOX\""] => {
            ok(format!("* {} EXISTS\r\n* OK [UIDVALIDITY {}] x\r\n", state.messages.len(), state.validity))
        }
        ["UID", "SEARCH", "DELETED"] => {
            let marked = state.messages.iter().filter(|one| one.flags.contains("\\Deleted"));
            ok(format!("* SEARCH{}\r\n", marked.map(|one| format!(" {}", one.uid)).collect::<String>()))
        }
        ["UID", "SEARCH", "UID", range] => {
            let from: u32 = range.trim_end_matches(":*").parse().unwrap();
            // `n:*` names the last one even below n.
            let last = state.messages.last().map(|one| one.uid);
            let found = state.messages.iter().map(|one| one.uid).filter(|uid| *uid >= from || Some(*uid) == last);
            ok(format!("* SEARCH{}\r\n", found.map(|uid| format!(" {uid}")).collect::<String>()))
        }
        ["UID", "FETCH", set, "(UID", "BODY.PEEK[])"] => {
            let mut out = b"* 9 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen) UID 99999)\r\n".to_vec();
            for (n, one) in state.messages.iter().enumerate().filter(|(_, one)| named(set).contains(&one.uid)) {
                out.extend_from_slice(format!("* {} FETCH (BODY[] {{{}}}\r\n", n + 1, one.octets.len()).as_bytes());
                out.extend_from_slice(&one.octets);
                out.extend_from_slice(format!(" UID {})\r\n", one.uid).as_bytes());
            }
            out.extend_from_slice(&ok(String::new()));
            out
        }
        ["UID", "FETCH", set, ..] => {
            let mut out = String::new();
            for (n, one) in state.messages.iter().enumerate().filter(|(_, one)| named(set).contains(&one.uid)) {
                let (n, flags, octets, uid) = (n + 1, &one.flags, one.octets.len(), one.uid);
                out += &format!(
                    "* {n} FETCH (FLAGS ({flags}) RFC822.SIZE {octets} UID {uid} INTERNALDATE {{{}}}\r\n{DATE})\r\n",
                    DATE.len()
                );
            }
            ok(out)
        }
        ["UID", "STORE", set, "+FLAGS.SILENT", "(\\Deleted)"] => {
            let named = named(set);
            state.messages.iter_mut().filter(|one| named.contains(&one.uid)).for_each(|one| one.flags += " \\Deleted");
            ok(String::new())
        }
        ["UID", "EXPUNGE", set] => {
            let named = named(set);
            state.messages.retain(|one| !(named.contains(&one.uid) && one.flags.contains("\\Deleted")));
            ok(String::new())
        }
        ["EXPUNGE"] => {
            state.messages.retain(|one| !one.flags.contains("\\Deleted"));
            ok(String::new())
        }
        _ => format!("{tag} BAD {command}\r\n").into_bytes(),
    }
}

fn pop3(state: &mut State, line: &str, session: &mut Session) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let at = |word: &str| word.parse::<usize>().unwrap() - 1;
    match words.as_slice() {
        ["USER", "far"] | ["PASS", "hunter2"] => b"+OK\r\n".to_vec(),
        ["STLS"] if state.tls.is_some() => b"+OK\r\n".to_vec(),
        ["LIST"] => {
            let rows = state.messages.iter().enumerate().map(|(n, one)| format!("{} {}\r\n", n + 1, one.octets.len()));
            format!("+OK\r\n{}.\r\n", rows.collect::<String>()).into_bytes()
        }
        ["UIDL"] => {
            let rows = state.messages.iter().enumerate().map(|(n, one)| format!("{} u{}\r\n", n + 1, one.uid));
            format!("+OK\r\n{}.\r\n", rows.collect::<String>()).into_bytes()
        }
        ["RETR", number] => {
            let text = String::from_utf8(state.messages[at(number)].octets.clone()).unwrap();
            let text = format!("\r\n{text}").replace("\r\n.", "\r\n..");
            format!("+OK{text}{}.\r\n", if text.ends_with("\r\n") { "" } else { "\r\n" }).into_bytes()
        }
        ["DELE", number] => {
            session.marked.push(at(number));
            b"+OK\r\n".to_vec()
        }
        ["QUIT"] => {
            session.marked.sort_unstable();
            session.marked.drain(..).rev().for_each(|n| drop(state.messages.remove(n)));
            b"+OK\r\n".to_vec()
        }
        _ => format!("-ERR {line}\r\n").into_bytes(),
    }
}
