//! What is to be said about a root that is made of the host's files: what is missing, and what is left out and why.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// Something to be said about a root, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Note {
    /// A program that a preset names, and that the host does not have.
    NotInstalled {
        /// The program; its name alone, where the preset names several places for it.
        program: String,
        /// The preset.
        preset: String,
    },
    /// A program that was asked for by name when the root was built, and that the host does not have any more.
    Removed {
        /// The program.
        program: String,
    },
    /// A program that was asked for by name when the root was built, and that is left out now, for a reason that has a note
    /// of its own.
    LeftOut {
        /// The program.
        program: String,
    },
    /// A library that the host does not have; the program that asks for it would not start.
    MissingLibrary {
        /// The library's name.
        library: String,
        /// Who asks.
        by: PathBuf,
        /// Whether a program was asked for that needs it, not some module in a directory.
        needed: bool,
    },
    /// Scripts in a directory whose interpreter nothing brings.
    MissingInterpreter {
        /// The interpreter.
        interpreter: PathBuf,
        /// One of the scripts.
        script: PathBuf,
        /// How many there are.
        scripts: usize,
        /// Whether a script was asked for by name.
        needed: bool,
    },
    /// There is no `sh` for the logins of the accounts that a root is built for.
    NoShell,
    /// A path that is left out because not everybody can reach and read it on the host.
    Private {
        /// The path.
        path: PathBuf,
    },
    /// A path that is left out because it leads to what a root has of its own.
    Own {
        /// The path.
        path: PathBuf,
    },
    /// A path that is left out because it leads to a directory as large as a system.
    TooLarge {
        /// The path.
        path: PathBuf,
    },
    /// A link in a directory that is taken as a whole, by somebody else than root, to a directory that nothing brings.
    Elsewhere {
        /// The link, which is taken.
        path: PathBuf,
        /// The directory, which is not.
        to: PathBuf,
    },
}

impl Note {
    /// Whether something asked for will not work.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        match self {
            Note::Removed { .. } | Note::LeftOut { .. } => true,
            Note::MissingLibrary { needed, .. } | Note::MissingInterpreter { needed, .. } => {
                *needed
            }
            _ => false,
        }
    }

    /// Whether something on the host is left out that could have been taken by its name.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        matches!(
            self,
            Note::Private { .. }
                | Note::Own { .. }
                | Note::TooLarge { .. }
                | Note::Elsewhere { .. }
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::NotInstalled { program, preset } => {
                write!(f, "{program} of {preset} is not on this host; left out")
            }
            Note::Removed { program } => {
                write!(
                    f,
                    "{program} is not on this host any more; the root is without it now"
                )
            }
            Note::LeftOut { program } => {
                write!(
                    f,
                    "{program} was asked for and is left out; the root is without it now"
                )
            }
            Note::MissingLibrary { library, by, .. } => {
                write!(
                    f,
                    "{} asks for {library}, which is not on this host, or not for everybody to read",
                    by.display()
                )
            }
            Note::MissingInterpreter {
                interpreter,
                script,
                scripts,
                ..
            } => write!(
                f,
                "{} is not brought along, which {scripts} script{} such as {} {} run by; add --program {0} or a preset",
                interpreter.display(),
                if *scripts == 1 { "" } else { "s" },
                script.display(),
                if *scripts == 1 { "is" } else { "are" },
            ),
            Note::NoShell => f.write_str(
                "no /bin/sh is brought along, and without the jail's shell every login but sftp is refused; add --with login, or --with \
                 shell for people, or say shell = in the jail's config",
            ),
            Note::Private { path } => write!(
                f,
                "{} is not for everybody to read; left out",
                path.display()
            ),
            Note::Own { path } => write!(
                f,
                "{} leads to what a root has of its own; left out",
                path.display()
            ),
            Note::TooLarge { path } => {
                write!(f, "{} leads to a whole system; left out", path.display())
            }
            Note::Elsewhere { path, to } => write!(
                f,
                "{} leads to {1}, which is not taken along, as the link is not root's; add --program {1}",
                path.display(),
                to.display()
            ),
        }
    }
}
