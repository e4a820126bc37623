//! The connections that sshd's config tells apart: what its Match blocks ask for besides the account. See sshd_config(5).
//!
//! `sshd -T` answers for one connection. Here it is decided for which ones sshd is asked, so that each list of a Match block
//! has one that it is for and one that it is not for, and what that leaves out.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
    rc::Rc,
};

use jail::account::identity::Identity;
use jail_roots::pattern::fits;

use crate::{kept::Kept, sshd_config};

/// For how many connections sshd is asked about one user.
const MOST: usize = 32;

/// What a Match block can ask of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Criterion {
    Host,
    Address,
    LocalAddress,
    LocalPort,
    RDomain,
}

impl Criterion {
    const ALL: [Criterion; 5] = [
        Criterion::Host,
        Criterion::Address,
        Criterion::LocalAddress,
        Criterion::LocalPort,
        Criterion::RDomain,
    ];

    fn of(word: &str) -> Option<Criterion> {
        let same = |it: &Criterion| it.name().eq_ignore_ascii_case(word);
        Criterion::ALL.into_iter().find(same)
    }

    /// Gives the word for it behind Match.
    fn name(self) -> &'static str {
        match self {
            Criterion::Host => "Host",
            Criterion::Address => "Address",
            Criterion::LocalAddress => "LocalAddress",
            Criterion::LocalPort => "LocalPort",
            Criterion::RDomain => "RDomain",
        }
    }

    /// Gives the word for it behind `sshd -C`.
    fn key(self) -> &'static str {
        match self {
            Criterion::Host => "host",
            Criterion::Address => "addr",
            Criterion::LocalAddress => "laddr",
            Criterion::LocalPort => "lport",
            Criterion::RDomain => "rdomain",
        }
    }

    /// Gives the value that is asked about first, and some that a list may not have.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Criterion::Host => &["localhost", "host.invalid"],
            Criterion::Address | Criterion::LocalAddress => &[
                "127.0.0.1",
                "192.0.2.1",
                "198.51.100.1",
                "2001:db8::1",
                "fd00::1",
            ],
            Criterion::LocalPort => &["22", "65535"],
            Criterion::RDomain => &["", "none"],
        }
    }

    /// Gives values that an entry of a list may be for, and, for a range of addresses, those beside it.
    fn values(self, entry: &str) -> Vec<String> {
        match self {
            Criterion::Host => vec![filled(entry, "x").to_ascii_lowercase()],
            Criterion::LocalPort | Criterion::RDomain => vec![filled(entry, "x")],
            Criterion::Address | Criterion::LocalAddress => match Range::of(entry) {
                Some(range) => range.edges(),
                None => ["1", "1.1", "1.1.1", "1.1.1.1", ":1", "::1", "1::1", ""]
                    .into_iter()
                    .map(|fill| filled(entry, fill))
                    .filter(|value| value.parse::<IpAddr>().is_ok())
                    .collect(),
            },
        }
    }

    /// Tells whether an entry of a list, without its `!`, is for a value.
    fn is_for(self, entry: &str, value: &str) -> bool {
        let fits = |pattern: &str| fits(pattern.as_bytes(), value.as_bytes());
        match self {
            Criterion::Host => fits(&entry.to_ascii_lowercase()),
            Criterion::LocalPort | Criterion::RDomain => fits(entry),
            Criterion::Address | Criterion::LocalAddress => match Range::of(entry) {
                Some(range) => value.parse().is_ok_and(|address| range.has(address)),
                None => fits(entry),
            },
        }
    }

    /// Tells whether a list is for a value. An entry with `!` that is for it rules it out.
    fn lists(self, list: &str, value: &str) -> bool {
        let mut listed = false;
        for entry in list.split(',') {
            match entry.strip_prefix('!') {
                Some(entry) if self.is_for(entry, value) => return false,
                Some(_) => {}
                None => listed |= self.is_for(entry, value),
            }
        }
        listed
    }
}

/// Puts something in place of the wildcards of a pattern.
fn filled(pattern: &str, fill: &str) -> String {
    pattern.replace('*', fill).replace('?', "1")
}

/// A range of addresses, as a number of bits of one.
#[derive(Clone, Copy, Debug)]
struct Range {
    v6: bool,
    first: u128,
    last: u128,
}

