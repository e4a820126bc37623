//! What an administrator is told of users, jails and sessions: `jailctl check`, `explain`, `mend` and their like.

mod accepted;
mod add_many;
mod ansible;
mod apply;
mod commands_shown;
mod create_shown;
mod explain_observed;
mod jailctl_attack;
mod jailctl_check;
mod jailctl_enter;
mod jailctl_explain;
mod jailctl_lookups;
mod jailctl_membership;
mod jailctl_mend;
mod jailctl_mend_keys;
mod jailctl_metrics;
mod jailctl_output;
mod jailctl_replay;
mod jailctl_sessions;
mod jailctl_sshd;
mod jailctl_stand_in;
mod jailctl_user_services;
mod many_users;
mod setup;
mod setup_attacked;
