//! Which programs a jail lets its users start, and how its SFTP is served.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::template::Template;

/// One entry of `commands`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// The jail's shell, for an interactive session and with `-c`: whatever a shell can start.
    Shell,
    /// OpenSSH's sftp-server.
    Sftp,
    /// scp(1): the sftp-server, and `scp -t` and `scp -f` of the protocol before OpenSSH 9.
    Scp,
    /// `rsync --server`.
    Rsync,
    /// `git-upload-pack`, `git-receive-pack` and `git-upload-archive`.
    Git,
    /// A program of the jail.
    Program(Program),
}

impl Allowed {
    /// The entries that are one word.
    pub(crate) const WORDS: [(&'static str, Allowed); 5] = [
        ("shell", Allowed::Shell),
        ("sftp", Allowed::Sftp),
        ("scp", Allowed::Scp),
        ("rsync", Allowed::Rsync),
        ("git", Allowed::Git),
    ];

    /// Reads an entry that is a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Allowed> {
        let mut words = Allowed::WORDS.into_iter();
        words
            .find(|(known, _)| *known == word)
            .map(|(_, entry)| entry)
    }

    /// Gives the word or the path that an administrator and a user are told.
    #[must_use]
    pub fn name(&self) -> &str {
        let word = Allowed::WORDS.iter().find(|(_, entry)| entry == self);
        match (self, word) {
            (Allowed::Program(program), _) => &program.path,
            (_, Some((word, _))) => word,
            (_, None) => "",
        }
    }

    /// Gives the name, and behind that of a program the arguments that it may have.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = self.name().to_owned();
        let Allowed::Program(program) = self else {
            return shown;
        };
        for text in program.arguments.iter().flatten().map(Argument::as_str) {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            shown += &match plain {
                true => format!(" {text}"),
                false => format!(" {text:?}"),
            };
        }
        shown
    }
}

/// Tells whether a list lets a shell be started, and so everything that the jail has.
#[must_use]
pub fn has_shell(commands: Option<&[Allowed]>) -> bool {
    commands.is_none_or(|list| list.contains(&Allowed::Shell))
}

/// A program that may be started, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its path in the jail.
    pub path: String,
    /// Its arguments, all of them; nothing where any will do.
    pub arguments: Option<Vec<Argument>>,
}

/// An argument of a program that may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// This text.
    Fixed(String),
    /// `*`: one argument, whatever it is.
    One,
    /// `**`, in the last place: any number of them.
    Rest,
}

impl Argument {
    /// Reads one as it is written in a config.
    #[must_use]
    pub fn of(text: &str) -> Argument {
        match text {
            "*" => Argument::One,
            "**" => Argument::Rest,
            fixed => Argument::Fixed(fixed.to_owned()),
        }
    }

    /// Gives it as it is written in a config.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Argument::Fixed(text) => text,
            Argument::One => "*",
            Argument::Rest => "**",
        }
    }
}

impl Program {
    /// Tells whether it may be started with these arguments.
    #[must_use]
    pub fn accepts(&self, given: &[OsString]) -> bool {
        let Some(wanted) = &self.arguments else {
            return true;
        };
        let (wanted, rest) = match wanted.split_last() {
            Some((Argument::Rest, wanted)) => (wanted, true),
            _ => (wanted.as_slice(), false),
        };
        let fits = |(wanted, given): (&Argument, &OsString)| match wanted {
            Argument::Fixed(text) => given == OsStr::new(text),
            Argument::One | Argument::Rest => true,
        };
        let enough = match rest {
            true => given.len() >= wanted.len(),
            false => given.len() == wanted.len(),
        };
        enough && wanted.iter().zip(given).all(fits)
    }
}

/// How SFTP is served: the options of sftp-server(8) that the client can't choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sftp {
    /// What may be done.
    pub access: Access,
    /// The directory in which a session starts, a path in the jail; the home where there is none.
    pub directory: Option<PathBuf>,
    /// The mask that the server is given; the jail's where there is none.
    pub umask: Option<u32>,
    /// Each transfer is logged.
    pub log: bool,
}

/// What may be done by SFTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// What the files' modes allow.
    #[default]
    ReadWrite,
    /// Listing and reading.
    ReadOnly,
    /// Writing new files and making directories.
    UploadOnly,
}

/// `sftp` as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SftpKeys {
    pub(crate) access: Option<Access>,
    pub(crate) directory: Option<Template>,
    pub(crate) umask: Option<u32>,
    pub(crate) log: Option<bool>,
}
