//! The decision about one account: which rule names it, and what that rule's jail is for it.

use std::ffi::{OsStr, OsString};
use std::iter;
use std::rc::Rc;

use crate::account::Account;
use crate::jail::Jail;
use crate::keys::Keys;
use crate::policy::{Definition, Entry, Policy, Target, Unlisted, UserFile};
use crate::rule::{Rule, RuleKind};
use crate::source::Place;
use crate::template::{Template, TemplateError};

/// What is to happen to an account at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is put into this jail.
    Jail(Box<Jail>),
    /// It is never jailed.
    Exempt(Rule),
    /// No rule names it, and such accounts are refused.
    Unlisted(Rule),
}

/// A rule that names an account. The first of them decides; see [`Policy::matches`].
#[derive(Debug, Clone)]
pub struct Match<'a> {
    /// The rule.
    pub rule: Rule,
    leads: Leads<'a>,
}

/// Where a rule leads.
#[derive(Debug, Clone, Copy)]
enum Leads<'a> {
    Defined(&'a Definition),
    Root(&'a Template),
    Exempt,
    Refused,
}

impl Match<'_> {
    /// Names where the rule leads: a jail or root directory as it is written, or one of the words "exempt" and
    /// "refused".
    #[must_use]
    pub fn leads_to(&self) -> &str {
        match self.leads {
            Leads::Defined(definition) => definition
                .name
                .as_deref()
                .unwrap_or(definition.root.as_str()),
            Leads::Root(root) => root.as_str(),
            Leads::Exempt => "exempt",
            Leads::Refused => "refused",
        }
    }
}

impl Policy {
    /// Decides about an account. `user_file` is what `users.d` holds for this very account.
    ///
    /// Fails where the account's name, group or home can't be part of the jail's paths; the login
    /// is to be refused then.
    pub fn decide(
        &self,
        account: &Account<'_>,
        user_file: Option<&UserFile>,
    ) -> Result<Decision, TemplateError> {
        match self.matches(account, user_file).next() {
            Some(Match { rule, leads }) => match leads {
                Leads::Defined(definition) => self.defined(rule, definition, account),
                Leads::Root(root) => {
                    let definition = Definition {
                        name: None,
                        root: root.clone(),
                        keys: Keys::default(),
                    };
                    self.defined(rule, &definition, account)
                }
                Leads::Exempt => Ok(Decision::Exempt(rule)),
                Leads::Refused => Ok(Decision::Unlisted(rule)),
            },
            // The last match is for everybody.
            None => Ok(Decision::Unlisted(self.rule_of_unlisted())),
        }
    }

