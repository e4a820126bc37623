//! Whether a program can start in a root: it is there, so is its interpreter, so are its libraries.
//!
//! The kernel and the loader report a missing interpreter or library as if the program itself were missing
//! ("/bin/bash: No such file or directory"), so it is looked for here and named. This runs as the user, inside: a
//! file made to harm its reader harms the user only. It never refuses what the loader could find somewhere: the
//! search is wider than the loader's, and a file that can't be read is left to execve(2).

use std::{
    collections::BTreeSet,
    ffi::{CString, OsStr, OsString},
    fmt,
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    path::{Path, PathBuf},
};

use nix::{errno::Errno, unistd::execve};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat};

use super::client;
use crate::{
    code::Code,
    fault::raw,
    plan::{
        environment::Variable,
        request::{Request, Start, What},
    },
    process::elf::{self, Dynamic},
    trust::kind,
};

/// Where distributions keep OpenSSH's sftp-server: Debian, Fedora, Arch and Alpine, SUSE, Gentoo, Slackware, OpenWrt.
pub const SFTP_SERVERS: [&str; 9] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/ssh/sftp-server",
    "/usr/lib64/ssh/sftp-server",
    "/usr/lib64/misc/sftp-server",
    "/usr/lib/misc/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/sftp-server",
];

/// Where loaders look without being told: ld.so(8), and musl's.
const LIBRARY_DIRECTORIES: [&str; 7] = [
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/lib32",
    "/usr/lib32",
];

/// Where Debian's loaders look first.
const MULTIARCH: [&str; 6] = [
    "x86_64-linux-gnu",
    "aarch64-linux-gnu",
    "riscv64-linux-gnu",
    "powerpc64le-linux-gnu",
    "s390x-linux-gnu",
    "loongarch64-linux-gnu",
];

/// How deep `#!` lines may be nested: BINPRM_MAX_RECURSION in Linux is 5.
const DEEPEST_SCRIPT: usize = 5;

/// How many links are followed: MAXSYMLINKS in Linux.
const MOST_LINKS: usize = 40;

/// How many libraries are looked at before the rest is left to the loader.
const MOST_LIBRARIES: usize = 512;

/// The longest `#!` line, and the part of ld.so.conf and ld.so.cache that is read, in bytes.
const LONGEST_SCRIPT_LINE: usize = 256;
const LARGEST_CACHE: u64 = 4 * 1024 * 1024;

/// Why a program can't start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramFault {
    /// It is not there, or not for this user.
    Missing(PathBuf, Errno),
    /// It is a symbolic link; what it leads to is not there.
    Dangling(PathBuf, PathBuf),
    /// It is a directory, a device or the like.
    NotRegular(PathBuf, &'static str),
    /// It is there; what the kernel starts it by is not.
    Interpreter(PathBuf, PathBuf),
    /// It is there; these libraries of it or of its libraries are not.
    Libraries(PathBuf, Vec<OsString>),
    /// The root itself could not be opened.
    Root(Errno),
    /// None of the known places has an sftp-server.
    SftpMissing,
    /// The sftp-server is there, the /dev/null it can't do without is not.
    SftpWithoutNull,
    /// An sftp-server is all that is to be started, and the client does not speak SFTP.
    SftpNotWanted,
}

impl ProgramFault {
    /// Gives the code the user is told.
    pub(crate) fn code(&self) -> Code {
        match self {
            ProgramFault::Missing(_, Errno::EMFILE | Errno::ENFILE)
            | ProgramFault::Root(Errno::EMFILE | Errno::ENFILE) => Code::Step,
            ProgramFault::Missing(..)
            | ProgramFault::Dangling(..)
            | ProgramFault::NotRegular(..)
            | ProgramFault::Root(_) => Code::ShellMissing,
            ProgramFault::Interpreter(..) => Code::InterpreterMissing,
            ProgramFault::Libraries(..) => Code::LibraryMissing,
            ProgramFault::SftpMissing | ProgramFault::SftpWithoutNull => Code::SftpMissing,
            ProgramFault::SftpNotWanted => Code::Usage,
        }
    }
}

