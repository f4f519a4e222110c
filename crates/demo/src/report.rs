//! What is printed: steps, what was done in them, what was checked.

use std::io::IsTerminal;

/// Prints the account and counts what went wrong.
pub(crate) struct Report {
    colours: bool,
    steps: u32,
    good: u32,
    failed: Vec<String>,
}

impl Report {
    pub(crate) fn new(colours: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal();
        Self { colours: colours && wanted, steps: 0, good: 0, failed: Vec::new() }
    }

    /// Whether nothing went wrong.
    pub(crate) fn is_good(&self) -> bool {
        self.failed.is_empty() && self.good > 0
    }

    /// A text in a colour, where there are colours.
    pub(crate) fn colour(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A new step begins.
    pub(crate) fn step(&mut self, title: &str) {
        self.steps += 1;
        println!("\n{}", self.colour("1;36", &format!("{:2}. {title}", self.steps)));
    }

    /// What is set up or sent.
    pub(crate) fn does(&self, text: &str) {
        println!("    {} {text}", self.colour("34", "→"));
    }

    /// What is seen, without being right or wrong.
    pub(crate) fn sees(&self, text: &str) {
        for line in text.lines() {
            println!("      {}", self.colour("2", line));
        }
    }

    /// What should be so.
    pub(crate) fn check(&mut self, holds: bool, text: &str) {
        if holds {
            self.good += 1;
            println!("    {} {text}", self.colour("32", "✓"));
        } else {
            self.failed.push(format!("step {}: {text}", self.steps));
            println!("    {} {}", self.colour("1;31", "✗"), self.colour("31", text));
        }
    }

    /// The counts, and what did not hold.
    pub(crate) fn summary(&self) {
        let bad = self.failed.len();
        let text = format!(
            "{} checks in {} steps: {} as they should be, {bad} not",
            self.good as usize + bad,
            self.steps,
            self.good,
        );
        println!("\n{}", self.colour(if bad == 0 { "1;32" } else { "1;31" }, &text));
        for failed in &self.failed {
            println!("    {} {}", self.colour("1;31", "✗"), self.colour("31", failed));
        }
    }
}
