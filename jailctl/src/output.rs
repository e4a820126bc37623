//! What reports have in common: JSON, and columns.

use clap::Args;
use serde::Serialize;

pub(crate) use crate::stdout::say;
use crate::{failure::Failure, terminal::json};

/// How a command reports.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Gives a number with the word for what was counted, in the plural where it is not one.
pub(crate) fn counted(number: usize, what: &str) -> String {
    let plural = match number {
        1 => "",
        _ if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {what}{plural}")
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = json(value).map_err(|error| Failure::Failed(format!("print JSON: {error}")))?;
    say(text);
    Ok(())
}

/// Prints rows in columns, each as wide as its widest cell.
pub(crate) fn print_columns<const N: usize>(rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        say(line.trim_end());
    }
}
