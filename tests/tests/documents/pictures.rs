//! The pictures of the documents: each describes itself, and is what the drawer draws of its data today.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const LARGEST: usize = 60_000;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|it| it == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn every_picture_is_small_describes_itself_and_refers_to_nothing_outside() {
    for picture in files(&top().join("docs/img"), "svg") {
        let text = fs::read_to_string(&picture).unwrap();
        assert!(text.len() < LARGEST, "{picture:?}: {} bytes", text.len());
        assert!(
            text.contains("<title>") && text.contains("<desc>"),
            "{picture:?}"
        );
        let text = text.replacen("xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
        for outside in ["href", "http", "@import", "url(\"", "<script"] {
            assert!(!text.contains(outside), "{picture:?}: {outside}");
        }
    }
}

/// The layers among them: the drawer reads the manifests, and the list in this binary's `layers`.
#[test]
fn every_picture_is_drawn_from_its_data_and_from_the_layers_of_today() {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&into).unwrap();
    let status = Command::new("python3")
        .arg("-B")
        .arg(top().join("tests/pictures/draw.py"))
        .arg("--into")
        .arg(&into)
        .status()
        .expect("python3, which make test installs");
    assert!(status.success(), "draw.py: {status}");
    let drawn = files(&into, "svg");
    let kept = files(&top().join("docs/img"), "svg");
    let names = |files: &[PathBuf]| -> Vec<_> {
        files
            .iter()
            .map(|it| it.file_name().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&drawn), names(&kept));
    for (drawn, kept) in drawn.iter().zip(&kept) {
        assert!(
            fs::read(drawn).unwrap() == fs::read(kept).unwrap(),
            "{kept:?} is out of date; run: make pictures DRAW=1"
        );
    }
}
