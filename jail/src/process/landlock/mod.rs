//! The second wall, Landlock: from here on a process opens what is below its root, and nothing else, whatever
//! descriptor, working directory or link leads there; and its signals and abstract sockets stay in the session.
//!
//! A root, changed by chroot(2) or pivot_root(2), is where paths start. It does not bind a directory descriptor from
//! outside, which an accomplice can send over a socket. Landlock asks where a file *is* when it is opened.
//!
//! What it does not stop, on any kernel so far: by way of a leaked directory descriptor, to look at metadata (stat,
//! readlink, access) and to change what the owner of a file may change of it (mode, times, extended attributes); before
//! ABI 9, also to connect to a socket in the file system. Lists of ports do not bind UDP, and a listener that asks for
//! no port gets a random one.

mod grade;

use std::{
    error::Error,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use jail_config::{Landlock, Network};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::errno::Errno;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fstat, openat},
    stdio,
};

use crate::{
    fault::{StepFault, raw},
    plan::{Plan, SecondWall},
    sys,
};

pub(crate) use grade::Standing;
use grade::judge;
pub use grade::{Kernel, Openings, Way};

/// The newest interface whose file rights we ask for: with all of them allowed below the root, a right more closes a
/// way out and no way inside.
const NEWEST: ABI = ABI::V9;

/// Asks the kernel at hand what it has.
#[must_use]
pub fn kernel() -> Kernel {
    match sys::landlock::abi() {
        Ok(abi) => Kernel::Abi(abi),
        Err(Errno::EOPNOTSUPP) => Kernel::NotEnabled,
        Err(_) => Kernel::Nothing,
    }
}

/// Says what of the second wall would stay open in a login by this plan, on the kernel at hand, and restricts nothing.
///
/// # Errors
/// The kernel lacks what the jail must have.
pub fn foresee(plan: &Plan) -> Result<Option<Openings>, StepFault> {
    match plan.landlock() {
        Some(wanted) => judge(wanted, kernel()).map(|standing| standing.open),
        None => Ok(None),
    }
}

/// Restricts this process and all it will start to what is below `/`, for good.
///
/// No mount can be changed after it. no_new_privs must be set, and the process must have one thread. Lists of ports
/// hold only together with [`install_ports`](crate::process::seccomp::install_ports).
///
/// # Errors
/// The kernel lacks what the jail must have, or it has it and refuses.
pub(crate) fn restrict(wanted: SecondWall<'_>) -> Result<Standing, StepFault> {
    if wanted.mode == Landlock::Off {
        return match wanted.network {
            Network::Host | Network::None => Ok(Standing {
                files: false,
                open: None,
            }),
            Network::Ports { .. } => Err(StepFault::Unfit(
                "a list of ports needs landlock".to_owned(),
            )),
        };
    }
    let ports = Ports::from(wanted.network);
    let inherited = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    let status = enforce(&open_root()?, &inherited, &ports)
        .map_err(|error| StepFault::Failed(call(&error), errno(&error)))?;
    let standing = judge(wanted, Kernel::from(status.landlock))?;
    if standing.files && !in_force(&status) {
        return Err(StepFault::Unfit(
            "the Landlock rules did not come into force".to_owned(),
        ));
    }
    Ok(standing)
}

/// The ports of a jail's network, as Landlock's rules want them.
#[derive(Clone, Copy, Debug)]
struct Ports<'a> {
    connect: Option<&'a [u16]>,
    bind: Option<&'a [u16]>,
}

impl<'a> From<&'a Network> for Ports<'a> {
    fn from(network: &'a Network) -> Ports<'a> {
        let (connect, bind) = match network {
            Network::Host | Network::None => (None, None),
            Network::Ports { connect, bind } => (connect.as_deref(), bind.as_deref()),
        };
        Ports { connect, bind }
    }
}

impl Ports<'_> {
    fn lists(&self) -> impl Iterator<Item = (AccessNet, &[u16])> {
        let connect = self.connect.map(|ports| (AccessNet::ConnectTcp, ports));
        let bind = self.bind.map(|ports| (AccessNet::BindTcp, ports));
        connect.into_iter().chain(bind)
    }
}

/// Enforces what the kernel can do of it, and says what that was.
fn enforce(
    root: &OwnedFd,
    inherited: &[BorrowedFd<'_>],
    ports: &Ports<'_>,
) -> Result<RestrictionStatus, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    let mut ruleset = Ruleset::default()
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?;
    for (access, _) in ports.lists() {
        ruleset = ruleset.handle_access(access)?;
    }
    let mut ruleset = ruleset.create()?;
    ruleset = ruleset.add_rule(PathBeneath::new(root, all))?;
    for descriptor in inherited {
        allow_reopening(&mut ruleset, *descriptor)?;
    }
    for (access, list) in ports.lists() {
        for port in list {
            ruleset = ruleset.add_rule(NetPort::new(*port, access))?;
        }
    }
    ruleset.restrict_self()
}

