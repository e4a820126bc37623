//! What `jailctl add` tells to be run, before the rule that it goes by is written.

use std::path::Path;

use clap::ValueEnum;

use crate::{
    accounts::trial::by_config,
    doctor::mend::{Kind, Object, Repair},
    shell::quoted,
};

/// What `jailctl add` tells to be run goes by: a config, and the rule where it is not written yet.
pub(crate) struct Supposed<'a> {
    directory: &'a Path,
    user: &'a str,
    rule: Option<String>,
}

impl<'a> Supposed<'a> {
    /// Goes by a config as it is.
    pub(crate) fn config(directory: &'a Path, user: &'a str) -> Supposed<'a> {
        Supposed {
            directory,
            user,
            rule: None,
        }
    }

    /// Goes by a rule as well that is not written yet.
    pub(crate) fn rule(directory: &'a Path, user: &'a str, target: &str) -> Supposed<'a> {
        Supposed {
            rule: Some(format!("{user}={target}")),
            ..Supposed::config(directory, user)
        }
    }

    /// Gives the command that mends something of the user's.
    pub(crate) fn mend(&self, kind: Kind) -> Repair {
        Repair::of_user(kind, self.user.as_ref())
            .with_config(self.directory)
            .with_rule(self.rule.as_deref())
    }

    /// Gives the reason of a refusal, with a command that goes by the rule. The reason in the log goes by the config, which
    /// does not have the rule.
    pub(crate) fn reason(&self, code: &str, reason: &str) -> String {
        let kind = Kind::from_str(code, false).ok();
        if let Some(kind) = kind.filter(|kind| kind.object() == Object::User) {
            let state = reason.split("; run: ").next().unwrap_or(reason);
            return format!("{state}; run: {}", self.mend(kind));
        }
        let option = self
            .rule
            .as_ref()
            .map(|rule| format!("--rule {} ", quoted(rule)));
        let mend = format!("jailctl mend {}", option.unwrap_or_default());
        by_config(&reason.replace("jailctl mend ", &mend), self.directory)
    }
}
