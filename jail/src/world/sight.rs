//! What a session will see at the top of its root, before there is one. Nothing is changed.
//!
//! Where each name comes from is [`view::source`]'s to say, as it is for the assembly: whoever tells people what a user sees
//! asks here and makes nothing up a second time.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use jail_config::{Base, Content, Mount, Shown};
use rustix::fs::{Dir, Mode, OFlags, openat};

use crate::{
    fault::{StepFault, failed},
    plan::{
        Plan,
        world::{From, View},
    },
    process::program::Root,
    trust,
    world::{
        devices, mark, records,
        targets::{file_type, open_entry},
        top::{MOST_ENTRIES, Opened},
        view::{self, Source},
    },
};

/// What a session will see at the top.
#[derive(Debug)]
pub struct Sight<'a> {
    /// Every name at the top, sorted.
    pub names: Vec<Name>,
    /// Each mount of the config with its source, an O_PATH descriptor.
    pub mounts: Vec<(&'a Mount, BorrowedFd<'a>)>,
    /// Each service with the directories and sockets of it that are there.
    pub services: Vec<(&'a str, Vec<&'a Shown>)>,
    /// The device nodes of the host, and what shows nothing.
    pub devices: &'a devices::Found,
    /// The root directory itself, where it is the top and not only shown in it.
    pub whole: Option<BorrowedFd<'a>>,
}

/// One name at the top of a session's root.
#[derive(Debug)]
pub struct Name {
    /// The name, without a slash.
    pub name: OsString,
    /// Where it comes from.
    pub source: Source,
    /// What root or base have there, an O_PATH descriptor; nothing where it is made.
    pub file: Option<OwnedFd>,
}

/// Lists what is at the top of a session's root.
///
/// # Errors
/// Root or base can't be listed, or have more entries than a session can be shown.
pub(crate) fn of<'a>(plan: &'a Plan, opened: &'a Opened) -> Result<Sight<'a>, StepFault> {
    let view = plan.world.view.as_ref();
    let mut names = listed(opened.root.as_fd())?;
    if let Some(base) = &opened.base {
        names.extend(listed(base.as_fd())?);
    }
    let mut made = view.map(|view| made(plan, view)).unwrap_or_default();
    let shown = opened.services.iter().flat_map(|it| &it.shown.targets);
    made.extend(shown.filter_map(|target| target.iter().nth(1).map(OsStr::to_owned)));
    names.extend(made.iter().cloned());
    let carried = carried(plan)?;
    names.extend(carried.iter().cloned());
    let mut seen = Vec::new();
    for name in names {
        if carried.contains(&name) {
            seen.push(Name {
                name,
                source: Source::Made,
                file: None,
            });
            continue;
        }
        let is_made = made.contains(&name);
        seen.extend(look_at(plan, opened, name, is_made)?);
    }
    if is_recorded(plan, &seen) {
        seen.push(Name {
            name: "var".into(),
            source: Source::Made,
            file: None,
        });
    }
    let mounts = view.map_or(&[][..], |view| &view.mounts);
    Ok(Sight {
        names: seen,
        mounts: mounts
            .iter()
            .zip(opened.mounts.iter().map(AsFd::as_fd))
            .collect(),
        services: view.map(|view| services(view, opened)).unwrap_or_default(),
        devices: &opened.devices,
        whole: (opened.base.is_none() && !view.is_some_and(view::carries))
            .then_some(opened.root.as_fd()),
    })
}

fn services<'a>(view: &'a View, opened: &'a Opened) -> Vec<(&'a str, Vec<&'a Shown>)> {
    let there = |name| {
        let found = opened.services.iter().filter(move |it| it.name == name);
        found.map(|it| &it.shown).collect()
    };
    let names = view.services.iter().map(|service| service.name.as_str());
    names.map(|name| (name, there(name))).collect()
}

