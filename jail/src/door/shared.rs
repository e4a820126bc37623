//! A login to a world that the user's other logins share, as the process has it that was called: it finds the world or makes it,
//! hands over what the session gets, and becomes the session's supervisor.
//!
//! ```text
//! supervisor   of each login: has root's ids until the program of its session is found
//! init         of the world: see `arriving`
//!   keeper     of each session
//!     main
//! ```
//!
//! Of logins that come at once to a world that is not there, one makes it, and the others wait for that. One that has waited for
//! long makes a world of its own, which no other login joins: a login never waits for what another one stands in.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::unistd::Pid;
use rustix::stdio::{stderr, stdin, stdout};

use crate::{
    channel,
    code::Code,
    door::{
        arriving::{WANTS_NO_SFTP, World},
        child::Child,
        enter::Login,
        look::make_and_look,
        phases::{Outcome, begin_recording, explained, shown_terminal},
        refusal::Refusal,
        until,
        user::drop_privileges,
    },
    fault::{StepFault, errno_of},
    log::running::Running,
    plan::{sharing::digest, steps::Step},
    process::{
        cgroup::{self, kills::spare_this_process},
        landlock,
        program::ProgramFault,
        start::{Inherited, Watchdog},
    },
    served,
    session::{
        arrival::{Arrival, Head},
        joining::Answer,
        link::{Link, Ready, Split, split_outside},
        standard::SetAside,
        supervisor::{self, Within, ended_without_report, give_up_on},
        to_log::ToLog,
    },
    world::{
        keep::{Claim, Place},
        terminal::show_in_world,
    },
};

/// How long a login waits for another one that makes the same world, and how often it looks.
const MAKING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// How long a world may take to say that it has a login.
const WORD: Duration = Duration::from_secs(3);

/// A session that stands, and waits for its supervisor.
struct Standing {
    link: Link,
    root: (u64, u64),
    log: Option<OwnedFd>,
}

impl Login {
    /// Finds or makes the world, and follows the session to its end.
    pub(super) fn share_world(
        self,
        inherited: &Inherited,
        watchdog: Watchdog,
        running: &mut Running<'_>,
    ) -> Result<Outcome, Refusal> {
        let step = Step::ShareWorld(&self.view);
        let refuse = Refusal::at(step);
        let words = self.plan.world_in_words();
        let place = Place::of(self.plan.process.ids.uid, digest(&words)).map_err(refuse)?;
        let claim = match self.find(&place, &words, inherited, &watchdog)? {
            Found::Session(standing) => {
                drop(place);
                return self.supervise(standing, watchdog, running);
            }
            Found::Nothing(claim) => claim,
        };
        let standard = SetAside::copy().map_err(refuse)?;
        let listener = claim.as_ref().map(|claim| place.bind(claim));
        let listener = listener.transpose().map_err(refuse)?;
        drop(place);
        let split = split_outside(self.plan.process.ids.uid);
        match split.map_err(Refusal::at(Step::PidNamespace))? {
            Split::Before(init, link) => {
                drop(listener);
                if let Some(failed) = self.wait_for_world(init, &link, standard, &watchdog)? {
                    return Ok(failed);
                }
                drop(claim);
                let standing = self
                    .begin(link, String::new(), inherited, &watchdog)
                    .inspect_err(|_| give_up_on(init))?;
                let Some(standing) = standing else {
                    give_up_on(init);
                    return Err(refuse(StepFault::PeerGone("the world's init")));
                };
                self.supervise(standing, watchdog, running)
            }
            Split::After(link) => {
                // The supervisor's: a timer is not inherited.
                watchdog.forget();
                drop(claim);
                let Login {
                    plan,
                    view,
                    terminal,
                    outside,
                    slot,
                } = self;
                drop((terminal, outside, slot));
                let close = until::close(view.until)?;
                let world = World {
                    plan,
                    view,
                    link,
                    standard,
                    listener,
                    close,
                };
                world.build(running)
            }
        }
    }

