//! The jail of one account: its keys with every default and every template filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::Account;
use crate::commands::{Allowed, Sftp, SftpKeys};
use crate::create::Create;
use crate::devices::Device;
use crate::disk::Disk;
use crate::env::Env;
use crate::keys::{BaseKey, Keys, MountKey};
use crate::limits::{Groups, Limits};
use crate::record::{Record, RecordKeys};
use crate::rule::Rule;
use crate::services::Service;
use crate::template::{Template, TemplateError, unfit_target};
use crate::until::Until;
use crate::walls::{Base, Content, Isolation, Landlock, Mount, Network, RootOwner, Scope, Seccomp};

/// A jail with every template filled in for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    /// The rule that chose this jail.
    pub rule: Rule,
    /// The jail's name, or the path where the rule names a root directory.
    pub name: String,
    /// The directory that becomes the root.
    pub root: PathBuf,
    /// Where the system directories come from.
    pub base: Base,
    /// The login shell, a path in the jail.
    pub shell: PathBuf,
    /// The working directory and `HOME`, a path in the jail.
    pub home: Home,
    /// How the account is kept inside.
    pub isolation: Isolation,
    /// How much of the second wall there must be.
    pub landlock: Landlock,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// The network inside.
    pub network: Network,
    /// What /proc is.
    pub proc: Content,
    /// What /dev is.
    pub dev: Content,
    /// What /tmp is.
    pub tmp: Content,
    /// Further directories, files and sockets of the host, in the order of the file; no two have one target.
    pub mounts: Vec<Mount>,
    /// Further entries of the host's /etc that `base = "host"` shows, by name; empty with another base.
    pub etc: Vec<String>,
    /// Services of the host that can be reached by their sockets.
    pub services: Vec<Service>,
    /// Device nodes of the host in the private /dev.
    pub devices: Vec<Device>,
    /// Which programs may be started; nothing where any may be.
    pub commands: Option<Vec<Allowed>>,
    /// How SFTP is served; nothing where the client may choose.
    pub sftp: Option<Sftp>,
    /// How root directory and home are made where they are missing; nothing where they are not.
    pub create: Option<Create>,
    /// How much the user's files may take; nothing where that is not limited.
    pub disk: Option<Disk>,
    /// How long a terminal session may be without input and output; nothing where that is no matter.
    pub idle: Option<Duration>,
    /// What is written about a session outside the jail.
    pub record: Record,
    /// The environment inside.
    pub env: Env,
    /// The supplementary groups inside.
    pub groups: Groups,
    /// The file mode creation mask.
    pub umask: u32,
    /// The resource limits.
    pub limits: Limits,
    /// Up to when logins are served; nothing where they always are.
    pub until: Option<Until>,
    /// Which logins share a world.
    pub scope: Scope,
    /// Background processes stay when the main process ends; else everything ends with it.
    pub linger: bool,
    /// Who may own the root directory.
    pub root_owner: RootOwner,
}

/// The home directory inside a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// Configured: it must exist.
    Set(PathBuf),
    /// The default: this directory if it exists, else `/`.
    Default(PathBuf),
}

