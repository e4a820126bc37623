//! The ways through a PAM stack: which lines let a session succeed without pam_jail.so having been asked.
//!
//! Walking stays, because looking at each control alone would report the stock stacks of Debian and Fedora, which have
//! jumps and `sufficient` lines that never pass pam_jail.so. The walk goes each way that libpam may take, and some more:
//! whether an earlier module has succeeded is not looked at, so that a stack may be reported that lets nobody in, and never
//! the other way round. See pam.conf(5).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::pam::stack::{Action, Line, RESULTS, Role};

/// A line that leads past pam_jail.so.
#[derive(Debug)]
pub(crate) struct Skip<'a> {
    pub(crate) line: &'a Line,
    /// What its module returns then: success comes first.
    pub(crate) results: Vec<&'static str>,
    /// Whether it jumps over pam_jail.so, and does not end the stack.
    pub(crate) jumps: bool,
    /// A control with which it leads to pam_jail.so.
    pub(crate) instead: &'static str,
}

/// A place in a stack, and how the walk came there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: usize,
    /// Whether the stack fails in the end.
    failed: bool,
    /// The line that has led past pam_jail.so, and what its module returned for that.
    by: Option<(usize, &'static str)>,
}

/// Finds the lines of a kind that lead past pam_jail.so. `forgives` says that the program goes on after a failure.
pub(crate) fn skips<'a>(stack: &'a [Line], kind: &'a str, forgives: bool) -> Vec<Skip<'a>> {
    let walk = Walk::new(stack, kind, forgives);
    let mut found: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    for (at, result) in walk.past(answers, |_| {}) {
        found.entry(at).or_default().push(result);
    }
    found
        .into_iter()
        .filter_map(|(at, mut results)| {
            results.sort_by_key(|result| RESULTS.iter().position(|it| it == result));
            let line = walk.rules.get(at)?;
            let is_jump = |result: &&str| matches!(line.action(result), Action::Jump(_));
            let may_fail = |result: &&str| matches!(line.action(result), Action::Bad | Action::Die);
            Some(Skip {
                line,
                jumps: results.iter().any(is_jump),
                instead: if RESULTS.iter().any(may_fail) {
                    "required"
                } else {
                    "optional"
                },
                results,
            })
        })
        .collect()
}

/// Tells whether pam_jail.so may be asked about uid 0, in a stack whose other modules let root in.
pub(crate) fn asks_about_root(stack: &[Line], kind: &str) -> bool {
    let mut asks = false;
    let walk = Walk::new(stack, kind, false);
    walk.past(answers_to_root, |line| asks |= line.jails(kind));
    asks
}

/// Tells whether a session can come to a line that `is_target` chooses, before pam_jail.so. `known` is what a module
/// returns, where that is known.
pub(crate) fn reaches(
    stack: &[Line],
    kind: &str,
    is_target: impl Fn(&Line) -> bool,
    known: impl Fn(&Line) -> Option<&'static str>,
) -> bool {
    let mut reaches = false;
    let possible = |line: &Line| known(line).map_or_else(|| answers(line), |known| vec![known]);
    let walk = Walk::new(stack, kind, false);
    walk.past(possible, |line| {
        reaches |= is_target(line) && !line.jails(kind);
    });
    reaches
}

struct Walk<'a> {
    rules: Vec<&'a Line>,
    kind: &'a str,
    forgives: bool,
}

