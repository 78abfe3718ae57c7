//! A trap on demand, for tests of what a trap costs. Never in a shipped module.

use hookgate_core::request::RequestHead;

/// Asks for a trap: whoever sends it ends the VM.
const HEADER: &str = "x-hookgate-test-trap";

/// Ends the VM if the request asks for it.
pub(crate) fn on_request(RequestHead(headers): RequestHead<'_>) {
    if headers.iter().any(|(name, _)| name == HEADER) {
        // Also leaves the name in the module, where a test looks for it.
        log::error!("{HEADER} asks for a trap");
        std::process::abort();
    }
}
