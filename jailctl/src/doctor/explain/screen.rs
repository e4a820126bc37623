//! The one screen: rows of a word and what there is to say. At a terminal a long text goes on below itself.

use super::{
    rules::{Lost, Outcome},
    said::{Explanation, Refused},
    world::{Mounting, ServiceShown, World},
};
use crate::{
    doctor::{
        check::{Finding, SshdFor},
        kinds::Severity,
    },
    output::{counted, say},
    shell::shown,
    style::{Colour, Style},
};

/// Where the text of a row begins.
const INDENT: usize = 11;

/// How many findings are printed that refuse a login.
const MOST_ERRORS: usize = 3;

/// What is printed besides the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shows {
    /// Each step of the plan.
    pub(super) steps: bool,
    /// The rules that lost, every remark and every finding.
    pub(super) verbose: bool,
}

/// Prints what was found out about a login.
pub(super) fn print(explanation: &Explanation, asked: Shows) {
    Style::of_stdout().print_below(&title(explanation), 0);
    if !explanation.in_use && explanation.decision.outcome != Outcome::Exempt {
        row("would be", &would_be(explanation));
    }
    print_rule(explanation, asked.verbose);
    row("door", &doors(explanation));
    if explanation.decision.outcome == Outcome::Jailed {
        print_world(explanation);
        print_sshd(explanation);
    }
    for remark in &explanation.remarks {
        if !remark.is_of_steps || asked.steps || asked.verbose {
            row("note", &remark.text);
        }
    }
    for what in &explanation.unchecked {
        row("not seen", &shown(what));
    }
    print_login(explanation, asked.verbose);
    if asked.steps && !explanation.steps.is_empty() {
        say("\nsteps");
        for (number, taken) in (1..).zip(&explanation.steps) {
            say(format_args!(
                "{number:3}  {:15}  {}",
                taken.step, taken.does
            ));
        }
    }
}

/// Says what becomes of the user.
fn title(explanation: &Explanation) -> String {
    let groups = match explanation.groups.as_slice() {
        [] => String::new(),
        names => format!(", groups {}", names.join(" ")),
    };
    let who = format!("{} (uid {}{groups})", explanation.user, explanation.uid);
    let code = explanation.refused.as_ref().map(|refused| refused.code);
    match (explanation.decision.outcome, code) {
        (Outcome::Exempt, None) => format!("{who} is NOT JAILED: a rule exempts this account"),
        _ if !explanation.in_use => format!(
            "{who} is NOT JAILED: no door of login-jail is in use, and logins lead to the host, to {}",
            explanation.shell
        ),
        (Outcome::Jailed, _) if !explanation.led_past.is_empty() => format!(
            "{who} is NOT JAILED by {}: what comes in there is on the host, and only the doors below jail",
            explanation.led_past.join(", ")
        ),
        (Outcome::Jailed, None) => format!("{who} is jailed"),
        (Outcome::Jailed, Some(code)) => {
            format!("{who} is jailed, but at present every login is REFUSED ({code})")
        }
        (_, code) => format!("{who} is REFUSED ({})", code.unwrap_or_default()),
    }
}

fn would_be(explanation: &Explanation) -> String {
    let door = explanation.door.name();
    match &explanation.refused {
        None => format!("{} by {door}", explanation.decision.outcome.word()),
        Some(refused) => format!("refused by {door} ({})", refused.code),
    }
}

fn print_rule(explanation: &Explanation, verbose: bool) {
    if let Some(rule) = &explanation.decision.rule {
        row(
            "rule",
            &format!("{} -> {}", shown(&rule.text), shown(&rule.leads_to)),
        );
    }
    if !verbose && let number @ 1.. = explanation.lost.len() {
        let rules = counted(number, "other rule");
        row("", &format!("({rules} for this user lost: --verbose)"));
    }
    for Lost { rule, because } in explanation.lost.iter().filter(|_| verbose) {
        row(
            "lost",
            &format!(
                "{} -> {}: {because}",
                shown(&rule.text),
                shown(&rule.leads_to)
            ),
        );
    }
}

