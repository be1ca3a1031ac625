//! The files of a checkout, and the tests in them that are named for rows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::rows::{Id, named_by};

/// A test whose name begins with `row`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its file, from the root of the checkout.
    pub file: String,
    /// Its function.
    pub name: String,
    /// The rows that it names; none if its name is not written as it should be.
    pub rows: Vec<Id>,
}

/// The files below a folder with these extensions, in the order of their names; hidden ones and cargo's output left out.
pub fn files(folder: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden || path.join("CACHEDIR.TAG").exists() {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extensions)?);
        } else if path.extension().is_some_and(|it| extensions.iter().any(|&extension| it == extension)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// All tests of the checkout that are named for rows, by file.
pub fn tests(root: &Path) -> io::Result<Vec<Test>> {
    let mut found = Vec::new();
    for path in files(root, &["rs"])? {
        let file = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let named = tests_in(&fs::read_to_string(&path)?);
        found.extend(named.into_iter().map(|name| Test { rows: named_by(&name), file: file.clone(), name }));
    }
    Ok(found)
}

/// Functions that cargo runs as tests and whose names begin with `row`.
pub fn tests_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_test = false;
        } else if let Some(name) = line.strip_prefix("fn ").filter(|_| is_test) {
            let name = name.split('(').next().unwrap_or_default();
            found.extend((name.starts_with("row_") || name.starts_with("rows_")).then(|| name.to_owned()));
            is_test = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
        }
    }
    found
}
