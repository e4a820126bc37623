//! What is to be known about a login besides its rule, its world and its steps.

use std::{ffi::OsStr, path::Path};

use jail::{account::identity::Identity, plan::request::program_of};
use jail_config::Jail;
use serde::{Serialize, Serializer};

use crate::{
    doctor::{
        check::{SNIPPETS, sshd_forced_commands},
        used::pam_before_jail_shell,
    },
    door::{
        Door, JAIL_SHELL_PATH, SSHD_CONFIG, has_jail_shell, is_jail_shell,
        without_effect_behind_pam,
    },
    pam,
    shell::shown,
};

/// One thing to be known.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) text: String,
    /// Whether it belongs to the steps, and is printed with them only.
    pub(super) is_of_steps: bool,
}

impl Remark {
    pub(super) fn new(text: impl Into<String>) -> Remark {
        Remark {
            text: text.into(),
            is_of_steps: false,
        }
    }

    pub(super) fn of_steps(text: impl Into<String>) -> Remark {
        Remark {
            text: text.into(),
            is_of_steps: true,
        }
    }
}

impl Serialize for Remark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Says what there is to know about a door before the plan is made.
pub(super) fn of_door(
    door: Door,
    jail: &Jail,
    identity: &Identity,
    command: Option<&OsStr>,
) -> Vec<Remark> {
    let mut remarks = match door {
        Door::LoginShell if !has_jail_shell(identity) => vec![Remark::new(format!(
            "the login shell is {}, so this door is not in use; usermod -s {JAIL_SHELL_PATH} {} opens it",
            shown(&identity.shell),
            shown(&identity.name)
        ))],
        Door::LoginShell => forced_by_sshd(identity),
        Door::ForceCommand => Vec::new(),
        Door::Pam => {
            let host_program = super::words::of_host_program(identity, command, jail);
            vec![where_pam_jails(), Remark::of_steps(host_program)]
        }
    };
    remarks.extend(two_doors(jail, identity));
    remarks
}

/// Says what sshd has the login shell start, whatever a client asks for.
fn forced_by_sshd(identity: &Identity) -> Vec<Remark> {
    let forced = sshd_forced_commands(identity, Path::new(SSHD_CONFIG)).into_iter();
    forced
        .filter_map(|command| {
            let program = program_of(OsStr::new(&command))?;
            let only_sftp = if program.ends_with("sftp-server") {
                "; clients that ask for anything but SFTP are told \"This account is for SFTP only.\", with status 1"
            } else {
                ""
            };
            let is_other = !is_jail_shell(&program) && !program.ends_with("internal-sftp");
            is_other.then(|| {
                Remark::new(format!(
                    "sshd has ForceCommand {} for this user, which takes the place of what a client asks for{only_sftp}; \
                     the steps end as by su and login",
                    shown(&command)
                ))
            })
        })
        .collect()
}

/// Says at which services the module comes before jail-shell, and what that takes away.
fn two_doors(jail: &Jail, identity: &Identity) -> Option<Remark> {
    let services = pam_before_jail_shell(identity);
    if services.is_empty() {
        return None;
    }
    let lost: String = without_effect_behind_pam(jail)
        .iter()
        .map(|it| format!(", {it} has no effect"))
        .collect();
    Some(Remark::of_steps(format!(
        "by {} pam_jail.so makes the jail, and jail-shell is started in the jail and becomes its shell: there is no pid \
         namespace{lost}; by services whose stack does not jail, jail-shell makes the jail",
        services.join(", ")
    )))
}

/// Names the services whose stack jails, so far as they can be read.
fn where_pam_jails() -> Remark {
    let services: Vec<String> = pam::jailing().collect();
    if services.is_empty() {
        return Remark::new(format!(
            "no stack below /etc/pam.d has a session line for pam_jail.so, so this door is not in use; {SNIPPETS} has the lines \
             for each service"
        ));
    }
    Remark::of_steps(format!("the stacks that jail: {}", services.join(", ")))
}