fn doors(explanation: &Explanation) -> String {
    let used: Vec<String> = explanation.doors.iter().map(ToString::to_string).collect();
    let of = explanation.door.name();
    match used.as_slice() {
        [] if explanation.decision.outcome == Outcome::Exempt => "none is in use".to_owned(),
        [] => format!("none is in use; this is what {of} would do"),
        [only] if explanation.doors.iter().any(|it| it.door.name() == of) => only.clone(),
        all => format!("{}; this is what {of} does", all.join(", ")),
    }
}

fn print_world(explanation: &Explanation) {
    if let Some(root) = &explanation.root {
        let over = match explanation.base.as_deref() {
            None => String::new(),
            Some("host") => ", over the host's system directories (base = \"host\")".to_owned(),
            Some(base) => format!(", over the base {base}"),
        };
        row("root", &format!("{}{over}", shown(root)));
    }
    if let Some(world) = &explanation.world {
        print_sight(world);
    }
    if let Some(commands) = &explanation.commands {
        row(
            "starts",
            &format!("{}; nothing else can be executed", commands.join(", ")),
        );
    }
    for (word, said) in [
        ("sftp", &explanation.sftp),
        ("recorded", &explanation.recorded),
        ("idle", &explanation.idle),
    ] {
        if let Some(said) = said {
            row(word, said);
        }
    }
    if let Some(reach) = &explanation.reach {
        row("network", &reach.network());
        row("processes", &reach.processes());
        let world = explanation.world.as_ref();
        row(
            "sockets",
            &reach.sockets(world.map_or(&[], |it| &it.services)),
        );
    }
    if let Some(until) = explanation.until {
        row("until", &until.to_string());
    }
    if !explanation.limits.is_empty() {
        row("limits", &explanation.limits.join(", "));
    } else if explanation.reach.is_some() {
        row("limits", "none of the jail's own");
    }
}

fn print_sight(world: &World) {
    let sees = &world.sees;
    let base = match &sees.base_directory {
        None => "read-only from the host".to_owned(),
        Some(base) => format!("read-only from {}", shown(base)),
    };
    let parts = [
        (base.as_str(), &sees.base),
        ("from the root directory", &sees.root),
        ("made for the session", &sees.made),
    ];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    for (label, (from, names)) in ["sees"].iter().chain(std::iter::repeat(&"")).zip(parts) {
        row(label, &format!("{from}: {}", names.join(" ")));
    }
    let mounts: Vec<String> = world.mounts.iter().map(mount).collect();
    if !mounts.is_empty() {
        row("mounts", &mounts.join(", "));
    }
    let services = world.services.iter().map(service);
    for (label, text) in ["services"]
        .iter()
        .chain(std::iter::repeat(&""))
        .zip(services)
    {
        row(label, &text);
    }
    let devices = world.devices.iter().cloned();
    let missing = world.devices_missing.iter();
    let missing = missing.map(|what| format!("not shown: {what}"));
    let devices: Vec<String> = devices.chain(missing).collect();
    if !devices.is_empty() {
        row("devices", &devices.join(", "));
    }
    let writes = world
        .writes
        .iter()
        .map(|path| match *path == world.home.path {
            true => format!("{path} (home)"),
            false => path.clone(),
        });
    let by_acl = world.writes_by_acl.iter();
    let by_acl = by_acl.map(|path| format!("{path} (as its ACL says: getfacl)"));
    let writes: Vec<String> = writes.chain(by_acl).collect();
    row(
        "writes",
        &match writes.as_slice() {
            [] => "nowhere at the top".to_owned(),
            all => all.join(", "),
        },
    );
    if !world.home.is_there {
        row("", &format!("(the home {} is missing)", world.home.path));
    }
}

fn service(service: &ServiceShown) -> String {
    let at = match service.at.as_slice() {
        [] => "the host has no socket of it".to_owned(),
        at => format!("at {}", at.join(", ")),
    };
    match &service.needs {
        Some(needs) => format!("{}: {at}; it takes {}", service.name, shown(needs)),
        None => format!("{}: {at}", service.name),
    }
}

fn mount(mount: &Mounting) -> String {
    let mode = if mount.writable {
        "writable"
    } else {
        "read-only"
    };
    format!("{} is {} ({mode})", mount.target, mount.source)
}

fn print_sshd(explanation: &Explanation) {
    let Some(sshd) = &explanation.sshd else {
        return;
    };
    row("sshd", &forwards(sshd));
    let keys = keys(sshd);
    for (label, text) in ["keys"].iter().chain(std::iter::repeat(&"")).zip(keys) {
        row(label, &text);
    }
}

