//! `jailctl explain`: the decision about a user and what their session will be, on one screen; the steps of the plan on request.
//!
//! All of it is made of what the config decides by, of the plan and of what the core will put together, so it can't say
//! anything else than a login does. [`world`] and [`reach`] say what a session sees, writes and reaches, [`words`] what each
//! step does, [`screen`] prints.

mod reach;
mod remarks;
mod rules;
mod said;
mod screen;
mod words;
mod world;

use std::{ffi::OsStr, path::Path};

use jail::{
    account::identity::Identity,
    door::{decision::Config, look::foresee, refusal::Refusal, until},
    plan::{
        Plan,
        process::{HandOver, only},
    },
    process::landlock,
    trust::{Flaw, UntrustedSource},
};
use jail_config::{Allowed, Base, Decision, Home, Jail};
use nix::errno::Errno;
use rustix::process::geteuid;

use crate::{
    accounts::{
        account::{self, Jailed},
        open_until::OpenUntil,
        trial::by_config,
        used_account::UsedAccount,
        used_sessions::UsedSessions,
    },
    doctor::{
        check::{self, Finding, Report, sshd_for, sshd_forces_jail_shell},
        used,
    },
    door::{Door, SSHD_CONFIG, has_jail_shell},
    failure::{Failure, Verdict},
    guest,
    kept::Look,
    output::{Output, print_json},
    shell::shown,
};
use reach::Reach;
use remarks::Remark;
use rules::{Outcome, Told};
use said::{Explanation, Refused, Taken};
use screen::Shows;
use world::World;

/// What is asked about a login.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) user: &'a str,
    /// None: the door that the user has.
    pub(crate) door: Option<Door>,
    /// The command that is asked for instead of a shell.
    pub(crate) command: Option<&'a OsStr>,
    /// Whether the steps are printed.
    pub(crate) steps: bool,
    /// Whether everything else is printed that was found out.
    pub(crate) verbose: bool,
    pub(crate) output: Output,
}

/// What is said of an account that is not in /etc/passwd.
const DIRECTORY: &str = "a directory has the account, and may change its groups; what its client keeps (sssd: for 90 minutes) \
                         decides until then: sss_cache -u USER has it asked again";

/// Explains one login.
pub(crate) fn run(config: &Path, asked: &Asked) -> Result<Verdict, Failure> {
    let _look = Look::begin();
    let identity = account::named(asked.user)?;
    let directory = config;
    let config = Config::read(directory)?;
    let used = used::by(&identity);
    let door = asked.door.or(used).unwrap_or(Door::LoginShell);
    let mut explanation = explain(&config, &identity, door, asked.command)?;
    explanation.in_use = asked.door.or(used).is_some();
    let is_asked = asked.door.is_none() && !has_jail_shell(&identity);
    if is_asked && sshd_forces_jail_shell(&identity, Path::new(SSHD_CONFIG)).is_none() {
        explanation.remarks.push(Remark::new(
            "sshd could not be asked whether it forces jail-shell on this user for every connection",
        ));
    }
    if !identity.is_local().unwrap_or(true) {
        explanation.remarks.push(Remark::new(DIRECTORY));
    }
    if let Ok(Decision::Jail(jail)) = config.decide(&identity) {
        let jail = *jail;
        if asked.door.is_none() && explanation.in_use {
            explanation.tell_of_host(used::past_doors(&identity), door);
        }
        let jailed = Jailed { identity, jail };
        explanation.look(&jailed, door, directory)?;
        // Whoever asks for a door asks about that one alone.
        if asked.door.is_none() {
            explanation.look_around(&jailed, directory, &config)?;
        }
    }
    if let Some(refused) = &mut explanation.refused {
        refused.reason = by_config(&refused.reason, directory);
    }
    if asked.output.json {
        print_json(&explanation)?;
    } else {
        screen::print(
            &explanation,
            Shows {
                steps: asked.steps,
                verbose: asked.verbose,
            },
        );
    }
    let mut findings = explanation.findings.iter().chain(&explanation.around);
    let refused = explanation.refused.is_some() || findings.any(Finding::is_error);
    let is_jailed = explanation.decision.outcome == Outcome::Jailed
        && explanation.in_use
        && explanation.led_past.is_empty();
    Ok(Verdict::of(refused || !is_jailed))
}

