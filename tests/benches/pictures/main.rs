//! What the pictures of the documents show, from real runs: docs/img/NAME.json, which tests/pictures/draw.py draws.
//!
//! `cargo bench --bench pictures -- NAME...` runs those that are named, without names all. Nothing that is written names
//! the machine it was run on: versions, and ratios rather than times.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a report goes to standard output, and what can't be run says so by panicking"
)]

mod costs;
mod peers;
mod session;
mod view;
mod walls;

use std::{env, fs, path::Path};

use serde_json::Value;

type Run = fn() -> Value;

const PICTURES: [(&str, Run); 4] = [
    ("walls", walls::run),
    ("jail-and-host", view::run),
    ("session", session::run),
    ("costs", costs::run),
];

fn main() {
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .collect();
    for (name, run) in PICTURES {
        if !wanted.is_empty() && !wanted.iter().any(|it| it == name) {
            continue;
        }
        println!("{name}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/img/{name}.json"));
        let text = format!("{:#}\n", run());
        if let Err(error) = fs::write(&path, text) {
            panic!("write {}: {error}", path.display());
        }
    }
}