/// Lets /dev/stdin, /dev/stdout and /dev/stderr be opened, as without a jail: the terminal or file that they are came
/// from outside and is not below the root. Each only the way it is open already, so nothing is gained by it.
fn allow_reopening(
    ruleset: &mut RulesetCreated,
    descriptor: BorrowedFd<'_>,
) -> Result<(), RulesetError> {
    let (Ok(stat), Ok(flags)) = (fstat(descriptor), fcntl_getfl(descriptor)) else {
        return Ok(());
    };
    let device = match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => AccessFs::IoctlDev.into(),
        FileType::RegularFile => BitFlags::EMPTY,
        // Pipes and sockets are free to be opened anyway, directories are not accepted as descriptors 0 to 2.
        _ => return Ok(()),
    };
    let reading = AccessFs::ReadFile.into();
    // A file open for appending only may be a log: opened again it could be written over.
    let writing = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if flags.contains(OFlags::APPEND) => BitFlags::EMPTY,
        _ => AccessFs::WriteFile | AccessFs::Truncate,
    };
    let access = device
        | match flags & OFlags::RWMODE {
            OFlags::WRONLY => writing,
            OFlags::RDWR => reading | writing,
            _ => reading,
        };
    if access.is_empty() {
        return Ok(());
    }
    match ruleset.add_rule(PathBeneath::new(descriptor, access)) {
        Ok(_) => Ok(()),
        // A memfd: on no file system that a path could lead to, and free to be opened.
        Err(error) if errno(&error) == Errno::EBADFD => Ok(()),
        Err(error) => Err(error),
    }
}

fn in_force(status: &RestrictionStatus) -> bool {
    status.no_new_privs && status.ruleset != RulesetStatus::NotEnforced
}

fn open_root() -> Result<OwnedFd, StepFault> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, "/", flags, Mode::empty()).map_err(|errno| StepFault::Failed("open /", raw(errno)))
}

/// Names the system call that failed.
fn call(error: &RulesetError) -> &'static str {
    match error {
        RulesetError::CreateRuleset(_) => "landlock_create_ruleset",
        RulesetError::AddRules(_) => "landlock_add_rule",
        RulesetError::RestrictSelf(_) => "landlock_restrict_self",
        _ => "landlock",
    }
}

