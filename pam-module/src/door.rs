//! What the two stages do: the same decide, plan and enter as at every other door.
//!
//! The environment is the host program's, and `su` keeps its caller's: name services, syslog(3) and Rust's runtime obey
//! variables. So a stage runs with an empty one, but for what is said to the user: that is the program's own conversation.

use std::{
    ffi::OsString,
    mem::{replace, take},
};

use jail::{
    door::{
        decision::Config,
        host_program::{confine, look_ahead},
        lockout::{LockedOut, lock_out},
        lookups::Lookups,
        refusal::{Refusal, StepFault},
        until,
    },
    log::{
        Log, Sent,
        call::{Call, Origin},
        event::Event,
        running::{Kept, Running},
    },
    plan::{Plan, environment::OF_THE_HOST},
    process::start::in_empty_environment,
    session::slot::Slot,
    world::{mark::Mark, terminal::TerminalName},
};
use jail_config::Decision;
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};
use rustix::{fs::Mode, process::umask};

use crate::options::{OptionError, Options};

/// The names of the stages, as pam_syslog(3) has them.
const ACCOUNT: &str = "account";
const SESSION: &str = "session";

/// What a stage returns to the program, as PAM has it: pam_sm_open_session(3), pam_sm_acct_mgmt(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// PAM_SUCCESS
    Success,
    /// PAM_IGNORE: this user is not ours, other modules decide.
    Ignore,
    /// PAM_SERVICE_ERR: the line in the stack is wrong.
    Service,
    /// PAM_PERM_DENIED: the account stage refuses.
    Denied,
    /// PAM_ABORT: the session stage refuses. Never PAM_SESSION_ERR, after which sudo goes on.
    Abort,
    /// PAM_SYSTEM_ERR: the module could not even begin.
    System,
}

/// What a stage needs of libpam.
pub(crate) trait Host {
    /// Gives the name of the account, if the program has set it.
    fn user(&self) -> Option<OsString>;
    /// Gives the terminal, as the program calls it.
    fn terminal(&self) -> Option<OsString>;
    /// Gives the name of the stack.
    fn service(&self) -> Option<OsString>;
    /// Gives where the user comes from.
    fn remote(&self) -> Option<OsString>;
    /// Takes a variable out of the session's environment, and out of this process's, which su(1) hands on.
    fn unset(&self, name: &str);
    /// Has pam_systemd, where it is in the session's stack, end the session after so many seconds; tells whether it was told.
    fn end_after(&self, seconds: u64) -> bool;
    /// Keeps a session in the transaction, until its end; gives it back where that can't be done.
    fn keep(&self, open: Box<Open>) -> Result<(), Box<Open>>;
    /// Does something with the session that was kept, if there is one.
    fn with_kept(&self, then: impl FnOnce(&mut Open));
    /// Says one sentence to the user.
    fn say(&self, sentence: &str);
}

/// A session that was opened.
#[derive(Debug)]
pub(crate) struct Open {
    log: Log,
    /// Nothing once it is closed.
    session: Option<Kept>,
    /// What counts it, where that is limited, and what names its terminal, where it has one.
    held: (Option<Slot>, Option<TerminalName>),
}

impl Open {
    /// Remembers which descriptors are its own.
    fn marked(mut self) -> Open {
        self.log.mark_own();
        self
    }
}

/// Who is served, for log and sentence.
#[derive(Debug)]
struct Guest {
    name: Option<OsString>,
    uid: Option<u32>,
    log: Log,
}

impl Guest {
    fn of(host: &impl Host, stage: &str) -> Guest {
        Guest {
            name: None,
            uid: None,
            log: match cfg!(test) {
                // Nothing of a test is the machine's to log or to record.
                true => Log::nowhere(),
                false => Log::of_module(call(host), stage),
            },
        }
    }
}

/// Looks at whether a session could be opened for the user, and changes nothing.
pub(crate) fn account(host: &impl Host, words: Result<Vec<OsString>, OptionError>) -> Verdict {
    let options = match words.and_then(|words| Options::parse(&words)) {
        Ok(options) => options,
        Err(error) => return wrong_line(&mut Guest::of(host, ACCOUNT), &error),
    };
    let mut guest = Guest::of(host, ACCOUNT);
    let looked = in_empty_environment(|| {
        let lookups = Lookups::of_host_program(check_process().is_ok());
        let plan = look(host, &options, &mut guest, &lookups);
        let plan = plan.and_then(|plan| limit_time(host, plan));
        let expired = plan.and_then(|plan| {
            plan.map(|plan| would_run_passwd(host, &options, &plan, &lookups))
                .transpose()
        });
        expired.inspect_err(|refusal| report(host, refusal, &mut guest))
    });
    until::read_zone();
    match looked {
        // sshd may have it changed now, which it does by keyboard-interactive authentication only.
        Ok(Some(true)) if !options.quiet => {
            host.say(EXPIRED);
            Verdict::Success
        }
        Ok(Some(_)) => Verdict::Success,
        Ok(None) => Verdict::Ignore,
        Err(refusal) => {
            tell(host, &options, &refusal);
            Verdict::Denied
        }
    }
}

