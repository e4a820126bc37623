//! The PAM stacks of this host: which of them jail, and what libpam would do with them.

pub(crate) mod lines;
pub(crate) mod stack;
pub(crate) mod succeed_if;
pub(crate) mod walk;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) use lines::opening;
use stack::{DIRECTORY, Line};

use crate::kept::Kept;

thread_local! {
    /// Which services jail their users.
    static JAILS: Kept<String, bool> = const { Kept::new() };
}

/// Tells whether the session stack of a service jails its users.
pub(crate) fn jails(service: &str) -> bool {
    let ask = |service: &String| stack::of(service).iter().any(|line| line.jails("session"));
    JAILS.with(|jails| jails.get(service.to_owned(), ask))
}

/// Tells whether any service jails its users: a login shell is not all that lets somebody in.
pub(crate) fn jails_anywhere() -> bool {
    jailing().next().is_some()
}

/// Lists the services whose session stack jails their users.
pub(crate) fn jailing() -> impl Iterator<Item = String> {
    let all = services().into_iter().flatten();
    all.filter(|service| jails(service))
}

/// How the names of files begin that are in the stacks of services, and of none.
pub(crate) const COMMON: &str = "common-";

/// Services that ask for a password or an account, and open no session.
const NO_SESSION: [&str; 7] = [
    "chfn", "chpasswd", "chsh", "newusers", "other", "passwd", "polkit-1",
];

/// Tells whether a service opens no session, whatever lines its stack takes from `other`.
pub(crate) fn opens_no_session(service: &str) -> bool {
    NO_SESSION.contains(&service)
}

/// Lists the services that have a stack; nothing where they can't be listed.
pub(crate) fn services() -> Option<Vec<String>> {
    let files = fs::read_dir(DIRECTORY).ok()?;
    let mut names: Vec<String> = files
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| !name.starts_with(COMMON))
        .collect();
    names.sort();
    Some(names)
}

/// Lists the installed services by which people log in and whose session stack jails nobody.
pub(crate) fn open_doors() -> Vec<&'static str> {
    let mut doors = open(&["sshd", "login", "remote", "su", "su-l", "vsftpd"]);
    let all = doors.clone();
    // What comes into the stack of su is in that of su-l, where this one includes it.
    doors.retain(|service| !all.iter().any(|other| takes_in(service, other)));
    doors
}

/// Tells whether the session stack of a service has lines out of the file of another.
pub(crate) fn takes_in(service: &str, other: &str) -> bool {
    let file = Path::new(DIRECTORY).join(other);
    let mut stack = stack::of(service).into_iter();
    service != other && stack.any(|line| line.kind == "session" && line.file == file)
}

/// Lists the installed services that run jobs of a user's, as he likes, and whose session stack jails nobody.
pub(crate) fn open_jobs() -> Vec<&'static str> {
    open(&["cron", "atd"])
}

fn open(services: &[&'static str]) -> Vec<&'static str> {
    services
        .iter()
        .copied()
        .filter(|service| is_there(service) && !jails(service))
        .collect()
}

pub(crate) fn is_there(service: &str) -> bool {
    Path::new(DIRECTORY).join(service).exists()
}

/// Finds the file of a line's module.
pub(crate) fn installed(line: &Line) -> Option<PathBuf> {
    let named = Path::new(&line.module);
    if named.is_absolute() {
        return Some(named.to_owned()).filter(|file| file.exists());
    }
    module_directories()
        .map(|directory| directory.join(named))
        .find(|file| file.exists())
}

/// Tells whether the module of a line is there.
pub(crate) fn is_installed(line: &Line) -> bool {
    installed(line).is_some()
}

/// Lists where libpam may look for modules: which one is compiled into it.
fn module_directories() -> impl Iterator<Item = PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    ["/lib", "/usr/lib", "/lib64", "/usr/lib64"]
        .into_iter()
        .flat_map(move |library| {
            let library = Path::new(library);
            [
                library.join(&triplet).join("security"),
                library.join("security"),
            ]
        })
}

/// Tells whether pam_jail.so decides about uid 0 as well: no line of pam_succeed_if(8) leads root past it.
pub(crate) fn shuts_root_out(service: &str) -> bool {
    let stack = stack::rules(service);
    let kinds = ["account", "session"];
    kinds.iter().any(|kind| walk::asks_about_root(&stack, kind))
}
