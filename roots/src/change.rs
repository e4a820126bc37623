//! What building a root anew changes of what it was asked for before: said, so that nothing goes unnoticed.

use serde::Serialize;

use crate::manifest::{Method, Recipe};

/// What a root that was built before keeps, and what it loses.
#[derive(Debug, Default, Serialize)]
pub struct Change {
    /// What was asked for before, is not named now, and stays.
    pub kept: Kept,
    /// The presets and programs that were asked for before and are not any more.
    pub dropped: Vec<String>,
    /// How files came in before, where they come in another way now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_before: Option<Method>,
}

/// What a recipe keeps of the one before.
#[derive(Debug, Default, Serialize)]
pub struct Kept {
    /// Presets.
    pub with: Vec<String>,
    /// Programs.
    pub programs: Vec<String>,
    /// Accounts.
    pub users: Vec<String>,
}

impl Change {
    /// Compares what a root was asked for, what is named now, and what it is asked for from now on.
    #[must_use]
    pub fn of(before: Option<&Recipe>, named: &Recipe, now: &Recipe) -> Change {
        let Some(before) = before else {
            return Change::default();
        };
        let without = |these: &[String], others: &[String]| -> Vec<String> {
            let left = these.iter().filter(|name| !others.contains(name));
            left.cloned().collect()
        };
        let kept = |now: &[String], named: &[String], before: &[String]| {
            let mut kept = without(now, named);
            kept.retain(|name| before.contains(name));
            kept
        };
        let mut dropped = without(&before.with, &now.with);
        dropped.extend(without(&before.programs, &now.programs));
        Change {
            kept: Kept {
                with: kept(&now.with, &named.with, &before.with),
                programs: kept(&now.programs, &named.programs, &before.programs),
                users: kept(&now.users, &named.users, &before.users),
            },
            dropped,
            method_before: Some(before.method).filter(|before| *before != now.method),
        }
    }

    /// Says it, a line for each.
    #[must_use]
    pub fn lines(&self, method: Method) -> Vec<String> {
        let Kept {
            with,
            programs,
            users,
        } = &self.kept;
        let mut kept = vec![[&with[..], programs].concat().join(", ")];
        if !users.is_empty() {
            kept.push(format!("the accounts {}", users.join(", ")));
        }
        kept.retain(|part| !part.is_empty());
        let mut lines = Vec::new();
        if !kept.is_empty() {
            lines.push(format!("kept from before: {}", kept.join("; ")));
        }
        if !self.dropped.is_empty() {
            lines.push(format!("gone: {}", self.dropped.join(", ")));
        }
        if let Some(before) = self.method_before {
            lines.push(format!(
                "all files {} from now on, and not {} as before",
                how(method),
                how(before)
            ));
        }
        lines
    }
}

/// Says how files come in.
fn how(method: Method) -> &'static str {
    match method {
        Method::Copy => "copied",
        Method::Hardlink => "hard-linked",
        Method::Reflink => "reflinked",
    }
}
