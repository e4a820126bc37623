//! `jailctl explain`: the decision about a user and the plan of their login, in words.
//!
//! The words are made of [`Plan::steps`] and of what the config decides by, so they can't say anything else than a login
//! does.

mod words;

use std::{ffi::OsStr, path::Path};

use jail::{
    account::identity::Identity,
    door::{
        decision::Config,
        look::look,
        refusal::{Code, Refusal},
    },
    plan::request::program_of,
    process::landlock,
    trust::{Flaw, UntrustedSource},
};
use jail_config::{Decision, Jail, Rule, RuleKind};
use nix::errno::Errno;
use rustix::process::geteuid;
use serde::Serialize;

use crate::{
    accounts::{
        account::{self, Jailed},
        trial::by_config,
    },
    doctor::{
        check::{
            self, Finding, Report, SNIPPETS, Severity, sshd_forced_commands, sshd_forces_jail_shell,
        },
        used::{self, pam_before_jail_shell},
    },
    door::{
        Door, JAIL_SHELL_PATH, SSHD_CONFIG, has_jail_shell, is_jail_shell,
        without_effect_behind_pam,
    },
    failure::{Failure, Verdict},
    kept::Look,
    output::{Output, print_json, say},
    pam,
    shell::shown,
};

/// All that is said about one login.
#[derive(Debug, Serialize)]
struct Explanation {
    user: String,
    uid: u32,
    gid: u32,
    groups: Vec<String>,
    door: Door,
    /// Whether the user comes that way; where not, and none was asked for, logins lead to the host.
    in_use: bool,
    /// The login shell of the account database.
    shell: String,
    decision: Told,
    lost: Vec<Lost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jail: Option<String>,
    steps: Vec<Taken>,
    /// Why the login would be refused as things are.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    remarks: Vec<String>,
    /// What a rehearsal of the login and a look at the account have found. For root only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    /// What could not be checked, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unchecked: Vec<String>,
}

/// What was decided, and by which rule.
#[derive(Debug, Serialize)]
struct Told {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Where>,
}

/// A rule and where it is written; line 0 is a built-in default.
#[derive(Debug, Serialize)]
struct Where {
    file: String,
    line: usize,
    text: String,
    leads_to: String,
}

/// A rule that names the user as well and does not decide.
#[derive(Debug, Serialize)]
struct Lost {
    #[serde(flatten)]
    rule: Where,
    because: &'static str,
}

/// One step of the plan.
#[derive(Debug, Serialize)]
struct Taken {
    step: &'static str,
    does: String,
}

#[derive(Debug, Serialize)]
struct Refused {
    code: &'static str,
    status: u8,
    reason: String,
}

impl Refused {
    fn of(refusal: &Refusal) -> Refused {
        Refused {
            code: refusal.code().name(),
            status: refusal.code().status(),
            reason: refusal.to_string(),
        }
    }
}

impl Refused {
    /// Takes a refusal that only a rehearsal finds.
    fn found(finding: &Finding) -> Option<Refused> {
        let code = Code::ALL
            .into_iter()
            .find(|code| finding.code == Some(code.name()))?;
        Some(Refused {
            code: code.name(),
            status: code.status(),
            reason: finding.what.clone(),
        })
    }
}

/// What is asked about a login.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) user: &'a str,
    /// None: the door that the user has.
    pub(crate) door: Option<Door>,
    /// The command that is asked for instead of a shell.
    pub(crate) command: Option<&'a OsStr>,
    pub(crate) output: Output,
}

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
        explanation.remarks.push(
            "sshd could not be asked whether it forces jail-shell on this user for every connection".to_owned(),
        );
    }
    if let (true, Ok(Decision::Jail(jail))) = (geteuid().is_root(), config.decide(&identity)) {
        let jail = *jail;
        explanation.look(&Jailed { identity, jail }, door, directory)?;
    }
    if let Some(refused) = &mut explanation.refused {
        refused.reason = by_config(&refused.reason, directory);
    }
    if asked.output.json {
        print_json(&explanation)?;
    } else {
        print(&explanation);
    }
    let is_error = |it: &Finding| it.severity == Severity::Error;
    let refused = explanation.refused.is_some() || explanation.findings.iter().any(is_error);
    let led_past = explanation.jail.is_some() && !explanation.in_use;
    Ok(Verdict::of(refused || led_past))
}

