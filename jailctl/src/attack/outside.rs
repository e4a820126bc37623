//! What stands outside of a jail for the probes to reach: a process of the same user with a few objects of its own, made
//! for this purpose, and descriptors of the host that an accomplice could send in.
//!
//! The process is a target that anybody of the user's could take over. So it has an empty root, no capabilities, and can
//! get none: whoever takes it over has gained a pid. It ends, and takes its objects with it, when its caller ends.

use std::{
    fs::{self, Permissions},
    io::{self, BufRead, BufReader, IoSlice, Read},
    mem::MaybeUninit,
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::{MetadataExt, PermissionsExt},
            net::{SocketAddr, UnixDatagram, UnixListener},
        },
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};

use jail::{
    account::identity::Identity,
    door::{
        lockout::{LockedOut, lock_out},
        refusal::Refusal,
    },
};
use nix::{
    mqueue::{MQ_OFlag, MqAttr, mq_open, mq_unlink},
    sys::stat::Mode,
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd},
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
        SocketType, sendmsg, socketpair,
    },
    process::{
        DumpableBehavior, Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal,
        set_dumpable_behavior, setsid,
    },
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    thread::set_no_new_privs,
};
use serde::{Deserialize, Serialize};

use super::raw::{self, Ipc};
use crate::{
    failure::{Failure, Verdict},
    output::say,
    shell::shown,
    watch,
};

/// How long it may stand there, in seconds: longer than all probes take.
const LONGEST: &str = "60";

/// How often is looked for a probe that connects.
const PAUSE: Duration = Duration::from_millis(5);

/// Where timeout(1) is.
const PATH: &str = "/usr/bin:/bin";

/// The objects that are made, with keys that follow each other.
pub(super) const IPC: [Ipc; 3] = [Ipc::Memory, Ipc::Messages, Ipc::Semaphores];

/// What the process has in its memory, for whoever can read it.
pub(super) static SECRET: [u8; 8] = *b"outside\n";

/// The number of the descriptor that the rehearsal inherits.
const INHERITED: RawFd = 200;

/// Paths whose host's file must not be reached. The root comes first.
const PLACES: [&str; 6] = ["/", "/etc/shadow", "/proc", "/dev/pts", "/dev/shm", "/tmp"];

/// A file of the host's, whatever path leads to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) path: String,
    device: u64,
    inode: u64,
}

