//! A machine of its own: a Debian with systemd as pid 1, started by qemu, driven over ssh on a loopback port.
//!
//! ```no_run
//! use login_jail_tests::vm::{Release, Vm};
//!
//! let mut vm = Vm::boot(Release::Trixie).expect("a machine");
//! vm.install();
//! assert_eq!(vm.must("systemctl is-system-running --wait || :; cat /proc/1/comm"), "systemd");
//! ```
//!
//! `tests/vm/image` makes the disk once, below `target/vm`; no run changes it. Memory and disk are put back by
//! [`Vm::restore`] to what they were at [`Vm::save`], so one start serves many tests. The machine reaches nothing: no
//! network but the forwarded port. It ends with the value, or with the test's process.
//!
//! `accelerator` and `image` use nothing of this folder; `machine` starts what they give; this file drives it.

mod accelerator;
mod image;
mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, finish};
use image::Image;
pub use image::Release;
use machine::Machine;

/// A command under emulation may take this long, on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(240);
/// The way to the first login under emulation.
const START: Duration = Duration::from_secs(400);
/// What [`Vm::save`] calls the state.
const STATE: &str = "ready";

/// A machine that runs.
#[derive(Debug)]
pub struct Vm {
    machine: Machine,
    image: Image,
    package: Option<PathBuf>,
}

impl Vm {
    /// Starts a machine, and waits until root can log in.
    ///
    /// # Errors
    /// Why there is no such machine here: qemu is missing, or no image can be made.
    ///
    /// # Panics
    /// The machine does not start.
    pub fn boot(release: Release) -> Result<Self, String> {
        machine::qemu_is_there()?;
        let image = Image::of(release)?;
        let machine = Machine::start(&image);
        let vm = Self {
            machine,
            image,
            package: None,
        };
        vm.wait_for_login(START);
        Ok(vm)
    }

    /// Gives the release that runs.
    #[must_use]
    pub const fn release(&self) -> Release {
        self.image.release
    }

    /// Says how instructions are executed: `kvm` or `tcg`.
    #[must_use]
    pub const fn accelerator(&self) -> &'static str {
        self.machine.accelerator
    }

    /// Gives the port of the loopback interface that leads to the machine's sshd.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.machine.port
    }

    /// Gives the private key that root has on the machine, and users to whom [`Vm::user`] gave it.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.image.file("key")
    }

    /// Copies the .deb of what `make build` has built to the machine, and installs it.
    ///
    /// # Panics
    /// The package can't be made, or not be installed.
    #[track_caller]
    pub fn install(&mut self) {
        let package = self.package.get_or_insert_with(image::package).clone();
        self.put(&package, "/root/login-jail.deb");
        self.must("dpkg -i /root/login-jail.deb 2>&1");
    }

    /// Runs a shell script as root.
    #[track_caller]
    pub fn sh(&self, script: &str) -> Outcome {
        self.sh_with(script, b"")
    }

    /// Does what [`Vm::sh`] does, with these bytes on standard input.
    #[track_caller]
    pub fn sh_with(&self, script: &str, input: &[u8]) -> Outcome {
        let mut command = self.client("root");
        // One connection for all: a new one takes a second under emulation.
        let control = self.machine.directory.join("root");
        command
            .args(["-o", "ControlMaster=auto", "-o", "ControlPersist=600", "-o"])
            .arg(format!("ControlPath={}", control.display()))
            .args(["--", "vm", script]);
        finish(command, input, LIMIT)
    }

    /// Runs a shell script as root that must succeed, and gives its output.
    #[track_caller]
    pub fn must(&self, script: &str) -> String {
        self.sh(&format!("set -e\n{script}")).ok().to_owned()
    }

    /// Logs in by ssh as a user who has the key, with a connection of its own. An empty command asks for a shell.
    #[track_caller]
    pub fn ssh(&self, user: &str, command: &str) -> Outcome {
        for _ in 0..20 {
            let mut client = self.client(user);
            client.args(["--", "vm"]);
            if !command.is_empty() {
                client.arg(command);
            }
            let outcome = finish(client, b"", LIMIT);
            // An sshd that reads its config again listens to nobody for a moment.
            if !outcome.stderr.starts_with("kex_exchange_identification: ") {
                return outcome;
            }
            thread::sleep(Duration::from_millis(500));
        }
        panic!("the machine's sshd does not listen")
    }

    /// Gives the command that logs in by ssh as a user; what it takes, `--`, `vm` and a command, is to be added.
    #[must_use]
    pub fn client(&self, user: &str) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(["-F", "none", "-o", "HostName=127.0.0.1", "-l", user, "-i"])
            .arg(self.key())
            .args(["-p", &self.port().to_string()])
            .args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
            .args(["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "StrictHostKeyChecking=no"])
            .args(["-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "ConnectTimeout=60"]);
        command
    }

    /// Copies a file of this machine to the other one.
    ///
    /// # Panics
    /// The file can't be read, or not be written.
    #[track_caller]
    pub fn put(&self, from: &Path, to: &str) {
        let bytes = std::fs::read(from).unwrap_or_else(|error| panic!("{from:?}: {error}"));
        self.sh_with(&format!("cat >'{to}'"), &bytes).ok();
    }

    /// Makes an account that has the machine's key, with this login shell.
    #[track_caller]
    pub fn user(&self, name: &str, shell: &str) {
        self.must(&format!(
            "useradd -m -U -p '*' -s {shell} {name}
            install -d -m 700 -o {name} -g {name} /home/{name}/.ssh
            install -m 600 -o {name} -g {name} /usr/local/share/vm/key.pub /home/{name}/.ssh/authorized_keys"
        ));
    }

    /// Keeps the state of memory and disk, in place of the one that was kept before.
    #[track_caller]
    pub fn save(&mut self) {
        self.machine.monitor(&format!("savevm {STATE}"));
    }

    /// Goes back to the state that was kept. Connections to what ran since are gone.
    #[track_caller]
    pub fn restore(&mut self) {
        self.forget_connection();
        self.machine.monitor(&format!("loadvm {STATE}"));
        self.wait_for_login(LIMIT);
    }

    /// Restarts the machine as an administrator does, and waits until root can log in.
    #[track_caller]
    pub fn reboot(&mut self) {
        let before = self.must("cat /proc/sys/kernel/random/boot_id");
        self.sh("systemctl reboot");
        self.forget_connection();
        let deadline = Instant::now() + START;
        loop {
            self.wait_for_login(START);
            if self.must("cat /proc/sys/kernel/random/boot_id") != before {
                return;
            }
            assert!(Instant::now() < deadline, "the machine does not restart");
            self.forget_connection();
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn forget_connection(&self) {
        let control = self.machine.directory.join("root");
        let mut command = self.client("root");
        command
            .arg("-o")
            .arg(format!("ControlPath={}", control.display()))
            .args(["-O", "exit", "--", "vm"]);
        finish(command, b"", LIMIT);
    }

    #[track_caller]
    fn wait_for_login(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let outcome = self.sh("true");
            if outcome.status.success() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no login after {limit:?}: {outcome}\n--- console\n{}",
                self.machine.console()
            );
            thread::sleep(Duration::from_millis(500));
        }
    }
}
