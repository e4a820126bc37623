//! A world that the logins of a user share, from inside: how its init builds it, and how a keeper lets a login arrive.
//!
//! Each main process is forked from init, which has the ids and stands behind the walls already: so all of them have one Landlock
//! domain, and signals and abstract sockets lead from one session to another. What a login takes of its steps is what concerns it
//! alone: terminal, limits, mask, home and program.

use std::os::fd::{AsFd, OwnedFd};

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::{
    door::{
        entered::{Entered, find_program},
        phases::{Built, Outcome, build_world, explained},
        refusal::Refusal,
        user::{drop_privileges, take_of_user},
        walls::stand_behind,
    },
    fault::{StepFault, failed},
    log::running::Running,
    plan::{Plan, process::HandOver, steps::Step, world::View},
    process::{
        cgroup, limits,
        name::name_keeper,
        start::{Inherited, Watchdog},
    },
    session::{
        arrival::Arrival,
        close::Close,
        keeper::{Brought, Init, keep, lead_session},
        link::{Link, Split, split_inside},
        standard::SetAside,
        terminal::Inside,
    },
    sys::signal::rt_sigprocmask,
    world::keep::begin_to_listen,
};

/// The names of two steps in a refusal.
const SHARE: &str = "share-world";
const INIT: &str = "init";

/// What a refusal says besides: the client wants something else than SFTP of an account that has nothing else.
pub(super) const WANTS_NO_SFTP: u8 = 1;

/// What init has, before there is a world.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) view: View,
    pub(super) link: Link,
    pub(super) standard: SetAside,
    /// Where further logins will connect; nothing where the world is that of one login.
    pub(super) listener: Option<OwnedFd>,
    pub(super) close: Option<Close>,
}

impl World {
    /// Looks, builds the world, stands behind its walls, and lets logins in. Returns in init and in main processes.
    pub(super) fn build(self, running: &mut Running<'_>) -> Result<Outcome, Refusal> {
        let World {
            plan,
            view,
            mut link,
            standard,
            listener,
            close,
        } = self;
        let refuse = Refusal::at(Step::PidNamespace);
        link.let_go_of_standard().map_err(refuse)?;
        limits::raise();
        let built = build_world(&plan, &view, None, &mut link).map_err(explained);
        // From here on nothing waits for a file system, and who is refused is told so.
        standard.take_back().map_err(refuse)?;
        let Built {
            outside,
            log,
            made_of,
            mounts,
        } = built?;
        // Of the walls the supervisor of each login says what is missing.
        stand_behind(&plan, outside)?;
        let refuse = Refusal::at(Step::Init(&view));
        lead_session().map_err(refuse)?;
        listener
            .iter()
            .try_for_each(begin_to_listen)
            .map_err(refuse)?;
        drop_privileges(&plan)?;
        let init = Init::new(listener, (log, mounts), view.linger, close).map_err(refuse)?;
        link.say_ready(None).map_err(refuse)?;
        running.let_go();
        link.let_go_of_standard().map_err(refuse)?;
        let root_file = link.root_file;
        let own = format!("{} {made_of}", plan.world_in_words());
        let Some(login) = init.let_in(link.into_socket()).map_err(refuse)? else {
            return Ok(Outcome::Init);
        };
        let mut link = Link::inside(login.connection).map_err(refuse)?;
        link.root_file = root_file;
        link.say_word();
        let Some(brought) = Brought::receive(&link) else {
            return Ok(Outcome::Init);
        };
        let own = (!login.is_first).then_some(own);
        let_arrive(plan, own, brought, link, (login.log, login.mounts)).map_err(refuse)?
    }
}

