//! A session as the log follows it, from where it goes in to its end. The supervisor has it for all of that time.

use std::time::Instant;

use super::{
    event::{Event, Moved, Session, Whose},
    sink::Log,
};
use crate::{plan::Plan, process::ended::Ended};

/// A session, and where its events go.
#[derive(Debug)]
pub struct Running<'a> {
    log: &'a mut Log,
    /// What is known of it.
    pub session: Session,
    begun: Instant,
    /// What it has moved by SFTP until now.
    pub moved: Moved,
}

impl<'a> Running<'a> {
    /// Begins to follow the session of a plan.
    #[must_use]
    pub fn new(log: &'a mut Log, plan: &Plan) -> Running<'a> {
        Running {
            log,
            session: Session::of(plan),
            begun: Instant::now(),
            moved: Moved::default(),
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

    /// Logs that it goes in.
    pub fn enter(&self) {
        self.log.send(&Event::Enter(&self.log.call, &self.session));
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

    /// Logs how its main process has ended. Others of it may linger.
    pub fn leave(&self, ended: Option<Ended>) {
        self.log.send(&Event::Leave {
            call: &self.log.call,
            session: &self.session,
            ended,
            lasted: self.begun.elapsed(),
            moved: self.moved,
        });
    }

    /// Connects to the log anew, where its daemon is gone: another may have taken its place.
    pub(crate) fn reconnect(&mut self) {
        self.log.reopen();
    }

    /// Lets go of what leads to the host: for init, which stays inside and has nothing to say.
    pub(crate) fn let_go(&mut self) {
        self.log.close();
    }
}
