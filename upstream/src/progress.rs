//! How far a long command is, for who waits at a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws a bar on stderr while a command runs; nothing unless that is a
/// terminal. It disappears when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins one; `unit` is what is counted.
    pub(crate) fn start(unit: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let template = format!("{{wide_bar}} {{pos}}/{{len}} {unit}, {{eta}} left");
        // A template that indicatif doesn't take leaves the plain bar.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Says how many are done of how many.
    pub(crate) fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
