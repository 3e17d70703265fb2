//! How far a long command is, on standard error: a bar on a terminal, elsewhere a plain line
//! every few seconds.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text;

/// Time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(3);
/// Time between two details beside the bar.
const BAR_EVERY: Duration = Duration::from_millis(200);

/// A running display; dropping it clears the bar.
pub(crate) struct Progress {
    label: &'static str,
    /// What is counted, in the plural.
    unit: &'static str,
    total: u64,
    start_done: u64,
    started: Instant,
    /// The bar, on a terminal.
    bar: Option<ProgressBar>,
    /// When the detail was last shown.
    last_detail: Instant,
}

impl Progress {
    /// Shows work of which `done` of `total` commits are done already.
    pub(crate) fn new(label: &'static str, done: u64, total: u64) -> Self {
        Self::of(label, "commits", done, total)
    }

    /// The same where something else is counted.
    pub(crate) fn of(label: &'static str, unit: &'static str, done: u64, total: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = format!(
                "{{prefix:>8}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit}  {{msg}}  {{eta}} left"
            );
            let style = ProgressStyle::with_template(&template);
            // The template is a constant that the tests draw; the default style would do as well.
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(label);
            bar.set_position(done);
            bar.reset_eta();
            bar
        });
        let now = Instant::now();
        Self { label, unit, total, start_done: done, started: now, bar, last_detail: now }
    }

    /// Says that there is this much to do by now.
    pub(crate) fn aim(&mut self, total: u64) {
        self.total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// Says that `done` are done; `detail` is shown behind them.
    pub(crate) fn set(&mut self, done: u64, detail: impl FnOnce() -> String) {
        let every = if self.bar.is_some() { BAR_EVERY } else { PLAIN_EVERY };
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
        if self.last_detail.elapsed() < every {
            return;
        }
        self.last_detail = Instant::now();
        let per_second = text::rate(done - self.start_done, self.started.elapsed());
        let detail = format!("{}/s, {}", text::count(per_second), detail());
        if let Some(bar) = &self.bar {
            bar.set_message(detail);
            return;
        }
        let (label, done, total) = (self.label, text::count(done), text::count(self.total));
        // Nobody may be listening; the work goes on all the same.
        let _ = writeln!(io::stderr(), "{label}: {done}/{total} {}, {detail}", self.unit);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
