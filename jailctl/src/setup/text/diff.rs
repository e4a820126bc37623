//! The difference between two texts, line by line: shown to an administrator, and taken back from a third text that has
//! been changed since.

use std::collections::{BTreeMap, BTreeSet};

/// How many lines around a change are shown.
const CONTEXT: usize = 2;

/// The most comparisons of lines. Texts that take more are shown as replaced from their first difference to their last.
const MOST: usize = 16_000_000;

/// One line on the way from an old text to a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Both(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// Gives the way from an old text to a new one, with as few changed lines as there can be.
pub(crate) fn steps<'a>(old: &'a str, new: &'a str) -> Vec<Step<'a>> {
    let mut old: Vec<&str> = old.split_inclusive('\n').collect();
    let mut new: Vec<&str> = new.split_inclusive('\n').collect();
    let equal = |one: &&str, other: &&str| one == other;
    let pairs = old.iter().zip(&new);
    let head = pairs.take_while(|(one, other)| equal(one, other)).count();
    let (mut old_end, mut new_end) = (old.split_off(head), new.split_off(head));
    let pairs = old_end.iter().rev().zip(new_end.iter().rev());
    let tail = pairs.take_while(|(one, other)| equal(one, other)).count();
    let end = old_end.split_off(old_end.len() - tail);
    new_end.truncate(new_end.len() - tail);
    let mut steps: Vec<Step> = old.into_iter().map(Step::Both).collect();
    steps.extend(between(&old_end, &new_end));
    steps.extend(end.into_iter().map(Step::Both));
    steps
}

/// Goes by the longest common sequence of lines.
fn between<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Step<'a>> {
    if old.len().saturating_mul(new.len()) > MOST {
        let old = old.iter().copied().map(Step::Old);
        return old.chain(new.iter().copied().map(Step::New)).collect();
    }
    // The longest for the last lines of each: `rows[k][l]` is for k lines of the old and l lines of the new text.
    let mut rows = vec![vec![0_u32; new.len() + 1]];
    let at = |row: Option<&Vec<u32>>, l: usize| row.and_then(|row| row.get(l)).copied();
    for line in old.iter().rev() {
        let below = rows.last();
        let mut row = vec![0];
        for (l, other) in new.iter().rev().enumerate() {
            let longest = if line == other {
                at(below, l).unwrap_or(0) + 1
            } else {
                at(below, l + 1).max(row.last().copied()).unwrap_or(0)
            };
            row.push(longest);
        }
        rows.push(row);
    }
    let mut steps = Vec::new();
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let (k, l) = (olds.len(), news.len());
        let by_old = k.checked_sub(1).and_then(|k| at(rows.get(k), l));
        let by_new = l.checked_sub(1).and_then(|l| at(rows.get(k), l));
        match (olds.peek(), news.peek()) {
            (None, None) => return steps,
            (Some(one), Some(other)) if one == other => {
                steps.extend(olds.next().map(|line| Step::Both(line)));
                news.next();
            }
            (Some(_), None) => steps.extend(olds.next().map(|line| Step::Old(line))),
            (Some(_), Some(_)) if by_old >= by_new => {
                steps.extend(olds.next().map(|line| Step::Old(line)));
            }
            (_, Some(_)) => steps.extend(news.next().map(|line| Step::New(line))),
        }
    }
}

/// Shows a difference as diff(1) does with `-u`: what goes, what comes, and some lines around both.
pub(crate) fn shown(old: &str, new: &str) -> Vec<String> {
    let steps = steps(old, new);
    let changed = |at: usize| !matches!(steps.get(at), Some(Step::Both(_)) | None);
    let is_near = |at: usize| (at.saturating_sub(CONTEXT)..=at + CONTEXT).any(changed);
    let (mut lines, mut number, mut gap) = (Vec::new(), 1, true);
    for (at, step) in steps.iter().enumerate() {
        let (sign, line) = match step {
            Step::Both(line) => (' ', line),
            Step::Old(line) => ('-', line),
            Step::New(line) => ('+', line),
        };
        if is_near(at) {
            if gap {
                lines.push(format!("@@ line {number} @@"));
            }
            lines.push(format!("{sign}{}", line.trim_end_matches('\n')));
        }
        gap = !is_near(at);
        if sign != '+' {
            number += 1;
        }
    }
    lines
}