/// Finds where a name comes from. Nothing where no session sees it. `is_made` tells whether the assembly makes it where neither
/// root nor base have it.
fn look_at(
    plan: &Plan,
    opened: &Opened,
    name: OsString,
    is_made: bool,
) -> Result<Option<Name>, StepFault> {
    let path = Path::new(&name);
    let has = |directory: &OwnedFd| match open_entry(directory, path)? {
        Some(entry) => file_type(&entry).map(view::is_shown),
        None => Ok(false),
    };
    let base = opened.base.as_ref();
    let in_base = || base.map_or(Ok(false), has);
    let source = view::source_asking(plan, &name, || has(&opened.root), in_base)?;
    let file = match (source, base) {
        (Source::Root, _) => open_entry(&opened.root, path)?,
        (Source::Base, Some(base)) => open_entry(base, path)?,
        (Source::Base | Source::Made, _) => None,
    };
    let source = match (source, is_made && file.is_none()) {
        // A place to mount on, which the root does not have yet.
        (Source::Root, true) => Source::Made,
        (source, _) => source,
    };
    Ok((file.is_some() || is_made).then_some(Name { name, source, file }))
}

/// Lists what the assembly makes, where neither root nor base have it.
fn made(plan: &Plan, view: &View) -> BTreeSet<OsString> {
    let own = [("proc", view.proc), ("dev", view.dev), ("tmp", view.tmp)];
    let sealed = view.base != Base::None || view::carries(view);
    let own = own
        .into_iter()
        .filter(|(_, content)| sealed || *content == Content::Private)
        .map(|(name, _)| name)
        .chain(sealed.then_some("run"))
        .chain((view.base == Base::Host || view::carries(view)).then_some("etc"))
        .map(OsString::from);
    let behind_pam = plan.process.request().is_none();
    let mark = behind_pam.then_some(Path::new(mark::DIRECTORY));
    let targets = view.mounts.iter().map(|mount| mount.target.as_path());
    let targets = targets.chain(mark).filter_map(|target| {
        let below = target.strip_prefix("/").unwrap_or(target);
        below.iter().next().map(OsStr::to_owned)
    });
    own.chain(targets).collect()
}

/// Lists the names that the host's programs bring, where the session's come from there.
fn carried(plan: &Plan) -> Result<BTreeSet<OsString>, StepFault> {
    let wanted = plan.world.executables().filter(|it| it.from == From::Host);
    let Some(wanted) = wanted else {
        return Ok(BTreeSet::new());
    };
    let needed = Root::at(trust::open_host_root()?).needed(wanted)?;
    let top = |path: &Path| path.iter().nth(1).map(OsStr::to_owned);
    Ok(needed.iter().filter_map(|it| top(&it.path)).collect())
}

/// Tells whether a host program's records get a /var of their own.
fn is_recorded(plan: &Plan, seen: &[Name]) -> bool {
    let view = plan.world.view.as_ref();
    plan.process.request().is_none()
        && view.is_some_and(|view| view.base != Base::None)
        && !seen.iter().any(|it| it.name == "var")
        && records::exist()
}

/// Lists the names in a directory.
fn listed(directory: BorrowedFd<'_>) -> Result<BTreeSet<OsString>, StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = openat(directory, ".", flags, Mode::empty())
        .map_err(failed("open a directory to list it"))?;
    let mut names = BTreeSet::new();
    for entry in Dir::new(readable).map_err(failed("list a directory"))? {
        let entry = entry.map_err(failed("list a directory"))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        // A user's root may have any number of whatever.
        if names.len() == MOST_ENTRIES {
            return Err(StepFault::Unfit(format!(
                "a directory has more than {MOST_ENTRIES} entries at its top"
            )));
        }
        names.insert(name.to_owned());
    }
    Ok(names)
}

/// Lists the directories where every user can make files, of a name that is made for the session: see the assembly.
#[must_use]
pub fn open_to_all(plan: &Plan, name: &OsStr) -> &'static [&'static str] {
    let Some(view) = &plan.world.view else {
        return &[];
    };
    match name.to_str() {
        Some("tmp") if view.tmp == Content::Private => &["/tmp"],
        Some("dev") if view.dev == Content::Private => &["/dev/shm"],
        Some("run") if view.base != Base::None || view::carries(view) => &["/run/screen"],
        _ => &[],
    }
}
