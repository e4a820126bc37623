//! The sandbox as a value: start it, make users and roots in it, run commands in it, drop it.

use std::cell::OnceCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, umask};

use crate::findings::refuse_unsafe_commands;
use crate::installed::{PATH, installed};
use crate::outcome::{LIMIT, Outcome, finish};
use crate::pty::Pty;
use crate::roots::Root;

/// Where `make install` puts the program under test.
pub const JAIL_SHELL: &str = "/usr/bin/jail-shell";
const CONFIG: &str = "/etc/login-jail/config.toml";

/// Names the worlds by their sockets: a world that takes the place of another one has another.
const WORLDS: &str = "cd /run/login-jail/worlds; stat -c '%n %i' *.*";

/// A throw-away copy of the machine. See the crate's text for how it is used.
#[derive(Debug)]
pub struct Sandbox {
    init: Child,
    pid: String,
    jails: Vec<Jail>,
    config: Option<String>,
    pub(crate) sshd_lines: Vec<String>,
    pub(crate) pam: bool,
    pub(crate) sshd: OnceCell<()>,
    /// The world that every login is to join, by its socket.
    world: Option<String>,
}

/// A user of the generated config.
#[derive(Debug)]
struct Jail {
    user: String,
    shell: &'static str,
    /// What the config says of isolation, if anything.
    isolation: Option<&'static str>,
}

impl Sandbox {
    /// Starts a sandbox with login-jail installed by `make install`.
    #[must_use]
    pub fn new() -> Self {
        Self::start(true)
    }

    /// Starts a sandbox that is nothing but a copy of the machine.
    #[must_use]
    pub fn bare() -> Self {
        Self::start(false)
    }

    fn start(is_installed: bool) -> Self {
        // Roots and homes are made with the modes an administrator's would have.
        umask(Mode::from_bits_truncate(0o022));
        let program = program();
        let mut init = Command::new(&program)
            .arg("serve")
            .args(is_installed.then(installed))
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", program.display()));
        let mut pid = String::new();
        let stdout = init.stdout.take().expect("a pipe that was asked for");
        BufReader::new(stdout)
            .read_line(&mut pid)
            .expect("read the pid of the sandbox");
        assert!(
            !pid.is_empty(),
            "no sandbox; the reason is on standard error"
        );
        Self {
            init,
            pid: pid.trim_end().to_owned(),
            jails: Vec::new(),
            config: None,
            sshd_lines: Vec::new(),
            pam: false,
            sshd: OnceCell::new(),
            world: None,
        }
    }

