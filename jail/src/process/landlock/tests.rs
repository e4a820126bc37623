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
};

use jail_config::{Landlock, Network};
use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
    net::{
        AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, connect, sendto, socket_with,
    },
};

use super::{Ports, Standing, enforce, open_root, restrict};
use crate::{
    fault::StepFault,
    plan::{
        process::SecondWall,
        world::{Executables, From, Processes},
    },
    process::seccomp::{self, kernel_tests::in_thread},
};

const ALL: Standing = Standing {
    files: true,
    open: None,
};

fn wanted(mode: Landlock, network: &Network) -> SecondWall<'_> {
    SecondWall {
        executables: None,
        mode,
        network,
        processes: Some(Processes::Own),
    }
}

fn restricted<T: Send + 'static>(network: Network, body: impl FnOnce() -> T + Send + 'static) -> T {
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
        enforce(&open_root().unwrap(), None, &[secret.as_fd()], &ports).unwrap();
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
        let multipath =
            socket(libc::IPPROTO_MPTCP as u32).and_then(|multipath| connect(&multipath, &address));
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
            seccomp::kernel_tests::refuse(libc::SYS_landlock_create_ruleset, answer);
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
        seccomp::kernel_tests::refuse(libc::SYS_landlock_restrict_self, libc::E2BIG);
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

#[test]
fn with_a_list_of_programs_nothing_else_can_be_executed() {
    let list = Executables {
        from: From::View,
        programs: vec![
            vec!["/nowhere/env".into(), "/usr/bin/env".into()],
            vec!["/nowhere/else".into()],
        ],
    };
    let runs = in_thread(move || {
        let wanted = SecondWall {
            executables: Some(&list),
            ..wanted(Landlock::Files, &Network::Host)
        };
        assert!(restrict(wanted).unwrap().files);
        // `Command` with a file that can't be executed fails by itself.
        ["/usr/bin/env", "/usr/bin/id"].map(|program| {
            let run = Command::new(program).output();
            run.map(|run| run.status.success())
                .map_err(|error| error.raw_os_error())
        })
    });
    assert_eq!(runs, [Ok(true), Err(Some(libc::EACCES))]);
}