    /// Joins the world if there is one that is made of the same. Otherwise it gives the right to make it, or nothing where another
    /// login has that and does not come to an end.
    fn find(
        &self,
        place: &Place,
        words: &str,
        inherited: &Inherited,
        watchdog: &Watchdog,
    ) -> Result<Found, Refusal> {
        let refuse = Refusal::at(Step::ShareWorld(&self.view));
        let end = Instant::now() + MAKING;
        // By its pid, the world that was tried already.
        let mut tried = None;
        loop {
            let connected = place.connect().map_err(refuse)?;
            if let Some((socket, init)) = connected.filter(|(_, init)| Some(*init) != tried) {
                let made_of = format!("{words} {}", self.look(watchdog)?);
                let link = Link::of(socket).map_err(refuse)?;
                if let Some(standing) = self.begin(link, made_of, inherited, watchdog)? {
                    return Ok(Found::Session(standing));
                }
                tried = Some(init);
            }
            if let Some(claim) = place.claim().map_err(refuse)? {
                // Another login may have made it since.
                match place.connect().map_err(refuse)? {
                    Some((_, init)) if Some(init) != tried => continue,
                    Some(_) | None => return Ok(Found::Nothing(Some(claim))),
                }
            }
            if Instant::now() >= end {
                return Ok(Found::Nothing(None));
            }
            sleep(PAUSE);
        }
    }

    /// Looks at what the host gives, as every login does, and says which files it is. Where somebody else would have to answer for
    /// it, a child asks, and this process keeps the time.
    fn look(&self, watchdog: &Watchdog) -> Result<String, Refusal> {
        let refuse = Refusal::at(Step::ShareWorld(&self.view));
        let made_of = || make_and_look(&self.plan)?.0.in_words().map_err(refuse);
        let stalls = served::any_may_stall()
            .map_err(|errno| refuse(StepFault::Failed("read /proc/self/mountinfo", errno)))?;
        if stalls {
            let file = Child::run_for(watchdog.left(), &self.plan, &[], || {
                channel::pack("look", made_of()?.as_bytes())
                    .map(Some)
                    .map_err(refuse)
            })?
            .take_passed()
            .ok_or_else(|| refuse(StepFault::Bug("nothing came out of the look")))?;
            let text = channel::unpack(file, u64::MAX).map_err(refuse)?;
            String::from_utf8(text)
                .map_err(|_| refuse(StepFault::Bug("half a text came out of the look")))
        } else {
            made_of()
        }
    }

    /// Hands the session over to a world, and waits until its program is found; nothing where the world is another one, or does not
    /// answer.
    fn begin(
        &self,
        link: Link,
        made_of: String,
        inherited: &Inherited,
        watchdog: &Watchdog,
    ) -> Result<Option<Standing>, Refusal> {
        let refuse = Refusal::at(Step::ShareWorld(&self.view));
        if !link
            .wait_for_word(WORD.min(watchdog.left()))
            .map_err(refuse)?
        {
            return Ok(None);
        }
        let word = self.terminal.in_a_word();
        let file = Arrival::of(&self.plan, made_of, inherited)
            .and_then(|arrival| arrival.write())
            .map_err(refuse)?;
        let cgroup = cgroup::open_own_procs().map_err(refuse)?;
        let mut kinds = "0120".to_owned();
        let mut passed = vec![stdin(), stdout(), stderr(), file.as_fd()];
        let rest = [
            ('t', self.terminal.relayed()),
            ('c', cgroup.as_ref().map(AsFd::as_fd)),
        ];
        for (kind, fd) in rest {
            if let Some(fd) = fd {
                kinds.push(kind);
                passed.push(fd);
            }
        }
        let head = Head::of(&kinds, &word, inherited).map_err(refuse)?.encode();
        self.terminal.give_up().map_err(refuse)?;
        match channel::send_with(link.socket(), head.as_bytes(), &passed).map_err(errno_of) {
            Ok(_) => {}
            // It has ended meanwhile.
            Err(nix::errno::Errno::EPIPE | nix::errno::Errno::ECONNRESET) => return Ok(None),
            Err(errno) => return Err(refuse(StepFault::Failed("sendmsg to the world", errno))),
        }
        drop(file);
        match link
            .wait_for_answer(WORD, watchdog.left())
            .map_err(refuse)?
        {
            Answer::Ready { root, log, mounts } => {
                self.show_terminal(mounts, watchdog)?;
                Ok(Some(Standing { link, root, log }))
            }
            Answer::Refused(code, more, reason) => Err(refusal(code, more, &reason)),
            Answer::NotThis => Ok(None),
            Answer::Gone => Err(refuse(StepFault::PeerGone("the keeper of the session"))),
            Answer::Overdue => Err(Refusal::Overdue(self.plan.world.looked_at())),
        }
    }

