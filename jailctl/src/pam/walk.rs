//! The ways through a PAM stack: which lines let a session succeed without pam_jail.so having been asked.
//!
//! A stack is walked as libpam walks it, with everything that each of its modules could return: pam.conf(5), and
//! `_pam_dispatch_aux` of Linux-PAM.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::pam::stack::{Action, Line, RESULTS, Role, pairs};

/// A line that leads past pam_jail.so.
#[derive(Debug)]
pub(crate) struct Skip<'a> {
    pub(crate) line: &'a Line,
    /// What its module returns then: success comes first.
    pub(crate) results: Vec<&'static str>,
    /// Whether it jumps over pam_jail.so, and does not end the stack.
    pub(crate) jumps: bool,
    /// A control that leaves the rest as it is, and leads to pam_jail.so.
    pub(crate) instead: String,
}

/// What the lines so far have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Standing {
    impression: Impression,
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Impression {
    None,
    Good,
    Bad,
}

/// What would be returned to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Success,
    /// A failure after which the program goes on.
    Forgiven,
    Failure,
}

/// A place in a stack, and how it was come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: usize,
    now: Standing,
    /// What there was where each substack began, which `reset` goes back to; for the first level, nothing.
    before: Vec<Standing>,
    /// The line that has led past pam_jail.so, and what it returned for that.
    by: Option<(usize, &'static str)>,
}

/// Finds the lines of a kind that lead past pam_jail.so to a success, or to a failure after which the program goes on all
/// the same.
pub(crate) fn skips<'a>(
    stack: &'a [Line],
    kind: &'a str,
    forgiven: &'a [&'a str],
) -> Vec<Skip<'a>> {
    let walk = Walk::new(stack, kind, forgiven);
    let mut found: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    for (at, result) in walk.all(answers).past {
        found.entry(at).or_default().push(result);
    }
    found
        .into_iter()
        .filter_map(|(at, mut results)| {
            results.sort_by_key(|result| RESULTS.iter().position(|it| it == result));
            let line = walk.rules.get(at)?;
            let jumps = results
                .iter()
                .any(|result| matches!(line.action(result), Action::Jump(_)));
            let instead = walk.instead(at, line, &results);
            Some(Skip {
                line,
                results,
                jumps,
                instead,
            })
        })
        .collect()
}

/// Tells whether pam_jail.so may be asked about uid 0, in a stack whose other modules let root in.
pub(crate) fn asks_about_root(stack: &[Line], kind: &str) -> bool {
    Walk::new(stack, kind, &[]).all(answers_to_root).reached
}

/// Tells whether a session can come to a line that `is_target` chooses, before pam_jail.so. `known` is what a module
/// returns, where that is known.
pub(crate) fn reaches(
    stack: &[Line],
    kind: &str,
    is_target: impl Fn(&Line) -> bool,
    known: impl Fn(&Line) -> Option<&'static str>,
) -> bool {
    let walk = Walk::new(stack, kind, &[]);
    let mut open = vec![State::first()];
    let mut seen = BTreeSet::new();
    while let Some(state) = open.pop() {
        let Some(line) = walk.rules.get(state.at) else {
            continue;
        };
        if !seen.insert(state.clone()) || line.jails(kind) {
            continue;
        }
        if is_target(line) {
            return true;
        }
        if line.role == Role::Substack {
            open.push(state.entering(line.level));
            continue;
        }
        let known = known(line);
        let possible = answers(line)
            .into_iter()
            .filter(|result| known.is_none_or(|known| known == *result));
        open.extend(possible.map(|result| walk.after(&state, line, result)));
    }
    false
}

struct Walk<'a> {
    rules: Vec<&'a Line>,
    kind: &'a str,
    forgiven: &'a [&'a str],
}

/// Where the ways through a stack lead.
#[derive(Default)]
struct Ways {
    /// What has led past pam_jail.so on the ways that come to an end well.
    past: BTreeSet<(usize, &'static str)>,
    /// Whether one leads to pam_jail.so.
    reached: bool,
}

impl<'a> Walk<'a> {
    fn new(stack: &'a [Line], kind: &'a str, forgiven: &'a [&'a str]) -> Walk<'a> {
        Walk {
            rules: stack.iter().filter(|line| line.kind == kind).collect(),
            kind,
            forgiven,
        }
    }
}