/// Digs the errno out of the nested errors; EINVAL for one that no system call made.
fn errno(error: &RulesetError) -> Errno {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(number) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Errno::from_raw(number);
        }
        cause = error.source();
    }
    Errno::EINVAL
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::{self, Read, Write},
        net::{Ipv4Addr, TcpListener, TcpStream},
        num::NonZero,
        os::{
            fd::{AsFd, AsRawFd, OwnedFd},
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixListener, UnixStream},
        },
        path::PathBuf,
        process::{self, Command},
        thread,
    };

    use jail_config::{Landlock, Network};
    use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
    use rustix::{
        fs::{CWD, Mode, OFlags, openat},
        mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
        net::{
            AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, connect, sendto,
            socket_with,
        },
        thread::set_no_new_privs,
    };

    use super::{Ports, Standing, enforce, open_root, restrict};
    use crate::{
        fault::StepFault,
        plan::{Processes, SecondWall},
        process::seccomp,
    };

    const ALL: Standing = Standing {
        files: true,
        open: None,
    };

    fn wanted(mode: Landlock, network: &Network) -> SecondWall<'_> {
        SecondWall {
            mode,
            network,
            processes: Some(Processes::Own),
        }
    }

    /// Runs on a thread of its own, which alone is restricted: for good.
    fn in_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        thread::spawn(move || {
            set_no_new_privs(true).unwrap();
            body()
        })
        .join()
        .unwrap()
    }

    fn restricted<T: Send + 'static>(
        network: Network,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        in_thread(move || {
            assert_eq!(restrict(wanted(Landlock::Require, &network)), Ok(ALL));
            body()
        })
    }

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("landlock-{name}-{}", process::id()));
        fs::create_dir(&path).unwrap();
        path
    }

    /// A file system that no path leads to, as a descriptor: what an accomplice outside could send. `None`, with the
    /// reason printed, for who may make none.
    fn outside() -> Option<OwnedFd> {
        let made = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).and_then(|context| {
            fsconfig_create(&context)?;
            fsmount(
                &context,
                FsMountFlags::FSMOUNT_CLOEXEC,
                MountAttrFlags::empty(),
            )
        });
        match made {
            Ok(directory) => {
                let file = openat(
                    &directory,
                    "secret",
                    OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC,
                    Mode::RUSR,
                )
                .unwrap();
                File::from(file).write_all(b"secret").unwrap();
                Some(directory)
            }
            Err(errno) => {
                writeln!(io::stderr(), "skipped: fsopen tmpfs: {errno}").unwrap();
                None
            }
        }
    }

    fn read_secret(directory: &OwnedFd) -> io::Result<String> {
        let file = openat(
            directory,
            "secret",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        io::read_to_string(File::from(file))
    }

    #[test]
    fn opens_nothing_by_a_directory_descriptor_from_outside() {
        let Some(outside) = outside() else { return };
        assert_eq!(read_secret(&outside).unwrap(), "secret");
        let (read, created) = restricted(Network::Host, move || {
            let created = openat(
                &outside,
                "new",
                OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC,
                Mode::RUSR,
            );
            (read_secret(&outside), created.map(drop))
        });
        assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::EACCES));
        assert_eq!(created, Err(rustix::io::Errno::ACCESS));
    }

    /// Tells which of reading, truncating and appending opens a file from outside anew, by way of /proc/self/fd, when
    /// it is inherited and open as `flags` say.
    fn reopened(flags: OFlags) -> Option<[bool; 3]> {
        let outside = outside()?;
        let secret = openat(&outside, "secret", flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
        Some(in_thread(move || {
            let ports = Ports::from(&Network::Host);
            enforce(&open_root().unwrap(), &[secret.as_fd()], &ports).unwrap();
            assert!(read_secret(&outside).is_err() || !flags.contains(OFlags::WRONLY));
            let path = format!("/proc/self/fd/{}", secret.as_raw_fd());
            [
                OFlags::RDONLY,
                OFlags::WRONLY | OFlags::TRUNC,
                OFlags::WRONLY | OFlags::APPEND,
            ]
            .map(|flags| openat(CWD, &path, flags | OFlags::CLOEXEC, Mode::empty()).is_ok())
        }))
    }

    #[test]
    fn an_inherited_file_can_be_opened_again_the_way_it_is_open() {
        let expected = [
            (OFlags::RDONLY, [true, false, false]),
            (OFlags::WRONLY, [false, true, true]),
            (OFlags::RDWR, [true, true, true]),
            (OFlags::WRONLY | OFlags::APPEND, [false, false, false]),
        ];
        for (flags, allowed) in expected {
            let Some(reopened) = reopened(flags) else {
                return;
            };
            assert_eq!(reopened, allowed, "{flags:?}");
        }
    }

    #[test]
    fn work_below_the_root_goes_on_as_before() {
        let top = directory("work");
        let path = top.clone();
        restricted(Network::Host, move || {
            fs::create_dir(path.join("a")).unwrap();
            fs::create_dir(path.join("b")).unwrap();
            fs::write(path.join("a/file"), "long text").unwrap();
            fs::rename(path.join("a/file"), path.join("b/file")).unwrap();
            fs::hard_link(path.join("b/file"), path.join("a/link")).unwrap();
            fs::rename(path.join("a"), path.join("b/a")).unwrap();
            fs::write(path.join("b/file"), "text").unwrap();
            File::options()
                .write(true)
                .open(path.join("b/file"))
                .unwrap()
                .set_len(2)
                .unwrap();
            std::os::unix::fs::symlink("file", path.join("b/symlink")).unwrap();
            drop(UnixListener::bind(path.join("b/socket")).unwrap());
            nix::unistd::mkfifo(&path.join("b/fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
            assert_eq!(fs::read_to_string(path.join("b/a/link")).unwrap(), "te");
            let mut random = [0; 4];
            File::open("/dev/urandom")
                .unwrap()
                .read_exact(&mut random)
                .unwrap();
            fs::remove_dir_all(path.join("b")).unwrap();
            assert!(Command::new("/bin/true").status().unwrap().success());
        });
        fs::remove_dir(top).unwrap();
    }

    #[test]
    fn signals_reach_own_processes_only() {
        let mut stranger = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(stranger.id()).unwrap());
        let (to_stranger, to_own) = restricted(Network::Host, move || {
            let mut own = Command::new("/bin/sleep").arg("60").spawn().unwrap();
            let to_own = own.kill();
            own.wait().unwrap();
            (kill(pid, None), to_own)
        });
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert_eq!(to_stranger, Err(Errno::EPERM));
        assert!(to_own.is_ok());
    }

    #[test]
    fn abstract_sockets_are_those_of_the_session() {
        let name = format!("landlock-{}", process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        assert!(UnixStream::connect_addr(&address).is_ok());
        let (to_stranger, to_own) = restricted(Network::Host, move || {
            let own = SocketAddr::from_abstract_name(format!("{name}-own")).unwrap();
            let _listener = UnixListener::bind_addr(&own).unwrap();
            (
                UnixStream::connect_addr(&address).map(drop),
                UnixStream::connect_addr(&own).map(drop),
            )
        });
        assert_eq!(to_stranger.unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(to_own.is_ok());
    }

    #[test]
    fn lists_of_ports_bind_each_their_own_kind() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connects = move |network| {
            restricted(network, move || {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .map(drop)
                    .map_err(|error| error.raw_os_error())
            })
        };
        let binds = |network| {
            restricted(network, || {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .map(drop)
                    .map_err(|error| error.raw_os_error())
            })
        };
        let ports = |connect: Option<&[u16]>, bind: Option<&[u16]>| Network::Ports {
            connect: connect.map(<[u16]>::to_vec),
            bind: bind.map(<[u16]>::to_vec),
        };
        let refused = Err(Some(libc::EACCES));
        assert_eq!(connects(ports(Some(&[]), None)), refused);
        assert_eq!(connects(ports(Some(&[port]), None)), Ok(()));
        assert_eq!(connects(ports(None, Some(&[]))), Ok(()));
        assert_eq!(binds(ports(None, Some(&[]))), refused);
        assert_eq!(binds(ports(None, Some(&[0]))), Ok(()));
        assert_eq!(binds(ports(Some(&[]), None)), Ok(()));
        assert_eq!(connects(Network::Host), Ok(()));
    }

    #[test]
    fn no_kind_of_tcp_is_a_way_around_a_list_of_ports() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let attempts = move || {
            let socket = |protocol| {
                let protocol = NonZero::new(protocol).map(Protocol::from_raw);
                socket_with(
                    AddressFamily::INET,
                    SocketType::STREAM,
                    SocketFlags::CLOEXEC,
                    protocol,
                )
            };
            let multipath = socket(libc::IPPROTO_MPTCP as u32)
                .and_then(|multipath| connect(&multipath, &address));
            let fast_open = SendFlags::from_bits_retain(libc::MSG_FASTOPEN as u32);
            let fast = socket(0).and_then(|fast| sendto(&fast, b"x", fast_open, &address));
            (multipath, fast.map(drop))
        };
        let network = Network::Ports {
            connect: Some(vec![]),
            bind: None,
        };
        let attempts = move || {
            seccomp::install_ports().unwrap();
            attempts()
        };
        assert_eq!(
            restricted(network, attempts),
            (
                Err(rustix::io::Errno::PROTONOSUPPORT),
                Err(rustix::io::Errno::OPNOTSUPP)
            )
        );
    }

    #[test]
    fn a_kernel_without_landlock_is_refused_and_told_from_one_that_has_it_off() {
        for (answer, says) in [
            (libc::ENOSYS, "this kernel has no Landlock"),
            (libc::EOPNOTSUPP, "not enabled"),
        ] {
            let modes = [Landlock::Require, Landlock::Files, Landlock::BestEffort];
            let [required, files, best_effort] = in_thread(move || {
                seccomp::tests::refuse(libc::SYS_landlock_create_ruleset, answer);
                modes.map(|mode| restrict(wanted(mode, &Network::Host)))
            });
            for refused in [required, files] {
                let Err(StepFault::Unfit(text)) = refused else {
                    panic!("{refused:?}");
                };
                assert!(text.contains(says), "{text}");
            }
            assert!(matches!(
                best_effort,
                Ok(Standing {
                    files: false,
                    open: Some(_)
                })
            ));
        }
    }

    #[test]
    fn a_failing_call_is_named_with_its_errno() {
        let result = in_thread(|| {
            seccomp::tests::refuse(libc::SYS_landlock_restrict_self, libc::E2BIG);
            restrict(wanted(Landlock::BestEffort, &Network::Host))
        });
        assert_eq!(
            result,
            Err(StepFault::Failed("landlock_restrict_self", Errno::E2BIG))
        );
    }

    #[test]
    fn off_restricts_nothing_and_refuses_ports() {
        let ports = Network::Ports {
            connect: None,
            bind: Some(vec![]),
        };
        assert!(matches!(
            restrict(wanted(Landlock::Off, &ports)),
            Err(StepFault::Unfit(_))
        ));
        assert!(restrict(wanted(Landlock::Off, &Network::Host)).is_ok_and(|it| !it.files));
        assert!(openat(CWD, "/", OFlags::PATH, Mode::empty()).is_ok());
    }
}