    /// Gives the session's terminal a name in the world, so that tty(1) has one for it. A child enters it for that.
    fn show_terminal(&self, world: Option<OwnedFd>, watchdog: &Watchdog) -> Result<(), Refusal> {
        let shown = shown_terminal(&self.view, &self.terminal).map_err(explained)?;
        let (Some(shown), Some(world)) = (shown, world) else {
            return Ok(());
        };
        let refuse = Refusal::at(Step::ShareWorld(&self.view));
        let kept = [shown.as_raw_fd(), world.as_raw_fd()];
        let show = || show_in_world(&world, &shown).map_err(refuse);
        Child::run_for(watchdog.left(), &self.plan, &kept, || show().map(|()| None)).map(drop)
    }

    /// Waits until the world stands that a child makes. Gives an outcome where it never will.
    fn wait_for_world(
        &self,
        init: Pid,
        link: &Link,
        standard: SetAside,
        watchdog: &Watchdog,
    ) -> Result<Option<Outcome>, Refusal> {
        let refuse = Refusal::at(Step::PidNamespace);
        let ready = link
            .wait_until_ready(watchdog.left())
            .inspect_err(|_| give_up_on(init))
            .map_err(refuse)?;
        match ready {
            Ready::Yes { .. } => Ok(None),
            // Init was refused, and has said why.
            Ready::Gone => {
                drop_privileges(&self.plan)?;
                let ended = ended_without_report(Within::Init(init)).map_err(refuse)?;
                Ok(Some(Outcome::Refused(ended)))
            }
            Ready::Overdue => {
                give_up_on(init);
                standard.let_go();
                Err(Refusal::Overdue(self.plan.world.looked_at()))
            }
        }
    }

    /// Gives every privilege up, lets the session begin, and follows it to its end.
    fn supervise(
        self,
        standing: Standing,
        watchdog: Watchdog,
        running: &mut Running<'_>,
    ) -> Result<Outcome, Refusal> {
        let Login {
            plan,
            view,
            terminal,
            mut outside,
            slot: _until_the_session_ends,
        } = self;
        let refuse = Refusal::at(Step::ShareWorld(&view));
        drop(terminal);
        let Standing { link, root, log } = standing;
        if let Some(limits) = &plan.process.account {
            spare_this_process().map_err(Refusal::at(Step::Cgroup(limits)))?;
        }
        running.session.root_file = Some(root);
        begin_recording(&plan, &mut outside, running)?;
        running.enter()?;
        let missing = landlock::foresee(&plan);
        if let Some(missing) = missing.map_err(|fault| Refusal::Step("landlock", fault))? {
            running.weakened(&missing.to_string());
        }
        drop_privileges(&plan)?;
        watchdog.disarm().map_err(refuse)?;
        let to_log = ToLog::new(log, None).map_err(refuse)?;
        supervisor::supervise(Within::Keeper, link, outside, to_log, running)
            .map(Outcome::Supervisor)
            .map_err(refuse)
    }
}

/// What came of the search for a world.
enum Found {
    /// One has the session.
    Session(Standing),
    /// There is none to join; and the right to make it, unless another login has that.
    Nothing(Option<Claim>),
}

/// Makes the refusal that a keeper has told.
fn refusal(code: u8, more: u8, reason: &[u8]) -> Refusal {
    if more == WANTS_NO_SFTP {
        return ProgramFault::SftpNotWanted.into();
    }
    let code = Code::of_status(code).unwrap_or(Code::Step);
    Refusal::OfChild(code, String::from_utf8_lossy(reason).into_owned())
}