impl Range {
    /// Reads an address, or the beginning of one and how many bits that has.
    fn of(text: &str) -> Option<Range> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (v6, number) = number(address.parse().ok()?);
        let width = if v6 { 128 } else { 32 };
        let free = width - bits.unwrap_or(width).min(width);
        let rest = u128::MAX.checked_shr(128 - free).unwrap_or(0);
        Some(Range {
            v6,
            first: number & !rest,
            last: number | rest,
        })
    }

    fn has(self, address: IpAddr) -> bool {
        let (v6, number) = number(address);
        v6 == self.v6 && (self.first..=self.last).contains(&number)
    }

    /// Gives the first and the last address, and the two beside them: where ranges overlap, each part has one of these.
    fn edges(self) -> Vec<String> {
        let beside = [self.first.checked_sub(1), self.last.checked_add(1)];
        let all = [Some(self.first), Some(self.last)]
            .into_iter()
            .chain(beside);
        all.flatten()
            .filter_map(|number| self.written(number))
            .collect()
    }

    fn written(self, number: u128) -> Option<String> {
        Some(if self.v6 {
            std::net::Ipv6Addr::from(number).to_string()
        } else {
            std::net::Ipv4Addr::from(u32::try_from(number).ok()?).to_string()
        })
    }
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (false, u32::from(address).into()),
        IpAddr::V6(address) => (true, address.into()),
    }
}

/// The patterns that Match blocks have for the account: of its name, and of its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Patterns {
    names: Vec<String>,
    groups: Vec<String>,
    /// There are blocks that nobody here can read.
    are_unknown: bool,
}

impl Patterns {
    fn add(&mut self, word: &str, list: &str) {
        let entries = list
            .split(',')
            .map(|entry| entry.strip_prefix('!').unwrap_or(entry).to_owned());
        match word {
            "user" => self.names.extend(entries),
            "group" => self.groups.extend(entries),
            // About sshd itself.
            _ => {}
        }
    }

    /// Says which of them are for an account. To accounts of which that is the same, sshd does the same.
    fn fitting(&self, identity: &Identity) -> String {
        if self.are_unknown || identity.unnamed_group.is_some() || identity.unanswered.is_some() {
            return format!("user={}", identity.name.to_string_lossy());
        }
        let fit = |pattern: &String, name: &std::ffi::OsString| {
            fits(pattern.as_bytes(), name.as_encoded_bytes())
        };
        let names = self.names.iter().map(|it| fit(it, &identity.name));
        let in_group = |pattern| identity.group_names.iter().any(|name| fit(pattern, name));
        let all = names.chain(self.groups.iter().map(in_group));
        all.map(|fits| if fits { '1' } else { '0' }).collect()
    }
}

/// One connection, as far as sshd's config asks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    values: Vec<(Criterion, String)>,
    patterns: Rc<Patterns>,
}

impl Connection {
    /// Gives what this connection and a user are to sshd: where it is the same for two users, so is what sshd does.
    pub(super) fn as_sshd_sees(&self, identity: &Identity) -> String {
        format!("{} {}", self.criteria(""), self.patterns.fitting(identity))
    }

    /// Gives what `sshd -C` takes for a user who comes by it.
    pub(super) fn criteria(&self, user: &str) -> String {
        let mut text = format!("user={user}");
        for (criterion, value) in &self.values {
            text.push_str(&format!(",{}={value}", criterion.key()));
        }
        text
    }

    /// Says what is unusual about it; nothing for the usual one.
    pub(super) fn words(&self) -> Option<String> {
        let unusual: Vec<String> = self.unusual().collect();
        (!unusual.is_empty()).then(|| unusual.join(", "))
    }

    fn with(&self, value: (Criterion, String)) -> Connection {
        Connection {
            values: self.values.iter().cloned().chain([value]).collect(),
            patterns: self.patterns.clone(),
        }
    }

    fn unusual(&self) -> impl Iterator<Item = String> {
        self.values
            .iter()
            .filter(|(criterion, value)| criterion.usual().first() != Some(&value.as_str()))
            .map(|(criterion, value)| format!("{} {value}", criterion.name()))
    }
}

/// A list of a Match block, and where it is.
type Listed = (Criterion, String, String);

/// The connections that are asked about, the usual one first, and what was left out.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) all: Vec<Connection>,
    pub(super) untried: Vec<String>,
}

thread_local! {
    /// What its config was, by the name of that.
    static KNOWN: Kept<PathBuf, Rc<Connections>> = const { Kept::new() };
}

impl Connections {
    /// Reads sshd's config. What can't be read of it is left out, and said so.
    pub(super) fn of(config: &Path) -> Rc<Connections> {
        KNOWN.with(|known| {
            known.get(config.to_owned(), |config| {
                Rc::new(Connections::read(config))
            })
        })
    }

