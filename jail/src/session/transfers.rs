//! What sftp-server's own log says of one session, as a record of transfers: one entry for each file that was closed and each
//! change, with its result. Pure.
//!
//! The server names a request before it does it, and says nothing of its success; of a failure it says neither whose nor which.
//! It does one request after the other, so a failure is that of the request before it. Reads and writes have no line, so one
//! without a request before it is theirs.

use crate::session::sftp_line::{Action, Line, Paths, Request, Status, read};

/// The most open files whose kind is known, as many as the server opens at once.
const MOST_OPEN: usize = 1024;

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
    /// The files that may be open, and whether for writing.
    open: Vec<(Vec<u8>, bool)>,
    errors: u32,
    last_error: Option<Status>,
    /// Bytes that the client has read and written.
    pub(crate) bytes: (u64, u64),
}

/// The request named last.
#[derive(Debug, Default)]
enum Pending {
    /// There is none, or it has failed and is recorded.
    #[default]
    None,
    /// One that is not recorded.
    Quiet,
    /// One whose result is not known.
    Request(Request),
    /// A file to be opened, behind which came an error: its own, or where the file is closed next, one of a write.
    Open(Request, Status),
    /// A refusal.
    Refused(String),
}

impl Transfers {
    /// Takes one message of the server. Gives the entries that are complete by it.
    pub(crate) fn take(&mut self, message: &[u8]) -> Vec<Transfer> {
        match read(message) {
            Line::Status(status) => self.fail(status),
            Line::Refused(name) if name == "open" && self.opens() => Vec::new(),
            line => {
                let closed = match &line {
                    Line::Request(Request {
                        action: Action::Close { .. },
                        paths: Paths::One(path),
                    }) => Some(path.as_slice()),
                    _ => None,
                };
                let mut complete: Vec<Transfer> = self.settle(closed).into_iter().collect();
                self.pending = match line {
                    Line::Request(request) => {
                        self.notice(&request);
                        Pending::Request(request)
                    }
                    Line::Refused(name) => Pending::Refused(name),
                    Line::Quiet | Line::Status(_) => Pending::Quiet,
                    Line::Other => {
                        complete.push(self.said(message));
                        Pending::None
                    }
                };
                complete
            }
        }
    }

    /// Tells whether a request waits for its result.
    pub(crate) fn waits(&self) -> bool {
        !matches!(
            self.pending,
            Pending::None | Pending::Quiet | Pending::Refused(_)
        )
    }

    /// Completes the entry that waits: the server has gone on, or has ended.
    pub(crate) fn finish(&mut self) -> Option<Transfer> {
        self.settle(None)
    }

    /// Completes what failed and is told of no file, at the end of the session.
    pub(crate) fn left_over(&mut self) -> Option<Transfer> {
        (self.errors > 0).then(|| self.entry("errors", None, None))
    }

    fn opens(&self) -> bool {
        matches!(&self.pending, Pending::Request(request) if matches!(request.action, Action::Open(_)))
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

    fn fail(&mut self, status: Status) -> Vec<Transfer> {
        match std::mem::take(&mut self.pending) {
            Pending::Request(request) if matches!(request.action, Action::Open(_)) => {
                self.pending = Pending::Open(request, status);
                Vec::new()
            }
            Pending::Request(request) => self.done(request, Some(status)).into_iter().collect(),
            Pending::Refused(name) => {
                // A file that could be opened and not read was not downloaded.
                if name == "read" || name == "write" {
                    self.errors = self.errors.saturating_add(1);
                    self.last_error = Some(status);
                }
                vec![self.refused(name, status.text())]
            }
            Pending::Quiet if !status.may_be_of_data() => Vec::new(),
            before => {
                self.pending = match before {
                    open @ Pending::Open(..) => open,
                    _ => Pending::None,
                };
                self.errors = self.errors.saturating_add(1);
                self.last_error = Some(status);
                Vec::new()
            }
        }
    }

    /// Completes the request before. `closed` is the file that is closed now.
    fn settle(&mut self, closed: Option<&[u8]>) -> Option<Transfer> {
        match std::mem::take(&mut self.pending) {
            // At its start the server says so of each request that it will not announce, and answers none.
            Pending::None | Pending::Quiet | Pending::Refused(_) => None,
            Pending::Request(request) => self.done(request, None),
            Pending::Open(request, status) => {
                let is_closed =
                    matches!(&request.paths, Paths::One(path) if Some(path.as_slice()) == closed);
                if is_closed {
                    // It was open, so the error was that of a read or a write.
                    self.errors = self.errors.saturating_add(1);
                    self.last_error = self.last_error.or(Some(status));
                    return None;
                }
                self.forget(&request.paths);
                let mut entry = self.entry("open", Some(request.paths), None);
                entry.result = status.text();
                Some(entry)
            }
        }
    }

    /// Makes the entry of a request that is done.
    fn done(&mut self, request: Request, status: Option<Status>) -> Option<Transfer> {
        let Request { action, paths } = request;
        let mut entry = match action {
            // What was opened is recorded when it is closed.
            Action::Open(_) => return None,
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
                let mut entry = self.entry(action, Some(paths), Some((read, written)));
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
        if let Some(status) = status {
            entry.result = status.text();
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

    /// Makes the entry of a line that is none of the known ones, or was cut.
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

    /// Makes an entry, which takes the errors so far.
    fn entry(
        &mut self,
        action: &'static str,
        paths: Option<Paths>,
        bytes: Option<(u64, u64)>,
    ) -> Transfer {
        let errors = std::mem::take(&mut self.errors);
        Transfer {
            bytes,
            errors,
            result: self.last_error.take().map_or("ok", Status::text),
            ..self.plain(action, paths)
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
            "rename old \"/a\" new \"/b\"",
            "sent status Failure",
            "open \"/c\" flags WRITE,CREATE mode 0666",
            "sent status Permission denied",
            "mkdir name \"/d\" mode 0777",
            "Refusing non-allowlisted remove request",
            "sent status Permission denied",
            "open \"/e\" flags WRITE mode 0666",
            "Refusing open request in read-only mode",
            "sent status Permission denied",
            "set \"/a\" mode 0600",
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
    fn failed_reads_and_writes_are_counted_for_the_file_that_is_closed_next() {
        let seen = recorded(&[
            "open \"/a\" flags WRITE,CREATE mode 0644",
            "sent status Failure",
            "sent status Failure",
            "close \"/a\" bytes read 0 written 0",
            "open \"/b\" flags WRITE,CREATE mode 0644",
            "stat name \"/b\"",
            "sent status Failure",
            "forced close \"/b\" bytes read 0 written 9",
            "sent status Failure",
            "opendir \"/\"",
            "sent status Failure",
        ]);
        let expected = [
            "upload /a 0/0 Failure 2",
            "upload /b 0/9 Failure 1",
            "errors Failure 1",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_not_understood_is_one_value() {
        let seen = recorded(&[
            "bad message from 192.0.2.1 local user ann",
            "rename old \"a\" new \"b\" new \"c\"",
        ]);
        let expected = [
            "unclear [bad message from 192.0.2.1 local user ann] ok",
            "rename ?a\" new \"b\" new \"c ok",
        ];
        assert_eq!(seen, expected);
    }
}
