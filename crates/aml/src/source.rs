//! Source texts, byte spans in them, and the places a person sees.
//!
//! A span is three numbers; it becomes a [`Place`] (file name, line, column, the
//! line's text) only when a diagnostic is made, so the tree and the evaluator
//! never carry strings around.

use std::sync::Arc;

/// A range of bytes in one source of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Number of the source within its [`Sources`], plus one; zero means "nowhere".
    pub file: u32,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The span of things that have no source, such as built-in functions.
    pub const NONE: Self = Self { file: 0, start: 0, end: 0 };

    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { file: self.file, start: self.start, end: other.end.max(self.end) }
    }

    /// True when the span points into a source.
    #[must_use]
    pub fn is_some(self) -> bool {
        self.file != 0
    }
}

/// One named text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name shown in diagnostics, usually a path.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// Makes a source from a name and its text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// The sources a span may point into. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<Text>>,
    base: u32,
}

#[derive(Debug)]
struct Text {
    name: String,
    text: String,
    line_starts: Vec<u32>,
}

impl Sources {
    /// An empty table whose first source gets number `base + 1`, so that spans of
    /// several documents stay apart.
    #[must_use]
    pub fn starting_at(base: u32) -> Self {
        Self { files: Vec::new(), base }
    }

    /// Adds a source and returns its number.
    pub fn add(&mut self, source: &Source) -> u32 {
        let mut line_starts = vec![0];
        line_starts
            .extend(source.text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        self.files.push(Arc::new(Text { name: source.name.clone(), text: source.text.clone(), line_starts }));
        self.base + self.files.len() as u32
    }

    /// The number after the last source.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.base + self.files.len() as u32
    }

    fn text(&self, file: u32) -> Option<&Arc<Text>> {
        self.files.get((file.checked_sub(self.base + 1)?) as usize)
    }

    /// The place a span points at, if it belongs to these sources.
    #[must_use]
    pub fn place(&self, span: Span) -> Option<Place> {
        let text = self.text(span.file)?;
        let (line, column) = text.position(span.start);
        let (end_line, end_column) = text.position(span.end.max(span.start));
        Some(Place {
            file: text.name.clone(),
            offset: span.start as usize,
            line,
            column,
            end_line,
            end_column,
            text: text.line(line).to_owned(),
        })
    }
}

impl Text {
    /// One-based line and column; columns count bytes, as the original's do.
    fn position(&self, offset: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        (line, (offset - self.line_starts[line - 1]) as usize + 1)
    }

    fn line(&self, line: usize) -> &str {
        let start = self.line_starts[line - 1] as usize;
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| *next as usize - 1);
        self.text[start..end].trim_end_matches('\r')
    }
}

/// A span as a person or an editor reads it. Lines and columns start at one and
/// columns count bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name of the source.
    pub file: String,
    /// Byte offset of the start.
    pub offset: usize,
    /// Line of the start.
    pub line: usize,
    /// Column of the start.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column after the last byte.
    pub end_column: usize,
    /// Text of the line the place starts on.
    pub text: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// First line of a text that holds several files as one JSON object.
const FILE_MAP_HEADER: &str = "//aml:filemap";

/// True for a text that holds several files as one JSON object.
#[must_use]
pub fn is_file_map(text: &str) -> bool {
    text.starts_with(FILE_MAP_HEADER)
}

/// Splits a text into the files it holds: itself, or the entries of a file map in
/// the order of their names, then the text after the map.
///
/// # Errors
/// A sentence, if the text says it is a file map but its JSON cannot be read.
pub fn split_file_map(source: Source) -> Result<Vec<Source>, String> {
    let Some(open) = source.text.find('{').filter(|_| is_file_map(&source.text)) else {
        return Ok(vec![source]);
    };
    let mut stream = serde_json::Deserializer::from_str(&source.text[open..])
        .into_iter::<std::collections::BTreeMap<String, String>>();
    let files = match stream.next() {
        Some(Ok(files)) => files,
        Some(Err(error)) => return Err(format!("file map of {}: {error}", source.name)),
        None => return Ok(vec![source]),
    };
    let trailer = &source.text[open + stream.byte_offset()..];
    let mut out: Vec<Source> =
        files.into_iter().map(|(name, text)| Source::new(join(&source.name, &name), text)).collect();
    if !trailer.trim().is_empty() {
        out.push(Source::new("", trailer));
    }
    Ok(out)
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{}/{name}", directory.trim_end_matches('/')) }
}

/// Makes the text of a file map out of several files.
#[must_use]
pub fn file_map(files: &[(String, String)]) -> String {
    let map: std::collections::BTreeMap<_, _> = files.iter().cloned().collect();
    format!("{FILE_MAP_HEADER}\n{}\n", serde_json::to_string(&map).expect("strings always encode"))
}
