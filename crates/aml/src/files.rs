//! Files as the caller provides them.

/// Access to files. Paths are passed as they were written.
pub trait Files {
    /// The bytes of a file as text.
    ///
    /// # Errors
    /// [`FileError::Missing`] if there is no such file, else what went wrong.
    fn read(&self, path: &str) -> Result<String, FileError>;

    /// The names in a directory, or `None` if the path is none.
    ///
    /// # Errors
    /// What went wrong.
    fn list(&self, path: &str) -> Result<Option<Vec<String>>, FileError>;

    /// Replaces the text of a file.
    ///
    /// # Errors
    /// What went wrong.
    fn write(&mut self, path: &str, text: &str) -> Result<(), FileError>;

    /// All of standard input.
    ///
    /// # Errors
    /// What went wrong.
    fn stdin(&mut self) -> Result<String, FileError>;
}

/// Why a file could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// There is no such file.
    Missing,
    /// Anything else, in words.
    Failed(String),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("no such file or directory"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for FileError {}
