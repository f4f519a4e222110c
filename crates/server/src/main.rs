//! The binary `relais`: configuration, command line, and the wiring of the crates that do the work.
//!
//! What each part promises is said there; here is what holds them together. [`cli`] is what can be typed, [`config`] what
//! the file says, [`serve`] the running server: its order of starting, supervision, reload and shutdown.

mod administration;
mod check;
mod cli;
mod config;
mod descriptors;
mod dev;
mod privileges;
mod serve;
mod socket;
mod store;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Before anything can open a TLS connection: one provider, whatever dependencies would choose.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    cli::run()
}