/// Forks the main process of a login off, and keeps it. Returns in the keeper when the session has ended, and in the main process
/// before its program begins. Why a login is refused is told to its supervisor, and to nobody else. `own` is what the world is made
/// of, where the login has not made it.
fn let_arrive(
    plan: Plan,
    own: Option<String>,
    brought: Brought,
    link: Link,
    (log, mounts): (Option<OwnedFd>, Option<OwnedFd>),
) -> Result<Result<Outcome, Refusal>, StepFault> {
    let Brought {
        supervisor,
        processes,
        arrival,
        standard,
        terminal,
        cgroup,
    } = brought;
    let told = link.another()?;
    let inherited = Inherited {
        limits: vec![processes],
    };
    let prepared = name_keeper(supervisor)
        .and_then(|()| take_standard(standard))
        .and_then(|()| cgroup.map_or(Ok(()), cgroup::enter))
        .map_err(|fault| Refusal::Step(SHARE, fault))
        .and_then(|()| {
            limits::set_processes(&plan.process.limits, &inherited)
                .map_err(Refusal::at(Step::Limits(&plan.process.limits)))
        })
        .and_then(|()| split_inside(link, &terminal).map_err(|fault| Refusal::Step(INIT, fault)));
    match prepared {
        Err(refusal) => refuse(&told, &refusal),
        Ok(Split::Before(main, link)) => {
            drop((told, log, mounts, arrival));
            link.let_go_of_standard()?;
            keep(main, link, terminal.for_init())?;
        }
        Ok(Split::After(link)) => match arrive(plan, own, arrival, terminal, &told) {
            Err(refusal) => refuse(&told, &refusal),
            Ok(None) => {}
            Ok(Some(mut entered)) => {
                log.iter().try_for_each(|log| link.hand_over_log(log))?;
                link.say_ready(mounts.as_ref().map(AsFd::as_fd))?;
                // Nothing of the user's runs before the supervisor has given up what it has.
                link.wait_for_init()?;
                entered.supervisor = Some(told);
                return Ok(Ok(Outcome::Inside(entered)));
            }
        },
    }
    Ok(Ok(Outcome::Init))
}

/// Takes the steps of the main process that init has not taken for all; none where the login is for another world.
fn arrive(
    mut plan: Plan,
    own: Option<String>,
    arrival: OwnedFd,
    terminal: Inside,
    told: &Link,
) -> Result<Option<Box<Entered>>, Refusal> {
    let Some(arrival) = Arrival::read(arrival) else {
        return Ok(None);
    };
    let is_this = own.is_none_or(|own| own == arrival.world);
    told.accept(is_this);
    if !is_this {
        return Ok(None);
    }
    let mut inherited = Inherited {
        limits: arrival.limits,
    };
    plan.process.hand_over = HandOver::Shell(arrival.request);
    plan.process.umask = arrival.umask;
    plan.process.home = arrival.home;
    plan.process.environment = arrival.environment;
    let watchdog = rt_sigprocmask(0)
        .map_err(failed("rt_sigprocmask"))
        .and_then(|()| Watchdog::arm())
        .map_err(|fault| Refusal::Step(INIT, fault))?;
    terminal.hand_over().map_err(Refusal::at(Step::Terminal))?;
    let step = Step::Limits(&plan.process.limits);
    let late = limits::lower_to_own(&mut inherited.limits)
        .and_then(|()| limits::set(&plan.process.limits, &inherited))
        .map_err(Refusal::at(step))?;
    take_of_user(Step::Gid(plan.process.ids.gid))?;
    take_of_user(Step::Verify(&plan.process.ids))?;
    watchdog
        .disarm()
        .map_err(Refusal::at(Step::Verify(&plan.process.ids)))?;
    find_program(plan, late, None).map(Some)
}

/// Tells the supervisor why its login is refused.
fn refuse(told: &Link, refusal: &Refusal) {
    let more = match refusal.is_for_want_of_sftp() {
        true => WANTS_NO_SFTP,
        false => 0,
    };
    told.refuse(refusal.code().status(), more, &refusal.to_string());
}

/// Makes the descriptors that a login has brought the standard ones.
fn take_standard([input, output, errors]: [OwnedFd; 3]) -> Result<(), StepFault> {
    dup2_stdin(input)
        .and_then(|()| dup2_stdout(output))
        .and_then(|()| dup2_stderr(errors))
        .map_err(failed("dup2 of the standard descriptors"))
}
