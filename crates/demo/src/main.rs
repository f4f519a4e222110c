//! `make demo`: a real server, real clients, and an account of what happens to each message.
//!
//! Everything here is outside the server: it runs the binary `relais` that lies beside it, types its commands, and
//! speaks SMTP and IMAP to its ports. The "other servers" of the internet are one listener in here ([`sink`]), which
//! the server's configuration names as the way to `elsewhere.example`. Each step says what should happen, does it, and
//! checks it; at the end the server goes on serving for whoever wants to try it with a mail program.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program that looks at the server from outside: it waits, connects and prints for real"
)]

mod imap;
mod report;
mod settings;
mod sink;
mod smtp;
mod stage;
mod steps;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use report::Report;
use stage::Stage;

/// Shows what Relais does with real messages, then goes on serving.
#[derive(Parser)]
#[command(name = "relais-demo", version)]
struct Args {
    /// End after the account; exit code 0 when every step did what it should
    #[arg(long)]
    once: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

/// Anything that keeps the demonstration from going on.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let args = Args::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let run = tokio::runtime::Runtime::new().map_err(Trouble::from).and_then(|runtime| runtime.block_on(demo(&args)));
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            println!("\nThe demonstration can't go on: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every step did what it should.
async fn demo(args: &Args) -> Result<bool, Trouble> {
    let mut report = Report::new(!args.plain);
    let mut stage = Stage::build(&mut report).await?;
    let told = steps::all(&mut stage, &mut report).await;
    if let Err(trouble) = &told {
        report.check(false, &format!("this step could not be finished: {trouble}"));
    }
    if args.once {
        stage.close(&mut report).await?;
        report.summary();
        return Ok(report.is_good());
    }
    report.summary();
    settings::print(&stage, &report);
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        ended = stage.server_ended() => println!("the server has ended: {ended}"),
    }
    stage.close(&mut report).await?;
    Ok(report.is_good())
}
