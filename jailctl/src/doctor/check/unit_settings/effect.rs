//! What logins need, and what a setting of a unit does to them.

use std::{fmt, path::PathBuf};

use jail_config::{Base, Content, Isolation, MountMode, Network};

use crate::{accounts::account::Jailed, doctor::check::Severity};

/// What logins of the jailed users take.
#[derive(Debug, Default)]
pub(in crate::doctor::check) struct Needs {
    pub(in crate::doctor::check) namespaces: bool,
    pub(in crate::doctor::check) chroot: bool,
    pub(in crate::doctor::check) empty_network: bool,
    pub(in crate::doctor::check) own_dev: bool,
    /// What has to be there: the config, roots, bases and sources of mounts.
    pub(in crate::doctor::check) read: Vec<PathBuf>,
    /// What users write to: roots and sources of mounts.
    pub(in crate::doctor::check) written: Vec<PathBuf>,
    /// Roots whose programs are their own.
    pub(in crate::doctor::check) executed: Vec<PathBuf>,
    /// The homes of the accounts, where sshd looks for keys.
    pub(in crate::doctor::check) homes: Vec<PathBuf>,
}

impl Needs {
    pub(in crate::doctor::check) fn of(jailed: &[Jailed]) -> Needs {
        let mut needs = Needs {
            read: vec!["/etc/login-jail".into()],
            ..Needs::default()
        };
        for Jailed { identity, jail } in jailed {
            match jail.isolation {
                Isolation::Full => needs.namespaces = true,
                Isolation::Chroot => needs.chroot = true,
            }
            needs.empty_network |= jail.network == Network::None;
            needs.own_dev |= jail.dev == Content::Private;
            needs.read.push(jail.root.clone());
            needs.written.push(jail.root.clone());
            match &jail.base {
                Base::None => needs.executed.push(jail.root.clone()),
                Base::Host => needs.executed.push("/usr".into()),
                Base::Directory(base) => {
                    needs.read.push(base.clone());
                    needs.executed.push(base.clone());
                }
            }
            for mount in &jail.mounts {
                needs.read.push(mount.source.clone());
                if mount.mode == MountMode::ReadWrite {
                    needs.written.push(mount.source.clone());
                }
            }
            let shown = jail.services.iter().flat_map(|service| &service.shown);
            needs.read.extend(shown.map(|it| it.source.clone()));
            needs.homes.push(identity.home.clone());
        }
        needs
    }
}

/// What a setting does to one door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor::check) enum Harm {
    Nothing,
    /// Logins go on, with something missing.
    Lessens(String),
    /// Every login that needs it is refused, with this code.
    Refuses(&'static str, String),
}

impl Harm {
    pub(in crate::doctor::check) fn harms(&self) -> bool {
        *self != Harm::Nothing
    }

    /// Says how bad it is where the door is used, or is not.
    pub(in crate::doctor::check) fn severity(&self, is_used: bool) -> Severity {
        match (self, is_used) {
            (Harm::Refuses(..), true) => Severity::Error,
            (Harm::Lessens(_), true) => Severity::Warning,
            _ => Severity::Note,
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Harm::Nothing => f.write_str("no effect"),
            Harm::Lessens(what) => f.write_str(what),
            Harm::Refuses(code, why) => write!(f, "logins are refused ({code}), {why}"),
        }
    }
}

/// What a setting does to both doors, and the line that takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor::check) struct Effect {
    /// As it stands in the unit.
    pub(in crate::doctor::check) written: String,
    pub(in crate::doctor::check) jail_shell: Harm,
    pub(in crate::doctor::check) pam: Harm,
    pub(in crate::doctor::check) remedy: Option<String>,
}

/// Gives an effect that is the same at both doors.
pub(super) fn both(harm: Harm, written: String, remedy: impl Into<Option<String>>) -> Effect {
    Effect {
        written,
        jail_shell: harm.clone(),
        pam: harm,
        remedy: remedy.into(),
    }
}