    /// Makes a user whose login shell is jail-shell, with a jail in the config and, until
    /// [`Sandbox::root`] makes one, without a root directory.
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        self.add_user(name, JAIL_SHELL);
        self.jailed(name)
    }

    /// Makes a user whose login shell is bash and whom the config does not name.
    #[must_use]
    pub fn plain_user(self, name: &str) -> Self {
        self.add_user(name, "/bin/bash");
        self
    }

    /// Makes a user with any login shell; [`Sandbox::jailed`] puts it into the config.
    #[must_use]
    pub fn user_with_shell(self, name: &str, shell: &str) -> Self {
        self.add_user(name, shell);
        self
    }

    /// Puts a user into the generated config.
    #[must_use]
    pub fn jailed(mut self, name: &str) -> Self {
        self.jails.push(Jail {
            user: name.to_owned(),
            shell: "/bin/sh",
            isolation: None,
        });
        self.write_config();
        self
    }

    /// Says in the config how the user that was jailed last is isolated: without this it is as by default, fully. `joined` is fully, in a
    /// world that is shared: see [`Sandbox::opened`].
    #[must_use]
    pub fn isolation(mut self, isolation: &'static str) -> Self {
        self.last_jail().isolation = Some(isolation);
        self.write_config();
        self
    }

    /// Opens a session of a user's that stays to the end, in a world that each further login is to join; where the jails are isolated
    /// in that way.
    #[must_use]
    pub fn opened(mut self, user: &str) -> Self {
        if self
            .jails
            .iter()
            .any(|jail| jail.isolation == Some("joined"))
        {
            self.must(&format!(
                "mkfifo /run/first; exec 8<>/run/first
                 setsid setpriv --reuid {user} --regid {user} --init-groups {JAIL_SHELL} -c 'echo in; read line' <&8 >/run/first.out 2>&1 &
                 for n in $(seq 500); do grep -qs in /run/first.out && exit; sleep 0.02; done; cat /run/first.out >&2; exit 1"
            ));
            self.world = Some(self.must(WORLDS));
        }
        self
    }

    /// Makes the root directory of the user that was jailed last.
    #[must_use]
    pub fn root(mut self, root: Root) -> Self {
        let jail = self.last_jail();
        jail.shell = root.shell;
        let user = jail.user.clone();
        self.write_config();
        self.must(&root.script(&self.root_of(&user), &user));
        self
    }

    /// Gives a user a password, for login and for su from another user.
    #[must_use]
    pub fn password(self, user: &str, password: &str) -> Self {
        let line = format!("{user}:{password}\n");
        self.run_with(&["chpasswd"], line.as_bytes()).ok();
        self
    }

    /// Replaces the generated config by this text.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self.write_config();
        self
    }

    /// Does something as root, in the middle of building: a shell script that must succeed.
    #[must_use]
    pub fn with(self, script: &str) -> Self {
        self.must(script);
        self
    }

    /// Where the generated config has the root of a user.
    #[must_use]
    pub fn root_of(&self, user: &str) -> String {
        format!("/srv/jails/{user}")
    }

    /// Runs a command as root.
    #[track_caller]
    pub fn run(&self, argv: &[&str]) -> Outcome {
        self.run_with(argv, b"")
    }

    /// Runs a command as root, with these bytes on standard input.
    #[track_caller]
    pub fn run_with(&self, argv: &[&str], input: &[u8]) -> Outcome {
        let outcome = finish(self.command(argv), input, LIMIT);
        let is_jailctl = argv.first().is_some_and(|it| it.ends_with("jailctl"));
        if is_jailctl && argv.contains(&"check") {
            refuse_unsafe_commands(&outcome);
        }
        outcome
    }

    /// Runs a command as root that may take up to `limit`.
    #[track_caller]
    pub fn run_within(&self, limit: Duration, argv: &[&str]) -> Outcome {
        finish(self.command(argv), b"", limit)
    }

    /// Runs a shell script as root.
    #[track_caller]
    pub fn sh(&self, script: &str) -> Outcome {
        self.run(&["sh", "-c", script])
    }

    /// Runs a shell script as root that must succeed, and gives its output.
    #[track_caller]
    pub fn must(&self, script: &str) -> String {
        self.run(&["sh", "-e", "-c", script]).ok().to_owned()
    }

    /// Runs a command with a user's ids and groups and root's environment, without PAM or shell.
    #[track_caller]
    pub fn run_as(&self, user: &str, argv: &[&str]) -> Outcome {
        self.run_as_with(user, argv, b"")
    }

    /// Does what [`Sandbox::run_as`] does, with these bytes on standard input.
    #[track_caller]
    pub fn run_as_with(&self, user: &str, argv: &[&str], input: &[u8]) -> Outcome {
        let group = self.must(&format!("id -g {user}"));
        let ids = ["--reuid", user, "--regid", &group, "--init-groups", "--"];
        let argv = [&["setpriv"], ids.as_slice(), argv].concat();
        self.run_with(&argv, input)
    }

    /// Runs a command as root on a terminal of its own.
    #[must_use]
    pub fn terminal(&self, argv: &[&str]) -> Pty {
        let argv = [&["setsid", "--ctty"], argv].concat();
        Pty::spawn(self.command_in_session(&argv), &self.host_path("dev/ptmx"))
    }

    /// Gives the command that runs `argv` as root in a session of its own, in the sandbox, for tests
    /// that need descriptors, limits or an environment of their own.
    #[must_use]
    pub fn command(&self, argv: &[&str]) -> Command {
        self.command_in_session(&[&["setsid"], argv].concat())
    }

    fn command_in_session(&self, argv: &[&str]) -> Command {
        // Whoever runs the tests may ignore signals (nohup does), and what is started here would, too.
        let mut command = Command::new("env");
        command
            .args(["--default-signal", "nsenter", "--target", &self.pid])
            .args(["--mount", "--pid", "--net", "--ipc", "--uts", "--"])
            .args(argv)
            .env_clear()
            .envs([("PATH", PATH), ("HOME", "/root"), ("TERM", "xterm")])
            .current_dir("/");
        command
    }

    /// Writes a file as root, mode 0644, and makes the directories above it.
    #[track_caller]
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let script = r#"mkdir -p "$(dirname "$1")" && cat >"$1""#;
        self.run_with(&["sh", "-c", script, "sh", path], text.as_ref())
            .ok();
    }

    /// Gives all jails these keys, and none that were set in this way before: they are the end of the config.
    #[track_caller]
    pub fn set_defaults(&self, keys: &str) {
        self.must(&format!(
            "cd /etc/login-jail
             sed -i '/^.defaults/,$d' config.toml
             printf '[defaults]\\n%s\\n' '{keys}' >>config.toml"
        ));
    }

    /// Reads a file as root.
    #[track_caller]
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        self.must(&format!("cat '{path}'"))
    }

    /// Waits for a line in jail-shell's log that has all of `parts`, and gives it.
    #[track_caller]
    pub fn logged(&self, parts: &[&str]) -> String {
        self.wait_for_log(parts, |log, has| log.iter().find(|line| has(line)).cloned())
    }

    /// Waits until the last line of jail-shell's log has all of `parts`, and gives it. What a supervisor says once all is
    /// over is not counted: a login that is refused inside the jail has one.
    #[track_caller]
    pub fn logged_last(&self, parts: &[&str]) -> String {
        self.wait_for_log(parts, |log, has| {
            let last = log.iter().rfind(|line| !line.contains("]: leave "));
            last.filter(|line| has(line)).cloned()
        })
    }

    #[track_caller]
    fn wait_for_log(
        &self,
        parts: &[&str],
        choose: impl Fn(&[String], &dyn Fn(&str) -> bool) -> Option<String>,
    ) -> String {
        // The collector may be behind on a machine under load.
        let deadline = Instant::now() + Duration::from_secs(10);
        let has = |line: &str| parts.iter().all(|part| line.contains(part));
        loop {
            if let Some(line) = choose(&self.log(), &has) {
                return line;
            }
            assert!(
                Instant::now() < deadline,
                "no log line with {parts:?} in:\n{}",
                self.syslog()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Gives what jail-shell has logged until now, a line for each datagram, priority first.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.syslog()
            .lines()
            .filter(|line| line.contains("jail-shell["))
            .map(str::to_owned)
            .collect()
    }

    /// Gives everything that has reached `/dev/log` until now.
    #[must_use]
    pub fn syslog(&self) -> String {
        fs::read_to_string(self.host_path("run/sandbox.log")).expect("read the sandbox's log")
    }

    /// Lays a cable between this machine and another one: 10.9.NUMBER.1 here, 10.9.NUMBER.2 there.
    #[track_caller]
    pub fn connect(&self, other: &Sandbox, number: u8) {
        let ip = |pid: &str, arguments: &str| {
            let mut command = Command::new("nsenter");
            command.args(["--target", pid, "--net", "ip"]);
            command.args(arguments.split(' ')).env_clear();
            command.env("PATH", PATH);
            finish(command, b"", LIMIT).ok();
        };
        let cable = format!("cable{number}");
        let there = &other.pid;
        ip(
            &self.pid,
            &format!("link add {cable} type veth peer name uplink netns {there}"),
        );
        for (pid, device, end) in [(&self.pid, cable.as_str(), 1), (there, "uplink", 2)] {
            ip(
                pid,
                &format!("address add 10.9.{number}.{end}/24 dev {device}"),
            );
            ip(pid, &format!("link set {device} up"));
        }
    }

    /// The way from the host to a path in the sandbox; for reading, and only where no part of it is
    /// a link to an absolute path, which would lead back to the host.
    #[must_use]
    pub fn host_path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(&self.pid).join("root").join(path)
    }

    #[track_caller]
    fn add_user(&self, name: &str, shell: &str) {
        // An asterisk is no password, and unlike the default no lock, which sshd would honour.
        self.run(&["useradd", "-m", "-U", "-p", "*", "-s", shell, name])
            .ok();
    }

    #[track_caller]
    fn last_jail(&mut self) -> &mut Jail {
        self.jails.last_mut().expect("a jailed user first")
    }

    #[track_caller]
    fn write_config(&self) {
        let text = self.config.clone().unwrap_or_else(|| self.generated());
        // No part of this path is a link.
        let path = self.host_path(CONFIG.trim_start_matches('/'));
        if fs::write(&path, &text).is_err() {
            self.write(CONFIG, text);
        }
    }

    fn generated(&self) -> String {
        let users = self
            .jails
            .iter()
            .map(|Jail { user, .. }| format!("{user} = \"{user}\"\n"));
        let jails = self.jails.iter().map(|jail| {
            let Jail { user, shell, .. } = jail;
            let isolation = match jail.isolation {
                None => String::new(),
                Some("joined") => "scope = \"user\"\n".to_owned(),
                Some(isolation) => format!("isolation = \"{isolation}\"\n"),
            };
            let root = self.root_of("{user}");
            format!("\n[jails.{user}]\nroot = \"{root}\"\n{isolation}shell = \"{shell}\"\n")
        });
        std::iter::once("[users]\n".to_owned())
            .chain(users)
            .chain(jails)
            .collect()
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    /// Kills unshare, which takes pid 1 along, which takes everything along. Fails where a login has not joined the world that it was to.
    fn drop(&mut self) {
        if let Some(world) = self.world.take().filter(|_| !thread::panicking()) {
            assert_eq!(self.must(WORLDS), world, "a login has joined no world");
        }
        self.init.kill().ok();
        self.init.wait().ok();
    }
}

/// The `sandbox` program, which cargo builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("find the test's own program");
    // TARGET/PROFILE/deps/test-HASH
    let profile = test.ancestors().nth(2).expect("a directory above deps");
    profile.join("sandbox")
}
