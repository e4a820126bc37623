//! The PAM stacks of this host, and what libpam would do with them.

pub(crate) mod stack;
pub(crate) mod succeed_if;
pub(crate) mod walk;