fn explain(
    config: &Config,
    identity: &Identity,
    door: Door,
    command: Option<&OsStr>,
) -> Result<Explanation, Failure> {
    let (rule, lost) = rules::of(config, identity)?;
    let mut explanation = Explanation {
        user: shown(&identity.name),
        uid: identity.uid,
        gid: identity.gid,
        groups: identity.group_names.iter().map(shown).collect(),
        door,
        in_use: true,
        doors: used::all(identity),
        led_past: Vec::new(),
        shell: shown(&identity.shell),
        decision: Told {
            outcome: Outcome::Refused,
            rule,
        },
        lost,
        jail: None,
        root: None,
        base: None,
        will_make: Vec::new(),
        world: None,
        reach: None,
        commands: None,
        sftp: None,
        recorded: None,
        idle: None,
        until: None,
        limits: Vec::new(),
        sshd: None,
        steps: Vec::new(),
        refused: None,
        remarks: Vec::new(),
        findings: Vec::new(),
        around: Vec::new(),
        unchecked: Vec::new(),
    };
    match config.decide(identity) {
        Ok(Decision::Jail(jail)) => {
            explanation.decision.outcome = Outcome::Jailed;
            explanation.follow(*jail, identity, door, command);
        }
        Ok(Decision::Exempt(rule)) => {
            explanation.decision.outcome = Outcome::Exempt;
            if has_jail_shell(identity) || door == Door::ForceCommand {
                explanation.refused = Some(Refused::of(&Refusal::Exempt(rule), &identity.name));
            }
        }
        Ok(Decision::Unlisted(rule)) => {
            explanation.refused = Some(Refused::of(&Refusal::NoRule(rule), &identity.name));
        }
        Err(refusal) => explanation.refused = Some(Refused::of(&refusal, &identity.name)),
    }
    Ok(explanation)
}

impl Explanation {
    /// Says by which services logins lead to the host. Where sshd forces jail-shell that is usual, and a note; behind PAM it
    /// is a hole.
    fn tell_of_host(&mut self, services: Vec<&'static str>, door: Door) {
        if door != Door::ForceCommand {
            self.led_past = services;
        } else if !services.is_empty() {
            self.remarks.push(Remark::new(format!(
                "logins by {} lead to the host, to {}",
                services.join(", "),
                self.shell
            )));
        }
    }

    /// Rehearses the login, and looks at the account as PAM and sshd will. What only root can look at is said so.
    fn look(&mut self, jailed: &Jailed, door: Door, directory: &Path) -> Result<(), Failure> {
        if !geteuid().is_root() {
            let what = "only root can look at sshd's settings and keys, and whether the account, PAM or the jail refuses the login";
            self.unchecked.push(what.to_owned());
            return Ok(());
        }
        let mut report = Report::new(directory);
        check::of_login(&mut report, jailed, door, directory)?;
        self.findings = report.findings;
        self.findings.sort_by_key(|finding| finding.severity);
        self.unchecked.extend(report.unchecked);
        if self.refused.is_none() {
            self.refused = self.findings.iter().find_map(Refused::found);
        }
        // That sshd does not answer, the look at the account has said.
        self.sshd = sshd_for::of(jailed, Path::new(SSHD_CONFIG))?.and_then(Result::ok);
        if self.in_use && self.sshd.as_ref().is_some_and(|it| it.serves_host) {
            self.led_past.push("sshd's internal-sftp");
        }
        Ok(())
    }

