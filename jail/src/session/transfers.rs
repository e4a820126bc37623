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
mod tests {
    use super::{Transfer, Transfers};
    use crate::session::sftp_line::Paths;

    fn recorded(lines: &[&str]) -> Vec<String> {
        let mut transfers = Transfers::default();
        let mut all = Vec::new();
        for line in lines {
            all.extend(transfers.take(format!("{line}\r\n").as_bytes()));
        }
        all.extend(transfers.finish());
        all.extend(transfers.left_over());
        all.iter().map(shown).collect()
    }

    fn shown(entry: &Transfer) -> String {
        let mut text = entry.action.to_owned();
        let name = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        match &entry.paths {
            Some(Paths::One(path)) => text += &format!(" {}", name(path)),
            Some(Paths::Two(old, new)) => text += &format!(" {} {}", name(old), name(new)),
            Some(Paths::Unclear(both)) => text += &format!(" ?{}", name(both)),
            None => {}
        }
        if let Some((read, written)) = entry.bytes {
            text += &format!(" {read}/{written}");
        }
        if let Some(detail) = &entry.detail {
            text += &format!(" [{}]", name(detail));
        }
        text += &format!(" {}", entry.result);
        if entry.errors > 0 {
            text += &format!(" {}", entry.errors);
        }
        text
    }

    #[test]
    fn a_file_is_recorded_once_when_it_is_closed() {
        let seen = recorded(&[
            "received client version 3",
            "Refusing posix-rename request in read-only mode",
            "Refusing hardlink request in read-only mode",
            "open \"/a\" flags WRITE,CREATE,TRUNCATE mode 0644",
            "close \"/a\" bytes read 0 written 5",
            "stat name \"/a\"",
            "open \"/a\" flags READ mode 0666",
            "close \"/a\" bytes read 5 written 0",
            "open \"/b\" flags WRITE,CREATE mode 0666",
            "close \"/b\" bytes read 0 written 0",
            "open \"/b\" flags READ mode 0666",
            "forced close \"/b\" bytes read 0 written 0",
        ]);
        let expected = [
            "upload /a 0/5 ok",
            "download /a 5/0 ok",
            "upload /b 0/0 ok",
            "download /b 0/0 interrupted",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_failure_is_that_of_the_request_before_it() {
        let seen = recorded(&[
            "stat name \"/none\"",
            "sent status No such file",
            "remove name \"/none\"",
            "sent status No such file",
            "remove name \"/a\"",
            "sent status Success",
            "rename old \"/a\" new \"/b\"",
            "sent status Failure",
            "open \"/c\" flags WRITE,CREATE mode 0666",
            "sent status Permission denied",
            "mkdir name \"/d\" mode 0777",
            "sent status Success",
            "Refusing non-allowlisted remove request",
            "sent status Permission denied",
            "open \"/e\" flags WRITE mode 0666",
            "Refusing open request in read-only mode",
            "sent status Permission denied",
            "set \"/a\" mode 0600",
            "sent status Success",
        ]);
        let expected = [
            "remove /none No such file",
            "remove /a ok",
            "rename /a /b Failure",
            "open /c Permission denied",
            "mkdir /d ok",
            "refused [remove] Permission denied",
            "open /e Permission denied",
            "set /a [mode 0600] ok",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_file_that_may_not_be_read_is_no_download_that_went_well() {
        let seen = recorded(&[
            "open \"/a\" flags READ mode 0666",
            "Refusing non-allowlisted read request",
            "sent status Permission denied",
            "close \"/a\" bytes read 0 written 0",
        ]);
        let wanted = [
            "refused [read] Permission denied",
            "download /a 0/0 Permission denied 1",
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn an_answer_that_is_another_requests_changes_nothing() {
        let seen = recorded(&[
            "remove name \"/a\"",
            "sent status Success",
            // CLOSE of a handle that is not there has no line.
            "sent status No such file",
            "open \"/b\" flags WRITE,CREATE mode 0644",
            "debug1: request 3: sent handle handle 0",
            "sent status Failure",
            "debug1: request 4: write \"/b\" (handle 0) off 0 len 5",
            "sent status Success",
            "debug1: request 5: write \"\" (handle -1) off 0 len 5",
            "sent status Failure",
            "close \"/b\" bytes read 0 written 5",
            "sent status Success",
            "rmdir name \"/c\"",
        ]);
        let expected = [
            "remove /a ok",
            "upload /b 0/5 ok",
            "rmdir /c interrupted",
            "errors Failure 1",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_one_request_sets_has_one_answer() {
        let seen = recorded(&[
            "debug1: request 2: setstat name \"/a\"",
            "set \"/a\" size 5",
            "set \"/a\" mode 0600",
            "sent status Permission denied",
            "set \"/a\" mode 0644",
            "sent status Success",
        ]);
        let expected = [
            "set /a [size 5] Permission denied",
            "set /a [mode 0600] Permission denied",
            "set /a [mode 0644] ok",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn failed_reads_and_writes_are_counted_for_their_file() {
        let write =
            |name: &str| format!("debug1: request 9: write \"{name}\" (handle 0) off 0 len 9");
        let (to_a, to_b) = (write("/a"), write("/b"));
        let seen = recorded(&[
            "open \"/a\" flags WRITE,CREATE mode 0644",
            "debug1: request 3: sent handle handle 0",
            &to_a,
            "sent status Failure",
            &to_a,
            "sent status Failure",
            "open \"/b\" flags WRITE,CREATE mode 0644",
            "debug1: request 3: sent handle handle 1",
            &to_b,
            "sent status Failure",
            "close \"/a\" bytes read 0 written 0",
            "sent status Success",
            "stat name \"/b\"",
            "sent status Failure",
            "forced close \"/b\" bytes read 0 written 9",
        ]);
        let expected = ["upload /a 0/0 Failure 2", "upload /b 0/9 Failure 1"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_not_understood_is_one_value() {
        let seen = recorded(&[
            "bad message from 192.0.2.1 local user ann",
            "rename old \"a\" new \"b\" new \"c\"",
            "sent status Success",
        ]);
        let expected = [
            "unclear [bad message from 192.0.2.1 local user ann] ok",
            "rename ?a\" new \"b\" new \"c ok",
        ];
        assert_eq!(seen, expected);
    }
}