/// Puts this process into the user's jail; on any failure, into an empty root.
pub(crate) fn open_session(host: &impl Host, words: Result<Vec<OsString>, OptionError>) -> Verdict {
    let mut guest = Guest::of(host, SESSION);
    let options = match words.and_then(|words| Options::parse(&words)) {
        Ok(options) => options,
        Err(error) => {
            let verdict = wrong_line(&mut guest, &error);
            shut(&guest);
            return verdict;
        }
    };
    let mask = umask(Mode::from_raw_mode(0o077));
    umask(mask);
    let entered = in_empty_environment(|| {
        // The log before the empty root, from which its socket can't be reached.
        enter(host, &options, &mut guest).inspect_err(|refusal| report(host, refusal, &mut guest))
    });
    until::read_zone();
    match entered {
        Ok(Verdict::Success) => {
            // Once the host program's own environment is back: what is taken out of the empty one stays in this.
            OF_THE_HOST.iter().for_each(|name| host.unset(name));
            Verdict::Success
        }
        Ok(verdict) => verdict,
        Err(refusal) => {
            shut(&guest);
            umask(mask);
            tell(host, &options, &refusal);
            Verdict::Abort
        }
    }
}

/// Logs and records the end of a session that was opened in this transaction. Some programs call this as the user, and some in
/// another process than the one that opened it: it uses nothing but the descriptors from then, if they are still the same.
pub(crate) fn close_session(host: &impl Host) {
    host.with_kept(|Open { log, session, held }| {
        // It counts no longer.
        drop(take(held));
        log.disown_strangers();
        if let Some(session) = session.take() {
            in_empty_environment(|| Running::resume(log, session).leave(None));
        }
    });
}

impl Drop for Open {
    /// What a host program has put into the place of a descriptor is not closed.
    fn drop(&mut self) {
        self.log.disown_strangers();
    }
}

/// Leaves nothing that could be run, whatever the program does next.
fn shut(guest: &Guest) {
    let left = lock_out();
    if left != LockedOut::EmptyRoot {
        guest.log.send(&Event::NotShut {
            left: left.to_string(),
        });
    }
}

/// Decides, plans and looks; gives nothing for a user who is not ours.
fn look(
    host: &impl Host,
    options: &Options,
    guest: &mut Guest,
    lookups: &Lookups,
) -> Result<Option<Plan>, Refusal> {
    let Some(plan) = plan_for(host, options, guest, (lookups, ACCOUNT))? else {
        return Ok(None);
    };
    // Where a child can't be made safely, this process looks by itself; no session will be opened in it.
    match check_process() {
        Ok(()) => look_ahead(&plan)?,
        Err(_) => jail::door::look::foresee(&plan).map(drop)?,
    }
    Ok(Some(plan))
}

/// Decides and plans; gives nothing for a user who is not ours.
fn plan_for(
    host: &impl Host,
    options: &Options,
    guest: &mut Guest,
    (lookups, stage): (&Lookups, &str),
) -> Result<Option<Plan>, Refusal> {
    let name = host.user().ok_or_else(|| {
        Refusal::Usage("the program that called has not said for which user".to_owned())
    })?;
    guest.name = Some(name.clone());
    if let Some(mark) = Mark::read() {
        // The one that the jail was made for. No account is looked up here: it would be by the jail's name services, as root
        // (CVE-2025-32463).
        guest.uid = Some(mark.uid);
        // It would be in the jail.
        guest.log.without_record();
        return Err(Refusal::Step(
            "host-program",
            StepFault::Unfit(
                "this process is in a jail already; is pam_jail.so in the stack twice?".to_owned(),
            ),
        ));
    }
    let account = lookups.of_name(&name)?;
    guest.uid = Some(account.uid);
    let config = Config::read_by(&options.directory, &options.file)?;
    let (decision, identity) = lookups.decide_for_session(&config, account, stage == SESSION)?;
    let jail = match decision {
        Decision::Jail(jail) => *jail,
        Decision::Exempt(rule) => {
            if options.debug {
                guest.log.send(&Event::Exempt {
                    user: &name,
                    rule: &rule,
                });
            }
            return Ok(None);
        }
        Decision::Unlisted(rule) => return Err(Refusal::NoRule(rule)),
    };
    guest.log.jail.clone_from(&jail.name);
    until::check(jail.until)?;
    let plan = Plan::behind_pam(jail, &identity)?;
    if options.debug {
        guest.log.send(&Event::Planned(&plan));
    }
    Ok(Some(plan))
}

