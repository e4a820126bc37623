//! The names in the host's /etc that are looked for.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, Mode, OFlags, ResolveFlags},
    io::Errno as OpenErrno,
};

use crate::{
    fault::{StepFault, failed},
    resolve::openat2,
};

/// What programs of the host's /usr look for in /etc, and everybody may read. None of it is a directory that has keys in
/// it: of /etc/ssl and /etc/pki only the certificates are listed, of /etc/php what its servers are told is not. A `*`
/// stands for any part of a name.
pub const SHOWN: [&str; 113] = [
    "DIR_COLORS",
    "ImageMagick-*",
    "OpenCL",
    "R",
    "X11/app-defaults",
    "X11/rgb.txt",
    "alternatives",
    "ant.conf",
    "ant.d",
    "bash.bashrc",
    "bash_completion",
    "bash_completion.d",
    "bashrc",
    "ca-certificates.conf",
    "chromium",
    "chromium.d",
    "crypto-policies",
    "csh.cshrc",
    "csh.login",
    "debian_version",
    "debuginfod",
    "dotnet",
    "dpkg/origins",
    "dpkg/shlibs.default",
    "dpkg/shlibs.override",
    "emacs",
    "environment-modules",
    "ethertypes",
    "firefox",
    "firefox-esr",
    "fish",
    "fonts",
    "gai.conf",
    "gdb",
    "gemrc",
    "ghostscript",
    "gitconfig",
    "glvnd",
    "gprofng.rc",
    "groff",
    "gtk-2.0",
    "gtk-3.0",
    "gtk-4.0",
    "host.conf",
    "hosts",
    "inputrc",
    "iproute2",
    "java",
    "java-*",
    "julia",
    "ld.so.cache",
    "ld.so.conf",
    "libpaper.d",
    "libreoffice",
    "locale.alias",
    "locale.conf",
    "localtime",
    "lsb-release",
    "lynx",
    "magic",
    "magic.mime",
    "mailcap",
    "man_db.conf",
    "manpath.config",
    "maven",
    "mime.types",
    "nanorc",
    "networks",
    "npmrc",
    "octave.conf",
    "openmpi",
    "os-release",
    "papersize",
    "paperspecs",
    "perl",
    "php.d",
    "php.ini",
    "php/*/cli",
    "php/*/mods-available",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "postgresql-common",
    "profile",
    "profile.d",
    "protocols",
    "python",
    "python2*",
    "python3*",
    "redhat-release",
    "resolv.conf",
    "rpc",
    "rpm",
    "screenrc",
    "services",
    "sgml",
    "ssl/certs",
    "ssl/openssl.cnf",
    "system-release",
    "terminfo",
    "texmf",
    "timezone",
    "tmux.conf",
    "vim",
    "vimrc",
    "virc",
    "vulkan",
    "xdg",
    "xml",
    "zlogin",
    "zprofile",
    "zsh",
    "zshenv",
    "zshrc",
];

/// Lists what is looked for in the host's /etc. What begins with a name that is shown as a whole is not listed apart.
pub(crate) fn names(host: &OwnedFd, further: &[String]) -> Result<Vec<PathBuf>, StepFault> {
    let mut names: Vec<PathBuf> = further.iter().map(PathBuf::from).collect();
    let there = list(host, Path::new(""))?;
    for pattern in SHOWN.map(Path::new) {
        for name in expand(host, &there, pattern)? {
            if !further.iter().any(|whole| name.starts_with(whole)) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// Finds the names that a pattern stands for; `there` is what /etc has.
fn expand(host: &OwnedFd, there: &[OsString], pattern: &Path) -> Result<Vec<PathBuf>, StepFault> {
    let mut parts = pattern.iter();
    let first = parts.next().unwrap_or_default();
    let fitting = there.iter().filter(|name| fits(first, name));
    let mut found: Vec<PathBuf> = fitting.map(PathBuf::from).collect();
    for part in parts {
        let mut below = Vec::new();
        for path in found {
            if part.as_bytes().contains(&b'*') {
                let listed = list(host, &path)?;
                let fitting = listed.iter().filter(|name| fits(part, name));
                below.extend(fitting.map(|name| path.join(name)));
            } else {
                below.push(path.join(part));
            }
        }
        found = below;
    }
    Ok(found)
}

/// Tells whether a name is the pattern, in which `*` stands for any letters.
fn fits(pattern: &OsStr, name: &OsStr) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    match pattern.iter().position(|byte| *byte == b'*') {
        None => pattern == name,
        Some(star) => {
            let (start, end) = (pattern.get(..star), pattern.get(star + 1..));
            let rest = name.strip_prefix(start.unwrap_or_default());
            rest.is_some_and(|rest| rest.ends_with(end.unwrap_or_default()))
        }
    }
}

/// Lists a directory below the host's /etc, in the order of the names. What is no directory has nothing in it.
fn list(host: &OwnedFd, below: &Path) -> Result<Vec<OsString>, StepFault> {
    let path = Path::new("/etc").join(below);
    let directory = match open(host, &path, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(directory) => directory,
        Err(OpenErrno::NOENT | OpenErrno::NOTDIR | OpenErrno::LOOP) => return Ok(Vec::new()),
        Err(errno) => return Err(failed("open a directory of /etc")(errno)),
    };
    let mut names = Vec::new();
    for entry in Dir::new(directory).map_err(failed("list a directory of /etc"))? {
        let entry = entry.map_err(failed("list a directory of /etc"))?;
        names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Opens a path of the host, but no link in its last place.
pub(super) fn open(host: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, OpenErrno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(host, path, flags, Mode::empty(), resolve)
}

#[cfg(test)]
mod tests;
