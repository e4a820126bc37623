//! By what the limits that all processes of an account have together are enforced. A login that can't have them is refused, which
//! the rehearsal finds.

use jail::process::cgroup::{self, Cgroup};

use crate::{
    accounts::account::Jailed,
    doctor::check::{Finding, FindingKind, Report},
};

/// Says by what the accounts are limited.
pub(super) fn check<'a>(report: &mut Report, accounts: impl IntoIterator<Item = &'a Jailed>) {
    for jailed in accounts {
        report.extend(way(jailed).map(|finding| finding.of(jailed)));
    }
}

fn way(jailed: &Jailed) -> Option<Finding> {
    let limits = jailed.jail.limits.of_account()?;
    cgroup::foresee(&limits).ok()?;
    let group = Cgroup::of(jailed.identity.uid);
    let what = format!("what all processes of the account may use together is limited by {group}");
    Some(Finding::note(FindingKind::AccountLimits, what))
}
