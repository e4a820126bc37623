//! The jail of one user, as a login finds it: the walk to the root, entering, and what is seen inside.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path},
};

use jail::{
    enter::prepare,
    host_files::HostFilesFault,
    refusal::{Code, Refusal},
    start::Inherited,
    trust,
};
use jail_config::{Base, Home, Landlock, RootOwner};

use crate::{
    account::Jailed,
    check::{
        Finding, Mend, Report,
        config::{edit, walked},
        pam::jailing as jailing_pam_services,
    },
    door::{Door, has_jail_shell},
    enter::copy_with_libraries,
    mend::{Kind, Repair},
    rehearsal::{self, Seen},
    shell::{pattern, quoted, shown},
};

/// Checks the jail of one user, as a login by this door finds it.
pub(crate) fn check(report: &mut Report, jailed: &Jailed, door: Door, directory: &Path) {
    // The account stage of every service that has the module looks at this, and the login shell need not be started there.
    let behind_pam = jailing_pam_services().next().is_some();
    let other =
        (behind_pam && door != Door::Pam && has_jail_shell(&jailed.identity)).then_some(Door::Pam);
    let opened = |door| opened(jailed, door);
    if let Err(refusal) = opened(door).and_then(|()| other.map_or(Ok(()), opened)) {
        let finding = match &refusal {
            Refusal::Root(untrusted) => owned(walked("root", &refusal, untrusted), jailed),
            Refusal::Base(untrusted) => walked("base", &refusal, untrusted),
            // A source is data that belongs to somebody: only the config may have to change.
            Refusal::Mount(_) => {
                let rule = &jailed.jail.rule;
                Finding::refused("mount", &refusal).mended_by(edit(&rule.file, rule.line))
            }
            Refusal::HostFiles(fault) => host_files(&refusal, fault, jailed),
            Refusal::BehindPam(_) => {
                let rule = &jailed.jail.rule;
                Finding::refused("behind-pam", &refusal).mended_by(edit(&rule.file, rule.line))
            }
            other => Finding::refused(known(other.code().name()).unwrap_or("refused"), other),
        };
        report.add(finding.of(jailed));
        return;
    }
    let seen = match rehearsal::of(&jailed.identity.name.to_string_lossy(), door, directory) {
        Ok(seen) => seen,
        // One root that can't be looked at must not hide what is wrong with the others.
        Err(failure) => {
            report.leave_unchecked(failure.to_string());
            return;
        }
    };
    let roots_own = top_is_roots(&jailed.jail.root);
    for seen in seen {
        let Some(mut found) = finding(&seen, jailed) else {
            continue;
        };
        // Where the user could have put a link, a command that root runs there would write to the host. What jailctl does
        // itself follows none.
        let is_command = matches!(found.mend, Some(Mend::Command { .. }));
        if is_command && (!roots_own || !can_be_pattern(&seen)) {
            found.mend = None;
        }
        report.add(found.of(jailed));
    }
}

/// Tells whether what lies at the top of a root is root's alone, and no link of it leads out; the same of the files that
/// a mending command writes to.
pub(crate) fn top_is_roots(root: &Path) -> bool {
    if trust::open_directory(root).is_err() {
        return false;
    }
    let is_roots = |path: &str| {
        let path = root.join(path);
        // What is missing is made by the command.
        let Ok(entry) = fs::symlink_metadata(&path) else {
            return true;
        };
        if entry.is_symlink() {
            let inside = |to: &Path| {
                to.components()
                    .all(|part| matches!(part, Component::Normal(_)))
            };
            return fs::read_link(&path).is_ok_and(|to| inside(&to));
        }
        entry.uid() == 0 && entry.permissions().mode() & 0o022 == 0
    };
    let is_link = |path: &str| root.join(path).is_symlink();
    MENDED.iter().all(|name| is_roots(name)) && !MENDED_FILES.iter().any(|path| is_link(path))
}

