//! The list of commands that a jail allows: which program a command of it is. What is started is started directly, and no shell
//! reads it.
//!
//! Which program may start is decided here; which files it can reach is the view's business. What keeps a program from starting
//! another one is not decided here: see [`Executables`](crate::plan::world::Executables).

mod rsync;

use std::{
    error,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use jail_config::Allowed;

use super::{
    sftp::without_exec,
    words::{NotWords, Word, quoted, split, split_with_patterns},
};

/// Where a program is looked for that is allowed by its name: the PATH of a session, without the directories of root's programs.
const DIRECTORIES: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];

/// Git's programs that serve a repository.
const OF_GIT: [&str; 3] = ["upload-pack", "receive-pack", "upload-archive"];

/// A program that is started without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Its paths in the jail: the first that is there is started.
    pub paths: Vec<PathBuf>,
    /// What it is given, argv\[0\] excluded.
    pub arguments: Vec<Word>,
    /// The variables that it needs besides those of every session.
    pub environment: Vec<(OsString, OsString)>,
}

impl Direct {
    /// Gives it as one would type it, before anything is expanded.
    #[must_use]
    pub fn shown(&self) -> OsString {
        let program = self.paths.first().and_then(|path| path.file_name());
        let arguments = self.arguments.iter().map(|word| word.text.as_os_str());
        let words: Vec<OsString> = program.into_iter().chain(arguments).map(quoted).collect();
        words.join(OsStr::new(" "))
    }
}

/// Why the list does not allow a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// What was asked for.
    asked: Asked,
    /// What the list has.
    allowed: Vec<String>,
}

/// What was asked for, and is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Shell,
    Sftp,
    /// A command that a shell would have to read.
    NotWords(NotWords),
    /// A program that the list has not.
    Program(OsString),
    /// A program of the list, with arguments that its entry does not have.
    Arguments(OsString),
    /// A client's program that the list has, but not with these arguments; and why.
    Otherwise(&'static str, String),
}

impl NotAllowed {
    /// Refuses what was asked for, and names what the list has.
    pub(super) fn new(asked: Asked, list: &[Allowed]) -> NotAllowed {
        NotAllowed {
            asked,
            allowed: list.iter().map(Allowed::shown).collect(),
        }
    }

    /// Tells whether the list has SFTP and nothing else.
    #[must_use]
    pub fn has_sftp_alone(&self) -> bool {
        self.allowed == [Allowed::Sftp.name()]
    }
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asked {
            Asked::Shell => f.write_str("a shell is not allowed")?,
            Asked::Sftp => f.write_str("SFTP is not allowed")?,
            Asked::NotWords(fault) => {
                write!(f, "a command that needs a shell is not allowed: {fault}")?
            }
            Asked::Program(program) => write!(f, "the command {program:?} is not allowed")?,
            Asked::Arguments(program) => {
                write!(f, "{program:?} is not allowed with these arguments")?
            }
            Asked::Otherwise(program, why) => {
                write!(f, "{program} is not allowed with these arguments: {why}")?
            }
        }
        write!(f, "; allowed: {}", self.allowed.join(", "))
    }
}

impl error::Error for NotAllowed {}

/// The directories in which a program is looked for, and its paths there.
pub(super) fn paths_of(name: &str) -> Vec<PathBuf> {
    DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .collect()
}

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

/// Where distributions keep the git that git starts by itself.
const GIT_CORE: [&str; 3] = [
    "/usr/lib/git-core/git",
    "/usr/libexec/git-core/git",
    "/usr/local/libexec/git-core/git",
];

/// Lists the programs that an entry takes, each by the paths that it may have. The first is the one that is started.
#[must_use]
pub fn programs(entry: &Allowed) -> Vec<Vec<PathBuf>> {
    let server = || SFTP_SERVERS.map(PathBuf::from).to_vec();
    match entry {
        Allowed::Shell => Vec::new(),
        Allowed::Sftp => vec![server()],
        Allowed::Scp => vec![server(), paths_of("scp")],
        Allowed::Rsync => vec![paths_of("rsync")],
        Allowed::Git => vec![paths_of("git"), GIT_CORE.map(PathBuf::from).to_vec()],
        Allowed::Program(program) => vec![vec![PathBuf::from(&program.path)]],
    }
}

