//! Any target under libFuzzer: the one that `RELAIS_FUZZ_TARGET` names. `scripts/fuzz-brief` builds and runs it.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<String> = LazyLock::new(|| std::env::var("RELAIS_FUZZ_TARGET").unwrap_or_default());

libfuzzer_sys::fuzz_target!(|data: &[u8]| relais_fuzz_targets::run(&TARGET, data));