impl Place {
    fn at(path: &str) -> Option<Place> {
        let found = fs::metadata(path).ok()?;
        Some(Place {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Tells whether this is the file.
    pub(super) fn is(&self, found: &fs::Metadata) -> bool {
        (self.device, self.inode) == (found.dev(), found.ino())
    }
}

/// What the process outside has, by the names and numbers that it would be reached by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(super) pid: i32,
    /// Where [`SECRET`] is in its memory.
    pub(super) address: usize,
    /// Names of abstract sockets.
    pub(super) stream: String,
    pub(super) datagram: String,
    /// A TCP port on loopback.
    pub(crate) port: u16,
    /// The key of System V objects, where the kernel has them.
    pub(super) key: Option<i32>,
    ids: Vec<(usize, i32)>,
    /// The name of a POSIX message queue, where the kernel has them.
    pub(super) queue: Option<String>,
    /// The user's groups.
    pub(super) groups: Vec<u32>,
}

impl Target {
    /// Removes what would outlive the process. What is gone already is no loss.
    fn remove(&self) {
        for (which, id) in &self.ids {
            if let Some(object) = IPC.get(*which) {
                raw::ipc_remove(*object, *id).ok();
            }
        }
        if let Some(queue) = &self.queue {
            mq_unlink(queue.as_str()).ok();
        }
    }
}

/// All that a probe is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) target: Target,
    pub(super) places: Vec<Place>,
    /// The descriptor that was left open for it.
    pub(super) inherited: RawFd,
    /// The caller's session keyring.
    pub(super) keyring: Option<i64>,
}

/// The descriptors that are sent in, in this order: the host's root, its mount namespace, the process outside, a terminal.
pub(super) const SENT: usize = 4;

/// The outside of a jail, for as long as it is attacked.
#[derive(Debug)]
pub(crate) struct Outside {
    process: Child,
    pub(crate) told: Told,
    /// Open in whatever is started meanwhile.
    _inherited: OwnedFd,
    root: OwnedFd,
    mounts: OwnedFd,
    pidfd: OwnedFd,
    terminal: OwnedFd,
    /// Keeps the terminal alive.
    _master: OwnedFd,
}

impl Outside {
    /// Puts up what a user's jail is attacked for.
    ///
    /// # Errors
    /// The process outside could not be started, or the host's own files not be opened.
    pub(crate) fn of(user: &str) -> Result<Outside, Failure> {
        let failed = |what: &'static str| {
            move |error: io::Error| {
                let user = shown(user);
                Failure::Failed(format!("attack the jail of {user}: {what}: {error}"))
            }
        };
        // Whoever has its uid can stop it. Its environment is not to tell of the administrator's.
        let mut watched = watch::command(LONGEST, "accomplice")?;
        let mut process = watched
            .command
            .arg(user)
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not the administrator's terminal.
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed("start a process outside"))?;
        let target = told_by(&mut process).map_err(failed("ask the process outside"))?;
        let opened = Outside::open(process, target);
        opened.map_err(failed("open what is outside"))
    }

    fn open(process: Child, target: Target) -> io::Result<Outside> {
        let pid = Pid::from_raw(target.pid).ok_or(io::ErrorKind::InvalidData)?;
        let root: OwnedFd = fs::File::open("/")?.into();
        let inherited = fcntl_dupfd_cloexec(&root, INHERITED)?;
        fcntl_setfd(&inherited, FdFlags::empty())?;
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = ioctl_tiocgptpeer(&master, flags)?;
        Ok(Outside {
            told: Told {
                target,
                places: PLACES.iter().filter_map(|path| Place::at(path)).collect(),
                inherited: inherited.as_raw_fd(),
                keyring: raw::session_keyring().ok(),
            },
            process,
            _inherited: inherited,
            root,
            mounts: fs::File::open("/proc/self/ns/mnt")?.into(),
            pidfd: pidfd_open(pid, PidfdFlags::empty())?,
            terminal,
            _master: master,
        })
    }

    /// Makes a standard input by which the descriptors come in, as from an accomplice, with what a probe is told.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub(crate) fn sent(&self) -> io::Result<OwnedFd> {
        let (here, there) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        self.send(&here)?;
        Ok(there)
    }

    /// Sends the descriptors, and what a probe is told.
    fn send(&self, peer: impl AsFd) -> io::Result<()> {
        let told = serde_json::to_vec(&self.told)?;
        let descriptors: [BorrowedFd<'_>; SENT] =
            [&self.root, &self.mounts, &self.pidfd, &self.terminal].map(AsFd::as_fd);
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SENT))];
        let mut message = SendAncillaryBuffer::new(&mut room);
        if !message.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        sendmsg(
            peer,
            &[IoSlice::new(&told)],
            &mut message,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }

    /// Runs a program, and sends to each probe that connects to a socket meanwhile.
    ///
    /// # Errors
    /// The socket could not be made, or the program not be started.
    pub(super) fn serve(&self, socket: &Path, mut program: Command) -> io::Result<ExitStatus> {
        let listener = UnixListener::bind(socket)?;
        fs::set_permissions(socket, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        let mut running = program.spawn()?;
        loop {
            match listener.accept() {
                // A probe that has gone needs nothing.
                Ok((peer, _)) => drop(self.send(peer)),
                Err(_) => sleep(PAUSE),
            }
            if let Some(status) = running.try_wait()? {
                return Ok(status);
            }
        }
    }

    /// Tells whether the process is there still, and no other process of the user's has ended it.
    pub(crate) fn stands(&self) -> bool {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut polled, Some(&Timespec::default())), Ok(0))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // It would end at the end of its input, if it was not stopped.
        drop(self.process.stdin.take());
        pidfd_send_signal(&self.pidfd, Signal::KILL).ok();
        drop(self.process.wait());
        self.told.target.remove();
    }
}

