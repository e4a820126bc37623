//! How far a long piece of work is, told to whoever waits for it.

use std::fmt;

/// What happens while somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Work begins. How many parts it has; 0 where that is not known.
    Begun(u64),
    /// So many more parts are done.
    Done(u64),
}

/// Hands each event to whoever waits.
pub struct Progress<'a>(&'a mut dyn FnMut(Event));

impl<'a> Progress<'a> {
    /// Hands events to this function.
    pub fn to(listener: &'a mut dyn FnMut(Event)) -> Progress<'a> {
        Progress(listener)
    }

    pub(crate) fn begin(&mut self, parts: u64) {
        (self.0)(Event::Begun(parts));
    }

    pub(crate) fn add(&mut self, parts: u64) {
        (self.0)(Event::Done(parts));
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
