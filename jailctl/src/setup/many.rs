//! Many users as few changes: what `jailctl add` of several users and `jailctl apply` are made of.
//!
//! [`wanted`] says what is asked for of each user; [`table`] reads it from a CSV file and [`state`] from a declared state.
//! [`planner`] compares it with the [`host`], and [`plan`] makes changes of it, or lists all that is wrong. [`database`] and
//! [`locked`] are the accounts, as one rewrite of passwd(5) and its like; [`directories`] the roots and homes; [`batch`] the rules
//! and keys; [`roots`] those roots that are built or imported.

pub(crate) mod batch;
pub(crate) mod database;
pub(crate) mod directories;
pub(crate) mod key;
pub(crate) mod plan;
pub(crate) mod rewrite;
pub(crate) mod roots;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod wanted;

pub(super) mod host;

mod doors;
mod locked;
mod planner;
mod rules;