fn forwards(sshd: &SshdFor) -> String {
    match (sshd.forwards.as_slice(), sshd.is_inside) {
        ([], _) => "forwards nothing".to_owned(),
        (_, true) => "forwards from inside the jail".to_owned(),
        (open, false) => {
            let to = sshd.targets.join(" ");
            let open = open.iter().map(|keyword| match *keyword {
                "AllowTcpForwarding" if !to.is_empty() => format!("{keyword} (to {to})"),
                _ => (*keyword).to_owned(),
            });
            let open: Vec<String> = open.collect();
            format!("forwards OUTSIDE the jail: {}", open.join(" "))
        }
    }
}

/// Says which keys let the user in.
fn keys(sshd: &SshdFor) -> Vec<String> {
    if !sshd.takes_keys {
        return vec!["sshd takes none (PubkeyAuthentication no)".to_owned()];
    }
    let files = sshd.keys.iter().map(|key| {
        let why = key.why.as_ref().map(|why| format!(": {}", shown(why)));
        let inside = match key.is_written_inside {
            true => "; the user can write it from inside",
            false => "",
        };
        format!(
            "{} of the host: {}{}{inside}",
            key.file,
            key.state,
            why.unwrap_or_default()
        )
    });
    let command = sshd.key_command.iter();
    let command = command.map(|command| format!("from AuthorizedKeysCommand {command}"));
    let all: Vec<String> = files.chain(command).collect();
    match all.is_empty() {
        true => vec!["sshd looks in no file (AuthorizedKeysFile none)".to_owned()],
        false => all,
    }
}

/// Says what refuses the login, and what mends that.
fn print_login(explanation: &Explanation, verbose: bool) {
    let findings = &explanation.findings;
    let is_error = |it: &&Finding| it.is_error();
    let errors: Vec<&Finding> = findings.iter().filter(is_error).collect();
    if let Some(Refused { reason, .. }) = &explanation.refused {
        let is_said = |it: &&Finding| it.what == *reason;
        if !errors.iter().any(is_said) {
            row("refused", &shown(reason));
        }
    } else if errors.is_empty() && explanation.unchecked.is_empty() && explanation.jail.is_some() {
        row("login", "at present, nothing refuses it");
    }
    let most = if verbose { usize::MAX } else { MOST_ERRORS };
    for finding in errors.iter().take(most) {
        print_finding(finding);
    }
    let around = &explanation.around;
    let others = findings.iter().filter(|it| !is_error(it));
    if verbose {
        others.chain(around).for_each(print_finding);
        return;
    }
    let (open, accepted): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .chain(around)
        .partition(|it| it.accepted.is_none());
    let count = |severity| open.iter().filter(|it| it.severity == severity).count();
    let printed = errors.len().min(most);
    let word = if printed > 0 { "more error" } else { "error" };
    let numbers = [
        (count(Severity::Error).saturating_sub(printed), word),
        (count(Severity::Warning), "warning"),
        (count(Severity::Note), "note"),
        (accepted.len(), "accepted finding"),
    ];
    let counts: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| counted(*number, what))
        .collect();
    if !counts.is_empty() {
        row("found", &format!("{}: --verbose", counts.join(", ")));
    }
}

fn print_finding(finding: &Finding) {
    let state = shown(finding.state_in(&finding.what));
    let colour = match finding.severity {
        Severity::Error => Colour::Red,
        Severity::Warning => Colour::Yellow,
        Severity::Note => Colour::Plain,
    };
    let text = format!("{state} {}", finding.tags());
    coloured(finding.severity.word(), colour, &text);
    if let Some(accepted) = &finding.accepted {
        row("", &format!("accepted: {}", shown(&accepted.why)));
    } else if let Some(mend) = &finding.mend {
        let by = if mend.is_safe() { "fix:" } else { "by hand:" };
        let by = Style::of_stdout().bold(by);
        say(format_args!("{:INDENT$}{by} {}", "", mend.command()));
    }
}

fn row(label: &str, text: &str) {
    coloured(label, Colour::Plain, text);
}

fn coloured(label: &str, colour: Colour, text: &str) {
    Style::of_stdout().print_headed(label, colour, text, INDENT);
}
