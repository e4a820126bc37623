//! Reads what the probes write: a [`Report`] from inside a jail, the calls of a recorded login, the runs of a sweep.
//!
//! It starts nothing itself: where a probe runs is the sandbox's business.

use std::fmt;

use crate::Sandbox;

/// Gives the path of a compiled probe.
#[must_use]
pub fn probe(name: &str) -> String {
    format!("{}/{name}", env!("PROBES"))
}

/// Installs a probe where every user of the sandbox may run it, and gives its path: the repository may lie where only
/// root gets to.
///
/// # Panics
/// It can't be installed.
#[must_use]
pub fn install_probe(sandbox: &Sandbox, name: &str) -> String {
    let path = format!("/usr/local/bin/{name}");
    sandbox.must(&format!("install -m 755 {} {path}", probe(name)));
    path
}

/// What the probe `report` saw where it ran. `Display` is the text it wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    text: String,
}

impl Report {
    /// Keys that differ between two logins in the same jail.
    const VOLATILE: [&str; 4] = ["pid", "parent", "keyring", "world"];

    /// Finds the report in the output of a login; `None` when `report` did not run to its end.
    #[must_use]
    pub fn parse(output: &str) -> Option<Report> {
        output.lines().any(|line| line == "RAN").then(|| Report {
            text: output.to_owned(),
        })
    }

    /// Gives the value of a key, empty when the report has none.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.pairs()
            .find_map(|(found, value)| (found == key).then_some(value))
            .unwrap_or_default()
    }

    /// Gives every value of a key that may stand several times.
    #[must_use]
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.pairs()
            .filter_map(|(found, value)| (found == key).then_some(value))
            .collect()
    }

    /// Gives every key that begins with `prefix`.
    #[must_use]
    pub fn keys(&self, prefix: &str) -> Vec<&str> {
        self.pairs()
            .map(|(key, _)| key)
            .filter(|key| key.starts_with(prefix))
            .collect()
    }

    /// Lists what is different in `other`, one line each, apart from keys that begin with one of `except` and from
    /// process numbers.
    #[must_use]
    pub fn differences(&self, other: &Report, except: &[&str]) -> Vec<String> {
        let kept = |key: &str| {
            !Report::VOLATILE.contains(&key) && !except.iter().any(|prefix| key.starts_with(prefix))
        };
        let one_way = |mark: &str, from: &Report, to: &Report| -> Vec<String> {
            from.pairs()
                .filter(|pair| kept(pair.0) && !to.pairs().any(|candidate| candidate == *pair))
                .map(|(key, value)| format!("{mark} {key}={value}"))
                .collect()
        };
        let mut found = one_way("-", self, other);
        found.extend(one_way("+", other, self));
        found
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().filter_map(|line| line.split_once('='))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One system call of a recorded login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which process made it: counted from 1, in the order in which they came.
    pub process: usize,
    /// Which of that process's calls it is, from 1.
    pub position: usize,
    /// The number of the system call.
    pub number: i64,
    /// Its path, where it has one.
    pub path: String,
    /// Its arguments, hexadecimal.
    pub arguments: String,
}

impl Call {
    /// Reads the list that `inject … record` writes to descriptor 9.
    #[must_use]
    pub fn parse_list(text: &str) -> Vec<Call> {
        text.lines().filter_map(Call::parse).collect()
    }

    /// Gives the lower 32 bits of an argument, counted from 0.
    #[must_use]
    pub fn argument(&self, number: &str) -> Option<u32> {
        let text = self.arguments.split(',').nth(number.parse().ok()?)?;
        let value = u64::from_str_radix(text, 16).ok()?;
        u32::try_from(value & u64::from(u32::MAX)).ok()
    }

