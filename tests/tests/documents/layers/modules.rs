//! The modules of crates, as the compiler would find them, and which files they import.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMod, ItemUse, Macro, MetaList, UseTree, Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

/// The text of each file, by its path below the workspace.
pub(crate) type Sources = BTreeMap<PathBuf, String>;

/// The files that a file imports, with the line of the first import.
pub(crate) type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, usize>>;

/// What a name of a module stands for.
enum Name {
    Module(usize),
    /// Defined in the module's own file.
    Item,
    /// What a `use` line brings in: the path as it is written there.
    Import(Vec<String>),
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item of this module, or something inside the item.
    Item(usize),
}

struct Module {
    parent: Option<usize>,
    file: PathBuf,
    /// Where the files of its children are.
    directory: PathBuf,
    names: HashMap<String, Vec<Name>>,
    globs: Vec<Vec<String>>,
}

/// A path in the code.
struct Mention {
    module: usize,
    path: Vec<String>,
    line: usize,
    /// All of the module that the path leads to is imported.
    glob: bool,
}

/// The modules of one crate, as the compiler would find them from the crate's root.
struct Crate<'a> {
    sources: &'a Sources,
    modules: Vec<Module>,
    mentions: Vec<Mention>,
    /// Files of tests.
    left_out: Vec<PathBuf>,
    /// The module that is being read.
    current: usize,
}

impl<'a> Crate<'a> {
    fn read(sources: &'a Sources, root: &Path) -> Self {
        let mut read = Self {
            sources,
            modules: Vec::new(),
            mentions: Vec::new(),
            left_out: Vec::new(),
            current: 0,
        };
        read.file(None, root, root.parent().unwrap().to_owned());
        read
    }

    fn file(&mut self, parent: Option<usize>, file: &Path, directory: PathBuf) -> usize {
        let text = &self.sources[file];
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        self.module(parent, file, directory, &parsed.items)
    }

    fn module(
        &mut self,
        parent: Option<usize>,
        file: &Path,
        directory: PathBuf,
        items: &[Item],
    ) -> usize {
        let module = self.modules.len();
        self.modules.push(Module {
            parent,
            file: file.to_owned(),
            directory,
            names: HashMap::new(),
            globs: Vec::new(),
        });
        let outer = std::mem::replace(&mut self.current, module);
        for item in items {
            self.visit_item(item);
        }
        self.current = outer;
        module
    }

    /// Finds the file of `mod name;`, and where the files of its own children are.
    fn child(&self, item: &ItemMod) -> (PathBuf, PathBuf) {
        let module = &self.modules[self.current];
        if let Some(path) = item.attrs.iter().find_map(path_attribute) {
            let mut file = module.file.parent().unwrap().to_owned();
            for component in Path::new(&path) {
                if component == ".." {
                    file.pop();
                } else {
                    file.push(component);
                }
            }
            let directory = file.parent().unwrap().to_owned();
            return (file, directory);
        }
        let directory = module.directory.join(item.ident.to_string());
        let beside = directory.with_extension("rs");
        if self.sources.contains_key(&beside) {
            (beside, directory)
        } else {
            (directory.join("mod.rs"), directory)
        }
    }

    fn define(&mut self, name: String, what: Name) {
        let names = &mut self.modules[self.current].names;
        names.entry(name).or_default().push(what);
    }

