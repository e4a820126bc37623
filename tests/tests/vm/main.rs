//! On a Debian of its own, with systemd as pid 1: what a login does beside logind, journald, user managers and the host's own
//! services. `make test` does a part of it on Debian 13, where qemu is installed; `make test-vm` does all on Debian 12 and 13.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reports by panicking"
)]

mod disk;
mod doors;
mod faults;
mod journal;
mod limits;
mod machine;
mod package;
mod scope;
mod sshd_units;
mod until;
mod ways_out;

/// Makes a test of each claim for each release. A claim takes the machine as it is right after the package was installed.
macro_rules! on_machines {
    (short { $($short_in:ident::$short:ident,)* } long { $($long_in:ident::$long:ident,)* }) => {
        mod trixie {
            use super::machine::on;
            use login_jail_tests::vm::Release::Trixie;
            $(#[test] fn $short() { on(Trixie, super::$short_in::$short); })*
            $(#[test] #[ignore = "make test-vm does it"] fn $long() { on(Trixie, super::$long_in::$long); })*
        }
        mod bookworm {
            use super::machine::on;
            use login_jail_tests::vm::Release::Bookworm;
            $(#[test] #[ignore = "make test-vm does it"] fn $short() { on(Bookworm, super::$short_in::$short); })*
            $(#[test] #[ignore = "make test-vm does it"] fn $long() { on(Bookworm, super::$long_in::$long); })*
        }
    };
}

on_machines! {
    short {
        journal::the_record_of_a_session_is_in_the_journal,
    }
    long {
        disk::a_home_takes_what_it_may_by_project_or_by_user,
        disk::a_home_that_is_there_gets_its_limit_and_what_is_in_it_counts,
        disk::undo_puts_back_what_limited_a_home_before,
        doors::set_ups_serve_logins_and_check_finds_nothing,
        doors::every_door_jails,
        faults::no_failure_of_a_call_to_systemd_or_of_a_look_lets_a_login_begin,
        faults::no_failure_of_a_call_to_a_cgroup_of_login_jails_own_lets_a_login_begin,
        limits::limits_of_an_account_hold_at_every_door,
        limits::what_is_used_is_shown_and_a_limit_that_does_not_hold_refuses,
        limits::one_user_does_not_slow_the_logins_of_another,
        limits::without_systemd_a_cgroup_of_login_jails_own_limits_an_account,
        until::the_supervisor_ends_what_is_open_and_check_says_what_nothing_ends,
        until::pam_systemd_ends_what_is_open_at_the_end_of_the_account,
        ways_out::what_systemd_offers_is_out_of_reach_at_every_door,
        ways_out::units_in_a_home_are_found_and_mended_for_a_group_and_who_joins_later,
        ways_out::what_lingers_is_found_and_mended,
        scope::logins_of_a_user_share_a_world_and_keep_their_cgroups,
        package::an_upgrade_leaves_a_session_open,
        package::logins_are_served_after_a_restart,
        package::without_the_package_nobody_is_served_unjailed,
        sshd_units::a_hardened_unit_serves_jailed_or_not_at_all,
        sshd_units::a_socket_unit_serves_the_same,
    }
}