impl fmt::Display for ProgramFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramFault::Missing(_, errno @ (Errno::EMFILE | Errno::ENFILE))
            | ProgramFault::Root(errno @ (Errno::EMFILE | Errno::ENFILE)) => write!(
                f,
                "open a file in the jail: {}; raise limits.nofile, or the caller's own limit (ulimit -n)",
                errno.desc()
            ),
            ProgramFault::Dangling(program, to) => write!(
                f,
                "find {} in the jail: it is a link to {}, which is not in the jail; copy that file into the root",
                program.display(),
                to.display()
            ),
            ProgramFault::Missing(program, Errno::ELOOP) => write!(
                f,
                "find {} in the jail: it is a link that leads in a circle; put the program in its place",
                program.display()
            ),
            ProgramFault::Missing(program, errno) => write!(
                f,
                "find {} in the jail: {}; put it there, or set the jail's `shell` to one that is there",
                program.display(),
                errno.desc()
            ),
            ProgramFault::NotRegular(program, kind) => {
                write!(
                    f,
                    "find {} in the jail: it is a {kind}, not a program",
                    program.display()
                )
            }
            ProgramFault::Interpreter(program, interpreter) => write!(
                f,
                "start {} in the jail: the program is there, its interpreter {} is missing; run: jailctl check",
                program.display(),
                interpreter.display()
            ),
            ProgramFault::Libraries(program, libraries) => {
                write!(
                    f,
                    "start {} in the jail: the program is there, missing are",
                    program.display()
                )?;
                let mut separator = " ";
                for library in libraries {
                    write!(f, "{separator}{}", Path::new(library).display())?;
                    separator = ", ";
                }
                f.write_str("; run: jailctl check")
            }
            ProgramFault::SftpNotWanted => f.write_str(
                "the account's command is an sftp-server, and the client speaks no SFTP: it asked for a shell",
            ),
            ProgramFault::SftpMissing => f.write_str(
                "sftp was asked for, and no sftp-server is in the jail; run: jailctl mend sftp-server-missing USER, or \
                 install it where the jail's base is",
            ),
            ProgramFault::SftpWithoutNull => f.write_str(
                "sftp was asked for, and sftp-server needs /dev/null in the jail; run: jailctl mend null-missing USER",
            ),
            ProgramFault::Root(errno) => write!(f, "open / in the jail: {}", errno.desc()),
        }
    }
}

/// Becomes a program. Returns only with why that failed.
pub(crate) fn execute<'a>(
    start: &Start,
    environment: impl IntoIterator<Item = &'a Variable>,
) -> Errno {
    let strings = || -> Result<_, Errno> {
        let path = c_string(start.program.as_os_str())?;
        let arguments = start.arguments.iter().map(|argument| c_string(argument));
        let environment = environment
            .into_iter()
            .map(|(name, value)| c_string(&[name, OsStr::new("="), value].join(OsStr::new(""))));
        Ok((
            path,
            arguments.collect::<Result<Vec<_>, _>>()?,
            environment.collect::<Result<Vec<_>, _>>()?,
        ))
    };
    let tried = strings()
        .and_then(|(path, arguments, environment)| execve(&path, &arguments, &environment));
    match tried {
        Err(errno) => errno,
    }
}

fn c_string(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}

/// Finds LD_LIBRARY_PATH in an environment.
pub(crate) fn library_path(environment: &[Variable]) -> Option<&OsStr> {
    environment
        .iter()
        .find(|(name, _)| name == "LD_LIBRARY_PATH")
        .map(|(_, value)| value.as_os_str())
}

/// Says what is to be started in the root directory of this process, where [`Root::check_for`] has found `sftp_server`. A
/// shell that is a link is followed as it has followed it.
pub(crate) fn start(request: &Request, shell: &Path, sftp_server: Option<&Path>) -> Start {
    let leads_to = match Root::current(None) {
        Ok(root) => root.leads_to(shell),
        Err(_) => shell.to_owned(),
    };
    request.start(shell, &leads_to, sftp_server)
}

