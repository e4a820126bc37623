//! Device nodes of the host that a jail can have in its private /dev, by name. What may be behind a name is not the config's to
//! know: a login looks at the node itself.

use std::ffi::OsStr;
use std::path::Path;

use crate::fault::Complaint;
use crate::glob;
use crate::template::check_components;

/// The name of a device node, or a pattern for several: `*` stands for any run of letters of the last component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device(String);

impl Device {
    /// Checks a name or pattern.
    pub(crate) fn parse(text: &str) -> Result<Device, Complaint> {
        let example = "for example: devices = [\"/dev/dri/renderD128\", \"/dev/nvidia*\"]";
        let below = text.strip_prefix("/dev/").filter(|it| !it.is_empty());
        let Some(below) = below else {
            let complaint = Complaint::new(format!("{text:?} is not a path below /dev"));
            return Err(complaint.help(example));
        };
        check_components(text)?;
        let directory = below.rsplit_once('/').map(|(directory, _)| directory);
        if directory.is_some_and(|directory| directory.contains('*')) {
            let complaint = Complaint::new(format!("{text:?} has a * in a directory's name"));
            return Err(complaint.help("only the last component can have a *"));
        }
        if let Some(letter) = text.chars().find(|letter| "?[]{}".contains(*letter)) {
            let complaint = Complaint::new(format!("{text:?} has a {letter:?}"));
            return Err(complaint.help("a pattern has * for any run of letters, and nothing else"));
        }
        Ok(Device(text.to_owned()))
    }

    /// Gives it as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether it is a pattern.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.0.contains('*')
    }

    /// Gives the directory below /dev in which the nodes are; empty for /dev itself.
    #[must_use]
    pub fn directory(&self) -> &Path {
        let below = self.below();
        below.parent().unwrap_or(below)
    }

    /// Gives the path below /dev.
    #[must_use]
    pub fn below(&self) -> &Path {
        Path::new(self.0.strip_prefix("/dev/").unwrap_or(&self.0))
    }

    /// Tells whether a name in the directory fits.
    #[must_use]
    pub fn matches(&self, name: &OsStr) -> bool {
        let own = self.below().file_name().unwrap_or_default();
        glob::matches(own.as_encoded_bytes(), name.as_encoded_bytes())
    }
}
