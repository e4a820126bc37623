//! Which logins share a world: those of one user by plans that differ in nothing that a world or its walls are made of.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
};

use jail_config::{Home, Limits, Record, Scope};

use crate::plan::{
    Plan,
    process::{HandOver, Process},
};

impl Plan {
    /// Tells whether other logins of the user share the world. A session that may execute nothing but what it was asked for has
    /// walls of its own, and so a world of its own.
    #[must_use]
    pub fn shares_world(&self) -> bool {
        let view = self.world.view.as_ref();
        view.is_some_and(|view| view.scope == Scope::User)
    }

    /// Says all that the world and its walls are made of. What the supervisor of each login sees to is not among it, and neither
    /// is what each login brings along.
    #[must_use]
    pub fn world_in_words(&self) -> String {
        let process = Process {
            hand_over: HandOver::HostProgram {
                login_shell: PathBuf::new(),
                home: PathBuf::new(),
            },
            environment: Vec::new(),
            limits: Limits {
                sessions: None,
                ..self.process.limits
            },
            sessions: None,
            until: None,
            record: Record::default(),
            idle: None,
            umask: 0,
            home: Home::Default(PathBuf::new()),
            sftp_is_logged: false,
            ..self.process.clone()
        };
        let version = env!("CARGO_PKG_VERSION");
        format!("{version} {:?} {:?} {process:?}", self.user, self.world)
    }
}

/// Makes a number of it, which names the world. Who answers to the name still compares the words.
#[must_use]
pub(crate) fn digest(words: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}