    /// Looks at what a check of this user finds besides.
    fn look_around(
        &mut self,
        jailed: &Jailed,
        directory: &Path,
        config: &Config,
    ) -> Result<(), Failure> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let mut report = Report::new(directory);
        // An acceptance is about these as well.
        report.extend(self.findings.drain(..));
        let of_login = report.findings.len();
        check::around_login(&mut report, jailed, directory, config)?;
        self.around = report.findings.split_off(of_login);
        self.around.sort_by_key(|finding| finding.severity);
        self.findings = report.findings;
        for what in report.unchecked {
            if !self.unchecked.contains(&what) {
                self.unchecked.push(what);
            }
        }
        Ok(())
    }

    /// Follows a login into its jail, as far as looking goes.
    fn follow(&mut self, jail: Jail, identity: &Identity, door: Door, command: Option<&OsStr>) {
        self.jail = Some(jail.name.clone());
        self.root = Some(jail.root.clone());
        self.base = match &jail.base {
            Base::None => None,
            Base::Host => Some("host".to_owned()),
            Base::Directory(base) => Some(shown(base)),
        };
        self.remarks = remarks::of_door(door, &jail, identity, command);
        self.until = OpenUntil::of(&jail);
        let used = UsedSessions::of(identity.uid, &jail);
        self.limits = words::limits(&jail.limits);
        self.limits
            .extend(jail.disk.map(|disk| format!("disk {disk}")));
        self.limits.extend(used.map(|used| used.to_string()));
        let of_account = UsedAccount::of(identity.uid, &jail);
        self.limits.extend(of_account.map(|used| used.to_string()));
        self.commands = only(&jail).map(|list| list.iter().map(Allowed::shown).collect());
        self.sftp = words::sftp(&jail);
        self.recorded = words::recorded(&jail);
        self.idle = words::idle(&jail);
        let passed: Vec<&str> = jail.env.pass.iter().map(|glob| glob.as_str()).collect();
        let passed = passed.join(" ");
        let plan = match door.plan(jail, command, identity, []) {
            Ok(plan) => plan,
            Err(refusal) => {
                self.refused = Some(Refused::of(&refusal, &identity.name));
                return;
            }
        };
        self.steps = plan
            .steps()
            .iter()
            .map(|step| Taken {
                step: step.name(),
                does: words::of(step, &plan, &passed),
            })
            .collect();
        if let Err(refusal) = until::check(plan.process.until) {
            self.refused = Some(Refused::of(&refusal, &identity.name));
        } else if let Some(used) = used.filter(|used| used.is_full()) {
            self.refused = Some(Refused::of(&Refusal::Sessions(used.limit), &identity.name));
        }
        self.look_at_world(&plan, identity);
    }

    /// Looks at what the session will see and reach.
    fn look_at_world(&mut self, plan: &Plan, identity: &Identity) {
        let looked = foresee(plan).map(|(looked, missing)| {
            self.will_make = missing.iter().map(|it| shown(it.last())).collect();
            looked
        });
        match looked {
            // There is nothing to be seen yet.
            Ok(None) => {}
            Ok(Some(looked)) => match World::of(plan, &looked, home(plan, identity)) {
                Ok(world) => self.world = Some(world),
                Err(why) => self.unchecked.push(format!("what a session sees: {why}")),
            },
            Err(refusal) if !geteuid().is_root() && is_denied(&refusal) => {
                self.remarks.push(Remark::new(format!(
                    "whether the root can be opened is only known to root: {refusal}"
                )));
            }
            Err(refusal) => self.refused = Some(Refused::of(&refusal, &identity.name)),
        }
        if !self.will_make.is_empty() {
            let text = format!("the first login will make {}", self.will_make.join(", "));
            self.remarks.push(Remark::new(text));
            // They look for it before there is a jail, and a login that follows finds it where a mount shows it.
            if identity.home.symlink_metadata().is_err() {
                let home = shown(&identity.home);
                let text = format!(
                    "until {home} is there on the host, sshd, su and login print that they can't chdir to it"
                );
                self.remarks.push(Remark::new(text));
            }
        }
        let open = landlock::foresee(plan).ok().flatten();
        let mounts = self.world.as_ref().map_or(&[][..], |world| &world.mounts);
        self.reach = Some(Reach::of(plan, open.as_ref(), mounts));
        self.remarks
            .extend(open.map(|open| Remark::new(open.to_string())));
    }
}

/// Gives the directory in which a session begins.
fn home<'a>(plan: &'a Plan, identity: &'a Identity) -> &'a Path {
    match (&plan.process.hand_over, &plan.process.home) {
        // Where host programs go is the account's home, whatever the jail's is.
        (HandOver::HostProgram { .. }, _) => guest::home(identity),
        (HandOver::Shell(_), Home::Set(home) | Home::Default(home)) => home,
    }
}

/// Tells whether a walk ended where only root may go on, as a login would.
fn is_denied(refusal: &Refusal) -> bool {
    let (Refusal::Root(at)
    | Refusal::Base(at)
    | Refusal::Mount(UntrustedSource(at))
    | Refusal::Service(UntrustedSource(at))) = refusal
    else {
        return false;
    };
    at.flaw == Flaw::Io(Errno::EACCES)
}
