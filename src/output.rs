//! Files that appear whole or not at all, and progress that appears on terminals only.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::{NamedTempFile, TempDir};

use crate::failure::Failure;

/// The folder a file is in.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(file: &Path) -> impl FnOnce(io::Error) -> Failure {
    let file = file.to_path_buf();
    move |problem| Failure::Unwritable { file, problem }
}

/// A file under construction beside its final place.
pub struct NewFile {
    file: PathBuf,
    content: NamedTempFile,
}

impl NewFile {
    /// Starts a file; fails now if it could not be finished later.
    pub fn create(file: &Path) -> Result<Self, Failure> {
        refuse_folder(file)?;
        let content = NamedTempFile::new_in(folder(file)).map_err(unwritable(file))?;
        Ok(Self { file: file.to_path_buf(), content })
    }

    /// Writes the text and puts the file in its place.
    pub fn finish(mut self, text: &str) -> Result<(), Failure> {
        let written = self.content.write_all(text.as_bytes()).and_then(|()| readable_by_all(self.content.path()));
        written.map_err(unwritable(&self.file))?;
        self.content.persist(&self.file).map_err(|e| unwritable(&self.file)(e.error))?;
        Ok(())
    }
}

/// A file that a library writes by its name: in a folder of its own until it is whole.
pub struct NewForeignFile {
    file: PathBuf,
    folder: TempDir,
}

impl NewForeignFile {
    /// Starts a file; fails now if it could not be finished later.
    pub fn create(file: &Path) -> Result<Self, Failure> {
        refuse_folder(file)?;
        let folder =
            tempfile::Builder::new().prefix(".pointsman").tempdir_in(folder(file)).map_err(unwritable(file))?;
        Ok(Self { file: file.to_path_buf(), folder })
    }

    /// Where to write meanwhile.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("part")
    }

    /// Puts the file in its place if it was written.
    pub fn finish(self) -> Result<bool, Failure> {
        if !self.path().exists() {
            return Ok(false);
        }
        fs::rename(self.path(), &self.file).map_err(unwritable(&self.file))?;
        Ok(true)
    }
}

fn refuse_folder(file: &Path) -> Result<(), Failure> {
    if file.is_dir() { Err(unwritable(file)(io::Error::from(io::ErrorKind::IsADirectory))) } else { Ok(()) }
}

/// Temporary files are private; what the user asked for is not.
#[cfg(unix)]
fn readable_by_all(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Prints to standard output; a reader that has gone away is not an error.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// A progress bar on standard error, if that is a terminal.
pub fn progress(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} ({eta} left)").expect("a fixed template");
    bar.set_style(style);
    bar.set_message(what.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
