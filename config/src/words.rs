//! The words of a config for values that are one of a few.

use crate::commands::Access;
use crate::limits::Groups;
use crate::policy::Unlisted;
use crate::record::RecordWhat;
use crate::walls::{Content, Isolation, Landlock, MountMode, RootOwner, Scope, Seccomp};

/// A value that is one of a few, each with its word.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// All values, the default first where there is one.
    const WORDS: &'static [(&'static str, Self)];

    /// Gives the word of a value.
    fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, value)| *value == self)
            .map_or("", |(word, _)| word)
    }
}

impl Word for Unlisted {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Unlisted::Refuse), ("exempt", Unlisted::Exempt)];
}

impl Word for Isolation {
    const WORDS: &'static [(&'static str, Self)] =
        &[("full", Isolation::Full), ("chroot", Isolation::Chroot)];
}

impl Word for Landlock {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("files", Landlock::Files),
        ("require", Landlock::Require),
        ("best-effort", Landlock::BestEffort),
        ("off", Landlock::Off),
    ];
}

impl Word for Seccomp {
    const WORDS: &'static [(&'static str, Self)] =
        &[("default", Seccomp::Default), ("off", Seccomp::Off)];
}

impl Word for Content {
    const WORDS: &'static [(&'static str, Self)] =
        &[("private", Content::Private), ("root", Content::Root)];
}

impl Word for MountMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("ro", MountMode::ReadOnly), ("rw", MountMode::ReadWrite)];
}

impl Word for Groups {
    const WORDS: &'static [(&'static str, Self)] =
        &[("keep", Groups::Keep), ("primary", Groups::Primary)];
}

impl Word for Access {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("read-write", Access::ReadWrite),
        ("read-only", Access::ReadOnly),
        ("upload-only", Access::UploadOnly),
    ];
}

impl Word for RecordWhat {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sessions", RecordWhat::Sessions),
        ("terminal", RecordWhat::Terminal),
        ("off", RecordWhat::Off),
    ];
}

impl Word for Scope {
    const WORDS: &'static [(&'static str, Scope)] =
        &[("session", Scope::Session), ("user", Scope::User)];
}

impl Word for RootOwner {
    const WORDS: &'static [(&'static str, Self)] =
        &[("root", RootOwner::Root), ("user", RootOwner::User)];
}
