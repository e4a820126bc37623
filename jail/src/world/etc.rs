//! The /etc of a session with a base. With `base = "host"` it is an allow-list of the host's, with a passwd and a group
//! made for one user; those and resolv.conf also take the place of the same files in the /etc of another system.
//!
//! Everything is opened before the root changes. What is not listed is not there: keys, shadow, sudoers, cron, the
//! other users' names. A file is copied, because a bind mount of a single file is no fresher and costs more; so is a
//! directory of few short files. What is longer is mounted, because copying it costs more than that; a link into /usr stays
//! a link.

use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use jail_config::Home;

use crate::{
    fault::StepFault,
    plan::Plan,
    process::program::Root,
    world::{
        host_etc::{Found, Item, RESOLVER, find, names::names, small::small},
        mounts,
    },
};

/// Nothing but files and DNS: the services that other modules ask are not in the jail.
pub const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                        protocols: files\nservices: files\nethers: files\nrpc: files\n";

/// The contents of an /etc, by paths below it.
#[derive(Debug)]
pub(crate) struct Etc(pub(crate) Vec<(PathBuf, Item)>);

impl Etc {
    /// Opens what the host has; `host` is its root directory. What the host lacks is not there inside either.
    ///
    /// # Errors
    /// A system call that failed, or an account that passwd(5) can't hold.
    pub(crate) fn of_host(plan: &Plan, host: &OwnedFd) -> Result<Etc, StepFault> {
        let mut items = made(plan)?;
        let further = plan.world.view.as_ref().map_or(&[][..], |view| &view.etc);
        for name in names(host, further)? {
            let whole = further.iter().any(|it| name == Path::new(it));
            match find(host, &name)? {
                Some(Found::Directory(directory)) => {
                    // What was asked for is shown with its modes.
                    let copied = if whole {
                        None
                    } else {
                        small(&directory, &name)?
                    };
                    match copied {
                        Some(copied) => items.extend(copied),
                        None => {
                            let tree = mounts::copy_read_only(&directory)?;
                            items.push((name, Item::Directory(tree)));
                        }
                    }
                }
                Some(Found::Item(item)) => items.push((name, item)),
                None => {}
            }
        }
        Ok(Etc(items))
    }

    /// Makes an /etc that has nothing of another system's but the time zone.
    ///
    /// # Errors
    /// As [`Etc::of_host`].
    pub(crate) fn alone(plan: &Plan, host: OwnedFd) -> Result<Etc, StepFault> {
        let zone = Root::at(host).read(Path::new("/etc/localtime"));
        let mut items = made(plan)?;
        items.extend(zone.map(|zone| ("localtime".into(), Item::Text(zone))));
        Ok(Etc(items))
    }

    /// Makes what covers the same names in the /etc of another system: its own passwd knows nobody who logs in here,
    /// and its resolv.conf is of the machine that it was made on.
    ///
    /// # Errors
    /// As [`Etc::of_host`].
    pub(crate) fn over_base(plan: &Plan, host: &OwnedFd) -> Result<Etc, StepFault> {
        let mut items = vec![
            ("passwd".into(), Item::Text(passwd(plan)?)),
            ("group".into(), Item::Text(group(plan))),
        ];
        let network = find(host, Path::new(RESOLVER))?;
        if let Some(Found::Item(item)) = network {
            items.push((RESOLVER.into(), item));
        }
        Ok(Etc(items))
    }
}

/// Makes the files that are never another system's.
fn made(plan: &Plan) -> Result<Vec<(PathBuf, Item)>, StepFault> {
    Ok(vec![
        ("nsswitch.conf".into(), Item::Text(NSSWITCH.into())),
        ("passwd".into(), Item::Text(passwd(plan)?)),
        ("group".into(), Item::Text(group(plan))),
        ("mtab".into(), Item::Link("../proc/self/mounts".into())),
    ])
}

/// Makes passwd(5): root, the user with the home and shell that the jail has, nobody.
fn passwd(plan: &Plan) -> Result<Vec<u8>, StepFault> {
    let home = match &plan.process.home {
        Home::Set(home) | Home::Default(home) => home,
    };
    let (home, shell) = (home.as_os_str(), plan.process.shell.as_os_str());
    for field in [&plan.user, home, shell] {
        if !fits_field(field) {
            return Err(StepFault::Unfit(format!(
                "{field:?} has a colon or a line break, which no passwd(5) can hold"
            )));
        }
    }
    let ids = format!(":x:{}:{}::", plan.process.ids.uid, plan.process.ids.gid);
    let fields = [&plan.user, OsStr::new(&ids), home, OsStr::new(":"), shell];
    let mut text = fields.map(OsStr::as_bytes).concat();
    text.push(b'\n');
    for (name, uid, home) in [("root", 0, "/root"), ("nobody", 65534, "/nonexistent")] {
        if plan.user != name && plan.process.ids.uid != uid {
            let line = format!("{name}:x:{uid}:{uid}:{name}:{home}:/usr/sbin/nologin\n");
            text.extend_from_slice(line.as_bytes());
        }
    }
    Ok(text)
}

/// Makes group(5): root, nogroup, and the groups that the user has inside.
fn group(plan: &Plan) -> Vec<u8> {
    let own = |gid: u32, name: &OsStr| {
        plan.process
            .group_names
            .iter()
            .any(|(other, of)| *other == gid || of == name)
    };
    let mut text = Vec::new();
    for (gid, name) in &plan.process.group_names {
        if fits_field(name) {
            let ids = format!(":x:{gid}:");
            for field in [name.as_bytes(), ids.as_bytes(), plan.user.as_bytes(), b"\n"] {
                text.extend_from_slice(field);
            }
        }
    }
    for (name, gid) in [("root", 0), ("nogroup", 65534)] {
        if !own(gid, OsStr::new(name)) {
            text.extend_from_slice(format!("{name}:x:{gid}:\n").as_bytes());
        }
    }
    text
}

fn fits_field(text: &OsStr) -> bool {
    !text.as_bytes().iter().any(|byte| b":\n".contains(byte))
}
