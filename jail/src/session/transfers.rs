//! What sftp-server's own log says of one session, as a record of transfers: one entry for each file that was closed and each
//! change, with its result. Pure.
//!
//! The server names a request before it does it, and behind that says with what status it has answered, if that was a status. It
//! does one request after the other, so the line that follows a request is its answer, and no other request can make it look as
//! if it had failed.

use crate::session::sftp_line::{Action, Line, Paths, Request, Status, read};

/// The most open files whose kind is known, as many as the server opens at once.
const MOST_OPEN: usize = 1024;

/// The most lines besides its last that a request has which sets something: size, mode, time, owner.
const MOST_SET: usize = 3;

/// One entry of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What was done: "upload", "download", "rename", "remove" and so on.
    pub action: &'static str,
    /// The files.
    pub paths: Option<Paths>,
    /// Bytes that the client has read and written.
    pub bytes: Option<(u64, u64)>,
    /// What else the server says: what was set, the request that was refused, or a line that is none of the known ones.
    pub detail: Option<Vec<u8>>,
    /// "ok", "interrupted", or the text of an error.
    pub result: &'static str,
    /// How many reads and writes have failed since the entry before.
    pub errors: u32,
}

/// The session so far.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    pending: Pending,
    /// What a request sets besides, which has one answer for all.
    sets: Vec<Request>,
    /// The files that may be open, and whether for writing.
    open: Vec<(Vec<u8>, bool)>,
    /// How many reads and writes have failed of a file, and the last error.
    errors: Vec<(Option<Vec<u8>>, u32, Status)>,
    /// Bytes that the client has read and written.
    pub(crate) bytes: (u64, u64),
}

/// The request named last.
#[derive(Debug, Default)]
enum Pending {
    /// There is none, or one that is not recorded, or it is answered.
    #[default]
    None,
    /// One that reads or writes in this file.
    Data(Option<Vec<u8>>),
    /// One whose result is not known.
    Request(Request),
    /// A refusal.
    Refused(String),
}

impl Transfers {
    /// Takes one message of the server. Gives the entries that are complete by it.
    pub(crate) fn take(&mut self, message: &[u8]) -> Vec<Transfer> {
        match read(message) {
            Line::Status(status) => self.answer(status),
            Line::Aside => Vec::new(),
            Line::Refused(name) if name == "open" && self.opens() => Vec::new(),
            Line::Request(request) if self.sets_more(&request) => {
                if let Pending::Request(before) =
                    std::mem::replace(&mut self.pending, Pending::Request(request))
                {
                    self.sets.push(before);
                }
                Vec::new()
            }
            line => {
                let mut complete = self.settle(None);
                self.pending = match line {
                    Line::Request(request) => {
                        self.notice(&request);
                        Pending::Request(request)
                    }
                    Line::Data(name) => Pending::Data(name),
                    Line::Refused(name) => Pending::Refused(name),
                    Line::Quiet | Line::Aside | Line::Status(_) => Pending::None,
                    Line::Other => {
                        complete.push(self.said(message));
                        Pending::None
                    }
                };
                complete
            }
        }
    }

    /// Completes the request that waits for its answer: the server has ended.
    pub(crate) fn finish(&mut self) -> Vec<Transfer> {
        let mut last = self.settle(None);
        for entry in last.iter_mut().filter(|it| it.result == "ok") {
            entry.result = "interrupted";
        }
        last
    }

    /// Completes what failed and is told of no file, at the end of the session.
    pub(crate) fn left_over(&mut self) -> Option<Transfer> {
        let errors = std::mem::take(&mut self.errors);
        let (.., last) = errors.last()?;
        Some(Transfer {
            result: last.text(),
            errors: errors.iter().map(|(_, number, _)| number).sum(),
            ..self.plain("errors", None)
        })
    }

    fn opens(&self) -> bool {
        matches!(&self.pending, Pending::Request(request) if matches!(request.action, Action::Open(_)))
    }

    /// Tells whether a line is of the same request as the one before: it sets size, mode, time and owner.
    fn sets_more(&self, request: &Request) -> bool {
        let sets = |it: &Request| matches!(it.action, Action::Set(_));
        matches!(&self.pending, Pending::Request(before) if sets(before) && before.paths == request.paths)
            && sets(request)
            && self.sets.len() < MOST_SET
    }

    /// Remembers what is open, and counts.
    fn notice(&mut self, request: &Request) {
        match (&request.action, &request.paths) {
            (Action::Open(writes), Paths::One(path)) if self.open.len() < MOST_OPEN => {
                self.open.push((path.clone(), *writes));
            }
            (Action::Close { read, written, .. }, _) => {
                self.bytes.0 = self.bytes.0.saturating_add(*read);
                self.bytes.1 = self.bytes.1.saturating_add(*written);
            }
            _ => {}
        }
    }

