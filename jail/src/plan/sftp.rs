//! Whether a command line asks for an sftp-server, however it is spelt.
//!
//! Whoever has SFTP and nothing else must not find a shell before the server or beside it: bash reads `.bashrc` of theirs
//! where sshd starts it. So a line that is a server and its options is started without a shell, and a line that would start
//! one in a way that only a shell can read is refused.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use jail_config::{Access, Sftp};

use super::{
    command::{is_server, mentions_server},
    commands::Scanner,
    words,
};

/// What a command line has to do with sftp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is a server and its options.
    Server {
        asked: PathBuf,
        options: Vec<OsString>,
    },
    /// It would start a server, in a way that only a shell can read; and why that is so.
    Hidden(String),
    /// It is something else.
    Other,
}

/// The requests that uploading takes, as sftp-server(8) names them with `-Q requests`: no reading, listing or removing. Some
/// clients write to another name first and rename it.
const UPLOADS: &str = "open,close,write,lstat,fstat,stat,setstat,fsetstat,mkdir,realpath,rename,posix-rename,fsync,limits";

/// Gives the server's options.
pub(super) fn options(sftp: &Sftp) -> Vec<OsString> {
    let access: &[&str] = match sftp.access {
        Access::ReadWrite => &[],
        Access::ReadOnly => &["-R"],
        Access::UploadOnly => &["-p", UPLOADS],
    };
    // What it logs goes to its standard error then. A level below this has the answers of none but some requests: an error could
    // be that of any.
    let log: &[&str] = match sftp.log {
        true => &["-e", "-l", "DEBUG"],
        false => &[],
    };
    access.iter().chain(log).map(OsString::from).collect()
}

/// Reads a command line.
pub(crate) fn read(line: &OsStr) -> Reading {
    let words = words::split(line);
    if let Ok(words) = &words {
        if let [program, options @ ..] = without_exec(words) {
            if is_server(program.as_bytes()) {
                return Reading::Server {
                    asked: program.into(),
                    options: options.to_vec(),
                };
            }
        }
    }
    let text = line.as_bytes();
    let scanner = Scanner::of(text);
    if !scanner.may_name_a_server && !mentions_server(text) {
        return Reading::Other;
    }
    let starter = scanner.commands.iter().find(|it| !it.is_harmless());
    match (starter, words) {
        (None, _) => Reading::Other,
        (Some(_), Err(fault)) => Reading::Hidden(fault.to_string()),
        (Some(starter), Ok(_)) => {
            let name = String::from_utf8_lossy(&starter.text).into_owned();
            Reading::Hidden(format!("{name:?} may start it"))
        }
    }
}

/// Tells whether a client that asked for this may want sftp: it is a server, or one that only a shell could start, or the name
/// of a wrapper has "sftp" in it.
pub(crate) fn may_be_wanted_by(line: &OsStr) -> bool {
    if read(line) != Reading::Other {
        return true;
    }
    let words = words::split(line).unwrap_or_default();
    let name = without_exec(&words)
        .first()
        .map(Path::new)
        .and_then(Path::file_name);
    let name = name.map(OsStr::as_bytes).unwrap_or_default();
    name.windows(4).any(|part| part == b"sftp")
}

/// Takes `exec` off the front, with which a shell starts what follows.
pub(crate) fn without_exec(words: &[OsString]) -> &[OsString] {
    match words {
        [exec, dashes, rest @ ..] if exec == "exec" && dashes == "--" => rest,
        [exec, rest @ ..] if exec == "exec" => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests;