/// Has systemd end the session at the end of the account. In this stage, because pam_systemd comes before the session stage.
fn limit_time(host: &impl Host, plan: Option<Plan>) -> Result<Option<Plan>, Refusal> {
    let until = plan.as_ref().and_then(|plan| plan.process.until);
    let Some(until) = until else {
        return Ok(plan);
    };
    // Never 0, which is no limit.
    if host.end_after(until::left(until)?.max(1)) {
        return Ok(plan);
    }
    let fault = StepFault::Failed("pam_set_data", Errno::ENOMEM);
    Err(Refusal::Step("until", fault))
}

/// Puts this process into the user's jail, and keeps the session, unless the user is not ours.
fn enter(host: &impl Host, options: &Options, guest: &mut Guest) -> Result<Verdict, Refusal> {
    let process = check_process();
    let lookups = Lookups::of_host_program(process.is_ok());
    let Some(plan) = plan_for(host, options, guest, (&lookups, SESSION))? else {
        return Ok(Verdict::Ignore);
    };
    process?;
    if would_run_passwd(host, options, &plan, &lookups)? {
        return Err(Refusal::PasswordExpired);
    }
    let mut running = Running::new(&mut guest.log, &plan);
    running.begin()?;
    let confined = confine(&plan, |root| {
        running.session.root_file = root;
        Ok(running.enter()?)
    })?;
    if let Some(missing) = confined.missing() {
        running.weakened(missing);
    }
    let (held, kills) = confined.into_kept();
    running.kills = kills;
    let session = running.keep();
    let open = Open {
        log: replace(&mut guest.log, Log::nowhere()),
        session: Some(session),
        held,
    };
    if let Err(mut open) = host.keep(Box::new(open.marked())) {
        guest.log = replace(&mut open.log, Log::nowhere());
        let fault = StepFault::Failed("pam_set_data", Errno::ENOMEM);
        return Err(Refusal::Step("sessions", fault));
    }
    Ok(Verdict::Success)
}

/// What a user is told whose password has expired, before sshd asks for a new one or refuses.
const EXPIRED: &str = "your password has expired; if you are not asked for a new one now, log in with \
                       ssh -o PreferredAuthentications=keyboard-interactive, or ask the administrator for a new one";

/// Tells whether the program is sshd and will start passwd(1) in the session in place of what was asked for, because the
/// password has expired. Other programs have it changed before the session, or refuse.
fn would_run_passwd(
    host: &impl Host,
    options: &Options,
    plan: &Plan,
    lookups: &Lookups,
) -> Result<bool, Refusal> {
    // What sshd calls its terminal, whatever its service is called.
    let is_sshd = host.terminal().is_some_and(|terminal| terminal == "ssh");
    Ok(is_sshd && !options.no_pass_expiry && lookups.has_expired(&plan.user)?)
}

/// Makes sure that this process can be put into a jail: all of it, and by root.
fn check_process() -> Result<(), Refusal> {
    let refuse = |what: &str| {
        Err(Refusal::Step(
            "host-program",
            StepFault::Unfit(what.to_owned()),
        ))
    };
    if !geteuid().is_root() {
        return refuse("the program that opens the session is not root");
    }
    // A flag that changes nothing, and that the kernel takes from a process of one thread only: unshare(2).
    match unshare(CloneFlags::CLONE_THREAD) {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL) => {
            refuse("the program has more than one thread; only one would be jailed")
        }
        Err(errno) => Err(Refusal::Step(
            "host-program",
            StepFault::Failed("unshare CLONE_THREAD", errno),
        )),
    }
}

/// Says how the module was called. What the host program says of terminal and remote host is its own word.
fn call(host: &impl Host) -> Call {
    Call {
        service: host.service(),
        terminal: host.terminal(),
        from: host.remote().map(Origin::Known),
        ..Call::of_this_process("pam")
    }
}

fn wrong_line(guest: &mut Guest, error: &OptionError) -> Verdict {
    guest.log.refuse(&Event::WrongWords {
        reason: format!("the line in the PAM stack: {error}"),
    });
    Verdict::Service
}

/// Logs a refusal. Where this process is in a jail already, only the session that put it there has a way to the host's log.
fn report(host: &impl Host, refusal: &Refusal, guest: &mut Guest) {
    let uid = guest.uid.unwrap_or(u32::MAX);
    let call = guest.log.call.clone();
    let event = refusal.event(Some(&call), guest.name.as_deref(), uid);
    if guest.log.refuse(&event) != Sent::Yes {
        host.with_kept(|Open { log, .. }| {
            log.disown_strangers();
            log.send(&event);
        });
    }
}

/// Says one constant sentence. The reason is the administrator's.
fn tell(host: &impl Host, options: &Options, refusal: &Refusal) {
    if options.quiet {
        return;
    }
    match refusal {
        Refusal::PasswordExpired => host.say(EXPIRED),
        _ => host.say(&refusal.sentence().unwrap_or_else(|| {
            format!(
                "login refused ({}); ask the administrator, who finds the reason in the authpriv log",
                refusal.code()
            )
        })),
    }
}

#[cfg(test)]
mod tests;
