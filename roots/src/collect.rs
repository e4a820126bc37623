//! Everything that a root needs for what it is to have: programs, what they load, and the links and directories on the
//! way to each.
//!
//! A path inside is the path on the host, links and all, so that what works there works here. What somebody without
//! rights could not reach and read on the host is never taken: a root must not be the way to a key.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsStr,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use jail::process::{elf::Abi, script};
use rustix::fs::FileType;

use crate::{
    closure::{Closure, Entry, OWN},
    fault::Fault,
    host::{self, Left, Reached, Step},
    library_directories::default_directories,
    loader::Loader,
    note::Note,
    pattern,
    presets::{Preset, find_program, patterns},
    shebang,
};

/// Directories that are never taken as a whole, wherever a link may lead.
const TOO_LARGE: [&str; 12] = [
    "/",
    "/usr",
    "/etc",
    "/opt",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/share",
];

/// Links that distributions with a merged /usr have; without them no interpreter is where programs say.
const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// How a path came to be wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It is to be started.
    Program { depth: usize },
    /// A program loads it.
    Library,
    /// It is in a directory that is taken as a whole.
    Part,
}

/// Puts a closure together.
#[derive(Debug)]
pub struct Collector {
    loader: Loader,
    closure: Closure,
    exclude: Vec<String>,
    /// Files that were looked at, and directories that were taken as a whole.
    seen: HashSet<PathBuf>,
    /// Scripts found in directories, by interpreter.
    scripts: BTreeMap<PathBuf, (PathBuf, usize, bool)>,
    /// Links that others than root have made, and the directories that they lead to.
    elsewhere: BTreeMap<PathBuf, PathBuf>,
}

impl Collector {
    /// Starts with the links of a merged /usr and nothing else.
    #[must_use]
    pub fn new() -> Collector {
        let mut collector = Collector {
            loader: Loader::of_host(),
            closure: Closure::default(),
            exclude: Vec::new(),
            seen: HashSet::new(),
            scripts: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
        };
        for link in MERGED.map(Path::new) {
            let is_link = fs::symlink_metadata(link).is_ok_and(|metadata| metadata.is_symlink());
            if let (true, Ok(reached)) = (is_link, host::follow(link, &OWN)) {
                collector.take_way(reached.way);
            }
        }
        collector
    }

    /// Takes in what a preset names.
    ///
    /// # Errors
    /// The preset was asked for by name, and the host has none of its programs.
    pub fn preset(&mut self, name: &str, preset: &Preset, asked: bool) -> Result<(), Fault> {
        let excluded = self.exclude.len();
        self.exclude.extend(preset.exclude.iter().cloned());
        self.programs_of(name, preset, asked)?;
        for path in preset.paths.iter().flat_map(|path| patterns(path)) {
            for path in pattern::expand(&path) {
                self.add(&path, Role::Part);
            }
        }
        for library in &preset.libraries {
            if let Some(path) = self.loader.library(OsStr::new(library), Abi::NATIVE) {
                self.add(&path, Role::Library);
            }
        }
        for directory in &preset.directories {
            self.directory(Path::new(directory));
        }
        self.exclude.truncate(excluded);
        Ok(())
    }

    /// Takes in the programs that a preset names and the host has, and notes the others.
    fn programs_of(&mut self, name: &str, preset: &Preset, asked: bool) -> Result<(), Fault> {
        let mut found = false;
        let mut missing = Vec::new();
        for (program, places) in preset.programs_by_name() {
            let there: Vec<PathBuf> = places.iter().filter_map(|it| find_program(it)).collect();
            for path in &there {
                self.add(path, Role::Program { depth: 0 });
            }
            if there.is_empty() {
                missing.push(program.to_owned());
            }
            found |= !there.is_empty();
        }
        if asked && !found && !missing.is_empty() {
            let mend = preset.package.as_ref();
            let mend = mend.map_or_else(String::new, |package| {
                format!("; apt-get install {package}")
            });
            let programs = missing.join(", ");
            return Err(Fault::Failed(format!(
                "preset {name}: the host has no {programs}{mend}"
            )));
        }
        let notes = missing.into_iter().map(|program| Note::NotInstalled {
            program,
            preset: name.to_owned(),
        });
        self.closure.notes.extend(notes);
        Ok(())
    }