/// What the mending commands write to.
const MENDED: [&str; 17] = [
    "bin",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "sbin",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/lib/openssh",
    "usr/local",
    "usr/local/bin",
    "usr/local/sbin",
    "usr/sbin",
    "usr/share",
];
const MENDED_FILES: [&str; 2] = ["etc/passwd", "etc/nsswitch.conf"];

/// Tells whether a name that was seen inside can stand in a command.
fn can_be_pattern(seen: &Seen) -> bool {
    match seen {
        Seen::SecondRoot(name) | Seen::NoNssLibrary(name) => pattern(name).is_some(),
        _ => true,
    }
}

/// Takes the steps of the plan that only look.
fn opened(jailed: &Jailed, door: Door) -> Result<(), Refusal> {
    let nothing = Inherited { limits: Vec::new() };
    let plan = door.plan(jailed.jail.clone(), None, &jailed.identity, [])?;
    prepare(plan, nothing).map(drop)
}

/// A root that users may own is made for its user.
fn owned(finding: Finding, jailed: &Jailed) -> Finding {
    if jailed.jail.root_owner == RootOwner::Root {
        return finding;
    }
    let root = quoted(&jailed.jail.root);
    match &finding.mend {
        Some(mend) if mend.command().starts_with("install -d") => {
            let user = quoted(&jailed.identity.name);
            finding.mended_by(format!("install -d -m 755 -o {user} {root}"))
        }
        _ => finding,
    }
}

