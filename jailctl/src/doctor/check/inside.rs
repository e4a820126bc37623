//! The jail of one user, as a login finds it: the walk to the root, entering, and what is seen inside.

use std::{ffi::OsStr, fs, os::unix::fs::MetadataExt, path::Path};

use jail::{
    door::{
        look::foresee,
        refusal::{Code, Refusal},
    },
    plan::{Plan, process::only},
    world::{
        create::{self, CreateFault, Missing},
        host_files::HostFilesFault,
    },
};
use jail_config::{Access, Base, Jail, Landlock, has_shell};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{
            Finding, FindingKind, Report,
            config::{edit, walked},
        },
        mend::{Kind, Repair},
        rehearsal::{self, Seen},
    },
    door::{Door, has_jail_shell},
    pam,
    shell::{quoted, shown},
};

/// Checks the jail of one user, as a login by this door finds it.
pub(crate) fn check(report: &mut Report, jailed: &Jailed, door: Door, directory: &Path) {
    // The account stage of every service that has the module looks at this, and the login shell need not be started there.
    let behind_pam = pam::jails_anywhere();
    let other =
        (behind_pam && door != Door::Pam && has_jail_shell(&jailed.identity)).then_some(Door::Pam);
    let opened = |door| opened(jailed, door);
    let opened = opened(door).and_then(|found| {
        other
            .map_or(Ok(()), |door| opened(door).map(drop))
            .map(|()| found)
    });
    let missing = match opened {
        Ok(missing) => missing,
        Err(refusal) => {
            let finding = match &refusal {
                Refusal::Root(untrusted) => walked(Kind::Root, &refusal, untrusted),
                Refusal::Base(untrusted) => walked(Kind::Base, &refusal, untrusted),
                // A source is data that belongs to somebody: only the config may have to change.
                Refusal::Mount(_) | Refusal::Service(_) => {
                    let rule = &jailed.jail.rule;
                    Finding::refused(FindingKind::Mount, &refusal)
                        .mended_by(edit(&rule.file, rule.line))
                }
                Refusal::HostFiles(fault) => host_files(&refusal, fault, jailed),
                Refusal::BehindPam(_) => {
                    let rule = &jailed.jail.rule;
                    let mut finding = Finding::refused(FindingKind::BehindPam, &refusal);
                    let stacks: Vec<String> = pam::jailing().map(shown).collect();
                    finding.what =
                        format!("{} (pam_jail.so is in {})", finding.what, stacks.join(", "));
                    finding.mended_by(edit(&rule.file, rule.line))
                }
                other => Finding::refused(known(other.code().name()), other),
            };
            report.add(finding.of(jailed));
            return;
        }
    };
    for found in missing {
        report.add(found.of(jailed));
    }
    let seen = match rehearsal::of(&jailed.identity.name.to_string_lossy(), door, directory) {
        Ok(seen) => seen,
        // One root that can't be looked at must not hide what is wrong with the others.
        Err(failure) => {
            report.leave_unchecked(failure.to_string());
            return;
        }
    };
    for found in seen.iter().filter_map(|seen| finding(seen, jailed)) {
        report.add(found.of(jailed));
    }
    let is_known = |it: &Seen| {
        matches!(
            it,
            Seen::Refused { .. } | Seen::NoSftpServer | Seen::SftpServer(_)
        )
    };
    if seen.iter().any(is_known) || !serves_sftp_alone(jailed, door) {
        return;
    }
    match rehearsal::of_sftp(&jailed.identity.name.to_string_lossy(), door, directory) {
        Ok(seen) => {
            for found in seen.iter().filter_map(|seen| sftp_refused(seen, jailed)) {
                report.add(found.of(jailed));
            }
        }
        Err(failure) => report.leave_unchecked(failure.to_string()),
    }
}

/// Tells whether a jail that has a shell starts the sftp-server without it: that is another login than the one for the shell, and
/// may be refused where that is not.
fn serves_sftp_alone(jailed: &Jailed, door: Door) -> bool {
    if only(&jailed.jail).is_some() {
        return false;
    }
    let command = Some(OsStr::new(rehearsal::INTERNAL_SFTP));
    let plan = door.plan(jailed.jail.clone(), command, &jailed.identity, []);
    plan.is_ok_and(|plan| plan.world.executables().is_some())
}