/// The root in which programs are looked for.
#[derive(Debug)]
pub struct Root {
    descriptor: OwnedFd,
    library_path: Vec<PathBuf>,
}

impl Root {
    /// Takes the root directory of this process; `library_path` is LD_LIBRARY_PATH in the new environment.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn current(library_path: Option<&OsStr>) -> Result<Root, ProgramFault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = openat2(
            rustix::fs::CWD,
            "/",
            flags,
            Mode::empty(),
            ResolveFlags::empty(),
        )
        .map_err(|errno| ProgramFault::Root(raw(errno)))?;
        let library_path = library_path.map(elf::search_path).unwrap_or_default();
        Ok(Root {
            descriptor,
            library_path,
        })
    }

    /// Finds the sftp-server: where it was asked for, or else where another distribution keeps it.
    #[must_use]
    pub fn sftp_server(&self, asked: &Path) -> Option<PathBuf> {
        std::iter::once(asked)
            .filter(|path| path.is_absolute())
            .chain(SFTP_SERVERS.iter().map(Path::new))
            .find(|path| self.has(path))
            .map(Path::to_owned)
    }

    /// Checks what a request takes of the root: the shell, unless the sftp-server is started without it, and the
    /// sftp-server where that is what was asked for, which it finds.
    ///
    /// # Errors
    /// One of them is not there, or could not work.
    pub(crate) fn check_for(
        &self,
        request: &Request,
        shell: &Path,
    ) -> Result<Option<PathBuf>, ProgramFault> {
        let leads_to = self.leads_to(shell);
        if request.options_without_link(shell, &leads_to).is_none() {
            self.check(shell)?;
        }
        self.server_for(&request.what)
    }

    /// Follows a program that is a link, as far as there are links. What it leads to need not be there.
    fn leads_to(&self, program: &Path) -> PathBuf {
        let mut current = program.to_owned();
        for _ in 0..MOST_LINKS {
            let link = self.open_with(&current, OFlags::PATH | OFlags::NOFOLLOW);
            // Fails for what is no link.
            let Some(to) = link
                .ok()
                .and_then(|link| readlinkat(&link, c"", Vec::new()).ok())
            else {
                break;
            };
            // The kernel resolves "..", so the directory stays as it is written.
            let to = Path::new(OsStr::from_bytes(to.to_bytes()));
            current = current.parent().unwrap_or(Path::new("/")).join(to);
        }
        current
    }

    fn server_for(&self, what: &What) -> Result<Option<PathBuf>, ProgramFault> {
        let What::Sftp { asked, unsure, .. } = what else {
            return Ok(None);
        };
        if *unsure && !client::speaks_sftp() {
            return Err(ProgramFault::SftpNotWanted);
        }
        let server = self.sftp_server(asked).ok_or(ProgramFault::SftpMissing)?;
        self.check(&server)?;
        // sftp-server ends without a word where this is missing.
        if !self.has(Path::new("/dev/null")) {
            return Err(ProgramFault::SftpWithoutNull);
        }
        Ok(Some(server))
    }

    /// Checks a program, and through `#!` lines the program that it stands for.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn check(&self, program: &Path) -> Result<(), ProgramFault> {
        let mut current = program.to_owned();
        for depth in 0..DEEPEST_SCRIPT {
            let file = match self.open(&current) {
                Ok(file) => file,
                // Executable without being readable: execve(2) has the last word.
                Err(Errno::EACCES) if self.has(&current) => return Ok(()),
                Err(errno) if depth == 0 => return Err(self.missing(current, errno)),
                Err(_) => return Err(ProgramFault::Interpreter(program.to_owned(), current)),
            };
            let Some(file) =
                regular(file).map_err(|kind| ProgramFault::NotRegular(current.clone(), kind))?
            else {
                return Ok(());
            };
            if let Some(interpreter) = script_interpreter(&file) {
                current = interpreter;
                continue;
            }
            return match elf::read(&file) {
                Some(dynamic) => self.check_dynamic(program, &current, &dynamic),
                None => Ok(()),
            };
        }
        Ok(())
    }

    /// Checks the interpreter and, breadth first, all libraries.
    fn check_dynamic(
        &self,
        program: &Path,
        file: &Path,
        dynamic: &Dynamic,
    ) -> Result<(), ProgramFault> {
        let Some(interpreter) = dynamic.interpreter.as_deref().map(Path::new) else {
            return Ok(());
        };
        if !self.has(interpreter) {
            return Err(ProgramFault::Interpreter(
                program.to_owned(),
                interpreter.to_owned(),
            ));
        }
        let loader = Loader::of(self, interpreter, file, dynamic);
        let mut missing = Vec::new();
        let mut seen: BTreeSet<OsString> = BTreeSet::new();
        let mut waiting: Vec<(OsString, Vec<PathBuf>)> = loader.wanted(file, dynamic);
        while let Some((name, own_path)) = waiting.pop() {
            if loader.has_built_in(&name)
                || seen.len() == MOST_LIBRARIES
                || !seen.insert(name.clone())
            {
                continue;
            }
            match loader.find(&name, &own_path) {
                Some((path, found)) => {
                    if let Some(dynamic) = elf::read(&found) {
                        waiting.extend(loader.wanted(&path, &dynamic));
                    }
                }
                None => missing.push(name),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort();
        Err(ProgramFault::Libraries(program.to_owned(), missing))
    }

    fn missing(&self, program: PathBuf, errno: Errno) -> ProgramFault {
        let link = self
            .open_with(&program, OFlags::PATH | OFlags::NOFOLLOW)
            .ok()
            .and_then(|link| readlinkat(&link, c"", Vec::new()).ok());
        match (errno, link) {
            (Errno::ENOENT, Some(to)) => {
                let to = PathBuf::from(OsStr::from_bytes(to.to_bytes()));
                ProgramFault::Dangling(program, to)
            }
            _ => ProgramFault::Missing(program, errno),
        }
    }

    pub(crate) fn has(&self, path: &Path) -> bool {
        self.open_with(path, OFlags::PATH).is_ok()
    }

    fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open_with(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
    }

    /// Opens a path as it is seen inside, links followed inside only.
    fn open_with(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat2(
            self.descriptor.as_fd(),
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
        .map_err(raw)
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let file = regular(self.open(path).ok()?).ok()??;
        let mut text = Vec::new();
        file.take(LARGEST_CACHE).read_to_end(&mut text).ok()?;
        Some(text)
    }
}

/// How the loader of one program looks for libraries.
#[derive(Debug)]
struct Loader<'a> {
    root: &'a Root,
    musl: bool,
    /// Where it looks for every library: LD_LIBRARY_PATH, the program's own DT_RPATH and DT_RUNPATH, the defaults.
    directories: Vec<PathBuf>,
}

impl<'a> Loader<'a> {
    fn of(root: &'a Root, interpreter: &Path, program: &Path, dynamic: &Dynamic) -> Loader<'a> {
        let mut directories = root.library_path.clone();
        directories.extend(dynamic.search_path(program));
        let here = std::env::consts::ARCH;
        for triplet in MULTIARCH.iter().filter(|triplet| triplet.starts_with(here)) {
            directories.push(Path::new("/lib").join(triplet));
            directories.push(Path::new("/usr/lib").join(triplet));
        }
        directories.extend(LIBRARY_DIRECTORIES.map(PathBuf::from));
        let musl = interpreter
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(b"ld-musl-"));
        Loader {
            root,
            musl,
            directories,
        }
    }

    /// Lists what an object wants, each with the search path of that object itself.
    fn wanted(&self, path: &Path, dynamic: &Dynamic) -> Vec<(OsString, Vec<PathBuf>)> {
        let own_path = dynamic.search_path(path);
        dynamic
            .needed
            .iter()
            .map(|name| (name.clone(), own_path.clone()))
            .collect()
    }

    /// musl's loader is libc itself, under these names: ldso/dynlink.c reserves them.
    fn has_built_in(&self, name: &OsStr) -> bool {
        const RESERVED: [&[u8]; 7] = [
            b"libc.",
            b"libpthread.",
            b"librt.",
            b"libm.",
            b"libdl.",
            b"libutil.",
            b"libxnet.",
        ];
        self.musl
            && RESERVED
                .iter()
                .any(|prefix| name.as_bytes().starts_with(prefix))
    }

    fn find(&self, name: &OsStr, own_path: &[PathBuf]) -> Option<(PathBuf, File)> {
        if name.as_bytes().contains(&b'/') {
            return self.open(Path::new(name));
        }
        own_path
            .iter()
            .chain(&self.directories)
            .find_map(|directory| self.open(&directory.join(name)))
            .or_else(|| {
                self.configured(name)
                    .iter()
                    .find_map(|path| self.open(path))
            })
    }

    fn open(&self, path: &Path) -> Option<(PathBuf, File)> {
        let file = regular(self.root.open(path).ok()?).ok()??;
        Some((path.to_owned(), file))
    }

    /// Lists where the root's own ld.so.cache, ld.so.conf or musl's path file would have the loader look.
    ///
    /// Read only once the usual places had nothing, so the usual login never gets here.
    fn configured(&self, name: &OsStr) -> Vec<PathBuf> {
        let mut places = Vec::new();
        if let Some(cache) = self.root.read(Path::new("/etc/ld.so.cache")) {
            // The cache ends in a table of NUL-terminated paths: ldconfig(8).
            let paths = cache
                .split(|byte| *byte == 0)
                .map(|text| Path::new(OsStr::from_bytes(text)));
            places.extend(
                paths
                    .filter(|path| path.is_absolute() && path.file_name() == Some(name))
                    .map(Path::to_owned),
            );
        }
        let musl = format!("/etc/ld-musl-{}.path", std::env::consts::ARCH);
        for list in [musl.as_str(), "/etc/ld.so.conf"] {
            let text = self.root.read(Path::new(list)).unwrap_or_default();
            let words = text.split(|byte| byte.is_ascii_whitespace() || *byte == b':');
            places.extend(
                words
                    .filter(|word| word.starts_with(b"/"))
                    .map(|word| Path::new(OsStr::from_bytes(word)).join(name)),
            );
        }
        places
    }
}

/// Gives a regular file; nothing for one that can't be examined; an error, with what it is, for any other kind.
fn regular(file: OwnedFd) -> Result<Option<File>, &'static str> {
    let Ok(stat) = fstat(&file) else {
        return Ok(None);
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Some(File::from(file))),
        other => Err(kind(other)),
    }
}

