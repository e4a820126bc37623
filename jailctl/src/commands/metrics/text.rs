//! Metrics as text: OpenMetrics 1.0, as far as the text format of Prometheus has it as well, which is what node_exporter reads.

use std::fmt::{Display, Write};

/// What a family of metrics is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows. The names of its samples end with `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family of metrics, and takes the samples of it: for each its labels and its value. Without a sample there is no
    /// family.
    pub(super) fn family<const N: usize>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        labels: [&str; N],
        samples: impl IntoIterator<Item = ([String; N], i64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let (word, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        self.line(format_args!("# TYPE {name} {word}"));
        self.line(format_args!("# HELP {name} {}", escaped(help)));
        for (values, number) in samples {
            let pairs = labels.iter().zip(&values);
            let pairs: Vec<String> = pairs
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = match pairs.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", pairs.join(",")),
            };
            self.line(format_args!("{name}{suffix}{labels} {number}"));
        }
    }

    /// Ends the text.
    pub(super) fn end(mut self) -> String {
        self.line("# EOF");
        self.0
    }

    fn line(&mut self, line: impl Display) {
        // A string takes everything.
        writeln!(self.0, "{line}").ok();
    }
}

/// Escapes what would end a label's value or a line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{Kind, Text};

    #[test]
    fn a_label_can_hold_anything() {
        let mut text = Text::default();
        let samples = [(["a\"} 1\n\\n{".to_owned()], 3)];
        text.family("x", Kind::Counter, "Things.", ["jail"], samples);
        text.family("y", Kind::Gauge, "None.", ["jail"], []);
        text.family("z", Kind::Gauge, "One.", [], [([], -1)]);
        let wanted = "# TYPE x counter\n# HELP x Things.\nx_total{jail=\"a\\\"} 1\\n\\\\n{\"} 3\n\
                      # TYPE z gauge\n# HELP z One.\nz -1\n# EOF\n";
        assert_eq!(text.end(), wanted);
    }
}