/// Finds what of the list a command is.
pub(super) fn direct(command: &OsStr, list: &[Allowed]) -> Result<Direct, Asked> {
    let words = split_with_patterns(command).map_err(Asked::NotWords)?;
    let words = match words.split_first() {
        Some((exec, rest)) if exec.text == "exec" && !rest.is_empty() => rest,
        _ => &words,
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(Asked::Shell);
    };
    let allowed = |entry: &Allowed| list.contains(entry);
    let is = |name: &str| is_called(&program.text, name);
    if is("rsync") && allowed(&Allowed::Rsync) {
        rsync::check(arguments).map_err(|why| Asked::Otherwise("rsync", why))?;
        return Ok(named("rsync", arguments.to_vec()));
    }
    if is("scp") && allowed(&Allowed::Scp) {
        check_scp(arguments).map_err(|why| Asked::Otherwise("scp", why))?;
        return Ok(named("scp", arguments.to_vec()));
    }
    // From here on a pattern is nothing that a program is given.
    let plain = split(command).map_err(Asked::NotWords)?;
    let plain = without_exec(&plain).get(1..).unwrap_or_default();
    if let Some((service, rest)) = of_git(&program.text, plain).filter(|_| allowed(&Allowed::Git)) {
        return git(service, rest).map_err(|why| Asked::Otherwise("git", why));
    }
    let mut is_listed = false;
    for entry in list {
        let Allowed::Program(known) = entry else {
            continue;
        };
        let path = Path::new(&known.path);
        let name = path.file_name().unwrap_or_default();
        if program.text != path.as_os_str() && program.text != name {
            continue;
        }
        if known.accepts(plain) {
            return Ok(Direct {
                paths: vec![path.to_owned()],
                arguments: plain.iter().map(Word::plain).collect(),
                environment: Vec::new(),
            });
        }
        is_listed = true;
    }
    match is_listed {
        true => Err(Asked::Arguments(program.text.clone())),
        false => Err(Asked::Program(program.text.clone())),
    }
}

/// Tells whether a word names a program of the usual directories.
fn is_called(word: &OsStr, name: &str) -> bool {
    word == name || paths_of(name).iter().any(|path| word == path.as_os_str())
}

pub(super) fn named(name: &str, arguments: Vec<Word>) -> Direct {
    Direct {
        paths: paths_of(name),
        arguments,
        environment: Vec::new(),
    }
}

/// Lets scp serve the old protocol: `scp [-v] [-p] [-r] [-d] [-q] -t|-f [--] PATH...`. Nothing else of it starts no program.
fn check_scp(arguments: &[Word]) -> Result<(), String> {
    let mut serves = false;
    for (index, word) in arguments.iter().enumerate() {
        let text = word.text.as_bytes();
        if text == b"--" || !text.starts_with(b"-") {
            let rest = match text {
                b"--" => arguments.len() - index - 1,
                _ => arguments.len() - index,
            };
            return match (serves, rest) {
                (true, 1..) => Ok(()),
                (true, 0) => Err("it names no file".to_owned()),
                (false, _) => {
                    Err("it has neither -t nor -f, by which a client has it serve".to_owned())
                }
            };
        }
        let options = text.get(1..).unwrap_or_default();
        if !options.iter().all(|byte| b"vprdqtf".contains(byte)) {
            return Err(format!("{:?} is no option of a client's", word.text));
        }
        serves |= options.iter().any(|byte| b"tf".contains(byte));
    }
    Err("it names no file".to_owned())
}

/// Tells which of git's services a command is: `git-upload-pack PATH` or `git upload-pack PATH`.
fn of_git<'a>(
    program: &OsStr,
    arguments: &'a [OsString],
) -> Option<(&'static str, &'a [OsString])> {
    for service in OF_GIT {
        if is_called(program, &format!("git-{service}")) {
            return Some((service, arguments));
        }
    }
    let (service, rest) = arguments.split_first()?;
    let service = OF_GIT.into_iter().find(|it| service == OsStr::new(it))?;
    is_called(program, "git").then_some((service, rest))
}

/// Serves one repository. It may belong to somebody else: safe.directory would refuse it for the sake of what its config and
/// hooks start, and none of that may be executed here. Hooks are not even looked for: a link to git or its loader would be one that
/// can be executed.
fn git(service: &str, arguments: &[OsString]) -> Result<Direct, String> {
    let [repository] = arguments else {
        return Err(format!("{service} takes one repository"));
    };
    if repository.as_bytes().starts_with(b"-") || repository.is_empty() {
        return Err(format!("{repository:?} is no repository"));
    }
    let config = [
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
        ("GIT_CONFIG_KEY_1", "core.hooksPath"),
        ("GIT_CONFIG_VALUE_1", "/dev/null"),
    ];
    Ok(Direct {
        paths: paths_of("git"),
        arguments: vec![Word::plain(service), Word::plain(repository)],
        environment: config
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
    })
}
