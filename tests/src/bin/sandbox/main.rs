//! Runs commands in a throw-away copy of this machine, so that tests may create users, install
//! set-uid programs and start sshd while the host keeps its accounts, files and mounts.
//!
//! ```text
//! sandbox run -- CMD…   one command, its exit status, and everything is gone
//! sandbox serve [DIR]   print the pid of the sandbox's init, live until stdin closes; with the files that are in DIR
//! ```
//!
//! The copy has no people, no data and no settings of the host's administrator, see [`host`]. It is an overlay over `/`
//! whose changes live on a private tmpfs, in mount, pid, net, ipc and uts namespaces of its own. The program itself is
//! pid 1 in there: it reaps orphans, collects what is sent to `/dev/log` in [`LOG`], and takes every process with it when
//! it leaves. Never does it write to the host.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

mod host;

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Uid, pivot_root, sethostname};

/// Where the tmpfs with the overlay's changes is put together: a directory that every system has
/// and that holds neither a repository nor a target directory.
const SCRATCH: &str = "/run";
/// One line for each datagram that reached `/dev/log`.
const LOG: &str = "/run/sandbox.log";

const NODES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

type Result<T> = std::result::Result<T, String>;

/// What pid 1 of a sandbox is there for.
enum Duty {
    /// Hold the sandbox open until stdin closes. It has the files of a directory besides the machine's.
    Serve(Option<PathBuf>),
    /// Run one command.
    Run(Vec<OsString>),
}

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match args.split_first() {
        Some((word, rest)) if word == "inside" => duty(rest).and_then(inside),
        _ => duty(&args).and_then(|_| unshare(&args)),
    };
    done.unwrap_or_else(|reason| {
        eprintln!("sandbox: {reason}");
        ExitCode::FAILURE
    })
}

fn duty(args: &[OsString]) -> Result<Duty> {
    match args {
        [word] if word == "serve" => Ok(Duty::Serve(None)),
        [word, files] if word == "serve" => Ok(Duty::Serve(Some(files.into()))),
        [word, dashes, command @ ..] if word == "run" && dashes == "--" && !command.is_empty() => {
            Ok(Duty::Run(command.to_vec()))
        }
        _ => Err("usage: sandbox run -- COMMAND… | sandbox serve [DIR]".to_owned()),
    }
}

/// Starts this program again, as pid 1 of namespaces of its own; returns only on failure.
fn unshare(args: &[OsString]) -> Result<ExitCode> {
    if !Uid::effective().is_root() {
        return Err(
            "needs root: it mounts a copy of the machine and makes users in it; try sudo"
                .to_owned(),
        );
    }
    let program = env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let error = Command::new("env")
        .args(["--default-signal", "unshare"])
        .args(["--mount", "--pid", "--net", "--ipc", "--uts"])
        .args(["--fork", "--kill-child", "--propagation", "private"])
        .arg(program)
        .arg("inside")
        .args(args)
        .exec();
    Err(format!("start unshare (package util-linux): {error}"))
}

/// The life of pid 1: build the copy, do the duty, take everything along.
fn inside(duty: Duty) -> Result<ExitCode> {
    // Still the host's /proc, so this is the number by which the host knows pid 1.
    let pid = fs::read_link("/proc/self").map_err(|error| format!("read /proc/self: {error}"))?;
    build(match &duty {
        Duty::Serve(files) => files.as_deref(),
        Duty::Run(_) => None,
    })?;
    let log = UnixDatagram::bind("/dev/log").map_err(|error| format!("bind /dev/log: {error}"))?;
    chmod("/dev/log", 0o666)?;
    match duty {
        Duty::Serve(_) => {
            println!("{}", pid.display());
            Init::new(log)?.serve()
        }
        Duty::Run(command) => Init::new(log)?.run(&command),
    }
}

