//! What a recipe changes on this host: a list of changes, made of what is asked for and of what the host has.

mod drop_in;
mod keys;
mod rule;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jail::{
    door::decision::{CONFIG_DIRECTORY, Config},
    trust,
};

pub(super) use keys::not_taken;

use super::{
    accounts::{HOMES, group, login_shell},
    asked::Asked,
    change::Change,
    directory::{Directory, refuse_left},
    file::{Purpose, Written, refuse_wrong_config},
    journal::About,
    many::host::Host,
    recipe::{Home, Shape},
    sshd,
    targets::{self, Target},
    text::{lists, pam},
};
use crate::{
    accounts::traces::KEYS,
    doctor::check::{ALIASES, ManagerCondition, denials, has_manager, mail_comes_home},
    door::{expect_jail_shell, has_jail_shell, has_no_shell},
    failure::Failure,
    shell::{quoted, shown},
};

const PAM_D: &str = "/etc/pam.d";

/// The PAM service of the user manager itself.
const MANAGER: &str = "systemd-user";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) about: About,
    pub(crate) changes: Vec<Change>,
    /// What the administrator should know.
    pub(crate) notes: Vec<String>,
}

/// Makes a plan. Nothing is changed by that.
///
/// # Errors
/// It makes no sense, somebody would be jailed who must not be, or the host is not ready for it.
pub(crate) fn make(asked: &Asked) -> Result<Plan, Failure> {
    let shape = asked.recipe.shape();
    let group = asked.group.unwrap_or(shape.group);
    asked.refuse_nonsense(group, &shape)?;
    expect_jail_shell()?;
    let config = Config::read(Path::new(CONFIG_DIRECTORY))?;
    let has_sshd = sshd::is_there();
    if has_sshd {
        sshd::refuse_unready()?;
    }
    refuse_missing_parent("--root", asked.root)?;
    refuse_missing_parent("--shared", asked.shared)?;
    let host = Host::read()?;
    let targets = targets::of(asked.users, group, &config, &host)?;
    let file = Path::new(CONFIG_DIRECTORY).join("config.toml");
    let (written, roots) = rule::of(asked, group, &shape, &file)?;
    if let Some(written) = &written {
        refuse_wrong_config(&written.after, &file)?;
    }
    let mut maker = Maker {
        group,
        shape,
        roots,
        changes: Vec::new(),
        notes: Vec::new(),
    };
    maker.accounts(&targets, host)?;
    maker.directories(&targets, asked.shared)?;
    maker.changes.extend(written.map(Change::File));
    maker.members(&targets);
    maker.denials(&targets)?;
    if shape.home == Home::OfHost {
        maker.aliases(&targets)?;
        maker.pam()?;
        maker.manager()?;
    }
    if has_sshd {
        let (keys, notes) = keys::of(&targets, asked.key)?;
        if !keys.is_empty() {
            maker.directory(Directory::of_root(Path::new(KEYS)))?;
        }
        maker.changes.extend(keys.into_iter().map(Change::File));
        maker.notes.extend(notes);
        let drop_in = drop_in::of(asked, group, &maker.shape)?;
        maker.changes.extend(drop_in.map(Change::File));
    }
    maker.login_shells(&targets)?;
    Ok(Plan {
        about: About::now(
            asked.recipe.name().to_owned(),
            group.to_owned(),
            targets.into_iter().map(|it| it.name).collect(),
        ),
        changes: maker.changes,
        notes: maker.notes,
    })
}

/// Refuses a directory that is missing with the one above it: the path is probably mistyped.
fn refuse_missing_parent(option: &str, directory: Option<&Path>) -> Result<(), Failure> {
    match directory.and_then(Path::parent) {
        Some(above) if above.symlink_metadata().is_err() => Err(Failure::Failed(format!(
            "nothing was changed, because {option} names a directory in {0}, which is missing; correct the path, or run first: \
             mkdir -p {0}",
            quoted(above)
        ))),
        _ => Ok(()),
    }
}