impl Walk<'_> {
    /// Goes all ways, where each module returns what `answers` lists.
    fn all(&self, answers: impl Fn(&Line) -> Vec<&'static str>) -> Ways {
        let mut open = vec![State::first()];
        let mut seen = BTreeSet::new();
        let mut ways = Ways::default();
        while let Some(state) = open.pop() {
            if !seen.insert(state.clone()) {
                continue;
            }
            match self.rules.get(state.at) {
                // Its user is in the jail from here on, or in an empty root.
                Some(line) if line.jails(self.kind) => ways.reached = true,
                Some(line) if line.role == Role::Substack => open.push(state.entering(line.level)),
                Some(line) => {
                    let results = answers(line).into_iter();
                    open.extend(results.map(|result| self.after(&state, line, result)));
                }
                None if state.now.goes_on() => ways.past.extend(state.by),
                None => {}
            }
        }
        ways
    }

    /// Does what libpam does where the module of a line returns `result`.
    fn after(&self, state: &State, line: &Line, result: &'static str) -> State {
        let status = match result {
            "success" => Status::Success,
            other if self.forgiven.contains(&other) => Status::Forgiven,
            _ => Status::Failure,
        };
        let action = line.action(result);
        let mut now = state.now;
        let is_good = now.impression == Impression::Good && now.status == Status::Success;
        match action {
            Action::Ok | Action::Done if now.impression == Impression::None || is_good => {
                now = Standing {
                    impression: Impression::Good,
                    status,
                };
            }
            Action::Bad | Action::Die if now.impression != Impression::Bad => {
                now = Standing {
                    impression: Impression::Bad,
                    status,
                };
            }
            Action::Reset => now = state.before.get(line.level).copied().unwrap_or(now),
            _ => {}
        }
        let action = match action {
            // What has failed before goes on to the end.
            Action::Done if now.impression == Impression::Bad => Action::Ignore,
            other => other,
        };
        let next = self.next(state.at, action);
        if next.is_none() {
            now = Standing {
                impression: Impression::Bad,
                status: Status::Failure,
            };
        }
        let next = next.unwrap_or_else(|| self.end(state.at));
        let passed = self.passes(state.at, next).then_some((state.at, result));
        State {
            at: next,
            now,
            before: state.before.clone(),
            by: state.by.or(passed),
        }
    }

    /// Gives the line that is the next after an action; nothing where that is a jump over more than there are.
    fn next(&self, at: usize, action: Action) -> Option<usize> {
        let Action::Jump(lines) = action else {
            let ends = [Action::Done, Action::Die].contains(&action);
            return Some(if ends { self.end(at) } else { at + 1 });
        };
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

    /// Makes the control with which these results lead past pam_jail.so no more.
    fn instead(&self, at: usize, line: &Line, results: &[&'static str]) -> String {
        let passing: Vec<Action> = results.iter().map(|result| line.action(result)).collect();
        let written = line
            .control
            .strip_prefix('[')
            .and_then(|it| pairs(it.strip_suffix(']')?));
        let Some(pairs) = written else {
            let forgiving = passing.contains(&Action::Die);
            return if forgiving { "required" } else { "optional" }.to_owned();
        };
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, action)| match action {
                _ if !passing.contains(&action) => format!("{name}={}", word(action)),
                Action::Done => format!("{name}=ok"),
                Action::Die => format!("{name}=bad"),
                Action::Jump(lines) => {
                    let reaches = |less: &usize| {
                        let next = self.next(at, Action::Jump(*less));
                        next.is_some_and(|next| !self.passes(at, next))
                    };
                    let less = (1..lines).rev().find(reaches);
                    format!("{name}={}", word(less.map_or(Action::Ignore, Action::Jump)))
                }
                other => format!("{name}={}", word(other)),
            })
            .collect();
        format!("[{}]", pairs.join(" "))
    }
}

impl State {
    /// Begins a stack, where nothing has been asked yet.
    fn first() -> State {
        let nothing = Standing {
            impression: Impression::None,
            status: Status::Failure,
        };
        State {
            at: 0,
            now: nothing,
            before: vec![nothing],
            by: None,
        }
    }

    /// Goes into a substack that begins here.
    fn entering(mut self, level: usize) -> State {
        self.at += 1;
        self.before.truncate(level + 1);
        self.before.push(self.now);
        self
    }
}

impl Standing {
    /// Tells whether the program goes on.
    fn goes_on(self) -> bool {
        match self.status {
            Status::Success => self.impression == Impression::Good,
            Status::Forgiven => true,
            Status::Failure => false,
        }
    }
}

/// Lists what the module of a line can return, for a user who is not root.
fn answers(line: &Line) -> Vec<&'static str> {
    if let Some(only) = only_answer(line) {
        return vec![only];
    }
    let fails = line.succeeds_for().others == Some(false);
    let may = |result: &&str| !(fails && *result == SUCCESS);
    RESULTS.into_iter().filter(may).collect()
}

/// Lists what the module of a line returns for root, who is let in by all modules that do not decide by the uid.
fn answers_to_root(line: &Line) -> Vec<&'static str> {
    const FAILURE: &str = "auth_err";
    if let Some(only) = only_answer(line) {
        return vec![only];
    }
    let decides = line.module.ends_with("pam_succeed_if.so");
    match line.succeeds_for().root {
        Some(false) => vec![FAILURE],
        None if decides => vec![SUCCESS, FAILURE],
        _ => vec![SUCCESS],
    }
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

fn word(action: Action) -> String {
    match action {
        Action::Ignore => "ignore".to_owned(),
        Action::Ok => "ok".to_owned(),
        Action::Done => "done".to_owned(),
        Action::Bad => "bad".to_owned(),
        Action::Die => "die".to_owned(),
        Action::Reset => "reset".to_owned(),
        Action::Jump(lines) => lines.to_string(),
    }
}

#[cfg(test)]
mod tests;