    /// Lists the rules that name an account, in their order of precedence: the first decides, the others lose to it. The
    /// last is always what `unlisted` says.
    ///
    /// `user_file` is what `users.d` holds for this very account. Nothing is looked for before it is asked for.
    pub fn matches<'a>(
        &'a self,
        account: &'a Account<'a>,
        user_file: Option<&'a UserFile>,
    ) -> impl Iterator<Item = Match<'a>> {
        // A name that is not UTF-8 can't be written in a config, so no rule names it.
        let name = account.name.to_str();
        let exempt_user = self
            .exempt_users
            .iter()
            .find(move |(user, _)| Some(user.as_str()) == name)
            .map(|(user, place)| Match {
                rule: self.rule(RuleKind::ExemptUser(user.clone()), *place),
                leads: Leads::Exempt,
            });
        let own_file = user_file.map(|own| Match {
            rule: Rule {
                file: own.file.clone(),
                line: own.line,
                kind: RuleKind::UserFile,
            },
            leads: Leads::Defined(&own.definition),
        });
        let user = iter::once_with(move || name.and_then(|name| self.user(name)))
            .flatten()
            .map(|entry| self.entered(RuleKind::User(entry.name.clone()), entry));
        let groups = iter::once_with(move || Rc::new(Membership::of(account)))
            .flat_map(|membership| self.of_groups(membership));
        let unlisted = iter::once_with(|| Match {
            rule: self.rule_of_unlisted(),
            leads: match self.unlisted {
                Unlisted::Refuse => Leads::Refused,
                Unlisted::Exempt => Leads::Exempt,
            },
        });
        exempt_user
            .into_iter()
            .chain(own_file)
            .chain(user)
            .chain(groups)
            .chain(unlisted)
    }

    /// Lists the rules that name one of an account's groups.
    fn of_groups<'a>(&'a self, membership: Rc<Membership<'a>>) -> impl Iterator<Item = Match<'a>> {
        let exempted = Rc::clone(&membership);
        let exempt = self
            .exempt_groups
            .iter()
            .filter(move |(group, _)| exempted.has(group))
            .map(|(group, place)| Match {
                rule: self.rule(RuleKind::ExemptGroup(group.clone()), *place),
                leads: Leads::Exempt,
            });
        let listed = self
            .groups
            .iter()
            .filter(move |entry| membership.has(&entry.name))
            .map(|entry| self.entered(RuleKind::Group(entry.name.clone()), entry));
        exempt.chain(listed)
    }

    /// Lists the rules that name users and groups, whoever they are: those of `exempt`, `[users]` and `[groups]`.
    pub fn rules(&self) -> impl Iterator<Item = Match<'_>> {
        let exempt = |kind, place: &Place| Match {
            rule: self.rule(kind, *place),
            leads: Leads::Exempt,
        };
        let exempt_users = self
            .exempt_users
            .iter()
            .map(move |(user, place)| exempt(RuleKind::ExemptUser(user.clone()), place));
        let exempt_groups = self
            .exempt_groups
            .iter()
            .map(move |(group, place)| exempt(RuleKind::ExemptGroup(group.clone()), place));
        let users = self
            .users
            .iter()
            .map(|entry| self.entered(RuleKind::User(entry.name.clone()), entry));
        let groups = self
            .groups
            .iter()
            .map(|entry| self.entered(RuleKind::Group(entry.name.clone()), entry));
        exempt_users.chain(exempt_groups).chain(users).chain(groups)
    }

    /// Lists the names of the jails, in the order of the file.
    pub fn jail_names(&self) -> impl Iterator<Item = &str> {
        self.jails.iter().filter_map(|jail| jail.name.as_deref())
    }

    /// Tells whether an account that no rule names is let in unjailed.
    #[must_use]
    pub fn lets_others_in(&self) -> bool {
        self.unlisted == Unlisted::Exempt
    }

    fn rule_of_unlisted(&self) -> Rule {
        Rule {
            file: self.file.clone(),
            line: self.unlisted_at.map_or(0, |place| self.lines.number(place)),
            kind: RuleKind::Unlisted,
        }
    }

    fn entered<'a>(&'a self, kind: RuleKind, entry: &'a Entry) -> Match<'a> {
        Match {
            rule: self.rule(kind, entry.place),
            leads: match &entry.target {
                Target::Jail(definition) => Leads::Defined(definition),
                Target::Root(root) => Leads::Root(root),
            },
        }
    }

    fn user(&self, name: &str) -> Option<&Entry> {
        let found = self
            .users
            .binary_search_by(|entry| entry.name.as_str().cmp(name));
        self.users.get(found.ok()?)
    }

    fn rule(&self, kind: RuleKind, place: Place) -> Rule {
        Rule {
            file: self.file.clone(),
            line: self.lines.number(place),
            kind,
        }
    }

    fn defined(
        &self,
        rule: Rule,
        definition: &Definition,
        account: &Account<'_>,
    ) -> Result<Decision, TemplateError> {
        let Definition { name, root, keys } = definition;
        let keys = keys.over(&self.defaults);
        let jail = Jail::fill(rule, name.as_deref(), root, keys, account)?;
        Ok(Decision::Jail(Box::new(jail)))
    }
}

/// The names of an account's groups, sorted: a policy may have thousands of groups and an account
/// as many.
struct Membership<'a>(Vec<&'a OsStr>);

impl Membership<'_> {
    fn of<'a>(account: &Account<'a>) -> Membership<'a> {
        let all = account.groups.iter().map(OsString::as_os_str);
        let mut names: Vec<&OsStr> = all.chain([account.group]).collect();
        names.sort_unstable();
        Membership(names)
    }

    fn has(&self, group: &str) -> bool {
        self.0.binary_search(&OsStr::new(group)).is_ok()
    }
}