/// Reads the interpreter of a script's first line: execve(2).
fn script_interpreter(file: &File) -> Option<PathBuf> {
    let mut start = [0_u8; LONGEST_SCRIPT_LINE];
    let length = file.read_at(&mut start, 0).ok()?;
    let line = start.get(..length)?.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let interpreter = line
        .split(|byte| matches!(byte, b' ' | b'\t' | 0))
        .find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(interpreter)))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::Root;

    #[test]
    fn links_are_followed_in_the_root() {
        let base = std::env::temp_dir().join(format!("jail-program-{}", std::process::id()));
        fs::create_dir_all(base.join("usr/bin")).unwrap();
        fs::create_dir_all(base.join("usr/etc")).unwrap();
        symlink("usr/bin", base.join("bin")).unwrap();
        symlink("/bin/second", base.join("usr/bin/first")).unwrap();
        symlink("../etc/third", base.join("usr/bin/second")).unwrap();
        symlink("/bin/bash", base.join("usr/etc/third")).unwrap();
        fs::write(base.join("usr/bin/bash"), "").unwrap();
        symlink("circle", base.join("usr/bin/circle")).unwrap();
        let root = Root {
            descriptor: fs::File::open(&base).unwrap().into(),
            library_path: Vec::new(),
        };
        let names = ["/bin/first", "/bin/bash", "/bin/circle", "/bin/none"];
        let seen = names.map(|name| root.leads_to(Path::new(name)));
        fs::remove_dir_all(&base).unwrap();
        let expected = ["/bin/bash", "/bin/bash", "/bin/circle", "/bin/none"];
        assert_eq!(seen, expected.map(std::path::PathBuf::from));
    }
}