    fn mention(&mut self, path: Vec<String>, line: usize, glob: bool) {
        self.mentions.push(Mention {
            module: self.current,
            path,
            line,
            glob,
        });
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        let line = tree.span().start().line;
        let (name, path) = match tree {
            UseTree::Path(path) => return self.use_tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(before, tree);
                }
                return;
            }
            UseTree::Glob(_) => {
                self.modules[self.current].globs.push(before.to_vec());
                return self.mention(before.to_vec(), line, true);
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().unwrap().clone(), before.to_vec())
            }
            UseTree::Name(name) => (name.ident.to_string(), with(name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => {
                (rename.rename.to_string(), before.to_vec())
            }
            UseTree::Rename(rename) => (rename.rename.to_string(), with(rename.ident.to_string())),
        };
        self.define(name, Name::Import(path.clone()));
        self.mention(path, line, false);
    }

    /// Finds the paths among tokens, which nobody has parsed: the arguments of macros and attributes.
    fn tokens(&mut self, tokens: &TokenStream) {
        let mut path = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens.clone() {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path(std::mem::take(&mut path), line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.path(std::mem::take(&mut path), line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(&group.stream());
                    }
                }
            }
        }
        self.path(path, line);
    }

    /// A name alone is in the same file, or a `use` line brought it in.
    fn path(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.mention(path, line, false);
        }
    }

    fn resolve(&self, module: usize, path: &[String], left: usize) -> Vec<Target> {
        let Some(left) = left.checked_sub(1) else {
            return Vec::new();
        };
        let mut rest = path;
        let mut at = None;
        while let Some((first, after)) = rest.split_first() {
            at = match (first.as_str(), at) {
                ("crate", None) => Some(0),
                ("self", None) => Some(module),
                ("super", None) => self.modules[module].parent,
                ("super", Some(at)) => self.modules[at].parent,
                _ => break,
            };
            rest = after;
        }
        let mut targets = vec![Target::Module(at.unwrap_or(module))];
        for name in rest {
            let is_module = |it: &Target| matches!(it, Target::Module(_));
            // A function may have the name of a module, and nothing is inside of a function.
            if targets.iter().any(is_module) {
                targets.retain(is_module);
            }
            targets = targets
                .into_iter()
                .flat_map(|target| match target {
                    Target::Module(module) => self.look_up(module, name, left),
                    item @ Target::Item(_) => vec![item],
                })
                .collect();
        }
        targets
    }

    fn look_up(&self, module: usize, name: &str, left: usize) -> Vec<Target> {
        if let Some(names) = self.modules[module].names.get(name) {
            return names
                .iter()
                .flat_map(|name| match name {
                    Name::Module(module) => vec![Target::Module(*module)],
                    Name::Item => vec![Target::Item(module)],
                    Name::Import(path) => match self.resolve(module, path, left) {
                        // Another crate's.
                        targets if targets.is_empty() => vec![Target::Item(module)],
                        targets => targets,
                    },
                })
                .collect();
        }
        self.modules[module]
            .globs
            .iter()
            .flat_map(|path| self.resolve(module, path, left))
            .filter_map(|target| match target {
                Target::Module(module) => left
                    .checked_sub(1)
                    .map(|left| self.look_up(module, name, left)),
                Target::Item(_) => None,
            })
            .flatten()
            .collect()
    }

    fn imports(&self, into: &mut Imports) {
        for mention in &self.mentions {
            let from = &self.modules[mention.module].file;
            let targets = self.resolve(mention.module, &mention.path, 16);
            let own = ["crate", "self", "super"].contains(&mention.path[0].as_str());
            assert!(
                !own || !targets.is_empty(),
                "{}:{}: not found: {}",
                from.display(),
                mention.line,
                mention.path.join("::")
            );
            for target in targets {
                let file = match target {
                    Target::Item(module) => &self.modules[module].file,
                    Target::Module(module) if mention.glob => &self.modules[module].file,
                    // What is used of the module is a path of its own.
                    Target::Module(_) => continue,
                };
                if file != from {
                    let files = into.entry(from.clone()).or_default();
                    files.entry(file.clone()).or_insert(mention.line);
                }
            }
        }
    }
}

impl Visit<'_> for Crate<'_> {
    fn visit_item(&mut self, item: &Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, &item.ident),
            Item::Enum(item) => (&item.attrs, &item.ident),
            Item::Fn(item) => (&item.attrs, &item.sig.ident),
            Item::Static(item) => (&item.attrs, &item.ident),
            Item::Struct(item) => (&item.attrs, &item.ident),
            Item::Trait(item) => (&item.attrs, &item.ident),
            Item::Type(item) => (&item.attrs, &item.ident),
            Item::Union(item) => (&item.attrs, &item.ident),
            other => return visit::visit_item(self, other),
        };
        if !attributes.iter().any(is_for_tests) {
            self.define(name.to_string(), Name::Item);
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        if item.attrs.iter().any(is_for_tests) {
            if item.content.is_none() {
                self.left_out.push(self.child(item).0);
            }
            return;
        }
        let here = &self.modules[self.current];
        let module = if let Some((_, items)) = &item.content {
            let file = here.file.clone();
            let directory = here.directory.join(item.ident.to_string());
            self.module(Some(self.current), &file, directory, items)
        } else {
            let (file, directory) = self.child(item);
            self.file(Some(self.current), &file, directory)
        };
        self.define(item.ident.to_string(), Name::Module(module));
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if !item.attrs.iter().any(is_for_tests) {
            self.use_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let names = path.segments.iter().map(|part| part.ident.to_string());
        self.path(names.collect(), path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &Macro) {
        self.visit_path(&called.path);
        self.tokens(&called.tokens);
    }

    fn visit_meta_list(&mut self, list: &MetaList) {
        self.tokens(&list.tokens);
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _: &Visibility) {}
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|condition| condition.is_ident("test"))
}

fn path_attribute(attribute: &Attribute) -> Option<String> {
    if !attribute.path().is_ident("path") {
        return None;
    }
    match &attribute.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// Whether a file is where cargo looks for the root of a crate.
fn is_root(file: &Path) -> bool {
    let parts: Vec<&str> = file.iter().map(|part| part.to_str().unwrap()).collect();
    match parts.as_slice() {
        [_, "build.rs"]
        | [_, "src", "lib.rs" | "main.rs"]
        | [_, "src", "bin", _, "main.rs"]
        | [_, "tests" | "benches", _, "main.rs"] => true,
        [_, "src", "bin", name] | [_, "tests" | "benches" | "fuzz_targets", name] => {
            name.ends_with(".rs")
        }
        _ => false,
    }
}

pub(crate) fn imports(sources: &Sources) -> Imports {
    let mut imports = Imports::new();
    let mut unread: BTreeSet<&PathBuf> = sources.keys().collect();
    for root in sources.keys().filter(|file| is_root(file)) {
        let read = Crate::read(sources, root);
        read.imports(&mut imports);
        let modules = read.modules.iter().map(|module| &module.file);
        for file in modules.chain(&read.left_out) {
            unread.remove(file);
        }
    }
    assert!(unread.is_empty(), "no crate has these files: {unread:?}");
    imports
}