    fn read(config: &Path) -> Connections {
        let (mut lists, mut untried): (Vec<Listed>, Vec<String>) = (Vec::new(), Vec::new());
        let mut patterns = Patterns::default();
        let read = sshd_config::read(config, (), &mut |line, (), ()| {
            let Some((keyword, values)) = line.words.split_first() else {
                return;
            };
            if !keyword.eq_ignore_ascii_case("match") {
                return;
            }
            let (found, unknown) = asked(values, &mut patterns);
            let place = line.place();
            let listed = |(criterion, list)| (criterion, list, place.clone());
            lists.extend(found.into_iter().map(listed));
            let told = |word| format!("{place}: \"Match {word}\" is not known");
            untried.extend(unknown.into_iter().map(told));
        });
        match read {
            Ok(unread) => untried.extend(
                unread
                    .into_iter()
                    .map(|it| format!("{}: {}", it.what, it.why)),
            ),
            Err(failure) => untried.push(failure.to_string()),
        }
        patterns.are_unknown = !untried.is_empty();
        let mut connections = combined(&lists, patterns);
        connections.untried.splice(0..0, untried);
        connections
    }
}

/// Reads what stands behind Match: the lists about the connection, and the words that are not known. What is about the
/// account, `sshd -T` goes by; it is added to the patterns.
fn asked(values: &[String], patterns: &mut Patterns) -> (Vec<(Criterion, String)>, Vec<String>) {
    let (mut lists, mut unknown) = (Vec::new(), Vec::new());
    let mut words = values.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let lower = name.to_ascii_lowercase();
        if ["all", "invalid-user"].contains(&lower.as_str()) {
            continue;
        }
        let value = value.or_else(|| words.next().cloned()).unwrap_or_default();
        match Criterion::of(&lower) {
            Some(criterion) => lists.push((criterion, value)),
            None if ["user", "group", "version"].contains(&lower.as_str()) => {
                patterns.add(&lower, &value);
            }
            None => unknown.push(name.to_owned()),
        }
    }
    (lists, unknown)
}

/// Makes the connections that differ in which lists are for them.
fn combined(lists: &[Listed], patterns: Patterns) -> Connections {
    let mut untried = Vec::new();
    let mut all = vec![Connection {
        values: Vec::new(),
        patterns: Rc::new(patterns),
    }];
    let mut count: usize = 1;
    for criterion in Criterion::ALL {
        let own: Vec<&Listed> = lists.iter().filter(|(it, ..)| *it == criterion).collect();
        // sshd -C has always taken these two, and the others only where they matter.
        if own.is_empty() && ![Criterion::Host, Criterion::Address].contains(&criterion) {
            continue;
        }
        let values = told_apart(criterion, &own, &mut untried);
        count = count.saturating_mul(values.len());
        let with = |value: &String| {
            let value = (criterion, value.clone());
            all.iter().map(move |it| it.with(value.clone()))
        };
        let mut next: Vec<Connection> = values.iter().flat_map(with).collect();
        next.sort_by_key(|it| it.unusual().count());
        next.truncate(MOST);
        all = next;
    }
    if let Some(left) = count.checked_sub(all.len()).filter(|left| *left > 0) {
        untried.push(format!(
            "the Match blocks tell {count} connections apart, and {left} of them were not tried"
        ));
    }
    Connections { all, untried }
}

/// Gives a value for each part that the lists of a criterion make, the usual one first.
fn told_apart(criterion: Criterion, lists: &[&Listed], untried: &mut Vec<String>) -> Vec<String> {
    let usual = criterion.usual().iter().map(|it| (*it).to_owned());
    let entries = lists.iter().flat_map(|(_, list, _)| list.split(','));
    let entries = entries.map(|entry| entry.strip_prefix('!').unwrap_or(entry));
    let candidates = usual.chain(entries.flat_map(|entry| criterion.values(entry)));
    let mut parts: BTreeSet<Vec<bool>> = BTreeSet::new();
    let mut values = Vec::new();
    for value in candidates {
        let part = lists
            .iter()
            .map(|(_, list, _)| criterion.lists(list, &value));
        if parts.insert(part.collect()) {
            values.push(value);
        }
    }
    for (_, list, place) in lists {
        let can_be = list.split(',').any(|entry| !entry.starts_with('!'));
        if can_be && !values.iter().any(|value| criterion.lists(list, value)) {
            untried.push(format!(
                "{place}: nothing was found that \"Match {} {list}\" is for",
                criterion.name()
            ));
        }
    }
    values
}

#[cfg(test)]
mod tests;
