//! Who logs in, and what the config decides: no more is asked of the name services than that takes, and none may keep a login
//! waiting for good. The directory behind them may be slow, down or stopped: so where one could be, a child asks, and this process
//! keeps the time.
//!
//! An account with a rule of its own name, or exempt by name, depends on no group. If it is one of /etc/passwd, it depends on no
//! directory either.

use std::{
    ffi::OsStr,
    time::{Duration, Instant},
};

use jail_config::Decision;

use crate::{
    account::{
        identity::Identity,
        password::has_expired,
        services::{self, Unanswered},
    },
    channel,
    door::{child::Child, decision::Config, refusal::Refusal},
    fault::StepFault,
    process::start::{DEADLINE, Watchdog},
};

/// The name of this stage in a refusal.
const LOOK_UP: &str = "look-up";

/// How long the names of groups are waited for that nothing depends on.
const NAMES: Duration = Duration::from_secs(5);

/// The look-ups of one login, with the time that they may take together.
#[derive(Debug)]
pub struct Lookups {
    end: Instant,
    in_child: bool,
}

impl Lookups {
    /// For a program of our own, which is killed when its time is over.
    #[must_use]
    pub fn within(watchdog: &Watchdog) -> Lookups {
        Lookups {
            end: Instant::now() + watchdog.left(),
            in_child: services::may_stall(),
        }
    }

    /// For another program's process. `may_fork` tells whether a copy of it can be made safely; otherwise it asks, and waits, itself.
    #[must_use]
    pub fn of_host_program(may_fork: bool) -> Lookups {
        Lookups {
            end: Instant::now() + Duration::from_secs(DEADLINE.into()),
            in_child: may_fork && services::may_stall(),
        }
    }

    /// Looks up the account of the real user ID, with the kernel's groups. `called` is what the login program calls it.
    ///
    /// # Errors
    /// As [`Identity::caller`] and [`Identity::refuse_shared_uid`]; no answer in time.
    pub fn caller(&self, called: &[Option<&OsStr>]) -> Result<Identity, Refusal> {
        self.account("the account", || {
            let identity = Identity::caller()?;
            for name in called {
                identity.refuse_shared_uid(*name)?;
            }
            Ok(identity)
        })
    }

    /// Looks up an account by name, without its groups.
    ///
    /// # Errors
    /// As [`Identity::of_name`]; no answer in time.
    pub fn of_name(&self, name: &OsStr) -> Result<Identity, Refusal> {
        self.account("the account", || Ok(Identity::of_name(name)?))
    }

    /// Tells whether the account's password has expired, as far as shadow(5) says.
    ///
    /// # Errors
    /// No answer in time.
    pub fn has_expired(&self, name: &OsStr) -> Result<bool, Refusal> {
        let answer = self.ask(self.left(), "the age of the password", || {
            Ok(vec![has_expired(name).into()])
        })?;
        Ok(answer != [0])
    }

    /// Decides about the caller. Gives the account back with the groups that it came with, and their names.
    ///
    /// # Errors
    /// As [`Config::decide`]; no answer in time.
    pub fn decide_for_caller(
        &self,
        config: &Config,
        caller: Identity,
    ) -> Result<(Decision, Identity), Refusal> {
        let mut listed = None;
        let decision = config.decide_with(&caller, || self.listed(&caller, &mut listed))?;
        let named = match (listed, caller.unnamed_group) {
            (Some(listed), _) => listed.with_groups_of(&caller),
            (None, None) => caller,
            // Nothing is decided by them any more.
            (None, Some(_)) => {
                let longest = self.left().min(NAMES);
                let names = || Ok(caller.clone().with_names()?.to_bytes());
                let named = self.ask(longest, "names of groups", names);
                let named = named.ok().and_then(|bytes| Identity::from_bytes(&bytes));
                named.unwrap_or(caller)
            }
        };
        Ok((decision, named))
    }

    /// Decides about an account that was looked up by name. Gives it back with the groups that a session has.
    ///
    /// Where nothing depends on them, services are asked for groups only for a session that `is_opened`, and an account of
    /// /etc/passwd does without those that do not answer.
    ///
    /// # Errors
    /// As [`Config::decide`]; no answer in time.
    pub fn decide_for_session(
        &self,
        config: &Config,
        account: Identity,
        is_opened: bool,
    ) -> Result<(Decision, Identity), Refusal> {
        let mut listed = None;
        let decision = config.decide_with(&account, || self.listed(&account, &mut listed))?;
        let identity = match (listed, &decision) {
            (Some(listed), _) => listed,
            (None, Decision::Jail(_)) => {
                let local = account.with_local_groups()?;
                match is_opened {
                    true => self
                        .account("the user's groups", || Ok(account.with_groups()?))
                        .or_else(|refusal| local.ok_or(refusal))?,
                    false => local.unwrap_or(account),
                }
            }
            (None, Decision::Exempt(_) | Decision::Unlisted(_)) => account,
        };
        Ok((decision, identity))
    }

    /// Looks up an account by name with all its groups, for the administrator.
    ///
    /// # Errors
    /// As [`Identity::named`]; no answer in time.
    pub fn named(&self, name: &str) -> Result<Identity, Refusal> {
        self.account("the account", || Ok(Identity::named(name)?))
    }

    /// Gives a service that says that it can't tell the groups of root, which the account database has everywhere.
    ///
    /// # Errors
    /// No answer in time.
    pub fn silent_service(&self) -> Result<Option<Unanswered>, Refusal> {
        let root = self.account("the groups of root", || {
            Ok(Identity::of_name(OsStr::new("root"))?.with_listed_groups()?)
        })?;
        Ok(root.unanswered)
    }

    fn listed(&self, of: &Identity, kept: &mut Option<Identity>) -> Result<Identity, Refusal> {
        let listed = self.account("the user's groups", || Ok(of.with_listed_groups()?))?;
        Ok(kept.insert(listed).clone())
    }

    fn account(
        &self,
        what: &'static str,
        look_up: impl FnOnce() -> Result<Identity, Refusal>,
    ) -> Result<Identity, Refusal> {
        let bytes = self.ask(self.left(), what, || Ok(look_up()?.to_bytes()))?;
        Identity::from_bytes(&bytes).ok_or_else(|| bug("half an account came out of a look-up"))
    }

    /// Asks, in a child where a service may not answer.
    fn ask(
        &self,
        longest: Duration,
        what: &'static str,
        work: impl FnOnce() -> Result<Vec<u8>, Refusal>,
    ) -> Result<Vec<u8>, Refusal> {
        if !self.in_child {
            return work();
        }
        let overdue = || Refusal::Unanswered(what);
        let refuse = |fault| Refusal::Step(LOOK_UP, fault);
        let answer = || channel::pack(LOOK_UP, &work()?).map(Some).map_err(refuse);
        let answer = Child::begin(longest, &[], answer, overdue)?.take_passed();
        let answer = answer.ok_or_else(|| bug("nothing came out of a look-up"))?;
        channel::unpack(answer, u64::MAX).map_err(refuse)
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

fn bug(what: &'static str) -> Refusal {
    Refusal::Step(LOOK_UP, StepFault::Bug(what))
}
