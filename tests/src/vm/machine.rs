//! The qemu process, and its monitor: JSON lines on its standard input and output.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::accelerator::accelerator;
use super::image::Image;

/// Ends qemu when this process has ended, however that came: a test is killed by SIGKILL, too.
const WATCHED: &str = r#"exec 3<&0
"$@" <&3 3<&- & qemu=$!
tail --pid="$0" -f /dev/null >/dev/null & parent=$!
wait -n
kill -9 "$qemu" "$parent" 2>/dev/null
rm -rf "$VM""#;

/// A machine that was started.
#[derive(Debug)]
pub(super) struct Machine {
    watch: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// How instructions are executed.
    pub(super) accelerator: &'static str,
    /// Where its sshd is reached.
    pub(super) port: u16,
    /// What lives as long as the machine: its console's text, and the socket of root's connection.
    pub(super) directory: PathBuf,
}

/// Says whether machines can be started here at all.
pub(super) fn qemu_is_there() -> Result<(), String> {
    match Command::new("qemu-system-x86_64").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(_) => Err("qemu is missing (package qemu-system-x86)".to_owned()),
    }
}

impl Machine {
    pub(super) fn start(image: &Image) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket has 107 bytes at most.
        let name = format!("login-jail-vm-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));

        let accelerator = accelerator(image);
        let mut command = Command::new("bash");
        command
            .args(["-c", WATCHED, &std::process::id().to_string()])
            .args(["qemu-system-x86_64", "-nodefaults", "-display", "none"])
            .args(["-qmp", "stdio", "-machine", "pc", "-accel", accelerator])
            .args([
                "-cpu",
                if accelerator == "kvm" {
                    "host"
                } else {
                    "qemu64"
                },
            ])
            .args(["-smp", "2", "-m", "1024", "-kernel"])
            .arg(image.file("kernel"))
            .arg("-initrd")
            .arg(image.file("early.gz"))
            .args([
                "-append",
                "console=ttyS0 quiet systemd.show_status=1 mitigations=off net.ifnames=0 panic=-1",
            ])
            .arg("-serial")
            .arg(format!("file:{}", directory.join("console").display()))
            // What is written goes to a file that is gone with qemu.
            .arg("-drive")
            .arg(format!(
                "file={},if=virtio,format=raw,snapshot=on",
                image.file("disk").display()
            ))
            // The machine reaches nothing; it is reached at one port, which qemu chooses.
            .args([
                "-netdev",
                "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22",
            ])
            .args(["-device", "virtio-net-pci,netdev=net,romfile="])
            .args(["-device", "virtio-rng-pci"])
            .env("TMPDIR", image.file(""))
            .env("VM", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut watch = command
            .spawn()
            .unwrap_or_else(|error| panic!("start qemu: {error}"));
        let to = watch.stdin.take().expect("a pipe that was asked for");
        let from = watch.stdout.take().expect("a pipe that was asked for");
        let mut machine = Self {
            watch,
            to,
            from: BufReader::new(from),
            accelerator,
            port: 0,
            directory,
        };
        machine.execute(&json!({"execute": "qmp_capabilities"}));
        machine.port = machine.forwarded();
        machine
    }

    /// Has the monitor do one of its commands, which must say nothing: it speaks of failures alone.
    #[track_caller]
    pub(super) fn monitor(&mut self, command: &str) {
        let said = self.ask(command);
        assert!(said.trim().is_empty(), "qemu: {command}: {said}");
    }

    /// Gives what the machine has written to its console.
    pub(super) fn console(&self) -> String {
        let bytes = fs::read(self.directory.join("console")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[track_caller]
    fn ask(&mut self, command: &str) -> String {
        let arguments = json!({"command-line": command});
        let answer =
            self.execute(&json!({"execute": "human-monitor-command", "arguments": arguments}));
        answer.as_str().unwrap_or_default().to_owned()
    }

    /// Reads the port out of a line as `TCP[HOST_FORWARD]  12  127.0.0.1 34567  10.0.2.15  22  0  0`.
    #[track_caller]
    fn forwarded(&mut self) -> u16 {
        let said = self.ask("info usernet");
        let line = said.lines().find(|line| line.contains("HOST_FORWARD"));
        let port = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
        port.unwrap_or_else(|| panic!("no forwarded port in: {said}"))
    }

    /// Sends a command and waits for its answer; events come in between.
    #[track_caller]
    fn execute(&mut self, command: &Value) -> Value {
        writeln!(self.to, "{command}").unwrap_or_else(|error| panic!("write to qemu: {error}"));
        loop {
            let mut line = String::new();
            let length = self.from.read_line(&mut line);
            let length = length.unwrap_or_else(|error| panic!("read from qemu: {error}"));
            assert!(
                length > 0,
                "qemu has ended; the reason is on standard error"
            );
            let mut said: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("qemu says {line:?}: {error}"));
            assert!(said.get("error").is_none(), "qemu: {command}: {said}");
            if let Some(answer) = said.get_mut("return") {
                return answer.take();
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        writeln!(self.to, "{}", json!({"execute": "quit"})).ok();
        self.watch.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