/// Takes a change back in a text that has been changed since: what came goes, as far as it is still there, and what went
/// comes again, where all that took its place is still there.
pub(crate) fn taken_back(before: &str, after: &str, now: &str) -> String {
    let places = places(after, now);
    let place = |at: usize| places.get(at).copied().flatten();
    let mut gone = BTreeSet::new();
    let mut again: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for Hunk { went, came } in hunks(before, after) {
        let there: Vec<Option<usize>> = came.clone().map(place).collect();
        gone.extend(there.iter().copied().flatten());
        if went.is_empty() || there.iter().any(Option::is_none) {
            continue;
        }
        let behind = (0..came.start).rev().find_map(place).map_or(0, |it| it + 1);
        let at = there.first().copied().flatten().unwrap_or(behind);
        again.entry(at).or_default().extend(went);
    }
    let mut text = String::new();
    let lines: Vec<&str> = now.split_inclusive('\n').collect();
    for at in 0..=lines.len() {
        text.extend(again.remove(&at).unwrap_or_default());
        if !gone.contains(&at) {
            text.push_str(lines.get(at).copied().unwrap_or_default());
        }
    }
    text
}

/// Lines that went, and which lines of the new text came in their place.
struct Hunk<'a> {
    went: Vec<&'a str>,
    came: std::ops::Range<usize>,
}

fn hunks<'a>(before: &'a str, after: &'a str) -> Vec<Hunk<'a>> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut at, mut open) = (0, false);
    for step in steps(before, after) {
        if let Step::Both(_) = step {
            (at, open) = (at + 1, false);
            continue;
        }
        if !open {
            open = true;
            hunks.push(Hunk {
                went: Vec::new(),
                came: at..at,
            });
        }
        let Some(hunk) = hunks.last_mut() else {
            continue;
        };
        match step {
            Step::Old(line) => hunk.went.push(line),
            _ => {
                at += 1;
                hunk.came.end = at;
            }
        }
    }
    hunks
}

/// Gives, for each line of a text, where it is in another.
fn places(text: &str, other: &str) -> Vec<Option<usize>> {
    let (mut places, mut at) = (Vec::new(), 0);
    for step in steps(text, other) {
        match step {
            Step::Both(_) => {
                places.push(Some(at));
                at += 1;
            }
            Step::Old(_) => places.push(None),
            Step::New(_) => at += 1,
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::{Step, shown, steps, taken_back};

    #[test]
    fn the_way_leads_from_the_old_to_the_new_text() {
        for (old, new) in [
            ("", "a\n"),
            ("a\n", ""),
            ("a\nb\nc\n", "a\nx\nc\n"),
            ("a\nb\nc\nd\n", "b\nd\ne\n"),
            ("a\na\nb\n", "a\nb\nb\n"),
            ("a", "a\n"),
        ] {
            let way = steps(old, new);
            let side = |is_old: bool| -> String {
                let line = |step: &Step| match *step {
                    Step::Both(line) => line.to_owned(),
                    Step::Old(line) if is_old => line.to_owned(),
                    Step::New(line) if !is_old => line.to_owned(),
                    _ => String::new(),
                };
                way.iter().map(line).collect()
            };
            assert_eq!((side(true), side(false)), (old.to_owned(), new.to_owned()));
        }
        let kept = steps("a\nb\nc\nd\n", "b\nd\ne\n");
        let kept = kept.iter().filter(|it| matches!(it, Step::Both(_)));
        assert_eq!(kept.count(), 2);
    }

    #[test]
    fn a_difference_is_shown_with_the_lines_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let lines = shown(old, &old.replace("5\n", "five\n"));
        let expected = ["@@ line 3 @@", " 3", " 4", "-5", "+five", " 6", " 7"];
        assert_eq!(lines, expected);
        assert!(shown(old, old).is_empty());
    }

    #[test]
    fn own_lines_go_and_those_of_others_stay() {
        for (before, after, now, expected) in [
            // Added, and something came before and behind.
            ("a\n", "a\nours\n", "x\na\nours\ny\n", "x\na\ny\n"),
            // One of two is gone already.
            ("a\n", "a\no1\no2\n", "a\no2\nb\n", "a\nb\n"),
            // Taken out, and it comes again where it was.
            ("a\nold\nb\n", "a\nb\n", "a\nx\nb\n", "a\nold\nx\nb\n"),
            // Replaced, and replaced again by somebody else, who is right.
            ("old\nb\n", "new\nb\n", "newer\nb\n", "newer\nb\n"),
            ("old\nb\n", "new\nb\n", "new\nb\nc\n", "old\nb\nc\n"),
            ("", "ours\n", "theirs\n", "theirs\n"),
        ] {
            assert_eq!(taken_back(before, after, now), expected, "{now}");
        }
    }
}
