//! A bar for people who wait: on a terminal only, and only once they have waited for a second.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use jail_roots::progress::Event;

const PATIENCE: Duration = Duration::from_secs(1);

/// How far something is.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts to count, up to `total`; 0 where that is not known.
    pub(crate) fn new(total: u64) -> Progress {
        Progress {
            started: Instant::now(),
            total,
            done: 0,
            bar: None,
        }
    }

    /// Counts what nobody waits for.
    pub(crate) fn hidden() -> Progress {
        Progress {
            bar: Some(ProgressBar::hidden()),
            ..Progress::new(0)
        }
    }

    /// Counts on.
    pub(crate) fn add(&mut self, count: u64) {
        self.done = self.done.saturating_add(count);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.started.elapsed() > PATIENCE && io::stderr().is_terminal() {
            let bar = if self.total == 0 {
                ProgressBar::new_spinner()
            } else {
                let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}");
                let bar = ProgressBar::new(self.total);
                style.map(|style| bar.set_style(style)).ok();
                bar
            };
            bar.set_position(self.done);
            self.bar = Some(bar);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how far the making of a root is.
pub(crate) fn show_progress() -> impl FnMut(Event) {
    let mut shown = None;
    move |event| match event {
        Event::Begun(parts) => shown = Some(Progress::new(parts)),
        Event::Done(parts) => {
            if let Some(shown) = &mut shown {
                shown.add(parts);
            }
        }
    }
}