/// Makes a finding of a request for SFTP that would be refused. Where only the record takes the server alone, that may be meant.
fn sftp_refused(seen: &Seen, jailed: &Jailed) -> Option<Finding> {
    let Seen::Refused { code, reason } = seen else {
        return None;
    };
    let jail = &jailed.jail;
    let what = format!("SFTP is refused ({}): {}", shown(code), shown(reason));
    let finding = match jail.sftp {
        Some(_) => Finding::error(FindingKind::SftpRefused, what),
        None => Finding::note(FindingKind::SftpRefused, what),
    };
    Some(finding.mended_by(edit(&jail.rule.file, jail.rule.line)))
}

/// Takes the steps of the plan that only look, and gives what a session would do without.
fn opened(jailed: &Jailed, door: Door) -> Result<Vec<Finding>, Refusal> {
    let plan = door.plan(jailed.jail.clone(), None, &jailed.identity, [])?;
    let (looked, missing) = foresee(&plan)?;
    let to_be_made = |it: &Missing| {
        let what = format!(
            "{} is missing, and the first login will make it",
            shown(it.last())
        );
        Finding::note(FindingKind::ToBeMade, what)
    };
    let mut findings: Vec<Finding> = missing.iter().map(to_be_made).collect();
    findings.extend(disk(&plan, jailed)?);
    // What can't be listed is for the rehearsal to find.
    let Some(Ok(sight)) = looked.as_ref().map(|looked| looked.sight(&plan)) else {
        return Ok(findings);
    };
    for (service, found) in &sight.services {
        if found.is_empty() {
            let what = format!(
                "services names {service:?}, and the host has no socket of it: start the service"
            );
            findings.push(Finding::note(FindingKind::ServiceMissing, what));
        }
    }
    for (device, why) in sight.devices.in_vain() {
        let what = format!("devices names {device:?}, which shows nothing: {why}");
        findings.push(Finding::note(FindingKind::DeviceMissing, what));
    }
    Ok(findings)
}

/// Finds a home whose files are not limited as the config says. One that is missing is made with its limits.
fn disk(plan: &Plan, jailed: &Jailed) -> Result<Option<Finding>, Refusal> {
    let Some(disk) = plan.world.disk else {
        return Ok(None);
    };
    let Some((path, counted)) = create::counted(plan)? else {
        return Ok(None);
    };
    let state = match counted {
        Some(counted) if counted.holds(disk) => return Ok(None),
        Some(counted) if counted.allowed.is_limited() => {
            format!("its quota allows {}", counted.allowed)
        }
        _ => "no quota limits it".to_owned(),
    };
    let cannot = create::limits(plan).err().map(|why| match why {
        CreateFault::Step(fault) => fault.to_string(),
        other => Refusal::from(other).to_string(),
    });
    let why = cannot.iter().map(|why| format!("; {why}"));
    let what = format!(
        "disk allows {disk}, and the home {} may take more: {state}{}",
        shown(path),
        why.collect::<String>()
    );
    let finding = Finding::error(FindingKind::DiskUnlimited, what);
    Ok(Some(match cannot {
        None => finding.mended(of_user(Kind::DiskUnlimited, jailed)),
        // No mend of ours makes quotas.
        Some(_) => finding,
    }))
}