/// Builds the copy of the machine, with the files of a directory besides, and moves into it.
fn build(files: Option<&Path>) -> Result<()> {
    let shown = shown_directories()?;
    attach("tmpfs", SCRATCH, "tmpfs", MsFlags::empty(), "mode=0755")?;
    let [upper, work, root] = ["upper", "work", "root"].map(|name| Path::new(SCRATCH).join(name));
    for directory in [&upper, &work, &root] {
        create(directory)?;
    }
    host::empty_directories(&upper)?;
    if let Some(files) = files {
        let from = files.join(".");
        succeed("cp", Command::new("cp").arg("-a").arg(from).arg(&upper))?;
    }
    let layers = format!(
        "lowerdir=/,upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    attach("overlay", &root, "overlay", MsFlags::empty(), &layers).map_err(|reason| {
        format!("{reason}; the kernel needs overlayfs, and / may itself be an overlay only once")
    })?;

    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let inside = |path: &str| root.join(path);
    attach("proc", inside("proc"), "proc", strict, "")?;
    attach(
        "sysfs",
        inside("sys"),
        "sysfs",
        strict | MsFlags::MS_RDONLY,
        "",
    )?;
    attach("tmpfs", inside("run"), "tmpfs", plain, "mode=0755")?;
    attach("tmpfs", inside("tmp"), "tmpfs", plain, "mode=1777")?;
    attach(
        "tmpfs",
        inside("dev"),
        "tmpfs",
        MsFlags::MS_NOSUID,
        "mode=0755",
    )?;
    build_dev(&root.join("dev"))?;
    host::replace_files(&root)?;
    for directory in &shown {
        show(directory, &root)?;
    }
    enter(&root)?;

    sethostname("sandbox").map_err(|error| format!("set the host name: {error}"))?;
    let mut up = Command::new("ip");
    succeed(
        "ip (package iproute2)",
        up.args(["link", "set", "lo", "up"]),
    )
}

/// Runs a command that must succeed.
fn succeed(program: &str, command: &mut Command) -> Result<()> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("start {program}: {error}")),
    }
}

/// The repository and the directory cargo builds into: tests install from them. They are bound, not
/// left to the overlay, because others may write to them while the sandbox lives, and because
/// either may be below a directory that is empty in the sandbox, like /tmp.
fn shown_directories() -> Result<[PathBuf; 2]> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("the repository has no parent directory")?;
    let program = env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    // TARGET/PROFILE/sandbox
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("the target directory has no parent directory")?;
    Ok([repository.to_owned(), target.to_owned()])
}

fn build_dev(dev: &Path) -> Result<()> {
    for (name, major, minor) in NODES {
        let path = dev.join(name);
        mknod(
            &path,
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(0o666),
            makedev(major, minor),
        )
        .map_err(|error| format!("make {}: {error}", path.display()))?;
        chmod(&path, 0o666)?;
    }
    for (link, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(to, dev.join(link)).map_err(|error| format!("link /dev/{link}: {error}"))?;
    }
    for name in ["pts", "shm"] {
        create(&dev.join(name))?;
    }
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let pts = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    attach(
        "devpts",
        dev.join("pts"),
        "devpts",
        pts,
        "newinstance,ptmxmode=0666,mode=0620,gid=5",
    )?;
    attach("tmpfs", dev.join("shm"), "tmpfs", plain, "mode=1777")
}

/// Makes a directory of the host visible at its own path, read-only.
fn show(directory: &Path, root: &Path) -> Result<()> {
    let relative = directory.strip_prefix("/").unwrap_or(directory);
    let target = root.join(relative);
    create(&target)?;
    let none = None::<&str>;
    let bind = MsFlags::MS_BIND;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(Some(directory), &target, none, bind, none)
        .and_then(|()| mount(none, &target, none, read_only, none))
        .map_err(|error| format!("bind {} into the sandbox: {error}", directory.display()))
}

