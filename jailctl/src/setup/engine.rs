//! Makes the changes of a set-up, and takes them back.

use std::path::Path;

use super::{
    change::Change,
    directory::{Directory, leave_to_root},
    journal::{self, About, Journal},
};
use crate::failure::Failure;

/// Makes changes, each after it was written down, and gives the id of the journal.
///
/// # Errors
/// A change could not be made. Those before it are made, and the journal can take them back.
pub(crate) fn carry_out(about: About, changes: &[Change]) -> Result<u32, Failure> {
    let journal = Journal::begin(about)?;
    for (number, change) in changes.iter().enumerate() {
        let made = journal.note(number, change).and_then(|()| change.apply());
        made.map_err(|failure| stopped(&failure, number, journal.id))?;
    }
    let complete = journal.complete();
    complete.map_err(|failure| stopped(&failure, changes.len(), journal.id))?;
    Ok(journal.id)
}

/// Makes one change more of a set-up that is made, after it was written down. `make` may leave a part of it out.
///
/// # Errors
/// It could not be written down, and is not made.
pub(crate) fn add_to<T>(id: u32, change: &Change, make: impl FnOnce() -> T) -> Result<T, Failure> {
    let journal = find(Some(id))?;
    journal.note(journal.changes()?.0.len(), change)?;
    Ok(make())
}

fn stopped(failure: &Failure, made: usize, id: u32) -> Failure {
    Failure::Failed(format!(
        "{failure}; set-up {id} has stopped after {made} of its changes; to take these back, run: jailctl undo {id}"
    ))
}

/// Refuses to begin while a set-up has stopped half-way: what it has left would look like the host's own.
pub(crate) fn refuse_stopped() -> Result<(), Failure> {
    match journal::all()?.into_iter().find(|it| !it.is_complete) {
        None => Ok(()),
        Some(journal) => Err(Failure::Failed(format!(
            "nothing was changed, because set-up {0} has stopped half-way; take it back first: jailctl undo {0}",
            journal.id
        ))),
    }
}

/// What came of an undo.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What was done, or would be.
    pub(crate) did: Vec<String>,
    /// What stays, and why.
    pub(crate) kept: Vec<String>,
}

/// What becomes of a set-up some of whose changes can't be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The journal stays, and the same command tries again.
    Stays,
    /// They stay as they are, and the journal goes.
    IsLeft,
}

/// Takes a set-up back, the last change first. One that can't be taken back does not keep the others from it.
pub(crate) fn undo(journal: Journal, rest: Rest) -> Result<Report, Failure> {
    let (changes, damaged) = journal.changes()?;
    if let (Some(damaged), Rest::Stays) = (damaged.first(), rest) {
        return Err(Failure::Failed(format!(
            "nothing was changed, because {damaged}; to take back the others, and leave what it has changed as it is, run: \
             jailctl undo {} --force",
            journal.id
        )));
    }
    changes.iter().try_for_each(Change::can_be_undone)?;
    let (mut report, mut failures) = (Report::default(), damaged);
    let mut kept: Vec<&Path> = Vec::new();
    for change in changes.iter().rev() {
        match change.undo() {
            Ok(undone) => {
                report.did.extend(undone.did);
                let directory = change.directory().filter(|_| !undone.kept.is_empty());
                // Those above a directory that stays have to stay, too.
                let is_above = |it: &Path| kept.iter().any(|below| below.starts_with(it));
                if !directory.is_some_and(is_above) {
                    report.kept.extend(undone.kept);
                }
                kept.extend(directory);
            }
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    for path in changes.iter().flat_map(Change::directories) {
        match leave_to_root(path) {
            Ok(true) => report
                .did
                .push(format!("{}: root's from now on", path.display())),
            Ok(false) => {}
            // As one that can't be removed: it does not keep the set-up from being taken back.
            Err(failure) => report.kept.push(failure.to_string()),
        }
    }
    if failures.is_empty() || rest == Rest::IsLeft {
        report.kept.extend(failures);
        hand_on(journal.id, &changes)?;
        journal.remove()?;
        return Ok(report);
    }
    Err(Failure::Failed(format!(
        "set-up {0} is taken back but for this; then run: jailctl undo {0} (or with --force, which leaves this as it is)\n{1}",
        journal.id,
        failures.join("\n")
    )))
}

/// Makes the journals of later set-ups what they would be if this one had never been: what it had put into files is not what was
/// there before them, and directories that stay for them go with them. It can be done again.
fn hand_on(id: u32, changes: &[Change]) -> Result<(), Failure> {
    for later in journal::all()?.iter().filter(|it| it.id > id) {
        let (theirs, _) = later.changes()?;
        let is_for_them = |it: &&Path| {
            it.symlink_metadata().is_ok() && theirs.iter().any(|change| change.is_below(it))
        };
        let made = changes.iter().flat_map(Change::directories);
        let left: Vec<&Path> = made.filter(is_for_them).collect();
        if !left.is_empty() {
            let of_root = |it: &&Path| Change::Directory(Directory::of_root(it));
            later.inherit(left.iter().map(of_root).collect())?;
        }
        for own in changes.iter().rev() {
            let Change::File(own) = own else { continue };
            later.revise(|written| {
                if written.path != own.path {
                    return Ok(None);
                }
                // Where it can't be taken out, the later one puts back what was there before it.
                let new = own.taken_out_of(written).ok();
                Ok(new.filter(|it| it != written))
            })?;
        }
    }
    Ok(())
}

/// Says what an undo would do.
pub(crate) fn show_undo(journal: &Journal) -> Result<Report, Failure> {
    let mut report = Report::default();
    let (changes, damaged) = journal.changes()?;
    for change in changes.iter().rev() {
        report.did.extend(change.show_undo()?);
    }
    report.kept = damaged;
    Ok(report)
}

/// Finds the set-up to be taken back: the one with this id, or the last.
pub(crate) fn find(id: Option<u32>) -> Result<Journal, Failure> {
    let mut all = journal::all()?;
    let at = match id {
        None => all.len().checked_sub(1),
        Some(id) => all.iter().position(|it| it.id == id),
    };
    let Some(at) = at else {
        return Err(Failure::Failed(match id {
            None => "there is no set-up to take back".to_owned(),
            Some(id) => format!("there is no set-up {id}; jailctl undo --list lists them"),
        }));
    };
    let group = all.get(at).map(|it| it.about.group.clone());
    let later = all.iter().skip(at + 1);
    let mut later = later.filter(|it| Some(&it.about.group) == group.as_ref());
    if let Some(later) = later.next_back() {
        return Err(Failure::Failed(format!(
            "set-up {0} is for the same group and came later; take it back first: jailctl undo {0}",
            later.id
        )));
    }
    Ok(all.swap_remove(at))
}
