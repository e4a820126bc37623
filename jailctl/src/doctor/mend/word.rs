//! The kind as a word of the command line. Where `check` has a kind that jailctl does not mend, another one with a similar
//! name must not be suggested: it does something else.

use std::ffi::OsStr;

use clap::{
    Arg, Command, Error, ValueEnum,
    builder::{EnumValueParser, PossibleValue, TypedValueParser},
    error::ErrorKind,
};

use super::Kind;
use crate::doctor::kinds::FindingKind;

/// Reads the kind that is to be mended.
#[derive(Clone, Debug)]
pub(crate) struct KindParser;

impl TypedValueParser for KindParser {
    type Value = Kind;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Kind, Error> {
        let word = value.to_string_lossy();
        if FindingKind::named(&word).is_some() && Kind::from_str(&word, false).is_err() {
            let what = format!(
                "jailctl does not mend {word} by itself; jailctl check says what to do about it\n"
            );
            return Err(Error::raw(ErrorKind::InvalidValue, what).with_cmd(command));
        }
        EnumValueParser::<Kind>::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let kinds = Kind::value_variants().iter();
        Some(Box::new(kinds.filter_map(Kind::to_possible_value)))
    }
}