/// Makes a finding of what was seen inside; nothing of what is as it should be.
fn finding(seen: &Seen, jailed: &Jailed) -> Option<Finding> {
    let jail = &jailed.jail;
    let root = quoted(&jail.root);
    let below = |path: &str| quoted(jail.root.join(path.trim_start_matches('/')));
    let user = quoted(&jailed.identity.name);
    // What a base gives can't be mended in the root.
    let with_command = |finding: Finding, command: String| match jail.base {
        Base::None => finding.mended_by(command),
        Base::Host | Base::Directory(_) => finding,
    };
    // With -a, cp(1) fails on a directory that --parents has made.
    let copied = |parents: &[&str], what: &str| {
        let parents: Vec<String> = parents.iter().map(|path| below(path)).collect();
        format!(
            "mkdir -p -m 755 {} && cp -aL --parents --remove-destination {what} {root}",
            parents.join(" ")
        )
    };
    Some(match seen {
        // What an attack found has its own way out.
        Seen::Done | Seen::Tried(_) => return None,
        Seen::Refused { code, reason } => return Some(refused(code, reason, jailed)),
        // That files outside can be opened is what only best effort lets pass.
        Seen::Weakened(open) if jail.landlock == Landlock::BestEffort => {
            Finding::warning("weakened", open.clone())
        }
        Seen::Weakened(open) => Finding::note("weakened", open.clone()),
        Seen::LoginShell(reason) => {
            let finding = Finding::error(
                "login-shell",
                format!("host programs behind PAM start the login shell of the account: {reason}"),
            );
            match jail.base {
                Base::None => finding.mended_by(copy_with_libraries(
                    jailed.identity.shell.as_path(),
                    &jail.root,
                )),
                Base::Host | Base::Directory(_) => {
                    finding.mended_by(format!("usermod -s {} {user}", quoted(&jail.shell)))
                }
            }
        }
        Seen::Program(program, reason) => {
            let finding = Finding::note("program-broken", reason.clone());
            // What is the host's as well can be copied once more.
            if program.exists() {
                with_command(finding, copy_with_libraries(program, &jail.root))
            } else {
                with_command(finding, format!("rm {}", below(&program.to_string_lossy())))
            }
        }
        Seen::MorePrograms(number) => {
            Finding::note("more", format!("{number} more programs that can't start"))
        }
        Seen::NoHome(home) => Finding::warning(
            "home-missing",
            format!("there is no {home} in the jail, and sessions start in /"),
        )
        .mended(of_user(Kind::HomeMissing, jailed)),
        Seen::HomeNotWritable(home) => Finding::note(
            "home-not-writable",
            format!("{home} in the jail can't be written by the user"),
        )
        .mended(of_user(Kind::HomeNotWritable, jailed)),
        Seen::NoSftpServer => with_command(
            Finding::note(
                "sftp-server-missing",
                "there is no sftp-server in the jail: sftp and scp fail",
            ),
            copy_with_libraries(Path::new("/usr/lib/openssh/sftp-server"), &jail.root),
        ),
        Seen::SftpServer(reason) => with_command(
            Finding::warning("sftp-server-broken", reason.clone()),
            copy_with_libraries(Path::new("/usr/lib/openssh/sftp-server"), &jail.root),
        ),
        Seen::NoNull => {
            let null = below("dev/null");
            Finding::warning(
                "null-missing",
                "there is no device /dev/null in the jail: shells and sftp-server need it",
            )
            .mended_by(format!(
                "install -d {} && rm -f {null} && mknod -m 666 {null} c 1 3",
                below("dev")
            ))
        }
        Seen::NoPasswdLine => with_command(
            Finding::note(
                "passwd-line-missing",
                "/etc/passwd in the jail does not name the user: programs say \"I have no name\", sftp-server fails",
            ),
            passwd_line(jailed),
        ),
        Seen::OtherUid(uid) => with_command(
            Finding::warning(
                "passwd-disagrees",
                format!(
                    "/etc/passwd in the jail gives the user uid {}, the host {}",
                    shown(uid),
                    jailed.identity.uid
                ),
            ),
            format!(
                "sed -i '/^{}:/d' {} && {}",
                pattern(&jailed.identity.name.to_string_lossy()).unwrap_or_default(),
                below("etc/passwd"),
                passwd_line(jailed)
            ),
        ),
        Seen::SecondRoot(name) => with_command(
            Finding::error(
                "second-root",
                format!(
                    "/etc/passwd in the jail gives {} uid 0, and programs of the host may read it",
                    shown(name)
                ),
            ),
            format!(
                "sed -i '/^{}:/d' {}",
                pattern(name).unwrap_or_default(),
                below("etc/passwd")
            ),
        ),
        Seen::NoTerminfo => with_command(
            Finding::note(
                "terminfo-missing",
                "there is no terminfo in the jail: editors, less and clear misbehave",
            ),
            copied(
                &["lib", "usr", "usr/share"],
                "$(ls -d /lib/terminfo /usr/share/terminfo 2>/dev/null)",
            ),
        ),
        Seen::NoLocale => with_command(
            Finding::note(
                "locale-missing",
                "there is no locale in the jail: LANG has no effect",
            ),
            copied(&["usr", "usr/lib"], "/usr/lib/locale"),
        ),
        Seen::NoTimeZone => with_command(
            Finding::note(
                "time-zone-missing",
                "there is no time zone in the jail: times are in UTC",
            ),
            format!(
                "install -D -m 644 /etc/localtime {}",
                below("etc/localtime")
            ),
        ),
        Seen::NoResolver => with_command(
            Finding::note(
                "resolver-missing",
                "there is no /etc/resolv.conf in the jail: names do not resolve",
            ),
            format!(
                "install -D -m 644 /etc/resolv.conf {}",
                below("etc/resolv.conf")
            ),
        ),
        Seen::NoNssLibrary(service) => with_command(
            Finding::warning(
                "nss-library-missing",
                format!(
                    "/etc/nsswitch.conf in the jail asks {}, and its library libnss_{}.so.2 is not there",
                    shown(service),
                    shown(service)
                ),
            ),
            format!(
                "sed -i 's/\\<{}\\>//' {}",
                pattern(service).unwrap_or_default(),
                below("etc/nsswitch.conf")
            ),
        ),
    })
}

/// Makes a fix for the jail of a user.
fn of_user(kind: Kind, jailed: &Jailed) -> Repair {
    Repair::of_user(kind, &jailed.identity.name)
}