fn told_by(process: &mut Child) -> io::Result<Target> {
    let mut line = String::new();
    if let Some(output) = &mut process.stdout {
        BufReader::new(output).read_line(&mut line)?;
    }
    if line.is_empty() {
        let status = process.wait()?;
        let mut why = watch::cut_short(status).unwrap_or_default().to_owned();
        if let (true, Some(errors)) = (why.is_empty(), &mut process.stderr) {
            errors.read_to_string(&mut why)?;
        }
        if why.trim().is_empty() {
            why = format!("it ended with {status}");
        }
        return Err(io::Error::other(shown(why.trim())));
    }
    serde_json::from_str(&line).map_err(io::Error::other)
}

/// The process outside: takes the user's ids, makes its objects, says what they are, and waits for the end of its input.
///
/// # Errors
/// There is no such account, its ids did not come into force, or the kernel refused an object.
pub(crate) fn be_accomplice(user: &str) -> Result<Verdict, Failure> {
    let identity = Identity::named(user).map_err(Refusal::Identity)?;
    let made = Objects::make(&identity)
        .map_err(|error| Failure::Failed(format!("attack: stand outside: {error}")))?;
    say(serde_json::to_string(&made.target)
        .map_err(|error| Failure::Failed(format!("print JSON: {error}")))?);
    let mut nothing = Vec::new();
    // Whatever ends it.
    drop(io::stdin().read_to_end(&mut nothing));
    drop(made);
    Ok(Verdict::Fine)
}

/// The objects, for as long as they are there.
#[derive(Debug)]
struct Objects {
    target: Target,
    _sockets: (UnixListener, UnixDatagram, TcpListener),
}

impl Objects {
    fn make(identity: &Identity) -> io::Result<Objects> {
        drop_to(identity)?;
        let pid = std::process::id();
        let name = |what: &str| format!("login-jail-{pid}-{what}");
        let (stream, datagram) = (name("stream"), name("datagram"));
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&stream)?)?;
        let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&datagram)?)?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let pid = i32::try_from(pid).map_err(io::Error::other)?;
        let mut objects = Objects {
            target: Target {
                pid,
                address: SECRET.as_ptr().addr(),
                stream,
                datagram,
                port: tcp.local_addr()?.port(),
                key: None,
                ids: Vec::new(),
                queue: None,
                groups: identity
                    .groups
                    .iter()
                    .copied()
                    .chain([identity.gid])
                    .collect(),
            },
            _sockets: (listener, receiver, tcp),
        };
        objects.make_ipc(0x6a61_0000 ^ pid)?;
        objects.make_queue()?;
        Ok(objects)
    }

    /// Makes the System V objects; none of them where the kernel has none.
    fn make_ipc(&mut self, key: i32) -> io::Result<()> {
        for (which, object) in IPC.iter().enumerate() {
            match raw::ipc_get(*object, key, true) {
                Ok(id) => self.target.ids.push((which, id)),
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOSYS) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.target.key = Some(key);
        Ok(())
    }

    fn make_queue(&mut self) -> io::Result<()> {
        let name = format!("/login-jail-{}", self.target.pid);
        let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        // Without attributes nix passes no mode on either.
        let smallest = MqAttr::new(0, 1, 8, 0);
        match mq_open(name.as_str(), flags, mode, Some(&smallest)) {
            Ok(_) => self.target.queue = Some(name),
            // No queues in this kernel, or none left to the user.
            Err(nix::errno::Errno::ENOSYS | nix::errno::Errno::EMFILE) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.target.remove();
    }
}

/// Becomes a process of the user's that has nothing but that: see the module's text.
fn drop_to(identity: &Identity) -> io::Result<()> {
    if lock_out() != LockedOut::EmptyRoot {
        return Err(io::Error::other("no empty root could be made"));
    }
    // Neither the terminal nor the keys of whoever called.
    setsid()?;
    raw::leave_session_keyring()?;
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let groups: Vec<Gid> = identity.groups.iter().copied().map(Gid::from_raw).collect();
    set_no_new_privs(true)?;
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // As any process of the user's is: one that can't be traced proves nothing.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    if Path::new("/proc").exists() {
        return Err(io::Error::other("its root is not empty"));
    }
    Ok(())
}