/// Makes `root` the root of this mount namespace and detaches the host's.
fn enter(root: &Path) -> Result<()> {
    env::set_current_dir(root).map_err(|error| format!("enter {}: {error}", root.display()))?;
    // The manual's pivot_root(".", "."): the old root lies over the new one until it is detached.
    pivot_root(".", ".").map_err(|error| format!("pivot_root: {error}"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(|error| format!("detach the host: {error}"))?;
    env::set_current_dir("/").map_err(|error| format!("enter /: {error}"))
}

fn attach(
    source: &str,
    target: impl AsRef<Path>,
    kind: &str,
    flags: MsFlags,
    data: &str,
) -> Result<()> {
    let target = target.as_ref();
    mount(Some(source), target, Some(kind), flags, Some(data))
        .map_err(|error| format!("mount {kind} on {}: {error}", target.display()))
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| format!("make {}: {error}", directory.display()))
}

fn chmod(path: impl AsRef<Path>, mode: u32) -> Result<()> {
    let path = path.as_ref();
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| format!("chmod {}: {error}", path.display()))
}

/// Pid 1 of the sandbox: one loop over children that end, log lines that come, and stdin.
struct Init {
    children: SignalFd,
    socket: UnixDatagram,
    log: File,
}

impl Init {
    fn new(socket: UnixDatagram) -> Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(LOG)
            .map_err(|error| format!("open {LOG}: {error}"))?;
        socket
            .set_nonblocking(true)
            .map_err(|error| format!("set up /dev/log: {error}"))?;
        let mask = SigSet::from(Signal::SIGCHLD);
        mask.thread_block()
            .map_err(|error| format!("block SIGCHLD: {error}"))?;
        let children = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(|error| format!("make a signal descriptor: {error}"))?;
        Ok(Self {
            children,
            socket,
            log,
        })
    }

    fn serve(mut self) -> Result<ExitCode> {
        let mut stdin = io::stdin();
        let mut bytes = [0; 64];
        loop {
            let closed = self.wait(true)?;
            self.reap(None)?;
            self.collect()?;
            if closed && matches!(stdin.read(&mut bytes), Ok(0)) {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    fn run(mut self, command: &[OsString]) -> Result<ExitCode> {
        let (program, args) = command.split_first().ok_or("no command")?;
        let child = Command::new(program)
            .args(args)
            .spawn()
            .map_err(|error| format!("start {}: {error}", Path::new(program).display()))?;
        loop {
            self.wait(false)?;
            self.collect()?;
            if let Some(status) = self.reap(Some(child.id()))? {
                return Ok(exit_code(status));
            }
        }
    }

    /// Waits for an event and says whether stdin, if it is asked for, has something.
    fn wait(&self, stdin: bool) -> Result<bool> {
        let input = io::stdin();
        let mut sources = vec![
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        if stdin {
            sources.push(PollFd::new(input.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut sources, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(sources.get(2).and_then(PollFd::any) == Some(true)),
            Err(error) => Err(format!("poll: {error}")),
        }
    }

    /// Reaps whatever has ended; gives the status of `child` if that was among it.
    fn reap(&mut self, child: Option<u32>) -> Result<Option<ExitStatus>> {
        while let Ok(Some(_)) = self.children.read_signal() {}
        let mut found = None;
        loop {
            let (pid, raw) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code << 8),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, signal as i32),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(found),
                Ok(_) => continue,
                Err(error) => return Err(format!("wait: {error}")),
            };
            if child == u32::try_from(pid.as_raw()).ok() {
                found = Some(ExitStatus::from_raw(raw));
            }
        }
    }

    /// Writes each waiting datagram as one line; a newline in one stays visible and makes none.
    fn collect(&mut self) -> Result<()> {
        let mut datagram = vec![0; 1 << 16];
        while let Ok(length) = self.socket.recv(&mut datagram) {
            let text = String::from_utf8_lossy(datagram.get(..length).unwrap_or_default());
            let line = format!(
                "{}\n",
                text.trim_end_matches('\0').replace('\n', "\u{2424}")
            );
            self.log
                .write_all(line.as_bytes())
                .map_err(|error| format!("write {LOG}: {error}"))?;
        }
        Ok(())
    }
}

/// As a shell reports it: a signal has no exit status, and pid 1 cannot die by one.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
