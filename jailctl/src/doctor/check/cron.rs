//! cron and at: they run a user's jobs by /bin/sh on the host, and never ask the login shell. See crontab(1) and at(1).

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::Path};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, FindingKind, Report},
        mend::{Kind, Repair},
    },
    failure::Failure,
    pam,
};

/// Where crontabs and jobs wait, in Debian and elsewhere.
const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
const AT_JOBS: [&str; 2] = ["/var/spool/cron/atjobs", "/var/spool/at"];

/// What only Debian and what is made of it have.
const DEBIAN: &str = "/etc/debian_version";

/// Who may use one of the two.
struct Lists {
    allow: &'static str,
    deny: &'static str,
    program: &'static str,
    /// The service that PAM knows it by.
    service: &'static str,
    word: &'static str,
    kind: FindingKind,
    mend: Kind,
    /// Whether everybody may where there is neither list: crontab(1) of Debian says yes, that of others and at(1) no.
    open: bool,
}

const CRON: Lists = Lists {
    allow: "/etc/cron.allow",
    deny: "/etc/cron.deny",
    program: "/usr/bin/crontab",
    service: "cron",
    word: "cron",
    kind: FindingKind::Cron,
    mend: Kind::Cron,
    open: true,
};

const AT: Lists = Lists {
    allow: "/etc/at.allow",
    deny: "/etc/at.deny",
    program: "/usr/bin/at",
    service: "atd",
    word: "at",
    kind: FindingKind::At,
    mend: Kind::At,
    open: false,
};

/// Checks every jailed user.
pub(crate) fn check(report: &mut Report, jailed: &[Jailed]) {
    for one in jailed {
        for lists in [&CRON, &AT] {
            if !pam::jails(lists.service) && Path::new(lists.program).exists() {
                match lists.no_file() {
                    Some(list) => report.leave_unchecked(format!("{list} is no file; rm {list}")),
                    None => report.extend(lists.judge(one).map(|it| it.of(one))),
                }
            }
        }
        if !pam::jails(CRON.service) {
            report.extend(crontab(one).map(|it| it.of(one)));
        }
        if !pam::jails(AT.service) {
            report.extend(at_jobs(one).map(|it| it.of(one)));
        }
    }
}

impl Lists {
    /// Gives a list that is something else than a file: of a FIFO nobody would come to an end.
    fn no_file(&self) -> Option<&'static str> {
        let mut lists = [self.allow, self.deny].into_iter();
        lists.find(|list| fs::metadata(list).is_ok_and(|it| !it.is_file()))
    }

    fn judge(&self, jailed: &Jailed) -> Option<Finding> {
        let Denial { state, .. } = self.denial(&jailed.identity.name.to_string_lossy())?;
        let what = format!(
            "{state}: a job of {} runs by /bin/sh on the host, outside of the jail",
            self.word
        );
        Some(Finding::warning(self.kind, what).mended(of_user(self.mend, jailed)))
    }

    /// Says which list would keep a user out; nothing where one does.
    fn denial(&self, name: &str) -> Option<Denial> {
        let lists = |file: &str| {
            let text = fs::read(file).ok()?;
            let text = String::from_utf8_lossy(&text);
            Some(text.lines().any(|line| line.trim() == name))
        };
        let (allow, deny) = (self.allow, self.deny);
        let (state, file, adds) = match (lists(allow), lists(deny)) {
            (Some(false), _) | (None, Some(true)) => return None,
            (None, None) if !(self.open && Path::new(DEBIAN).exists()) => return None,
            (Some(true), _) => (format!("{allow} lists the user"), allow, false),
            (None, Some(false)) => (format!("{deny} does not list the user"), deny, true),
            (None, None) => (format!("there is no {deny}"), deny, true),
        };
        Some(Denial { state, file, adds })
    }
}

/// A list that is to name a user, or no longer to name them.
pub(crate) struct Denial {
    /// How it is now.
    state: String,
    pub(crate) file: &'static str,
    /// Whether the user comes into it.
    pub(crate) adds: bool,
}