    fn parse(line: &str) -> Option<Call> {
        let (place, rest) = line.split_once(" nr=")?;
        let (process, position) = place.split_once('.')?;
        let (number, rest) = rest.split_once(" args=")?;
        let (arguments, path) = rest.split_once(" path=")?;
        Some(Call {
            process: process.parse().ok()?,
            position: position.parse().ok()?,
            number: number.parse().ok()?,
            path: path.to_owned(),
            arguments: arguments.to_owned(),
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// Not at all.
    Hang,
}

impl End {
    fn parse(text: &str) -> Option<End> {
        let (how, value) = text.split_once(':')?;
        match how {
            "exit" => Some(End::Exit(value.parse().ok()?)),
            "signal" => Some(End::Signal(value.parse().ok()?)),
            "timeout" => Some(End::Hang),
            _ => None,
        }
    }

    /// Reads every `end=` line in the output of the probe `hostile`.
    #[must_use]
    pub fn parse_list(output: &str) -> Vec<End> {
        output
            .lines()
            .filter_map(|line| End::parse(line.strip_prefix("end=")?))
            .collect()
    }
}

/// One login of a sweep: one call was made to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which process, as [`Call`] counts them; 0 in a run that was to go unharmed.
    pub process: usize,
    /// Which of that process's calls, from 1.
    pub position: usize,
    /// The errno it got; -1 when the process was killed there, -2 when it was lied to, 0 when the login had no such call and is unharmed.
    pub error: i32,
    /// The number of the system call.
    pub number: i64,
    /// How the login ended.
    pub end: End,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Run {
    /// Reads the output of `inject … sweep`.
    #[must_use]
    pub fn parse_list(text: &str) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("@ ") {
                runs.extend(Run::parse_head(head));
            } else if let Some(run) = runs.last_mut() {
                run.push(line);
            }
        }
        runs
    }

    fn parse_head(head: &str) -> Option<Run> {
        let value = |key: &str| head.split(' ').find_map(|word| word.strip_prefix(key));
        Some(Run {
            process: value("p=")?.parse().ok()?,
            position: value("k=")?.parse().ok()?,
            error: value("error=")?.parse().ok()?,
            number: value("nr=")?.parse().ok()?,
            end: End::parse(value("end=")?)?,
            stdout: String::new(),
            stderr: String::new(),
        })
    }

    fn push(&mut self, line: &str) {
        let (to, text) = match line.strip_prefix('>') {
            Some(text) => (&mut self.stdout, text),
            None => (&mut self.stderr, line.strip_prefix('!').unwrap_or(line)),
        };
        to.push_str(text);
        to.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, End, Report, Run};

    #[test]
    fn a_report_cut_short_is_none() {
        assert_eq!(Report::parse("uid=1 1 1 1\n"), None);
    }

    #[test]
    fn differences_go_both_ways_and_pass_over_process_numbers() {
        let one = Report::parse("uid=1\npid=7\nfd.0=null\nRAN\n").unwrap();
        let two = Report::parse("uid=1\npid=8\nfd.9=directory\nRAN\n").unwrap();
        assert_eq!(
            one.differences(&two, &[]),
            ["- fd.0=null", "+ fd.9=directory"]
        );
        assert!(one.differences(&two, &["fd."]).is_empty());
    }

    #[test]
    fn a_sweep_is_read_run_by_run() {
        let runs = Run::parse_list(
            "@ p=2 k=3 error=1 nr=161 end=exit:123\n!jail-shell: no\n@ p=1 k=4 error=-1 nr=59 end=signal:9\n>RAN\n",
        );
        assert_eq!(runs.len(), 2);
        assert_eq!(
            (
                runs[0].process,
                runs[0].position,
                runs[0].end,
                runs[0].stderr.as_str()
            ),
            (2, 3, End::Exit(123), "jail-shell: no\n")
        );
        assert_eq!(
            (runs[1].error, runs[1].end, runs[1].stdout.as_str()),
            (-1, End::Signal(9), "RAN\n")
        );
    }

    #[test]
    fn a_recorded_call_keeps_its_path() {
        let calls = Call::parse_list("2.36 nr=80 args=55,0,0,0,0,0 path=/srv/jails/ann\n");
        assert_eq!(
            (
                calls[0].process,
                calls[0].position,
                calls[0].number,
                calls[0].path.as_str()
            ),
            (2, 36, 80, "/srv/jails/ann")
        );
    }
}