fn explain(
    config: &Config,
    identity: &Identity,
    door: Door,
    command: Option<&OsStr>,
) -> Result<Explanation, Failure> {
    let user_file = config.user_file(identity)?;
    let account = identity.account();
    let mut named = config
        .policy()
        .matches(&account, user_file.as_ref())
        .map(|named| {
            let leads_to = named.leads_to().to_owned();
            (named.rule, leads_to)
        });
    let winner = named.next();
    let lost = named
        // That nobody else is named is not said of somebody who is.
        .filter(|(rule, _)| rule.kind != RuleKind::Unlisted)
        .map(|(rule, leads_to)| Lost {
            because: winner.as_ref().map_or("", |(won, _)| why_lost(won, &rule)),
            rule: at(&rule, leads_to),
        })
        .collect();
    let mut explanation = Explanation {
        user: shown(&identity.name),
        uid: identity.uid,
        gid: identity.gid,
        groups: identity.group_names.iter().map(shown).collect(),
        door,
        in_use: true,
        shell: shown(&identity.shell),
        decision: Told {
            outcome: "refused",
            rule: winner.map(|(rule, leads_to)| at(&rule, leads_to)),
        },
        lost,
        jail: None,
        steps: Vec::new(),
        refused: None,
        remarks: Vec::new(),
        findings: Vec::new(),
        unchecked: Vec::new(),
    };
    match config.decide(identity) {
        Ok(Decision::Jail(jail)) => {
            explanation.decision.outcome = "jailed";
            explanation.follow(*jail, identity, door, command);
        }
        Ok(Decision::Exempt(rule)) => {
            explanation.decision.outcome = "exempt";
            if has_jail_shell(identity) || door == Door::ForceCommand {
                explanation.refused = Some(Refused::of(&Refusal::Exempt(rule)));
            }
        }
        Ok(Decision::Unlisted(rule)) => {
            explanation.refused = Some(Refused::of(&Refusal::NoRule(rule)));
        }
        Err(refusal) => explanation.refused = Some(Refused::of(&refusal)),
    }
    Ok(explanation)
}

impl Explanation {
    /// Rehearses the login, and looks at the account as PAM and sshd will.
    fn look(&mut self, jailed: &Jailed, door: Door, directory: &Path) -> Result<(), Failure> {
        let mut report = Report::new(directory);
        check::of_login(&mut report, jailed, door, directory)?;
        self.findings = report.findings;
        self.findings.sort_by_key(|finding| finding.severity);
        self.unchecked = report.unchecked;
        if self.refused.is_none() {
            self.refused = self.findings.iter().find_map(Refused::found);
        }
        Ok(())
    }

