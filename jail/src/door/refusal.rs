//! Why a login is refused: one enum, by stage.

mod text;

use std::{
    error,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use jail_config::{Faults, Rule, TemplateError, Until};
use nix::errno::Errno;

use crate::{
    account::identity::IdentityError,
    log::{call::Call, event::Event, record::Unrecorded},
    plan::{PlanFault, allowed::NotAllowed, request::RequestFault, steps::Step, words},
    process::{
        descriptors::BadDescriptor,
        home::HomeFault,
        privilege::{Missing, PrivilegeFault},
        program::ProgramFault,
        start::StartFault,
    },
    trust::{Untrusted, UntrustedSource},
    world::{create::CreateFault, host_files::HostFilesFault},
};

pub use crate::{code::Code, fault::StepFault};

/// What stands for the user in a command, where the name is not known.
const USER: &str = " USER";

/// Why a login is refused. `Display` is the reason as the administrator reads it in the log.
#[derive(Debug)]
pub enum Refusal {
    /// The arguments make no request; the text says how.
    Usage(String),
    /// Root called the door.
    CalledByRoot,
    /// The set-user-ID bit had no effect.
    Privilege(Missing),
    /// A standard descriptor is refused.
    Descriptor(BadDescriptor),
    /// The account facts could not be had.
    Identity(IdentityError),
    /// Name services have not answered when the deadline came; to what.
    Unanswered(&'static str),
    /// There is no config file.
    ConfigMissing(PathBuf),
    /// The config file can't be read.
    ConfigUnreadable(PathBuf, Errno),
    /// The config file or a directory above it could be written by somebody else.
    ConfigUnsafe(Untrusted),
    /// The config has errors.
    ConfigWrong(Faults),
    /// The user's name can't be the name of a file in `users.d`.
    UserFileName(jail_config::UnsafeName),
    /// A template of the config can't be filled for this account.
    Template(TemplateError),
    /// No rule names the user; the rule is the `unlisted` setting.
    NoRule(Rule),
    /// The rule exempts the user from jails.
    Exempt(Rule),
    /// The target of a plan has uid 0.
    UidZero,
    /// The jail wants what can't be had in another program's process; what, and what mends it.
    BehindPam(&'static str),
    /// The password has expired, and sshd would start passwd(1) in the jail.
    PasswordExpired,
    /// As many sessions of the user are open as the jail allows: this many.
    Sessions(u64),
    /// It comes later than the jail allows.
    Until(Until),
    /// Root code of a host program must not read what is inside.
    HostFiles(HostFilesFault),
    /// The root directory is refused.
    Root(Untrusted),
    /// The base is refused.
    Base(Untrusted),
    /// The source of a mount is refused.
    Mount(UntrustedSource),
    /// What a service shows is not to be trusted.
    Service(UntrustedSource),
    /// The shell can't run in this root.
    Program(ProgramFault),
    /// The home directory can't be entered.
    Home(PathBuf, Errno),
    /// The user may not search the root directory.
    RootUnsearchable(Errno),
    /// An sftp-server was asked for by a command that only a shell can read; and why.
    SftpCommand(String),
    /// sshd's forced command is an sftp-server, and the client asked for this.
    SftpOnly(OsString),
    /// The jail's list of commands does not have what was asked for.
    NotAllowed(NotAllowed),
    /// The sessions of the jail are recorded, and a shell was asked for without a terminal.
    NoTerminal,
    /// A step failed; what was tried and what the kernel said.
    Step(&'static str, StepFault),
    /// What is looked at and built was not done when the deadline came: the directories of the host that it looks at.
    Overdue(Vec<PathBuf>),
    /// A child that looked and built for this process was refused: the code and the reason.
    OfChild(Code, String),
    /// execve(2) returned.
    Exec(PathBuf, Errno),
}

impl Refusal {
    /// Makes the refusal of a step out of what was wrong with it.
    pub(crate) fn at(step: Step<'_>) -> impl Fn(StepFault) -> Refusal + Copy + use<> {
        let name = step.name();
        move |fault| Refusal::Step(name, fault)
    }

    /// Gives what is logged of it. `user` is the account's name where it is known by then.
    #[must_use]
    pub fn event<'a>(
        &self,
        call: Option<&'a Call>,
        user: Option<&'a OsStr>,
        uid: u32,
    ) -> Event<'a> {
        Event::Refused {
            call,
            code: self.code(),
            user,
            uid,
            reason: match user {
                Some(user) => self.reason(user),
                None => self.to_string(),
            },
        }
    }

    /// Gives the reason, as `Display` does, with the user's name in the commands that mend it.
    #[must_use]
    pub fn reason(&self, user: &OsStr) -> String {
        let reason = self.to_string();
        let names_user = matches!(
            self,
            Refusal::Sessions(_)
                | Refusal::RootUnsearchable(_)
                | Refusal::Home(..)
                | Refusal::Program(ProgramFault::SftpMissing | ProgramFault::SftpWithoutNull)
        );
        match words::quoted(user).to_str() {
            Some(user) if names_user => reason.replace(USER, &format!(" {user}")),
            _ => reason,
        }
    }

    /// Tells whether the client wants something else than SFTP of an account that has nothing else.
    #[must_use]
    pub fn is_for_want_of_sftp(&self) -> bool {
        match self {
            Refusal::SftpOnly(_) | Refusal::Program(ProgramFault::SftpNotWanted) => true,
            Refusal::NotAllowed(what) => what.has_sftp_alone(),
            _ => false,
        }
    }

    /// Gives the exit status: that of the code, but 1 where the login itself is not refused.
    #[must_use]
    pub fn status(&self) -> u8 {
        let is_of_request = matches!(self, Refusal::NotAllowed(_) | Refusal::NoTerminal);
        if self.is_for_want_of_sftp() || is_of_request {
            1
        } else {
            self.code().status()
        }
    }

    /// Says to the user why, where that is the user's to know and to mend.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        match self {
            Refusal::Sessions(limit) => Some(format!(
                "login refused: you have {limit} {} open, and no more are allowed; close one and log in again",
                if *limit == 1 { "session" } else { "sessions" }
            )),
            Refusal::Until(until) => Some(format!(
                "login refused: this account was open until {until}; ask the administrator"
            )),
            _ => None,
        }
    }

    /// Gives the code that the user is told.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Refusal::Usage(_)
            | Refusal::SftpCommand(_)
            | Refusal::SftpOnly(_)
            | Refusal::NotAllowed(_)
            | Refusal::NoTerminal => Code::Usage,
            Refusal::CalledByRoot => Code::Root,
            Refusal::Privilege(missing) => missing.code(),
            Refusal::Descriptor(_) => Code::Descriptor,
            Refusal::Identity(_)
            | Refusal::Unanswered(_)
            | Refusal::UserFileName(_)
            | Refusal::Template(_)
            | Refusal::PasswordExpired
            | Refusal::Sessions(_)
            | Refusal::Until(_) => Code::Account,
            Refusal::ConfigMissing(_) => Code::ConfigMissing,
            Refusal::ConfigUnreadable(..) => Code::ConfigUnreadable,
            Refusal::ConfigUnsafe(_) => Code::ConfigUnsafe,
            Refusal::ConfigWrong(_) => Code::ConfigWrong,
            Refusal::NoRule(_) => Code::NoRule,
            Refusal::Exempt(_) => Code::Exempt,
            Refusal::UidZero => Code::UidZero,
            Refusal::BehindPam(_) => Code::ConfigWrong,
            Refusal::HostFiles(fault) => fault.code(),
            Refusal::Root(untrusted) | Refusal::Base(untrusted) => untrusted.root_code(),
            Refusal::Mount(untrusted) | Refusal::Service(untrusted) => untrusted.code(),
            Refusal::Program(fault) => fault.code(),
            Refusal::Home(..) => Code::HomeMissing,
            Refusal::RootUnsearchable(_) => Code::RootUnsearchable,
            Refusal::Step(..) | Refusal::Overdue(_) => Code::Step,
            Refusal::OfChild(code, _) => *code,
            Refusal::Exec(..) => Code::Exec,
        }
    }
}

