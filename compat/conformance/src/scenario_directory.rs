//! The directory that a driver may use for its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// An empty directory with a unique name; dropping it removes it with all it holds.
pub(crate) struct ScenarioDirectory {
    path: PathBuf,
}

impl ScenarioDirectory {
    pub(crate) fn create() -> io::Result<ScenarioDirectory> {
        static N_CREATED: AtomicU64 = AtomicU64::new(0);
        loop {
            // Short, because the path of a unix socket must fit into 108 bytes.
            let number = N_CREATED.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("conf-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(ScenarioDirectory { path }),
                // A process that had the same id has left it.
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                Err(err) => return Err(err),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScenarioDirectory {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary directory and disturbs nothing.
        drop(fs::remove_dir_all(&self.path));
    }
}
