//! What comes out of a running session for the host's log, behind one descriptor to wait for: epoll(7).

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    io::Errno,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create,
        timerfd_settime,
    },
};

use crate::{
    fault::{StepFault, failed},
    log::running::Running,
    session::{
        inside::Inside,
        sftp_log::{Next, SftpLog},
    },
};

/// What the supervisor reads for the log.
#[derive(Debug)]
pub(crate) struct ToLog {
    epoll: OwnedFd,
    inside: Option<Inside>,
    sftp: Option<Sftp>,
}

/// The record of transfers, and when it is read.
#[derive(Debug)]
struct Sftp {
    log: SftpLog,
    timer: OwnedFd,
    is_read: bool,
}

impl ToLog {
    /// Takes the socket that is /dev/log inside, and the other end of the sftp-server's standard error.
    ///
    /// # Errors
    /// epoll_create1(2), epoll_ctl(2) or timerfd_create(2) failed.
    pub(crate) fn new(inside: Option<OwnedFd>, sftp: Option<OwnedFd>) -> Result<ToLog, StepFault> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(failed("epoll_create1"))?;
        let inside = inside.map(Inside::new);
        if let Some(inside) = &inside {
            add(&epoll, inside.socket())?;
        }
        let sftp = sftp.map(|socket| Sftp::new(socket, &epoll)).transpose()?;
        Ok(ToLog {
            epoll,
            inside,
            sftp,
        })
    }

    /// Gives what to wait for.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Passes on what has come. Never waits. Gives the error of a call, after which transfers would go unrecorded: nobody would
    /// read what the server says of them, and it does not mind.
    pub(crate) fn pass_on(&mut self, running: &mut Running<'_>) -> Option<Errno> {
        if let Some(inside) = &mut self.inside {
            inside.pass_on(running);
        }
        match self.sftp.as_mut()?.pass_on(&self.epoll, running) {
            Ok(true) => None,
            Ok(false) => {
                self.sftp = None;
                None
            }
            Err(errno) => Some(errno),
        }
    }

    /// Passes on the last of a session that has ended.
    pub(crate) fn finish(&mut self, running: &mut Running<'_>) {
        if let Some(sftp) = &mut self.sftp {
            sftp.log.finish(running);
        }
        if let Some(inside) = &mut self.inside {
            inside.finish(running);
        }
    }
}

impl Sftp {
    fn new(socket: OwnedFd, epoll: &OwnedFd) -> Result<Sftp, StepFault> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, flags).map_err(failed("timerfd_create"))?;
        add(epoll, timer.as_fd())?;
        let log = SftpLog::new(socket);
        add(epoll, log.socket())?;
        Ok(Sftp {
            log,
            timer,
            is_read: true,
        })
    }

    /// Passes on what has come. Tells whether there may be more.
    fn pass_on(&mut self, epoll: &OwnedFd, running: &mut Running<'_>) -> Result<bool, Errno> {
        let (reads, wakes_in) = match self.log.pass_on(running) {
            Next::Read(longest) => (true, longest),
            Next::Pause(pause) => (false, Some(pause)),
            Next::Ended => return Ok(false),
            Next::Failed(errno) => return Err(errno),
        };
        // One that is not read must not be waited for: that the server is gone is told again and again.
        match (self.is_read, reads) {
            (false, true) => epoll::add(
                epoll,
                self.log.socket(),
                EventData::new_u64(0),
                EventFlags::IN,
            )?,
            (true, false) => epoll::delete(epoll, self.log.socket())?,
            _ => {}
        }
        self.is_read = reads;
        self.wake_in(wakes_in)?;
        Ok(true)
    }

    /// Sets the timer, which also forgets that it has run out.
    fn wake_in(&self, time: Option<Duration>) -> Result<(), Errno> {
        // Zero would stop it.
        let time = time.map_or(Duration::ZERO, |time| time.max(Duration::from_nanos(1)));
        let value = Timespec::try_from(time).unwrap_or_default();
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once).map(drop)
    }
}

fn add(epoll: &OwnedFd, descriptor: BorrowedFd<'_>) -> Result<(), StepFault> {
    let added = epoll::add(epoll, descriptor, EventData::new_u64(0), EventFlags::IN);
    added.map_err(failed("epoll_ctl"))
}