impl Jail {
    /// Makes the jail of one account. `keys` are the jail's own with those of `[defaults]`.
    pub(crate) fn fill(
        rule: Rule,
        name: Option<&str>,
        root: &Template,
        keys: Keys,
        account: &Account<'_>,
    ) -> Result<Jail, TemplateError> {
        let filler = Filler {
            account,
            rule: &rule,
        };
        let root = filler.directory("root", root)?;
        let base = match &keys.base {
            None | Some(BaseKey::None) => Base::None,
            Some(BaseKey::Host) => Base::Host,
            Some(BaseKey::Directory(base)) => Base::Directory(filler.directory("base", base)?),
        };
        let home = match &keys.home {
            Some(home) => Home::Set(filler.path("home", home)?),
            None => Home::Default(filler.path("home", &Template::default_home())?),
        };
        let mounts = filler.mounts(keys.mounts.as_deref().unwrap_or_default())?;
        let isolation = keys.isolation.unwrap_or_default();
        let etc = match base {
            Base::Host => keys.etc.unwrap_or_default(),
            Base::None | Base::Directory(_) => Vec::new(),
        };
        let sftp = keys.sftp.as_ref().map(|it| filler.sftp(it)).transpose()?;
        let create = match &keys.create {
            Some(key) => key.fill(|skel| filler.path("create.skel", skel))?,
            None => None,
        };
        let content = |written: Option<Content>| written.unwrap_or(Content::default_in(isolation));
        Ok(Jail {
            name: match name {
                Some(name) => name.to_owned(),
                None => root.display().to_string(),
            },
            root,
            base,
            shell: PathBuf::from(keys.shell.unwrap_or_else(|| "/bin/sh".to_owned())),
            home,
            isolation,
            landlock: keys.landlock.unwrap_or_default(),
            seccomp: keys.seccomp.unwrap_or_default(),
            network: keys.network.unwrap_or_default(),
            proc: content(keys.proc),
            dev: content(keys.dev),
            tmp: content(keys.tmp),
            mounts,
            etc,
            services: keys.services.unwrap_or_default(),
            devices: keys.devices.unwrap_or_default(),
            commands: keys.commands,
            sftp,
            create,
            disk: keys.disk.filter(Disk::is_limited),
            idle: keys.idle,
            record: keys.record.map_or_else(Record::default, RecordKeys::fill),
            env: Env {
                pass: keys.pass.unwrap_or_else(Env::default_pass),
                set: keys.set,
            },
            groups: keys.groups.unwrap_or(Groups::Keep),
            umask: keys.umask.unwrap_or(0o022),
            limits: keys.limits,
            until: keys.until.filter(|until| until.end().is_some()),
            scope: keys.scope.unwrap_or_default(),
            linger: keys.linger.unwrap_or(true),
            root_owner: keys.root_owner.unwrap_or_default(),
            rule,
        })
    }
}

/// Fills the templates of a jail in for one account.
struct Filler<'a> {
    account: &'a Account<'a>,
    rule: &'a Rule,
}

impl Filler<'_> {
    fn path(&self, key: &'static str, template: &Template) -> Result<PathBuf, TemplateError> {
        let filled = template.fill(self.account);
        filled.map_err(|reason| self.error(key, template, reason))
    }

    /// Fills in a directory of the host that a jail shows, which can't be the whole host.
    fn directory(&self, key: &'static str, template: &Template) -> Result<PathBuf, TemplateError> {
        let path = self.path(key, template)?;
        if path == Path::new("/") {
            let reason = "it becomes \"/\", which is the host's own root".to_owned();
            return Err(self.error(key, template, reason));
        }
        Ok(path)
    }

    fn sftp(&self, written: &SftpKeys) -> Result<Sftp, TemplateError> {
        let directory = written.directory.as_ref();
        Ok(Sftp {
            access: written.access.unwrap_or_default(),
            directory: directory
                .map(|it| self.path("sftp.directory", it))
                .transpose()?,
            umask: written.umask,
            log: written.log.unwrap_or(false),
        })
    }

    fn mounts(&self, written: &[MountKey]) -> Result<Vec<Mount>, TemplateError> {
        let mut mounts: Vec<Mount> = Vec::with_capacity(written.len());
        for mount in written {
            let source = self.directory("source", &mount.source)?;
            let target = self.path("target", &mount.target)?;
            // Two templates that differ can become one path.
            let is_taken = mounts.iter().any(|earlier| earlier.target == target);
            let hides = || {
                mounts
                    .iter()
                    .any(|earlier| earlier.target.starts_with(&target))
            };
            let unfit = match is_taken {
                true => Some("is the target of another mount"),
                false => {
                    hides().then_some("hides the mount of an earlier line; write this one first")
                }
            };
            if let Some(unfit) = unfit.or_else(|| unfit_target(&target)) {
                let reason = format!("it becomes {target:?}, which {unfit}");
                return Err(self.error("target", &mount.target, reason));
            }
            mounts.push(Mount {
                source,
                target,
                mode: mount.mode,
            });
        }
        Ok(mounts)
    }

    fn error(&self, key: &'static str, template: &Template, reason: String) -> TemplateError {
        TemplateError {
            rule: Box::new(self.rule.clone()),
            key,
            template: template.as_str().to_owned(),
            reason,
        }
    }
}