/// Says which list keeps a user away from cron or at, if none does.
pub(crate) fn denial(kind: Kind, jailed: &Jailed) -> Result<Option<Denial>, Failure> {
    let lists = if kind == Kind::At { &AT } else { &CRON };
    match lists.no_file() {
        Some(list) => Err(Failure::Failed(format!("{list} is no file"))),
        None => Ok(lists.denial(&jailed.identity.name.to_string_lossy())),
    }
}

/// Says which lists keep a user away from cron and at, where these are installed and PAM does not jail their jobs.
pub(crate) fn denials(name: &str) -> Result<Vec<Denial>, Failure> {
    let mut denials = Vec::new();
    for lists in [&CRON, &AT] {
        if pam::jails(lists.service) || !Path::new(lists.program).exists() {
            continue;
        }
        match lists.no_file() {
            Some(list) => return Err(Failure::Failed(format!("{list} is no file; rm {list}"))),
            None => denials.extend(lists.denial(name)),
        }
    }
    Ok(denials)
}

/// A list that is to name some users, or no longer to name them.
pub(crate) struct Denials {
    pub(crate) file: &'static str,
    /// Whether the users come into it.
    pub(crate) adds: bool,
    pub(crate) names: Vec<String>,
}

/// Does what [`denials`] does for many users, and reads each list once.
pub(crate) fn denials_of(names: &BTreeSet<&str>) -> Result<Vec<Denials>, Failure> {
    let mut all = Vec::new();
    for lists in [&CRON, &AT] {
        if pam::jails(lists.service) || !Path::new(lists.program).exists() {
            continue;
        }
        if let Some(list) = lists.no_file() {
            return Err(Failure::Failed(format!("{list} is no file; rm {list}")));
        }
        let Some(first) = names.first() else {
            continue;
        };
        let text = |file: &str| fs::read(file).map(|it| String::from_utf8_lossy(&it).into_owned());
        let (file, adds) = match (text(lists.allow), text(lists.deny)) {
            (Ok(_), _) => (lists.allow, false),
            (Err(_), Ok(_)) => (lists.deny, true),
            (Err(_), Err(_)) if lists.denial(first).is_none() => continue,
            (Err(_), Err(_)) => (lists.deny, true),
        };
        let listed = text(file).unwrap_or_default();
        let listed: BTreeSet<&str> = listed.lines().map(str::trim).collect();
        let open = names.iter().filter(|it| listed.contains(**it) != adds);
        let names: Vec<String> = open.map(|it| (*it).to_owned()).collect();
        if !names.is_empty() {
            all.push(Denials { file, adds, names });
        }
    }
    Ok(all)
}

/// Makes a fix for what a user has there.
fn of_user(kind: Kind, jailed: &Jailed) -> Repair {
    Repair::of_user(kind, &jailed.identity.name)
}

/// Finds a crontab that is there already: a list of who may have one does not stop it.
fn crontab(jailed: &Jailed) -> Option<Finding> {
    let files = CRONTABS.map(|it| Path::new(it).join(&jailed.identity.name));
    files.into_iter().find(|file| file.is_file()).map(|file| {
        let what = format!(
            "{} is there: cron runs it on the host, outside of the jail",
            file.display()
        );
        Finding::error(FindingKind::Crontab, what).mended(of_user(Kind::Crontab, jailed))
    })
}

/// Finds jobs of at(1) that wait.
fn at_jobs(jailed: &Jailed) -> Option<Finding> {
    AT_JOBS
        .into_iter()
        .find_map(|directory| jobs_in(directory, jailed))
}

fn jobs_in(directory: &str, jailed: &Jailed) -> Option<Finding> {
    let jobs = fs::read_dir(directory).ok()?;
    let own = |job: &fs::DirEntry| {
        let is_job = job.file_type().is_ok_and(|kind| kind.is_file());
        is_job
            && !job.file_name().to_string_lossy().starts_with('.')
            && job
                .metadata()
                .is_ok_and(|it| it.uid() == jailed.identity.uid)
    };
    let count = jobs.flatten().filter(own).count();
    (count > 0).then(|| {
        let what = format!(
            "{count} jobs of at(1) wait in {directory}: they run on the host, outside of the jail"
        );
        Finding::error(FindingKind::AtJobs, what).mended(of_user(Kind::AtJobs, jailed))
    })
}