/// Makes a finding of what was seen inside; nothing of what is as it should be.
fn finding(seen: &Seen, jailed: &Jailed) -> Option<Finding> {
    let jail = &jailed.jail;
    // What a base gives can't be mended in the root.
    let in_root = |finding: Finding, kind: Kind| match jail.base {
        Base::None => finding.mended(of_user(kind, jailed)),
        Base::Host | Base::Directory(_) => finding,
    };
    Some(match seen {
        // What an attack found has its own way out.
        Seen::Done | Seen::Tried(_) => return None,
        Seen::Refused { code, reason } => return Some(refused(code, reason, jailed)),
        // That files outside can be opened is what only best effort lets pass.
        Seen::Weakened(open) if jail.landlock == Landlock::BestEffort => {
            Finding::warning(FindingKind::Weakened, open.clone())
        }
        Seen::Weakened(open) => Finding::note(FindingKind::Weakened, open.clone()),
        Seen::LoginShell(reason) => {
            let finding = Finding::error(
                FindingKind::LoginShell,
                format!("host programs behind PAM start the login shell of the account: {reason}"),
            );
            match jail.base {
                Base::None => finding.mended(of_user(Kind::LoginShell, jailed)),
                Base::Host | Base::Directory(_) => finding.mended_by(with_shell(jailed)),
            }
        }
        Seen::Program(program, reason) => {
            let finding = Finding::note(FindingKind::ProgramBroken, reason.clone());
            let path = jail.root.join(program.strip_prefix("/").unwrap_or(program));
            match jail.base {
                Base::None => finding.mended(Repair::of_path(Kind::ProgramBroken, &path)),
                Base::Host | Base::Directory(_) => finding,
            }
        }
        Seen::Command(entry, reason) => Finding::error(
            FindingKind::CommandMissing,
            format!("`commands` has {entry:?}: {reason}"),
        )
        .mended_by(edit(&jail.rule.file, jail.rule.line)),
        Seen::MorePrograms(number) => Finding::note(
            FindingKind::More,
            format!("{number} more programs that can't start"),
        ),
        Seen::NoHome(home) => Finding::warning(
            FindingKind::HomeMissing,
            format!("there is no {home} in the jail, and sessions start in /"),
        )
        .mended(of_user(Kind::HomeMissing, jailed)),
        Seen::HomeNotWritable(_) if is_read_only(jail) => return None,
        Seen::HomeNotWritable(home) => Finding::note(
            FindingKind::HomeNotWritable,
            format!("{home} in the jail can't be written by the user"),
        )
        .mended(of_user(Kind::HomeNotWritable, jailed)),
        Seen::NoSftpServer => in_root(
            Finding::note(
                FindingKind::SftpServerMissing,
                "there is no sftp-server in the jail: sftp and scp fail",
            ),
            Kind::SftpServerMissing,
        ),
        Seen::SftpServer(reason) => in_root(
            Finding::warning(FindingKind::SftpServerBroken, reason.clone()),
            Kind::SftpServerBroken,
        ),
        Seen::NoNull => Finding::warning(
            FindingKind::NullMissing,
            "there is no device /dev/null in the jail: shells and sftp-server need it",
        )
        .mended(of_user(Kind::NullMissing, jailed)),
        Seen::NoPasswdLine => in_root(
            Finding::note(
                FindingKind::PasswdLineMissing,
                "/etc/passwd in the jail does not name the user: programs say \"I have no name\", sftp-server fails",
            ),
            Kind::PasswdLineMissing,
        ),
        Seen::OtherUid(uid) => in_root(
            Finding::warning(
                FindingKind::PasswdDisagrees,
                format!(
                    "/etc/passwd in the jail gives the user uid {}, the host {}",
                    shown(uid),
                    jailed.identity.uid
                ),
            ),
            Kind::PasswdDisagrees,
        ),
        Seen::SecondRoot(name) => in_root(
            Finding::error(
                FindingKind::SecondRoot,
                format!(
                    "/etc/passwd in the jail gives {} uid 0, and programs of the host may read it",
                    shown(name)
                ),
            ),
            Kind::SecondRoot,
        ),
        Seen::NoTerminfo => in_root(
            Finding::note(
                FindingKind::TerminfoMissing,
                "there is no terminfo in the jail: editors, less and clear misbehave",
            ),
            Kind::TerminfoMissing,
        ),
        Seen::NoLocale => in_root(
            Finding::note(
                FindingKind::LocaleMissing,
                "there is no locale in the jail: LANG has no effect",
            ),
            Kind::LocaleMissing,
        ),
        Seen::NoTimeZone => in_root(
            Finding::note(
                FindingKind::TimeZoneMissing,
                "there is no time zone in the jail: times are in UTC",
            ),
            Kind::TimeZoneMissing,
        ),
        Seen::NoResolver => in_root(
            Finding::note(
                FindingKind::ResolverMissing,
                "there is no /etc/resolv.conf in the jail: names do not resolve",
            ),
            Kind::ResolverMissing,
        ),
        Seen::NoNssLibrary(service) => in_root(
            Finding::warning(
                FindingKind::NssLibraryMissing,
                format!(
                    "/etc/nsswitch.conf in the jail asks {}, and its library libnss_{}.so.2 is not there",
                    shown(service),
                    shown(service)
                ),
            ),
            Kind::NssLibraryMissing,
        ),
    })
}

/// Makes a fix for the jail of a user.
fn of_user(kind: Kind, jailed: &Jailed) -> Repair {
    Repair::of_user(kind, &jailed.identity.name)
}

