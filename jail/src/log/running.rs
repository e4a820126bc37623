//! A session as the log follows it, from where it goes in to its end. The supervisor has it for all of that time.

use std::time::Instant;

use jail_config::Record;
use nix::errno::Errno;

use super::{
    event::{Event, Moved, Session, Whose},
    record::Unrecorded,
    sink::Log,
};
use crate::{
    code::Code,
    plan::Plan,
    process::{cgroup::kills::Kills, ended::Ended},
};

/// A session that runs without a supervisor.
#[derive(Debug)]
pub struct Kept {
    session: Session,
    wanted: Record,
    begun: Instant,
    kills: Option<Kills>,
}

/// A session, and where its events go.
#[derive(Debug)]
pub struct Running<'a> {
    log: &'a mut Log,
    /// What the config says of the record.
    wanted: Record,
    /// What is known of it.
    pub session: Session,
    begun: Instant,
    /// What it has moved by SFTP until now.
    pub moved: Moved,
    /// What counts its processes that run out of memory, where that is limited.
    pub kills: Option<Kills>,
}

impl<'a> Running<'a> {
    /// Begins to follow the session of a plan.
    #[must_use]
    pub fn new(log: &'a mut Log, plan: &Plan) -> Running<'a> {
        log.jail.clone_from(&plan.jail);
        Running {
            log,
            wanted: plan.process.record,
            session: Session::of(plan),
            begun: Instant::now(),
            moved: Moved::default(),
            kills: None,
        }
    }

    /// Goes on to follow a session that was kept, behind PAM.
    #[must_use]
    pub fn resume(log: &'a mut Log, kept: Kept) -> Running<'a> {
        let Kept {
            session,
            wanted,
            begun,
            kills,
        } = kept;
        Running {
            log,
            wanted,
            session,
            begun,
            moved: Moved::default(),
            kills,
        }
    }

    /// Gives what is to be kept of it until its end.
    #[must_use]
    pub fn keep(self) -> Kept {
        Kept {
            session: self.session,
            wanted: self.wanted,
            begun: self.begun,
            kills: self.kills,
        }
    }

    /// Gives where events go.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.log
    }

    /// Gives whose its events are.
    #[must_use]
    pub fn whose(&self) -> Whose<'_> {
        Whose {
            id: &self.log.call.id,
            user: &self.session.user,
            uid: self.session.uid,
            jail: &self.session.jail,
        }
    }

    /// Opens the record of sessions, before anything is entered.
    ///
    /// # Errors
    /// It can't be had, and the config insists on it.
    pub fn begin(&mut self) -> Result<(), Unrecorded> {
        let opened = self.log.open_record(self.wanted);
        self.allow(opened)
    }

    /// Logs, counts and records that it goes in.
    ///
    /// # Errors
    /// It can't be recorded, and the config insists on that.
    pub fn enter(&self) -> Result<(), Unrecorded> {
        let event = Event::Enter(&self.log.call, &self.session);
        let recorded = self.log.record(&event);
        self.allow(recorded)?;
        self.log.count(&event);
        self.log.send(&event);
        Ok(())
    }

    /// Lets a session go on that can't be recorded, unless the config insists; the log says so.
    fn allow(&self, recorded: Result<(), Unrecorded>) -> Result<(), Unrecorded> {
        let Err(why) = recorded else { return Ok(()) };
        if self.wanted.insists {
            return Err(why);
        }
        self.unrecorded(&why);
        Ok(())
    }

    fn unrecorded(&self, why: &Unrecorded) {
        self.log.send(&Event::Unrecorded {
            user: Some(&self.session.user),
            uid: self.session.uid,
            reason: why.to_string(),
        });
    }

    /// Logs that it goes in without walls that the config only wants best-effort.
    pub fn weakened(&self, missing: &str) {
        self.log.send(&Event::Weakened {
            missing,
            user: Some(&self.session.user),
            uid: self.session.uid,
        });
    }

    /// Logs that it is cut short, and why.
    pub fn cut(&self, reason: &str) {
        self.log.send(&Event::Cut {
            whose: self.whose(),
            reason,
        });
    }

    /// Logs that its program was found, and could not be started.
    pub(crate) fn not_started(&self, errno: Errno) {
        self.log.send(&Event::Refused {
            call: Some(&self.log.call),
            code: Code::Exec,
            user: Some(&self.session.user),
            uid: self.session.uid,
            reason: format!("execve: {}", errno.desc()),
        });
    }

    /// Logs and records how its main process has ended. Others of it may linger.
    pub fn leave(&self, ended: Option<Ended>) {
        let event = Event::Leave {
            call: &self.log.call,
            session: &self.session,
            ended,
            lasted: self.begun.elapsed(),
            moved: self.moved,
            out_of_memory: self.kills.as_ref().and_then(Kills::count),
        };
        if let Err(why) = self.log.record(&event) {
            self.unrecorded(&why);
        }
        self.log.send(&event);
    }

    /// Connects to the log anew, where its daemon is gone: another may have taken its place.
    pub(crate) fn reconnect(&mut self) {
        self.log.reopen();
    }

    /// Lets go of what leads to the host: for init, which stays inside and has nothing to say.
    pub(crate) fn let_go(&mut self) {
        self.log.close();
        self.kills = None;
    }
}