    /// Takes in a program, by name or by path, or a file or directory.
    ///
    /// # Errors
    /// The host does not have it, or not everybody may read it.
    pub fn program(&mut self, name: &str) -> Result<(), Fault> {
        let path = find_program(name)
            .ok_or_else(|| Fault::Failed(format!("program {name}: not on this host")))?;
        let before = self.closure.notes.clone();
        if self.add(&path, Role::Program { depth: 0 }) {
            return Ok(());
        }
        let why = self.closure.notes.difference(&before).next();
        let why = why.map_or_else(|| "is not to be had".to_owned(), Note::to_string);
        Err(Fault::Failed(format!("program {name}: {why}")))
    }

    /// Notes it if nothing brings the shell that a jail has by default.
    pub fn note_shell(&mut self) {
        let brought = |path| self.closure.entries.contains_key(Path::new(path));
        if !["/bin/sh", "/usr/bin/sh"].into_iter().any(brought) {
            self.closure.notes.insert(Note::NoShell);
        }
    }

    /// Takes in a program that was asked for when the root was built. One that is not to be had any more is noted: its
    /// owner, or the package that it was of, must not keep all else from being brought up to date.
    pub fn program_of_before(&mut self, name: &str) {
        let program = name.to_owned();
        match find_program(name) {
            None => drop(self.closure.notes.insert(Note::Removed { program })),
            Some(path) => {
                if !self.add(&path, Role::Program { depth: 0 }) {
                    self.closure.notes.insert(Note::LeftOut { program });
                }
            }
        }
    }

    /// Takes in an empty directory.
    pub fn directory(&mut self, path: &Path) {
        for directory in path.ancestors().filter(|path| *path != Path::new("/")) {
            self.closure
                .entries
                .entry(directory.to_owned())
                .or_insert(Entry::Directory);
        }
    }

    /// Gives what was collected.
    #[must_use]
    pub fn finish(mut self) -> Closure {
        for (interpreter, (script, scripts, needed)) in self.scripts {
            if !self.seen.contains(&interpreter) {
                self.closure.notes.insert(Note::MissingInterpreter {
                    interpreter,
                    script,
                    scripts,
                    needed,
                });
            }
        }
        for (path, to) in self.elsewhere {
            if !self.seen.contains(&to) {
                self.closure.notes.insert(Note::Elsewhere { path, to });
            }
        }
        self.closure
    }

    /// Takes in a path and what it needs, and says whether that could be.
    fn add(&mut self, path: &Path, role: Role) -> bool {
        match self.reach(path) {
            Some(reached) => self.take(reached, role),
            None => false,
        }
    }

    /// Goes to where a path leads, and notes it if what is there is not to be taken.
    fn reach(&mut self, path: &Path) -> Option<Reached> {
        let taken =
            |reached: &Reached| matches!(reached.kind, FileType::Directory | FileType::RegularFile);
        let left = match host::follow(path, &OWN) {
            Ok(reached) if !taken(&reached) => return None,
            Ok(reached) if reached.is_public() => return Some(reached),
            Ok(_) => Left::Private,
            Err(left) => left,
        };
        let path = path.to_owned();
        match left {
            Left::Missing(_) => {}
            Left::Private => drop(self.closure.notes.insert(Note::Private { path })),
            Left::Own => drop(self.closure.notes.insert(Note::Own { path })),
        }
        None
    }

    /// Takes in what a path led to, and every link and directory on the way.
    fn take(&mut self, reached: Reached, role: Role) -> bool {
        if reached.kind != FileType::Directory {
            self.take_way(reached.way);
            self.file(reached.path, reached.mode, role);
            return true;
        }
        // Whoever wrote what runs a script, or what a program loads, has asked for a file.
        if !matches!(role, Role::Program { depth: 0 } | Role::Part) {
            return false;
        }
        self.take_way(reached.way);
        self.tree(&reached.path)
    }

    fn take_way(&mut self, way: Vec<(PathBuf, Step)>) {
        let entries = way.into_iter().map(|(path, step)| match step {
            Step::Directory => (path, Entry::Directory),
            Step::Link(to) => (path, Entry::Link(to)),
        });
        self.closure.entries.extend(entries);
    }

    fn file(&mut self, path: PathBuf, mode: u32, role: Role) {
        // Without set-id bits: nothing inside can use them. Writable by root alone, whatever the host thinks.
        let entry = Entry::File(mode & 0o755);
        self.closure.entries.insert(path.clone(), entry);
        self.inspect(path, mode, role);
    }