    /// Takes the answer to the request before.
    fn answer(&mut self, status: Status) -> Vec<Transfer> {
        let error = (!status.is_fine()).then_some(status);
        match (std::mem::take(&mut self.pending), error) {
            (Pending::Request(request), _) => {
                self.pending = Pending::Request(request);
                self.settle(error)
            }
            (Pending::Refused(name), _) => {
                // A file that could be opened and not read was not downloaded.
                if name == "read" || name == "write" {
                    let mut open = self.open.iter().rev();
                    let file = open.find(|(_, writes)| *writes == (name == "write"));
                    let file = file.map(|(path, _)| path.clone());
                    self.fail(file, status);
                }
                vec![self.refused(name, status.text())]
            }
            (Pending::Data(name), Some(error)) => {
                self.fail(name, error);
                Vec::new()
            }
            (Pending::Data(_) | Pending::None, _) => Vec::new(),
        }
    }

    /// Counts a read or a write that has failed.
    fn fail(&mut self, name: Option<Vec<u8>>, error: Status) {
        let known = self.errors.iter_mut().find(|(it, ..)| *it == name);
        if let Some((_, number, last)) = known {
            *number = number.saturating_add(1);
            *last = error;
        } else if self.errors.len() < MOST_OPEN {
            self.errors.push((name, 1, error));
        }
    }

    /// Completes the request before, with its error if it has one.
    fn settle(&mut self, error: Option<Status>) -> Vec<Transfer> {
        // At its start the server says so of each request that it will not announce, and answers none.
        let Pending::Request(request) = std::mem::take(&mut self.pending) else {
            return Vec::new();
        };
        let mut all = std::mem::take(&mut self.sets);
        all.push(request);
        let done = all.into_iter().map(|request| self.done(request, error));
        done.flatten().collect()
    }

    /// Makes the entry of a request that is done.
    fn done(&mut self, request: Request, error: Option<Status>) -> Option<Transfer> {
        let Request { action, paths } = request;
        let mut entry = match action {
            // What was opened is recorded when it is closed.
            Action::Open(_) => {
                error?;
                self.forget(&paths);
                self.plain("open", Some(paths))
            }
            Action::Close {
                read,
                written,
                forced,
            } => {
                let writes = self.forget(&paths);
                let action = match (read, written, writes) {
                    (_, 1.., _) | (0, 0, Some(true)) => "upload",
                    (1.., 0, _) | (0, 0, Some(false)) => "download",
                    (0, 0, None) => "close",
                };
                let mut entry = self.closed(action, paths, (read, written));
                if forced && entry.result == "ok" {
                    entry.result = "interrupted";
                }
                entry
            }
            Action::Change(action) => self.plain(action, Some(paths)),
            Action::Set(what) => Transfer {
                detail: Some(what.into_bytes()),
                ..self.plain("set", Some(paths))
            },
        };
        if let Some(error) = error {
            entry.result = error.text();
        }
        Some(entry)
    }

    fn refused(&self, name: String, result: &'static str) -> Transfer {
        Transfer {
            detail: Some(name.into_bytes()),
            result,
            ..self.plain("refused", None)
        }
    }

    /// Makes an entry of a line that is none of the known ones, or was cut.
    fn said(&self, message: &[u8]) -> Transfer {
        Transfer {
            detail: Some(message.trim_ascii_end().to_vec()),
            ..self.plain("unclear", None)
        }
    }

    /// Makes an entry that has nothing to do with reads and writes.
    fn plain(&self, action: &'static str, paths: Option<Paths>) -> Transfer {
        Transfer {
            action,
            paths,
            bytes: None,
            detail: None,
            result: "ok",
            errors: 0,
        }
    }

    /// Makes the entry of a file that is closed, with the errors of its reads and writes.
    fn closed(&mut self, action: &'static str, paths: Paths, bytes: (u64, u64)) -> Transfer {
        let of_file = |name: &Option<Vec<u8>>| matches!((&paths, name), (Paths::One(path), Some(name)) if path == name);
        let at = self.errors.iter().position(|(name, ..)| of_file(name));
        let failed = at.map(|at| self.errors.swap_remove(at));
        let (errors, result) = failed.map_or((0, "ok"), |(_, number, last)| (number, last.text()));
        Transfer {
            bytes: Some(bytes),
            errors,
            result,
            ..self.plain(action, Some(paths))
        }
    }

    /// Forgets a file that is open no more, and tells whether it was for writing.
    fn forget(&mut self, paths: &Paths) -> Option<bool> {
        let Paths::One(path) = paths else { return None };
        let place = self.open.iter().position(|(open, _)| open == path)?;
        Some(self.open.swap_remove(place).1)
    }
}

#[cfg(test)]
mod tests;
