//! The directories and the keys of one user, as far as they are missing.

use std::path::Path;

use jail::account::identity::Identity;
use jail_config::{Allowed, Base, Home, Jail, RootOwner};

use super::Planner;
use crate::{
    accounts::traces::KEYS,
    setup::{
        directory::refuse_left,
        file,
        many::{batch::Small, key, wanted::User},
        targets::Stop,
        text::lists,
    },
    shell::shown,
};

impl Planner<'_> {
    /// Plans the root and the home, where they are missing.
    pub(super) fn places(
        &mut self,
        jail: &Jail,
        identity: &Identity,
        is_new: bool,
    ) -> Result<(), String> {
        let ids = [identity.uid, identity.gid];
        let is_declared = self.roots.iter().any(|it| it.is_at(&jail.root));
        if let Some(root) = self.roots.iter_mut().find(|it| it.is_at(&jail.root)) {
            root.users
                .push(identity.name.to_string_lossy().into_owned());
        }
        let is_missing = !is_declared && jail.root.symlink_metadata().is_err();
        if has_own_system(jail) && jail.create.is_none() && is_missing {
            return Err(format!(
                "the root {} is missing, and has a system of its own; make it first: jailctl build or jailctl import",
                shown(&jail.root)
            ));
        }
        let (Home::Set(home) | Home::Default(home)) = &jail.home;
        let below = home.strip_prefix("/").unwrap_or(home);
        refuse_left(&jail.root.join(below), is_new)?;
        if is_new {
            refuse_left(&identity.home, is_new)?;
            self.directories.add(&identity.home, 0o700, ids);
        }
        // The first login makes both, from a skeleton.
        if jail.create.is_some() {
            return Ok(());
        }
        if jail.root_owner == RootOwner::User {
            self.directories.add(&jail.root, 0o755, ids);
            return Ok(());
        }
        if !is_declared {
            self.directories.of_root(&jail.root);
        }
        let mounted = jail.mounts.iter().find(|it| home.starts_with(&it.target));
        match mounted {
            // Another home of the host is somebody else's business.
            Some(mount) if mount.target == *home && mount.source == identity.home => {
                self.directories.add(&mount.source, 0o700, ids);
            }
            Some(_) => {}
            // What builds the root makes the homes of its users.
            None if is_declared => {}
            None => {
                self.directories.add(&jail.root.join(below), 0o700, ids);
            }
        }
        Ok(())
    }

    /// Plans the keys, in a file that root alone can write.
    pub(super) fn keys_of(&mut self, user: &User, is_new: bool) -> Result<(), Stop> {
        let path = Path::new(KEYS).join(&user.name);
        let before = file::read(&path)?;
        let replaces = self.wanted.is_whole && user.keys.is_some();
        if is_new && !replaces {
            key::refuse_left(&path)?;
        }
        let Some(text) = &user.keys else {
            self.without_key += usize::from(is_new);
            return Ok(());
        };
        let keys = key::keys(text, &user.name)?;
        let after = match self.wanted.is_whole {
            true => lists::with("", &keys),
            false => lists::with(before.as_deref().unwrap_or_default(), &keys),
        };
        if before.as_ref() != Some(&after) {
            file::refuse_hard_link(&path)?;
            self.keys.push(Small {
                path,
                before,
                after: Some(after),
            });
        }
        Ok(())
    }
}

/// Tells whether a root must have programs of its own. For SFTP the host's server is shown in it.
fn has_own_system(jail: &Jail) -> bool {
    let is_sftp = |it: &Allowed| matches!(it, Allowed::Sftp | Allowed::Scp);
    let has_sftp_alone = jail
        .commands
        .as_ref()
        .is_some_and(|it| it.iter().all(is_sftp));
    jail.base == Base::None && !has_sftp_alone
}