/// Gives the command that writes the user's line into the jail's passwd.
fn passwd_line(jailed: &Jailed) -> String {
    let jail = &jailed.jail;
    let (Home::Set(home) | Home::Default(home)) = &jail.home;
    let (uid, gid) = (jailed.identity.uid, jailed.identity.gid);
    let line = format!(
        "{}:x:{uid}:{gid}::{}:{}",
        jailed.identity.name.to_string_lossy(),
        home.display(),
        jail.shell.display()
    );
    let etc = quoted(jail.root.join("etc"));
    let passwd = quoted(jail.root.join("etc/passwd"));
    format!("install -d {etc} && echo {} >>{passwd}", quoted(line))
}

/// Makes a finding of a login that would be refused.
fn refused(code: &str, reason: &str, jailed: &Jailed) -> Finding {
    let jail = &jailed.jail;
    let finding = Finding::error(known(code).unwrap_or("refused"), reason);
    let finding = match Code::ALL.iter().find(|one| one.name() == code) {
        Some(code) => finding.with_code(code.name()),
        None => finding,
    };
    let root = quoted(&jail.root);
    match (code, &jail.base) {
        ("shell-missing" | "interpreter-missing" | "library-missing", Base::None) => {
            finding.mended_by(copy_with_libraries(&jail.shell, &jail.root))
        }
        ("home-missing", _) => finding.mended(of_user(Kind::HomeMissing, jailed)),
        ("exec", Base::None) => {
            let shell = jail.shell.strip_prefix("/").unwrap_or(&jail.shell);
            let shell = jail.root.join(shell);
            // A link in the jail leads elsewhere on the host; and the bits may be there.
            let lacks_bits = |it: &fs::Metadata| it.is_file() && it.mode() & 0o555 != 0o555;
            if fs::symlink_metadata(&shell).is_ok_and(|it| lacks_bits(&it)) {
                finding.mended_by(format!("chmod a+rx {}", quoted(shell)))
            } else {
                finding
            }
        }
        ("root-unsearchable", _) => finding.mended_by(format!("chmod go+x {root}")),
        _ => finding,
    }
}

/// Gives the code again, if findings are called by it.
fn known(code: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| *kind == code)
}

/// Makes a finding of what root code of host programs must not read.
fn host_files(refusal: &Refusal, fault: &HostFilesFault, jailed: &Jailed) -> Finding {
    let finding = match fault {
        HostFilesFault::Untrusted(untrusted) => walked("host-files", refusal, untrusted),
        _ => Finding::refused("host-files", refusal),
    };
    let jail = &jailed.jail;
    let name = jailed.identity.name.to_string_lossy();
    match fault {
        HostFilesFault::Untrusted(_) => Finding {
            // Further down in a root than the walk to it has looked.
            mend: finding.mend.map(|mend| Mend::Command {
                command: mend.command(),
                safe: false,
            }),
            ..finding
        },
        HostFilesFault::Passwd(path, line, _) if *path == jail.root.join("etc/passwd") => {
            let Some(user) = pattern(&name) else {
                return finding;
            };
            let file = quoted(path);
            finding.mended_by(format!(
                "sed -i {line}d {file} && {{ grep -q '^{user}:' {file} || {{ {}; }}; }}",
                passwd_line(jailed)
            ))
        }
        HostFilesFault::Passwd(path, line, _) => finding.mended_by(edit(path, *line)),
        HostFilesFault::Group(path, _) => finding.mended_by(edit(path, 1)),
        HostFilesFault::NoDoor(door) => match jail.base {
            Base::None => finding.mended_by(copy_with_libraries(door, &jail.root)),
            Base::Host | Base::Directory(_) => finding.mended_by(format!(
                "usermod -s {} {}",
                quoted(&jail.shell),
                quoted(&*name)
            )),
        },
        HostFilesFault::Mount(_) => finding.mended_by(edit(&jail.rule.file, jail.rule.line)),
        HostFilesFault::Unreadable(..) => finding,
    }
}

/// The codes that a login can be refused with once its root was opened.
const KINDS: [&str; 9] = [
    "shell-missing",
    "interpreter-missing",
    "library-missing",
    "home-missing",
    "sftp-missing",
    "root-unsearchable",
    "uid-zero",
    "step",
    "exec",
];