    /// Takes in what a file needs to be started or loaded.
    fn inspect(&mut self, path: PathBuf, mode: u32, role: Role) {
        let program = matches!(role, Role::Program { .. });
        let name = path
            .file_name()
            .map(OsStr::as_encoded_bytes)
            .unwrap_or_default();
        let library = name.windows(3).any(|part| part == b".so");
        let executable = mode & 0o111 != 0;
        if !(program || library || executable || role == Role::Library) {
            return;
        }
        // A script that was part of a directory may be asked for by name later; all else is looked at once.
        if !self.seen.insert(path.clone()) && !program {
            return;
        }
        let mut start = [0; script::LONGEST_LINE];
        let length = host::look_at(&path).map(|mut file| file.read(&mut start));
        let length = length.ok().and_then(Result::ok).unwrap_or(0);
        let start = start.get(..length).unwrap_or_default();
        if let Some(script) = shebang::parse(start) {
            self.interpreters(&path, script, role);
        } else if start.starts_with(b"\x7fELF") {
            let loads = self.loader.loads(&path);
            for library in loads.libraries {
                self.add(&library, Role::Library);
            }
            for missing in loads.missing {
                self.closure.notes.insert(Note::MissingLibrary {
                    library: missing.library.to_string_lossy().into_owned(),
                    by: missing.by,
                    needed: program,
                });
            }
        }
    }

    /// Takes in what runs a script, or remembers that somebody should.
    fn interpreters(&mut self, path: &Path, script: shebang::Shebang, role: Role) {
        let first = PathBuf::from(&script.interpreter);
        let second = script.program.map(|name| {
            let found = name.to_str().and_then(find_program);
            found.unwrap_or_else(|| PathBuf::from(name))
        });
        for interpreter in [Some(first), second].into_iter().flatten() {
            let brought = match role {
                Role::Program { depth } if depth < script::DEEPEST => {
                    self.add(&interpreter, Role::Program { depth: depth + 1 })
                }
                _ => false,
            };
            if !brought {
                let real = fs::canonicalize(&interpreter).unwrap_or(interpreter);
                let entry = self.scripts.entry(real);
                let entry = entry.or_insert_with(|| (path.to_owned(), 0, false));
                entry.1 += 1;
                entry.2 |= matches!(role, Role::Program { .. });
            }
        }
    }

    /// Takes in a directory as a whole.
    fn tree(&mut self, path: &Path) -> bool {
        if is_too_large(path) {
            self.closure.notes.insert(Note::TooLarge {
                path: path.to_owned(),
            });
            return false;
        }
        let mut open = vec![path.to_owned()];
        while let Some(directory) = open.pop() {
            if self.excluded(&directory) || !self.seen.insert(directory.clone()) {
                continue;
            }
            match host::list(&directory) {
                Ok(children) => {
                    let entry = (directory.clone(), Entry::Directory);
                    self.closure.entries.extend([entry]);
                    for (name, kind) in children {
                        let child = directory.join(name);
                        match kind {
                            _ if self.excluded(&child) => {}
                            FileType::Directory => open.push(child),
                            FileType::Symlink => self.link(child),
                            _ => drop(self.add(&child, Role::Part)),
                        }
                    }
                }
                Err(Left::Private) => {
                    let path = directory;
                    self.closure.notes.insert(Note::Private { path });
                }
                // Its owner has taken it away since, or put something else there.
                Err(Left::Missing(_) | Left::Own) => {}
            }
        }
        true
    }

    /// Takes in a link of a directory that is taken as a whole, and what it leads to. Directories that are elsewhere come
    /// along by root's links only: others must not have a link fill the disk.
    fn link(&mut self, path: PathBuf) {
        let Some(mut reached) = self.reach(&path) else {
            return;
        };
        let is_directory = reached.kind == FileType::Directory;
        if is_directory && reached.by_others && !is_too_large(&reached.path) {
            reached.way.retain(|(passed, _)| *passed == path);
            self.take_way(reached.way);
            self.elsewhere.insert(path, reached.path);
        } else {
            self.take(reached, Role::Part);
        }
    }

    fn excluded(&self, path: &Path) -> bool {
        self.exclude
            .iter()
            .any(|pattern| pattern::covers(pattern, path))
    }
}

impl Default for Collector {
    fn default() -> Collector {
        Collector::new()
    }
}

/// Whether a directory is never taken as a whole.
fn is_too_large(path: &Path) -> bool {
    let libraries = default_directories(Abi::NATIVE);
    TOO_LARGE.iter().any(|known| path == *known) || libraries.iter().any(|known| path == known)
}

#[cfg(test)]
mod tests;
