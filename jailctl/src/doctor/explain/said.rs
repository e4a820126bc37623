//! All that is said about one login, as `--json` has it.

use std::{ffi::OsStr, path::PathBuf};

use jail::door::refusal::{Code, Refusal};
use serde::Serialize;

use super::{
    reach::Reach,
    remarks::Remark,
    rules::{Lost, Told},
    world::World,
};
use crate::{
    accounts::open_until::OpenUntil,
    doctor::{
        check::{Finding, SshdFor},
        used::InUse,
    },
    door::Door,
};

/// All that is said about one login.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    pub(super) user: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<String>,
    /// The door that is explained.
    pub(super) door: Door,
    /// Whether the user comes that way; where not, and none was asked for, logins lead to the host.
    pub(super) in_use: bool,
    /// The doors that are in the user's way.
    pub(super) doors: Vec<InUse>,
    /// The services by which logins lead to the host all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) led_past: Vec<&'static str>,
    /// The login shell of the account database.
    pub(super) shell: String,
    pub(super) decision: Told,
    pub(super) lost: Vec<Lost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jail: Option<String>,
    /// The directory that becomes the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) root: Option<PathBuf>,
    /// What the root lacks comes from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
    /// What the first login will make.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) will_make: Vec<String>,
    /// What a session sees and can write; nothing where that could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) world: Option<World>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reach: Option<Reach>,
    /// What alone may be started; nothing where a shell may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commands: Option<Vec<String>>,
    /// How SFTP is served, where the config says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sftp: Option<String>,
    /// What of the terminal is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<String>,
    /// How long a terminal session may be without input and output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle: Option<String>,
    /// When logins end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<OpenUntil>,
    /// The limits that the config sets.
    pub(super) limits: Vec<String>,
    /// What sshd does by itself. For root only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sshd: Option<SshdFor>,
    pub(super) steps: Vec<Taken>,
    /// Why the login would be refused as things are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refused>,
    pub(super) remarks: Vec<Remark>,
    /// What a rehearsal of the login and a look at the account have found. For root only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<Finding>,
    /// What a check of this user finds besides: in the root, and in what the host does for the user. For root only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) around: Vec<Finding>,
    /// What could not be checked, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unchecked: Vec<String>,
}

/// One step of the plan.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    pub(super) step: &'static str,
    pub(super) does: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) status: u8,
    pub(super) reason: String,
}

impl Refused {
    pub(super) fn of(refusal: &Refusal, user: &OsStr) -> Refused {
        Refused {
            code: refusal.code().name(),
            status: refusal.code().status(),
            reason: refusal.reason(user),
        }
    }

    /// Takes a refusal that only a rehearsal finds.
    pub(super) fn found(finding: &Finding) -> Option<Refused> {
        let code = Code::ALL
            .into_iter()
            .find(|code| finding.code == Some(code.name()))?;
        Some(Refused {
            code: code.name(),
            status: code.status(),
            reason: finding.what.clone(),
        })
    }
}
