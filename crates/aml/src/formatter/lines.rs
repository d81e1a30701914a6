//! Lines being written, with the column where values of neighbouring fields align.

/// A line: its indent, and where its value starts if it takes part in alignment.
#[derive(Debug, Default)]
struct Line {
    indent: usize,
    text: String,
    /// Length of `key:`, when the value after it may move right.
    key_end: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Lines {
    done: Vec<Line>,
    current: Line,
    pub(super) indent: usize,
}

impl Lines {
    pub(super) fn push(&mut self, text: &str) {
        if self.current.text.is_empty() {
            self.current.indent = self.indent;
        }
        self.current.text.push_str(text);
    }

    /// Text that may contain line ends, which stay as they are.
    pub(super) fn verbatim(&mut self, text: &str) {
        let mut pieces = text.split('\n');
        self.push(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.end_line();
            self.current.indent = 0;
            self.current.text.push_str(piece);
            self.current.key_end = None;
        }
    }

    /// Everything up to here is the key; the value may be aligned.
    pub(super) fn mark_key(&mut self) {
        self.current.key_end = Some(self.current.text.len());
    }

    /// The value on this line must stay where it is.
    pub(super) fn unmark(&mut self) {
        self.current.key_end = None;
    }

    /// Number of the line being written.
    pub(super) fn line(&self) -> usize {
        self.done.len()
    }

    /// Forbids alignment on a line already written.
    pub(super) fn unmark_line(&mut self, line: usize) {
        match self.done.get_mut(line) {
            Some(line) => line.key_end = None,
            None => self.current.key_end = None,
        }
    }

    pub(super) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.current);
        self.done.push(line);
    }

    pub(super) fn blank_line(&mut self) {
        let after_nothing = self.done.last().is_none_or(|line| line.text.is_empty());
        if !after_nothing && self.current.text.is_empty() {
            self.done.push(Line::default());
        }
    }

    pub(super) fn finish(mut self) -> String {
        if !self.current.text.is_empty() {
            self.end_line();
        }
        align(&mut self.done);
        let mut out = String::new();
        for line in self.done {
            out.extend(std::iter::repeat_n('\t', line.indent));
            out.push_str(&line.text);
            out.push('\n');
        }
        out
    }
}

/// Moves the values of each run of neighbouring fields to one column.
fn align(lines: &mut [Line]) {
    let mut start = 0;
    while start < lines.len() {
        let Some(_) = lines[start].key_end else {
            start += 1;
            continue;
        };
        let indent = lines[start].indent;
        let length = lines[start..].iter().take_while(|l| l.key_end.is_some() && l.indent == indent).count();
        let run = &mut lines[start..start + length];
        let width = |line: &Line| line.text[..line.key_end.unwrap_or(0)].chars().count();
        let widest = run.iter().map(width).max().unwrap_or(0);
        for line in run {
            let missing = widest - width(line);
            if let Some(at) = line.key_end {
                line.text.insert_str(at, &" ".repeat(missing));
            }
        }
        start += length;
    }
}
