//! The PAM door in the sandbox: the module's lines in the stacks, its log, and the programs that open sessions.

use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::Outcome;
use crate::pty::Pty;
use crate::sandbox::Sandbox;

/// A config for the user ann with the host's system and a home of her own; keys of the jail go behind it.
pub const WEB: &str =
    "exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\n";

/// The services whose stacks the tests change.
pub const SERVICES: [&str; 7] = ["sshd", "login", "su", "sudo", "cron", "atd", "vsftpd"];

impl Sandbox {
    /// A user ann with bash as login shell and a password, and pam_jail.so behind every stack, as `required`.
    #[must_use]
    pub fn with_ann_behind_pam(root: crate::roots::Root, keys: &str) -> Sandbox {
        Sandbox::new()
            .user_with_shell("ann", "/bin/bash")
            .password("ann", "secret")
            .jailed("ann")
            .root(root)
            .config(&format!("{WEB}{keys}\n"))
            .pam()
            .behind_pam("required", "")
    }

    /// Puts pam_jail.so last into the account and session stacks of every service, with this control and options.
    #[must_use]
    pub fn behind_pam(self, control: &str, options: &str) -> Self {
        self.set_pam_lines(control, options);
        self
    }

    /// Replaces the module's lines in every stack.
    #[track_caller]
    pub fn set_pam_lines(&self, control: &str, options: &str) {
        let services = SERVICES.join(" ");
        self.must(&format!(
            "for service in {services}; do
                 sed -i /pam_jail/d /etc/pam.d/$service
                 for stage in account session; do
                     echo \"$stage {control} pam_jail.so {options}\" >>/etc/pam.d/$service
                 done
             done"
        ));
    }

    /// Gives what pam_jail has logged until now.
    #[must_use]
    pub fn module_log(&self) -> Vec<String> {
        let log = self.syslog();
        let lines = log.lines().filter(|line| line.contains("pam_jail("));
        lines.map(str::to_owned).collect()
    }

    /// Waits for a line in pam_jail's log that has all of `parts`, and gives it.
    #[track_caller]
    pub fn module_logged(&self, parts: &[&str]) -> String {
        let has = |line: &String| parts.iter().all(|part| line.contains(part));
        let found = self.wait_until(|| self.module_log().into_iter().find(|line| has(line)));
        found.unwrap_or_else(|| panic!("no log line with {parts:?} in:\n{}", self.syslog()))
    }

    /// Asks again and again for something that takes a moment, for some seconds.
    pub fn wait_until<T>(&self, ask: impl FnMut() -> Option<T>) -> Option<T> {
        self.wait_for(Duration::from_secs(10), ask)
    }

    /// Asks again and again for something that takes up to `limit`.
    pub fn wait_for<T>(&self, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        loop {
            match ask() {
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                answer => return answer,
            }
        }
    }

    /// Runs a command by ssh whose client says more than errors.
    #[track_caller]
    pub fn ssh_loud(&self, user: &str, level: &str, options: &[&str], command: &str) -> Outcome {
        let level = format!("LogLevel={level}");
        let words = self.ssh_argv(user, options, Some(command));
        let words = words.iter().map(String::as_str);
        let words: Vec<&str> = words
            .map(|word| {
                if word == "LogLevel=ERROR" {
                    level.as_str()
                } else {
                    word
                }
            })
            .collect();
        self.run(&words)
    }

    /// Runs a command by ssh, with a password typed on a terminal.
    #[track_caller]
    #[must_use]
    pub fn ssh_by_password(&self, user: &str, password: &str, command: &str) -> Pty {
        // Starts sshd.
        self.ssh("root", "true").ok();
        let host = format!("{user}@127.0.0.1");
        let mut words = vec!["ssh", "-F", "/dev/null"];
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "PreferredAuthentications=password",
        ] {
            words.extend(["-o", option]);
        }
        words.extend([host.as_str(), command]);
        let mut pty = self.terminal(&words);
        pty.expect("password: ");
        pty.line(password);
        pty
    }

    /// Runs a script as a cron job of a user, and gives what it wrote. `home` is the user's home on the host's side.
    #[track_caller]
    pub fn cron(&self, user: &str, script: &str, home: &str) -> Option<String> {
        self.write("/etc/cron.d/sandbox", format!("@reboot {user} ({script}) >/home/{user}/cron.part 2>&1; mv /home/{user}/cron.part /home/{user}/cron.out\n"));
        self.must("rm -f /run/crond.reboot /etc/cron.d/e2scrub_all; cron");
        self.wait_for_file(&format!("{home}/cron.out"))
    }

    /// Runs a script as an at job of a user, and gives what it wrote.
    #[track_caller]
    pub fn at(&self, user: &str, script: &str, home: &str) -> Option<String> {
        self.must("atd");
        let job = format!(
            "({script}) >/home/{user}/at.part 2>&1; mv /home/{user}/at.part /home/{user}/at.out\n"
        );
        self.run_as_with(user, &["at", "now"], job.as_bytes()).ok();
        self.wait_for_file(&format!("{home}/at.out"))
    }

    fn wait_for_file(&self, path: &str) -> Option<String> {
        let there = || self.sh(&format!("test -e {path}")).code() == Some(0);
        self.wait_until(|| there().then_some(()))?;
        Some(self.read(path))
    }

    /// Starts vsftpd for local users, with sessions.
    #[must_use]
    pub fn vsftpd(self) -> Self {
        let config = "listen=YES\nlisten_address=127.0.0.1\nbackground=YES\nlocal_enable=YES\nwrite_enable=YES\n\
                      session_support=YES\npam_service_name=vsftpd\nsecure_chroot_dir=/run/vsftpd/empty\n";
        self.write("/run/vsftpd.conf", config);
        self.must("mkdir -p /run/vsftpd/empty; vsftpd /run/vsftpd.conf; sleep 0.2");
        self
    }

    /// Runs curl with the password of a user; `path` is below ftp://127.0.0.1/.
    #[track_caller]
    pub fn ftp(&self, user: &str, path: &str, options: &[&str]) -> Outcome {
        let user = format!("{user}:secret");
        let url = format!("ftp://127.0.0.1/{path}");
        let words = ["curl", "-sS", "--max-time", "10", "-u", &user];
        self.run(&[&words, options, &[&url]].concat())
    }
}