/// Refuses a place that others than root can change: whoever owns it would choose what a login finds there.
pub(super) fn refuse_of_others(directory: &Path) -> Result<(), Failure> {
    let opened = match directory == Path::new("/") {
        true => trust::open_host_root(),
        false => trust::open_directory(directory),
    };
    match opened {
        Ok(_) => Ok(()),
        Err(untrusted) => Err(Failure::Failed(format!(
            "nothing was changed, because of {untrusted}"
        ))),
    }
}

/// Puts the changes together, in the order in which they are made. At each moment a login goes where it went before, or
/// where it is to go, or is refused.
struct Maker<'a> {
    group: &'a str,
    shape: Shape,
    roots: PathBuf,
    changes: Vec<Change>,
    notes: Vec<String>,
}

impl Maker<'_> {
    /// Makes the accounts that are missing, and their group. The ids are chosen beforehand, so that an undo knows what was made from what
    /// somebody else makes later.
    fn accounts(&mut self, targets: &[Target], mut host: Host) -> Result<(), Failure> {
        if group(self.group)?.is_none() {
            self.changes.push(Change::Group {
                name: self.group.to_owned(),
                gid: host.new_gid()?,
            });
        }
        for target in targets.iter().filter(|it| it.identity.is_none()) {
            self.changes.push(Change::Account {
                user: target.name.clone(),
                group: self.group.to_owned(),
                uid: host.new_id()?,
            });
        }
        Ok(())
    }

    fn members(&mut self, targets: &[Target]) {
        for target in targets.iter().filter(|it| !it.is_member) {
            if let Some(identity) = &target.identity {
                self.changes.push(Change::Member {
                    user: target.name.clone(),
                    group: self.group.to_owned(),
                    uid: identity.uid,
                });
            }
        }
    }

    /// Makes a directory, and what is missing above it, each once. What is there above it must be root's alone.
    fn directory(&mut self, directory: Directory) -> Result<(), Failure> {
        let last_there = directory.path.ancestors().find(|it| it.exists());
        if last_there != Some(directory.path.as_path()) {
            refuse_of_others(last_there.unwrap_or(Path::new("/")))?;
        }
        let above: Vec<&Path> = directory.path.ancestors().skip(1).collect();
        let above = above.into_iter().rev().map(Directory::of_root);
        for one in above.chain([directory.clone()]) {
            let is_planned =
                |it: &Change| matches!(it, Change::Directory(it) if it.path == one.path);
            if !one.is_there() && !self.changes.iter().any(is_planned) {
                self.changes.push(Change::Directory(one));
            }
        }
        Ok(())
    }

    fn directories(&mut self, targets: &[Target], shared: Option<&Path>) -> Result<(), Failure> {
        for target in targets {
            let own = |path: PathBuf| Directory {
                mode: 0o700,
                user: Some(target.name.clone()),
                ..Directory::of_root(&path)
            };
            let is_new = target.identity.is_none();
            let kept = |home: &Path| {
                refuse_left(home, is_new)
                    .map_err(|why| Failure::Failed(format!("nothing was changed, because {why}")))
            };
            let host_home = Path::new(HOMES).join(&target.name);
            if is_new || self.shape.home == Home::OfHost {
                kept(&host_home)?;
            }
            match (&target.identity, self.shape.home) {
                (None, _) => self.directory(own(host_home))?,
                (Some(identity), Home::OfHost) if identity.home != host_home => {
                    return Err(Failure::Failed(format!(
                        "nothing was changed, because the home of {} is {}, and this recipe shows homes in {HOMES}",
                        shown(&target.name),
                        shown(&identity.home)
                    )));
                }
                _ => {}
            }
            let root = self.roots.join(&target.name);
            if root.symlink_metadata().is_ok() {
                refuse_of_others(&root)?;
            }
            self.directory(Directory::of_root(&root))?;
            if self.shape.home == Home::Inside {
                let home = root.join("home").join(&target.name);
                kept(&home)?;
                self.directory(own(home))?;
            }
        }
        if let Some(shared) = shared {
            if shared.symlink_metadata().is_err() {
                self.notes.push(format!(
                    "{} is missing, and is made as an empty directory",
                    shared.display()
                ));
            }
            let directory = Directory::of_root(shared);
            self.directory(match self.shape.shared {
                "rw" => Directory {
                    mode: 0o2770,
                    group: Some(self.group.to_owned()),
                    ..directory
                },
                _ => directory,
            })?;
        }
        Ok(())
    }

    /// Keeps the users away from cron and at, which start jobs without the login shell.
    fn denials(&mut self, targets: &[Target]) -> Result<(), Failure> {
        let mut all: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
        for target in targets {
            for denial in denials(&target.name)? {
                let names = all.entry((denial.file, denial.adds)).or_default();
                names.push(target.name.clone());
            }
        }
        for ((file, adds), names) in all {
            let written = Written::denial(file, adds, &names)?;
            self.changes.extend(written.map(Change::File));
        }
        Ok(())
    }

    /// Keeps mail away from homes: what is in them would say which program gets it.
    fn aliases(&mut self, targets: &[Target]) -> Result<(), Failure> {
        let names = targets.iter().map(|it| it.name.clone());
        let names: Vec<String> = names.filter(|it| mail_comes_home(it)).collect();
        let written = Written::new(Path::new(ALIASES), Purpose::Aliases, |text| {
            Ok(lists::with_aliases(text, &names))
        })?;
        self.changes.extend(written.map(Change::File));
        Ok(())
    }

    /// Lets PAM obey nothing that is in the homes.
    fn pam(&mut self) -> Result<(), Failure> {
        let directory = Path::new(PAM_D);
        let listed = fs::read_dir(directory);
        let listed = listed.map_err(|error| Failure::io("read", directory, &error))?;
        let is_other = |it: &PathBuf| it.file_name().is_some_and(|name| name != MANAGER);
        let files = listed.flatten().map(|it| it.path()).filter(is_other);
        // A stack may be a link, and two of them to the same file.
        let mut files: Vec<PathBuf> = files
            .filter_map(|file| fs::canonicalize(file).ok())
            .filter(|file| file.is_file())
            .collect();
        files.sort();
        files.dedup();
        for file in files {
            let purpose = Purpose::Pam(self.group.to_owned());
            let written = Written::new(&file, purpose, |text| {
                let text = pam::without_variables(text);
                Ok(pam::with_skip(&text, self.group))
            })?;
            self.changes.extend(written.map(Change::File));
        }
        Ok(())
    }

    /// Keeps the user managers of members from starting by other ways than a login, those of members who join later as well: one
    /// that lingers would run at boot what its user has written from inside.
    fn manager(&mut self) -> Result<(), Failure> {
        let Some(condition) = ManagerCondition::of_group(self.group).filter(|_| has_manager())
        else {
            return Ok(());
        };
        let path = condition.path();
        let written = Written::new(&path, Purpose::Manager, |_| Ok(condition.text()))?;
        if let Some(directory) = path.parent().filter(|_| written.is_some()) {
            self.directory(Directory::of_root(directory))?;
        }
        self.changes.extend(written.map(Change::File));
        Ok(())
    }

    /// Gives the login shell to those whose account lets them in, and to those who are asked for.
    fn login_shells(&mut self, targets: &[Target]) -> Result<(), Failure> {
        for target in targets {
            let Some(identity) = &target.identity else {
                continue;
            };
            if has_jail_shell(identity) || has_no_shell(identity) && !target.is_named {
                continue;
            }
            self.changes.push(Change::LoginShell {
                user: target.name.clone(),
                before: login_shell(&target.name)?,
                uid: identity.uid,
            });
        }
        Ok(())
    }
}
