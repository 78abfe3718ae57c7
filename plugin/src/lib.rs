//! The proxy-wasm filter of Hookgate.
//!
//! Envoy's callbacks on one side, [`hookgate_core`] on the other: this crate
//! carries bytes between the two and decides nothing. What a callback may do,
//! and what the host really does, stands with each of them.

mod counters;
mod held;
mod host;
mod keyrings;
#[cfg(feature = "measure")]
mod measure;
mod root;
mod stream;
#[cfg(feature = "trap")]
mod trap;
mod vm;
mod watching;

mod start {
    use proxy_wasm::types::LogLevel;

    use crate::root::Root;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::new(Root::default()));
    }}
}