impl<'a> Walk<'a> {
    fn new(stack: &'a [Line], kind: &'a str, forgives: bool) -> Walk<'a> {
        Walk {
            rules: stack.iter().filter(|line| line.kind == kind).collect(),
            kind,
            forgives,
        }
    }

    /// Goes all ways, where each module returns what `answers` lists, and shows `visit` each line on them. Gives what has
    /// led past pam_jail.so on the ways that may end well.
    fn past(
        &self,
        answers: impl Fn(&Line) -> Vec<&'static str>,
        mut visit: impl FnMut(&Line),
    ) -> BTreeSet<(usize, &'static str)> {
        let mut open = vec![State {
            at: 0,
            failed: false,
            by: None,
        }];
        let mut seen = BTreeSet::new();
        let mut past = BTreeSet::new();
        while let Some(state) = open.pop() {
            if !seen.insert(state) {
                continue;
            }
            let Some(line) = self.rules.get(state.at) else {
                past.extend(state.by.filter(|_| self.forgives || !state.failed));
                continue;
            };
            visit(line);
            match line.role {
                // The user is in the jail from here on, or in an empty root.
                _ if line.jails(self.kind) => {}
                Role::Substack => open.push(State {
                    at: state.at + 1,
                    ..state
                }),
                Role::Module | Role::Broken => {
                    let results = answers(line).into_iter();
                    open.extend(results.flat_map(|result| self.after(state, line, result)));
                }
            }
        }
        past
    }

    /// Gives where the stack may go on after the module of a line has returned `result`.
    fn after(&self, state: State, line: &Line, result: &'static str) -> Vec<State> {
        let at = state.at;
        let action = line.action(result);
        let next = match action {
            Action::Jump(lines) => self.behind(at, lines),
            Action::Die => Some(self.end(at)),
            Action::Done if !state.failed => Some(self.end(at)),
            // After a failure, `done` goes on as well.
            _ => Some(at + 1),
        };
        let fails = match action {
            Action::Bad | Action::Die => true,
            Action::Done => ![SUCCESS, "ignore"].contains(&result),
            _ => next.is_none(),
        };
        let next = next.unwrap_or_else(|| self.end(at));
        let passed = self.passes(at, next).then_some((at, result));
        let mut states = vec![State {
            at: next,
            failed: state.failed || fails,
            by: state.by.or(passed),
        }];
        if action == Action::Reset {
            // It forgets what has failed in its substack, and nothing before that: here both.
            states.extend(states.first().map(|state| State {
                failed: false,
                ..*state
            }));
        }
        states
    }

    /// Gives the line behind a jump, in which a substack counts as one; nothing where that is over more than there are.
    fn behind(&self, at: usize, lines: usize) -> Option<usize> {
        let mut next = at + 1;
        for _ in 0..lines {
            self.level(next)
                .filter(|level| *level >= self.level_of(at))?;
            next += 1;
            while self
                .level(next)
                .is_some_and(|level| level > self.level_of(at))
            {
                next += 1;
            }
        }
        Some(next)
    }

    /// Gives the first line that is no more in the substack of this one.
    fn end(&self, at: usize) -> usize {
        let outside = |next: &usize| {
            self.level(*next)
                .is_none_or(|level| level < self.level_of(at))
        };
        (at + 1..).find(outside).unwrap_or(self.rules.len())
    }

    fn level(&self, at: usize) -> Option<usize> {
        self.rules.get(at).map(|line| line.level)
    }

    fn level_of(&self, at: usize) -> usize {
        self.level(at).unwrap_or_default()
    }

    /// Tells whether pam_jail.so is between two lines.
    fn passes(&self, at: usize, next: usize) -> bool {
        let between = self.rules.get(at + 1..next).unwrap_or_default();
        between.iter().any(|line| line.jails(self.kind))
    }
}

/// Lists what the module of a line can return, for a user who is not root.
fn answers(line: &Line) -> Vec<&'static str> {
    if let Some(only) = only_answer(line) {
        return vec![only];
    }
    let fails = line.is_for_root_alone();
    let may = |result: &&str| !(fails && *result == SUCCESS);
    RESULTS.into_iter().filter(may).collect()
}

/// Lists what the module of a line returns for root, who is let in by all modules that do not decide by the account.
fn answers_to_root(line: &Line) -> Vec<&'static str> {
    const FAILURE: &str = "auth_err";
    if let Some(only) = only_answer(line) {
        return vec![only];
    }
    let decides = line.module.ends_with("pam_succeed_if.so");
    let has_one_condition = line.conditions().is_some_and(|words| words.len() == 3);
    if decides && !(has_one_condition && line.is_for_root_alone()) {
        return vec![SUCCESS, FAILURE];
    }
    vec![SUCCESS]
}

const SUCCESS: &str = "success";

/// Gives the one result of a line that always has the same.
fn only_answer(line: &Line) -> Option<&'static str> {
    let module = Path::new(&line.module)
        .file_name()
        .and_then(|name| name.to_str());
    match module {
        _ if line.role == Role::Broken => Some("perm_denied"),
        Some("pam_permit.so") => Some(SUCCESS),
        Some("pam_deny.so") if line.kind == "session" => Some("session_err"),
        Some("pam_deny.so") => Some("auth_err"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
