//! What a login would do, what is wrong with it, and what mends that.

pub(crate) mod attacked;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod general;
pub(crate) mod kinds;
pub(crate) mod mend;
pub(crate) mod programs;
pub(crate) mod rehearsal;
pub(crate) mod rights;
pub(crate) mod used;
