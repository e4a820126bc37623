//! What parts of a config are called while they are parsed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use crate::policy::Definition;
use crate::schema::Key;

/// The jails by name; `None` for one that is defined, but wrong.
pub(super) type Jails = BTreeMap<String, Option<Arc<Definition>>>;
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A key with its place, and its value.
pub(super) struct Item<'i> {
    pub(super) key: &'static Key,
    pub(super) span: Range<usize>,
    pub(super) value: Value<'i>,
}
