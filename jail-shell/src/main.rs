//! The set-user-ID door: login shell and sshd's ForceCommand.
//!
//! It makes the process sane, finds out who called, lets the config decide, and becomes the user's shell inside the
//! jail; or it says one sentence and exits. It never serves anybody unjailed. With full isolation two copies of it stay
//! around the session, as supervisor and as init.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use jail::{
    account::identity::Identity,
    door::{
        decision::{CONFIG_DIRECTORY, Config, jail_of},
        inside,
        lookups::Lookups,
        refusal::Refusal,
        until,
    },
    log::{
        Log,
        call::{Call, Origin},
    },
    plan::{Plan, environment::Variable, request::Request},
    process::{
        client, privilege,
        start::{self, Watchdog},
    },
    serve::serve,
    session::terminal,
};

const HELP: &str = "\
usage: jail-shell [-c COMMAND [ARGUMENT...]]

Puts the user who calls it into the root directory that /etc/login-jail/config.toml gives them, and runs
their shell there. It is meant to be called by others:

  as login shell       usermod -s /usr/bin/jail-shell USER
  by sshd              ForceCommand /usr/bin/jail-shell

Without -c it starts an interactive shell, or what sshd was asked for (SSH_ORIGINAL_COMMAND).

  -c COMMAND   run COMMAND by the shell in the jail
  --help       show this text
  --version    show the version

Exit status: that of the shell in the jail; 100 to 125 when the login is refused, with the reason in the
authpriv log. The codes and what mends each are in jail-shell(8).
";

/// What the caller hands over, taken before the environment is emptied: it is data, and nothing here obeys it.
struct Caller {
    arguments: Vec<OsString>,
    environment: Vec<Variable>,
}

impl Caller {
    /// Gives a variable; of two with one name the first, as getenv(3).
    fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut all = self.environment.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// Says how this program was called, and by whom as far as is known. Anybody can start it by hand, with any environment.
    /// `is_sane` tells whether the standard descriptors may be asked: one that a user serves would never answer.
    fn call(&self, is_sane: bool) -> Call {
        let from = self.variable("SSH_CONNECTION");
        Call {
            terminal: if is_sane { terminal() } else { None },
            from: from.map(|from| Origin::Claimed(from.to_owned())),
            ..Call::of_this_process(match Request::is_forced(&self.arguments) {
                true => "force-command",
                false => "login-shell",
            })
        }
    }

