//! What people mean by a name: the programs, files and libraries of `--with NAME`.
//!
//! Presets are data. Those that come with jailctl are in `roots/presets/`; an administrator adds more as
//! `/etc/login-jail/presets.d/*.toml`, where a name that is known already takes the place of the known one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Component, Path, PathBuf},
};

use jail::process::elf::Abi;
use jail_config::nearest;
use toml::de::{DeTable, DeValue};

use crate::{fault::Fault, library_directories::default_directories, tree::Tree};

/// Where an administrator's own presets are.
pub const DIRECTORY: &str = "/etc/login-jail/presets.d";
/// More than any file of presets, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Where programs are looked for by name: what the system brings goes before what was put beside it.
const PROGRAM_DIRECTORIES: [&str; 6] = [
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
];

/// What comes with jailctl.
const BUILT_IN: [(&str, &str); 4] = [
    ("basics.toml", include_str!("../presets/basics.toml")),
    ("shells.toml", include_str!("../presets/shells.toml")),
    ("network.toml", include_str!("../presets/network.toml")),
    ("develop.toml", include_str!("../presets/develop.toml")),
];

/// What a preset brings into a root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preset {
    /// One line about it.
    pub about: String,
    /// Other presets that it takes in.
    pub presets: Vec<String>,
    /// Programs, by name or absolute path; those that the host does not have are left out.
    pub programs: Vec<String>,
    /// Patterns of files and of whole directories; `{lib}` is each directory of the loader's.
    pub paths: Vec<String>,
    /// Patterns of what of these is left out.
    pub exclude: Vec<String>,
    /// Libraries that are loaded at run time, by name.
    pub libraries: Vec<String>,
    /// Directories that have to be there, empty.
    pub directories: Vec<String>,
    /// The Debian package that brings the programs.
    pub package: Option<String>,
}

impl Preset {
    /// Whether the host has any of its programs.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        let mut programs = self.programs.iter();
        self.programs.is_empty() || programs.any(|name| find_program(name).is_some())
    }

    /// Gives its programs, each by its name, which is the path of one that has a single place, and all of its places: each
    /// distribution has some elsewhere.
    pub(crate) fn programs_by_name(&self) -> Vec<(&str, Vec<&str>)> {
        let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
        for program in &self.programs {
            let is_same =
                |(name, _): &&mut (&str, Vec<&str>)| file_name(name) == file_name(program);
            match named.iter_mut().find(is_same) {
                Some((name, places)) => {
                    *name = file_name(program);
                    places.push(program);
                }
                None => named.push((program, vec![program])),
            }
        }
        named
    }
}

/// All presets by name.
#[derive(Clone, Debug, Default)]
pub struct Presets(BTreeMap<String, Preset>);

impl Presets {
    /// Reads those that come with jailctl, and the administrator's.
    ///
    /// # Errors
    /// A file that can't be read or understood, with its line.
    pub fn load() -> Result<Presets, Fault> {
        let mut presets = Presets::built_in()?;
        let directory = Path::new(DIRECTORY);
        if directory.symlink_metadata().is_err() {
            return Ok(presets);
        }
        // Root's alone: who writes presets says what comes into roots.
        let directory = Tree::open(directory)?;
        let names = directory.list(Path::new(""))?;
        let mut names: Vec<PathBuf> = names.into_iter().map(|(name, _)| name.into()).collect();
        names.retain(|name| name.extension() == Some(OsStr::new("toml")));
        names.sort();
        for name in names {
            let file = directory.show(&name).display().to_string();
            let text = directory.read(&name, LONGEST)?.unwrap_or_default();
            let text = String::from_utf8(text);
            let text = text.map_err(|_| Fault::Failed(format!("read {file}: it is no UTF-8")))?;
            presets.add(&file, &text)?;
        }
        Ok(presets)
    }

    /// Reads those that come with jailctl.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn built_in() -> Result<Presets, Fault> {
        let mut presets = Presets::default();
        for (file, text) in BUILT_IN {
            presets.add(file, text)?;
        }
        Ok(presets)
    }

    /// Adds the presets of a file's text; a later one of a name takes the place of an earlier one.
    ///
    /// # Errors
    /// The text is no TOML, or says what is not understood.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Fault> {
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            Fault::Failed(format!("{file}:{}: {}", line(text, start), error.message()))
        })?;
        for (name, value) in table.get_ref() {
            let preset = read(value.get_ref()).map_err(|what| {
                let line = line(text, name.span().start);
                Fault::Failed(format!("{file}:{line}: preset {}: {what}", name.get_ref()))
            })?;
            self.0.insert(name.get_ref().to_string(), preset);
        }
        Ok(())
    }

    /// Gives the presets of these names and all that they take in, each once.
    ///
    /// # Errors
    /// A name that no preset has.
    pub fn choose(&self, names: &[String]) -> Result<Vec<(&str, &Preset)>, Fault> {
        let mut chosen = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            let (name, preset) = self.0.get_key_value(name).ok_or_else(|| {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                let meant = match nearest(name, known.iter().copied()) {
                    _ if find_program(name).is_some() => {
                        format!("; it is a program of this host: --program {name}")
                    }
                    Some(meant) => format!("; did you mean {meant}?"),
                    None => String::new(),
                };
                Fault::Usage(format!(
                    "no preset is named {name:?}{meant}; there are: {}",
                    known.join(" ")
                ))
            })?;
            chosen.push((name.as_str(), preset));
            open.extend(preset.presets.iter().rev().map(String::as_str));
        }
        Ok(chosen)
    }

    /// Says that a word which is no program of this host names a preset, or nearly does.
    #[must_use]
    pub fn hint(&self, word: &str) -> String {
        match nearest(word, self.0.keys().map(String::as_str)) {
            Some(name) if name == word => format!("; it is a preset: --with {name}"),
            Some(name) => format!("; did you mean the preset {name} (--with {name})?"),
            None => String::new(),
        }
    }

    /// Goes through all of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Preset)> {
        self.0.iter().map(|(name, preset)| (name.as_str(), preset))
    }
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    1 + before.matches('\n').count()
}