/// Gives the command that makes the jail's shell the login shell: that is one which is inside.
fn with_shell(jailed: &Jailed) -> String {
    let user = quoted(&jailed.identity.name);
    format!("usermod -s {} {user}", quoted(&jailed.jail.shell))
}

/// Tells whether users of a jail are not meant to write anything.
fn is_read_only(jail: &Jail) -> bool {
    let sftp = jail.sftp.as_ref();
    sftp.is_some_and(|sftp| sftp.access == Access::ReadOnly)
}

/// Makes a finding of a login that would be refused.
fn refused(code: &str, reason: &str, jailed: &Jailed) -> Finding {
    let jail = &jailed.jail;
    let is_of_list = !has_shell(jail.commands.as_deref())
        && ["shell-missing", "interpreter-missing", "library-missing"].contains(&code);
    let kind = if is_of_list {
        FindingKind::CommandMissing
    } else {
        known(code)
    };
    let finding = Finding::error(kind, reason);
    let finding = match Code::ALL.iter().find(|one| one.name() == code) {
        Some(code) => finding.with_code(code.name()),
        None => finding,
    };
    if is_of_list {
        return finding.mended_by(edit(&jail.rule.file, jail.rule.line));
    }
    let kind = match (code, &jail.base) {
        ("shell-missing", Base::None) => Kind::ShellMissing,
        ("interpreter-missing", Base::None) => Kind::InterpreterMissing,
        ("library-missing", Base::None) => Kind::LibraryMissing,
        ("exec", Base::None) if lacks_bits(jailed) => Kind::Exec,
        ("home-missing", _) => Kind::HomeMissing,
        ("root-unsearchable", _) => Kind::RootUnsearchable,
        _ => return finding,
    };
    finding.mended(of_user(kind, jailed))
}

/// Tells whether the shell in the root is a file that not everybody may read and execute.
fn lacks_bits(jailed: &Jailed) -> bool {
    let shell = &jailed.jail.shell;
    let shell = jailed
        .jail
        .root
        .join(shell.strip_prefix("/").unwrap_or(shell));
    // A link in the jail leads elsewhere on the host; and the bits may be there.
    let found = fs::symlink_metadata(&shell);
    found.is_ok_and(|it| it.is_file() && it.mode() & 0o555 != 0o555)
}

/// Gives the kind that is called as the code that a login is refused with, once its root was opened.
fn known(code: &str) -> FindingKind {
    let kinds = [
        FindingKind::ShellMissing,
        FindingKind::InterpreterMissing,
        FindingKind::LibraryMissing,
        FindingKind::HomeMissing,
        FindingKind::SftpMissing,
        FindingKind::RootUnsearchable,
        FindingKind::UidZero,
        FindingKind::Step,
        FindingKind::Exec,
    ];
    let named = FindingKind::named(code).filter(|kind| kinds.contains(kind));
    named.unwrap_or(FindingKind::Refused)
}

/// Makes a finding of what root code of host programs must not read.
fn host_files(refusal: &Refusal, fault: &HostFilesFault, jailed: &Jailed) -> Finding {
    let jail = &jailed.jail;
    let finding = match fault {
        // What is the base's is many jails', and not mended for one.
        HostFilesFault::Untrusted(untrusted) if untrusted.component.starts_with(&jail.root) => {
            return walked(Kind::HostFiles, refusal, untrusted);
        }
        _ => Finding::refused(FindingKind::HostFiles, refusal),
    };
    match fault {
        HostFilesFault::Passwd(path, ..) if *path == jail.root.join("etc/passwd") => {
            finding.mended(of_user(Kind::PasswdDisagrees, jailed))
        }
        HostFilesFault::Passwd(path, ..) | HostFilesFault::Group(path, _)
            if *path == jail.root.join("etc/group") =>
        {
            finding.mended(of_user(Kind::GroupDisagrees, jailed))
        }
        HostFilesFault::Passwd(path, line, _) => finding.mended_by(edit(path, *line)),
        HostFilesFault::Group(path, _) => finding.mended_by(edit(path, 1)),
        HostFilesFault::NoDoor(_) => finding.mended_by(with_shell(jailed)),
        HostFilesFault::Mount(_) => finding.mended_by(edit(&jail.rule.file, jail.rule.line)),
        _ => finding,
    }
}