    fn request(&self, identity: &Identity) -> Result<Request, Refusal> {
        let original = self.variable("SSH_ORIGINAL_COMMAND").map(OsStr::to_owned);
        let sshd = self.variable("SSH_CONNECTION").is_some();
        Ok(Request::parse(&self.arguments, original, sshd, identity)?)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let uid = rustix::process::getuid().as_raw();
    match arguments.get(1).and_then(|first| first.to_str()) {
        Some("--help") => return print(uid, HELP),
        Some("--version") => {
            return print(uid, concat!("jail-shell ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        _ => {}
    }
    let environment = env::vars_os().collect();
    let caller = Caller {
        arguments,
        environment,
    };
    let sane = start::sanitize();
    let mut log = Log::open(caller.call(sane.is_ok()));
    let mut user = None;
    let refusal = match sane.map_err(Refusal::from) {
        Ok(watchdog) => log_in(&caller, watchdog, &mut log, &mut user),
        Err(refusal) => refusal,
    };
    let call = log.call.clone();
    log.refuse(&refusal.event(Some(&call), user.as_deref(), uid));
    // Nobody may keep a process of root's by not reading what it says.
    if privilege::give_up(uid).is_ok() {
        tell(&caller, &refusal);
    }
    ExitCode::from(refusal.status())
}

/// Follows one login from the arguments to the end of its session. `user` is filled in as soon as it is known, for the log.
///
/// Returns with why it was refused, or not at all.
fn log_in(
    caller: &Caller,
    watchdog: Watchdog,
    log: &mut Log,
    user: &mut Option<OsString>,
) -> Refusal {
    if let Err(fault) = privilege::check() {
        return become_shell_inside(caller, fault.into());
    }
    let planned = start::take_limits()
        .map_err(Refusal::from)
        .and_then(|inherited| plan(caller, &watchdog, log, user).map(|plan| (plan, inherited)));
    match planned {
        Ok((plan, inherited)) => serve(plan, &inherited, watchdog, log),
        Err(refusal) => refusal,
    }
}

/// Finds out who called and for what, and makes the plan that the config has for it.
fn plan(
    caller: &Caller,
    watchdog: &Watchdog,
    log: &mut Log,
    user: &mut Option<OsString>,
) -> Result<Plan, Refusal> {
    let lookups = Lookups::within(watchdog);
    let identity = lookups.caller(&["USER", "LOGNAME"].map(|called| caller.variable(called)))?;
    *user = Some(identity.name.clone());
    let mut request = caller.request(&identity)?;
    let config = Config::read(Path::new(CONFIG_DIRECTORY))?;
    let (decision, identity) = lookups.decide_for_caller(&config, identity)?;
    let jail = jail_of(decision)?;
    log.jail.clone_from(&jail.name);
    if !terminal::is_complete() {
        request = request.without_terminal(&jail);
    }
    until::check(jail.until)?;
    let plan = Plan::new(jail, &identity, request, caller.environment.clone())?;
    privilege::check_for(&plan)?;
    Ok(plan)
}

/// Becomes the shell where a PAM session has put the caller into the jail already, which takes no privilege; else gives
/// back why this program has none.
fn become_shell_inside(caller: &Caller, refusal: Refusal) -> Refusal {
    // First: the mark of a session looks as if it were missing where no file can be opened.
    let inherited = match start::take_limits() {
        Ok(inherited) => inherited,
        Err(fault) => return fault.into(),
    };
    let Some(mark) = inside::of_caller() else {
        return refusal;
    };
    let identity = Identity::caller().map_err(Refusal::from);
    match identity.and_then(|identity| caller.request(&identity)) {
        Ok(request) => inside::exec(&mark, request, caller.environment.clone(), &inherited),
        Err(refusal) => refusal,
    }
}

/// Names the terminal on standard input, if there is one: ttyname(3).
fn terminal() -> Option<OsString> {
    let name = rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()).ok()?;
    Some(OsStr::new(name.to_str().ok()?).to_owned())
}

/// Says one constant sentence. The reason is the administrator's.
fn tell(caller: &Caller, refusal: &Refusal) {
    let text = match refusal {
        Refusal::CalledByRoot => {
            "jail-shell: root is not jailed; use an ordinary shell, or su to the user to try theirs\n".to_owned()
        }
        Refusal::Usage(what) => format!("jail-shell: {what}; see jail-shell --help\n"),
        _ if refusal.is_for_want_of_sftp() => "This account is for SFTP only.\n".to_owned(),
        Refusal::NoTerminal => {
            "jail-shell: sessions of this account are recorded, and a shell needs a terminal; connect with ssh -t\n".to_owned()
        }
        Refusal::NotAllowed(what) => format!("jail-shell: {what}\n"),
        other => match other.sentence() {
            Some(sentence) => format!("jail-shell: {sentence}\n"),
            None => format!(
            "jail-shell: login refused ({}); ask the administrator, who finds the reason in the authpriv log\n",
            refusal.code()
        ),
        },
    };
    drop(io::stderr().write_all(text.as_bytes()));
    let original = caller.variable("SSH_ORIGINAL_COMMAND");
    if !refusal.is_for_want_of_sftp() && Request::is_for_sftp(&caller.arguments, original) {
        client::tell(text.trim_end());
    }
}

/// Prints a text. Standard output is the caller's, and takes it when they like: no process of root's waits for that.
fn print(uid: u32, text: &str) -> ExitCode {
    if privilege::give_up(uid).is_err() {
        return ExitCode::FAILURE;
    }
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