    /// Follows a login into its jail, as far as looking goes.
    fn follow(&mut self, jail: Jail, identity: &Identity, door: Door, command: Option<&OsStr>) {
        self.jail = Some(jail.name.clone());
        match door {
            Door::LoginShell if !has_jail_shell(identity) => self.remarks.push(format!(
                "the login shell is {}, so this door is not in use; usermod -s {JAIL_SHELL_PATH} {} opens it",
                shown(&identity.shell),
                self.user
            )),
            Door::LoginShell => self.remarks.extend(forced_by_sshd(identity)),
            Door::ForceCommand => {}
            Door::Pam => {
                self.remarks.push(where_pam_jails());
                self.remarks
                    .push(words::of_host_program(identity, command, &jail));
            }
        }
        self.remarks.extend(two_doors(&jail, identity));
        let passed: Vec<&str> = jail.env.pass.iter().map(|glob| glob.as_str()).collect();
        let passed = passed.join(" ");
        let plan = match door.plan(jail, command, identity, []) {
            Ok(plan) => plan,
            Err(refusal) => {
                self.refused = Some(Refused::of(&refusal));
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
        if let Ok(Some(open)) = landlock::foresee(&plan) {
            self.remarks.push(open.to_string());
        }
        match look(&plan) {
            Ok(_) => {}
            Err(refusal) if !geteuid().is_root() && is_denied(&refusal) => self.remarks.push(
                format!("whether the root can be opened is only known to root: {refusal}"),
            ),
            Err(refusal) => self.refused = Some(Refused::of(&refusal)),
        }
    }
}

/// Says what sshd has the login shell start, whatever a client asks for.
fn forced_by_sshd(identity: &Identity) -> Vec<String> {
    let forced = sshd_forced_commands(identity, Path::new(SSHD_CONFIG)).into_iter();
    forced
        .filter_map(|command| {
            let program = program_of(OsStr::new(&command))?;
            let only_sftp = if program.ends_with("sftp-server") {
                "; clients that ask for anything but SFTP are told \"This account is for SFTP only.\", with status 1"
            } else {
                ""
            };
            let is_other = !is_jail_shell(&program) && !program.ends_with("internal-sftp");
            is_other.then(|| {
                format!(
                    "the steps end as by su and login; sshd has ForceCommand {} for this user, which takes the place of what a \
                     client asks for{only_sftp}",
                    shown(&command)
                )
            })
        })
        .collect()
}

/// Says at which services the module comes before jail-shell, and what that takes away.
fn two_doors(jail: &Jail, identity: &Identity) -> Option<String> {
    let services = pam_before_jail_shell(identity);
    if services.is_empty() {
        return None;
    }
    let lost: String = without_effect_behind_pam(jail)
        .iter()
        .map(|it| format!(", {it} has no effect"))
        .collect();
    Some(format!(
        "by {} pam_jail.so makes the jail, and jail-shell is started in the jail and becomes its shell: there is no pid \
         namespace{lost}; by services whose stack does not jail, jail-shell makes the jail",
        services.join(", ")
    ))
}

/// Names the services whose stack jails, so far as they can be read.
fn where_pam_jails() -> String {
    let services: Vec<String> = pam::jailing().collect();
    if services.is_empty() {
        return format!(
            "no stack below /etc/pam.d has a session line for pam_jail.so, so this door is not in use; {SNIPPETS} has the lines \
             for each service"
        );
    }
    format!("the stacks that jail: {}", services.join(", "))
}

/// Tells whether a walk ended where only root may go on, as a login would.
fn is_denied(refusal: &Refusal) -> bool {
    let (Refusal::Root(at) | Refusal::Base(at) | Refusal::Mount(UntrustedSource(at))) = refusal
    else {
        return false;
    };
    at.flaw == Flaw::Io(Errno::EACCES)
}

fn at(rule: &Rule, leads_to: String) -> Where {
    Where {
        file: rule.file.display().to_string(),
        line: rule.line,
        text: rule.to_string(),
        leads_to,
    }
}

/// Says why one rule decides and not another that names the user as well.
fn why_lost(won: &Rule, lost: &Rule) -> &'static str {
    match (&won.kind, &lost.kind) {
        (RuleKind::ExemptUser(_), _) => {
            "a user in `exempt` is never jailed, whatever else names them"
        }
        (RuleKind::UserFile, RuleKind::User(_)) => "the user's own file comes before [users]",
        (RuleKind::UserFile | RuleKind::User(_), _) => {
            "a rule for the user comes before those for groups"
        }
        (RuleKind::ExemptGroup(_), RuleKind::ExemptGroup(_)) => "one group in `exempt` is enough",
        (RuleKind::ExemptGroup(_), _) => "a group in `exempt` comes before [groups]",
        (RuleKind::Group(_), RuleKind::Group(_)) => "of [groups] the first in the file decides",
        _ => "the other rule comes first",
    }
}

fn print(explanation: &Explanation) {
    let Explanation {
        user,
        uid,
        groups,
        door,
        decision,
        ..
    } = explanation;
    let groups = match groups.as_slice() {
        [] => String::new(),
        names => format!(", groups {}", names.join(" ")),
    };
    let through = door.words();
    let who = format!("{user} (uid {uid}{groups})");
    if explanation.in_use {
        say(format_args!(
            "{who} logs in {through}: {}",
            decision.outcome
        ));
    } else {
        say(format_args!(
            "{who} is NOT JAILED: no door of login-jail is in the way, and logins lead to the host, to {}\n\
             {through} it would be: {}",
            explanation.shell, decision.outcome
        ));
    }
    if let Some(rule) = &decision.rule {
        say(format_args!(
            "\nrule  {} -> {}",
            shown(&rule.text),
            shown(&rule.leads_to)
        ));
    }
    for Lost { rule, because } in &explanation.lost {
        say(format_args!(
            "lost  {} -> {}: {because}",
            shown(&rule.text),
            shown(&rule.leads_to)
        ));
    }
    if !explanation.steps.is_empty() {
        say(format_args!("\nsteps"));
        for (number, Taken { step, does }) in (1..).zip(&explanation.steps) {
            say(format_args!("{number:3}  {step:15}  {does}"));
        }
    }
    for remark in &explanation.remarks {
        say(format_args!("\nnote  {remark}"));
    }
    if !explanation.findings.is_empty() {
        say("\nfound");
        explanation.findings.iter().for_each(Finding::print);
    }
    for what in &explanation.unchecked {
        say(format_args!("\nnot checked: {}", shown(what)));
    }
    if let Some(Refused { code, reason, .. }) = &explanation.refused {
        let as_things_are = if explanation.in_use {
            "As things are, this login is"
        } else {
            "It would be"
        };
        say(format_args!(
            "\n{as_things_are} refused ({code}):\n  {}",
            shown(reason)
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail_config::{Account, Policy};

    use super::why_lost;

    #[test]
    fn every_rule_that_loses_has_its_reason() {
        let text = b"exempt = ['ann', '@wheel', '@adm']\nusers = { ann = '/srv/a' }\n\
                     [groups]\nweb = '/srv/b'\ngames = '/srv/c'\n";
        let policy = Policy::parse(Path::new("c"), text).unwrap();
        let file = policy
            .parse_user_file(Path::new("u"), b"root = '/srv/u'")
            .unwrap();
        let groups = ["web".into(), "games".into(), "wheel".into(), "adm".into()];
        let account = Account {
            name: "ann".as_ref(),
            uid: 1001,
            gid: 1001,
            group: "web".as_ref(),
            groups: &groups,
            home: Path::new("/home/ann"),
        };
        let all: Vec<_> = policy.matches(&account, Some(&file)).collect();
        assert_eq!(all.len(), 8);
        let fallback = "the other rule comes first";
        for (index, won) in all.iter().enumerate() {
            for lost in all.iter().take(all.len() - 1).skip(index + 1) {
                assert_ne!(
                    why_lost(&won.rule, &lost.rule),
                    fallback,
                    "{won:?} {lost:?}"
                );
            }
        }
    }
}
