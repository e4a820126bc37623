//! Worlds that several logins of a user share: where each listens for the next login.
//!
//! The sockets are in a directory that root alone can reach, bound and listened on by root before privileges are given up. No pid
//! is kept. A world that has ended leaves its socket behind, on which nobody listens; the next one takes its place.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, fcntl_setfl, openat, unlinkat},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
        socket_with,
    },
    process::umask,
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    lock,
    sys::net::peer_of,
    world::run,
};

const WORLDS: &str = "worlds";
const DIRECTORY: &str = "/run/login-jail/worlds";

/// How many logins may wait for a world to look at them.
const WAITING: i32 = 64;

/// The place of one world.
#[derive(Debug)]
pub(crate) struct Place {
    directory: OwnedFd,
    uid: u32,
    digest: u64,
}

/// The right to make the world of a place: others wait meanwhile. It ends with this value.
#[derive(Debug)]
#[must_use = "others may make the same world once this is dropped"]
pub(crate) struct Claim {
    _locked: OwnedFd,
}

impl Place {
    /// Finds the place of a user's world.
    ///
    /// # Errors
    /// The directory can't be made, or others than root can get into it.
    pub(crate) fn of(uid: u32, digest: u64) -> Result<Place, StepFault> {
        Ok(Place {
            directory: run::directory(WORLDS)?,
            uid,
            digest,
        })
    }

    /// Connects to the world, and gives the pid of its init; nothing where nobody listens, or its queue is full.
    ///
    /// # Errors
    /// A call that failed; or it was not root who began to listen there.
    pub(crate) fn connect(&self) -> Result<Option<(OwnedFd, i32)>, StepFault> {
        connect_to(&self.path(self.digest))
    }

    /// Claims the right to make the world; nothing where another login has it at the moment.
    ///
    /// # Errors
    /// The file of locks can't be opened or locked.
    pub(crate) fn claim(&self) -> Result<Option<Claim>, StepFault> {
        let file = self.locks()?;
        let free = lock::take(&file, byte(self.digest), 1)?;
        Ok(free.then_some(Claim { _locked: file }))
    }

    /// Makes a socket at the place, on which nobody listens yet. What was there before is gone, and so are the user's sockets on
    /// which nobody will ever listen again.
    ///
    /// # Errors
    /// A call that failed.
    pub(crate) fn bind(&self, _claim: &Claim) -> Result<OwnedFd, StepFault> {
        self.sweep()?;
        let path = self.path(self.digest);
        self.remove(&self.name(self.digest))?;
        let socket = new_socket()?;
        let address = SocketAddrUnix::new(path.as_str()).map_err(failed("bind"))?;
        let before = umask(Mode::RWXG | Mode::RWXO);
        let bound = bind(&socket, &address);
        umask(before);
        bound.map_err(failed("bind"))?;
        Ok(socket)
    }

    /// Removes the sockets of the user's worlds that have ended.
    fn sweep(&self) -> Result<(), StepFault> {
        let locks = self.locks()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(&self.directory, ".", flags, Mode::empty())
            .map_err(failed("open /run/login-jail/worlds"))?;
        let entries = Dir::new(readable).map_err(failed("read /run/login-jail/worlds"))?;
        for entry in entries {
            let entry = entry.map_err(failed("read /run/login-jail/worlds"))?;
            let name = entry.file_name().to_str().unwrap_or_default();
            let Some(digest) = self.digest_of(name).filter(|it| *it != self.digest) else {
                continue;
            };
            // One that is being made is bound, and not listened on yet.
            if lock::held(&locks, byte(digest), 1)?.is_none()
                && connect_to(&self.path(digest))?.is_none()
            {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StepFault> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed("unlink in /run/login-jail/worlds")(errno)),
        }
    }

    fn locks(&self) -> Result<OwnedFd, StepFault> {
        run::file(
            &self.directory,
            DIRECTORY,
            &self.uid.to_string(),
            "open the user's file of worlds",
        )
    }

    fn name(&self, digest: u64) -> String {
        format!("{}.{digest:016x}", self.uid)
    }

    fn digest_of(&self, name: &str) -> Option<u64> {
        let (uid, digest) = name.split_once('.')?;
        let digest = u64::from_str_radix(digest, 16).ok()?;
        (uid == self.uid.to_string()).then_some(digest)
    }

    fn path(&self, digest: u64) -> String {
        format!("{DIRECTORY}/{}", self.name(digest))
    }
}

/// Begins to listen, while root still: a login that connects sees by whom.
///
/// # Errors
/// listen(2) failed.
pub(crate) fn begin_to_listen(socket: &OwnedFd) -> Result<(), StepFault> {
    listen(socket, WAITING).map_err(failed("listen"))
}

/// Takes a login that has connected; nothing where none has, or it is not root's.
pub(crate) fn accept(socket: &OwnedFd) -> Option<OwnedFd> {
    let connected = accept_with(socket, SocketFlags::CLOEXEC).ok()?;
    let (_, uid) = peer_of(&connected).ok()?;
    (uid == 0).then_some(connected)
}

fn connect_to(path: &str) -> Result<Option<(OwnedFd, i32)>, StepFault> {
    let socket = new_socket()?;
    let address = SocketAddrUnix::new(path).map_err(failed("connect"))?;
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN) => return Ok(None),
        Err(errno) => return Err(failed("connect")(errno)),
    }
    let (pid, uid) = peer_of(&socket).map_err(failed("getsockopt SO_PEERCRED"))?;
    expect_in_force("the world of root's making", uid == 0)?;
    // What comes is waited for with a limit.
    fcntl_setfl(&socket, OFlags::RDWR).map_err(failed("fcntl F_SETFL"))?;
    Ok(Some((socket, pid)))
}

fn new_socket() -> Result<OwnedFd, StepFault> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(failed("socket"))
}

/// The byte of the user's file of locks that stands for a world.
fn byte(digest: u64) -> u64 {
    digest >> 2
}
