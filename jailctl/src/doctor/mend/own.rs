//! login-jail's own programs on the host: nobody but root may replace them.

use std::path::Path;

use jail::trust;
use rustix::fs::{FileType, Mode, OFlags, fchmod, fstat, openat};

use crate::{
    doctor::mend::{
        Extent, pasted,
        reach::{failed, mode_words},
    },
    door::JAIL_SHELL_PATH,
    failure::Failure,
    shell::shown,
};

/// How the module is called, wherever it is.
const MODULE: &str = "pam_jail.so";

/// Gives the command that installs login-jail again: what others could have written is perhaps not what was installed.
pub(crate) fn installing_again() -> &'static str {
    if Path::new("/usr/bin/apt-get").exists() {
        "apt-get install --reinstall login-jail"
    } else if Path::new("/usr/bin/dnf").exists() {
        "dnf reinstall login-jail"
    } else {
        "zypper install --force login-jail"
    }
}

/// Lets nobody but root write jail-shell.
pub(crate) fn jail_shell(extent: Extent) -> Result<Vec<String>, Failure> {
    unwritable(Path::new(JAIL_SHELL_PATH), extent)
}

/// Lets nobody but root write the module.
pub(crate) fn pam_module(path: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    if path.file_name().is_none_or(|name| name != MODULE) {
        return Err(Failure::Failed(format!("{} is no {MODULE}", shown(path))));
    }
    unwritable(path, extent)
}

fn unwritable(path: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    let above = path.parent().unwrap_or(path);
    if !pasted::is_roots_alone(above) {
        return Err(Failure::Failed(format!(
            "{}: the directory is not of the host's system, or others than root can write it",
            shown(path)
        )));
    }
    // Root's links lead there: /lib is one.
    let found = above
        .canonicalize()
        .map_err(|error| Failure::io("find", above, &error))?;
    let directory = trust::open_directory(&found)
        .map_err(|untrusted| Failure::Failed(format!("open {untrusted}")))?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let name = path.file_name().unwrap_or_default();
    let opened = openat(&directory, name, flags, Mode::empty()).map_err(failed("open", path))?;
    let stat = fstat(&opened).map_err(failed("examine", path))?;
    let mode = stat.st_mode & 0o7777;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || mode & 0o022 == 0 {
        return Ok(Vec::new());
    }
    if stat.st_uid != 0 || stat.st_nlink != 1 {
        return Err(Failure::Failed(format!(
            "{}: it is not root's, or has other names; install the package again",
            shown(path)
        )));
    }
    let new = mode & !0o022;
    if extent == Extent::Whole {
        fchmod(&opened, Mode::from_raw_mode(new)).map_err(failed("chmod", path))?;
    }
    Ok(vec![mode_words(path, new, mode)])
}