impl error::Error for Refusal {}

impl From<StartFault> for Refusal {
    fn from(fault: StartFault) -> Refusal {
        match fault {
            StartFault::Descriptor(bad) => Refusal::Descriptor(bad),
            StartFault::Step(fault) => Refusal::Step("start", fault),
        }
    }
}

impl From<PrivilegeFault> for Refusal {
    fn from(fault: PrivilegeFault) -> Refusal {
        match fault {
            PrivilegeFault::CalledByRoot => Refusal::CalledByRoot,
            PrivilegeFault::Missing(missing) => Refusal::Privilege(missing),
            PrivilegeFault::Step(fault) => Refusal::Step("privilege", fault),
        }
    }
}

impl From<PlanFault> for Refusal {
    fn from(fault: PlanFault) -> Refusal {
        match fault {
            PlanFault::UidZero => Refusal::UidZero,
            PlanFault::BehindPam(why) => Refusal::BehindPam(why),
            PlanFault::NotAllowed(what) => Refusal::NotAllowed(what),
        }
    }
}

impl From<RequestFault> for Refusal {
    fn from(fault: RequestFault) -> Refusal {
        match fault {
            RequestFault::Usage(what) => Refusal::Usage(what),
            RequestFault::SftpCommand(why) => Refusal::SftpCommand(why),
            RequestFault::SftpOnly(command) => Refusal::SftpOnly(command),
        }
    }
}

impl From<CreateFault> for Refusal {
    fn from(fault: CreateFault) -> Refusal {
        match fault {
            CreateFault::Above(untrusted) => Refusal::Root(untrusted),
            CreateFault::Base(untrusted) => Refusal::Base(untrusted),
            CreateFault::Step(fault) => Refusal::Step("create", fault),
        }
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Refusal {
        Refusal::Identity(error)
    }
}

impl From<Unrecorded> for Refusal {
    fn from(fault: Unrecorded) -> Refusal {
        Refusal::Step("record", StepFault::Unfit(fault.to_string()))
    }
}

impl From<HomeFault> for Refusal {
    fn from(fault: HomeFault) -> Refusal {
        match fault {
            HomeFault::RootUnsearchable(errno) => Refusal::RootUnsearchable(errno),
            HomeFault::Home(path, errno) => Refusal::Home(path, errno),
        }
    }
}

impl From<ProgramFault> for Refusal {
    fn from(fault: ProgramFault) -> Refusal {
        Refusal::Program(fault)
    }
}
