//! jail-shell where it is in the jail already, because a PAM session has put the whole host program there: it becomes
//! the shell, as the user it is.
//!
//! There is nothing to give up and nothing to enter. The environment is the host program's own work.

use std::{
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    unistd::{execve, getresuid},
};
use rustix::{fs::Mode, process::umask};

use crate::{
    enter::go_home,
    environment::Variable,
    mark::Mark,
    program::Root,
    refusal::Refusal,
    request::{Request, What},
};

/// Finds the mark of a session of this very user, where this process has no privileges of its own.
#[must_use]
pub fn of_caller() -> Option<Mark> {
    let ids = getresuid().ok()?;
    let plain = ids.real == ids.effective && ids.real == ids.saved && !ids.real.is_root();
    Mark::read().filter(|mark| plain && mark.uid == ids.real.as_raw())
}

/// Becomes the shell that the mark names. Returns only with what went wrong.
#[must_use]
pub fn exec(
    mark: &Mark,
    request: &Request,
    inherited: impl IntoIterator<Item = Variable>,
) -> Refusal {
    match try_exec(mark, request, inherited) {
        Ok(errno) => Refusal::Exec(mark.shell.clone(), errno),
        Err(refusal) => refusal,
    }
}

fn try_exec(
    mark: &Mark,
    request: &Request,
    inherited: impl IntoIterator<Item = Variable>,
) -> Result<Errno, Refusal> {
    umask(Mode::from_raw_mode(mark.umask));
    let home = go_home(&mark.home)?;
    let root = Root::current(None).map_err(Refusal::Program)?;
    root.check(&mark.shell).map_err(Refusal::Program)?;
    let server = sftp_server(&root, request)?;
    let own = [
        (OsString::from("SHELL"), mark.shell.clone().into_os_string()),
        (OsString::from("HOME"), home.into_os_string()),
    ];
    let inherited = inherited
        .into_iter()
        .filter(|(name, _)| own.iter().all(|(own, _)| own != name));
    let environment: Vec<Variable> = own.clone().into_iter().chain(inherited).collect();
    let strings = || -> Result<_, Errno> {
        let arguments = request
            .arguments(&mark.shell, server.as_deref())
            .iter()
            .map(|argument| c_string(argument))
            .collect::<Result<Vec<_>, _>>()?;
        let environment = environment
            .iter()
            .map(|(name, value)| c_string(&[name, OsStr::new("="), value].join(OsStr::new(""))))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((c_string(mark.shell.as_os_str())?, arguments, environment))
    };
    Ok(match strings() {
        Ok((shell, arguments, environment)) => match execve(&shell, &arguments, &environment) {
            Err(errno) => errno,
        },
        Err(errno) => errno,
    })
}

/// Finds the jail's own sftp-server, where that is what was asked for.
fn sftp_server(root: &Root, request: &Request) -> Result<Option<PathBuf>, Refusal> {
    let What::Sftp { asked, .. } = &request.what else {
        return Ok(None);
    };
    let server = root.sftp_server(asked).ok_or(Refusal::SftpMissing)?;
    root.check(&server).map_err(Refusal::Program)?;
    if !root.has(Path::new("/dev/null")) {
        return Err(Refusal::SftpWithoutNull);
    }
    Ok(Some(server))
}

fn c_string(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}