fn read(value: &DeValue<'_>) -> Result<Preset, String> {
    let DeValue::Table(table) = value else {
        return Err("is no table".to_owned());
    };
    let mut preset = Preset::default();
    for (key, value) in table {
        let value = value.get_ref();
        match &**key.get_ref() {
            "about" => preset.about = string(value)?,
            "package" => preset.package = Some(string(value)?),
            "presets" => preset.presets = strings(value)?,
            "programs" => preset.programs = strings(value)?,
            "paths" => preset.paths = absolute(strings(value)?)?,
            "exclude" => preset.exclude = absolute(strings(value)?)?,
            "libraries" => preset.libraries = strings(value)?,
            "directories" => preset.directories = absolute(strings(value)?)?,
            other => return Err(format!("the key {other:?} is not known")),
        }
    }
    for program in &preset.programs {
        if program.contains('/') && !is_absolute(program) {
            return Err(format!(
                "{program:?} is neither a name nor an absolute path"
            ));
        }
    }
    Ok(preset)
}

fn string(value: &DeValue<'_>) -> Result<String, String> {
    let text = value.as_str().ok_or("a text in quotes is wanted")?;
    Ok(text.to_owned())
}

fn strings(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let DeValue::Array(values) = value else {
        return Err("a list of texts is wanted".to_owned());
    };
    values.iter().map(|value| string(value.get_ref())).collect()
}

fn absolute(paths: Vec<String>) -> Result<Vec<String>, String> {
    match paths.iter().find(|path| !is_absolute(path)) {
        Some(path) => Err(format!("{path:?} is no absolute path without . and ..")),
        None => Ok(paths),
    }
}

fn is_absolute(path: &str) -> bool {
    let mut components = Path::new(path.strip_prefix("{lib}").unwrap_or(path)).components();
    components.next() == Some(Component::RootDir)
        && components.all(|component| matches!(component, Component::Normal(_)))
}

fn file_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Gives the patterns that a preset's path stands for.
pub(crate) fn patterns(path: &str) -> Vec<String> {
    let Some(rest) = path.strip_prefix("{lib}") else {
        return vec![path.to_owned()];
    };
    let directories = default_directories(Abi::NATIVE);
    let directories = directories
        .iter()
        .filter(|directory| directory.starts_with("/usr"));
    directories
        .map(|directory| format!("{}{rest}", directory.display()))
        .collect()
}

/// Finds a program by name where the system has them, or takes an absolute path as it is.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| fs::metadata(path).is_ok();
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(is_there);
    }
    PROGRAM_DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(is_there)
}

#[cfg(test)]
mod tests {
    use super::Presets;

    /// The sections of jailkit's jk_init.ini.
    const JAILKIT: [&str; 28] = [
        "uidbasics",
        "netbasics",
        "logbasics",
        "jk_lsh",
        "limitedshell",
        "cvs",
        "git",
        "scp",
        "sftp",
        "ssh",
        "rsync",
        "procmail",
        "basicshell",
        "interactiveshell",
        "midnightcommander",
        "extendedshell",
        "terminfo",
        "editors",
        "netutils",
        "apacheutils",
        "extshellplusnet",
        "openvpn",
        "apache",
        "perl",
        "xauth",
        "xclients",
        "vncserver",
        "ping",
    ];

    #[test]
    fn every_name_of_jailkits_is_known() {
        let presets = Presets::built_in().unwrap();
        for name in JAILKIT {
            presets.choose(&[name.to_owned()]).unwrap();
        }
    }

    #[test]
    fn every_preset_takes_in_only_what_there_is_and_says_what_it_is() {
        let presets = Presets::built_in().unwrap();
        for (name, preset) in presets.iter() {
            presets.choose(&[name.to_owned()]).unwrap();
            assert!(!preset.about.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_fault_names_file_line_and_preset() {
        let mut presets = Presets::default();
        for (text, expected) in [
            (
                "\n[a]\nprogrammes = []",
                "x.toml:2: preset a: the key \"programmes\" is not known",
            ),
            ("\n\n[a", "x.toml:3: "),
            (
                "[a]\npaths = [\"/a/../b\"]",
                "x.toml:1: preset a: \"/a/../b\" is no absolute path",
            ),
            (
                "[a]\nprograms = [\"bin/a\"]",
                "x.toml:1: preset a: \"bin/a\" is neither",
            ),
            (
                "[a]\nprograms = \"a\"",
                "x.toml:1: preset a: a list of texts",
            ),
        ] {
            let fault = presets.add("x.toml", text).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }

    #[test]
    fn presets_that_take_each_other_in_are_each_chosen_once() {
        let mut presets = Presets::default();
        presets
            .add("", "[a]\npresets = [\"b\"]\n[b]\npresets = [\"a\"]")
            .unwrap();
        let chosen = presets.choose(&["a".to_owned()]).unwrap();
        let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
