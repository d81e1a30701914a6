//! A parsed document and what can be asked of it.

use crate::diagnostics::{Code, Diagnostic, Fault, FaultBox};
use crate::evaluation::{Clock, Machine};
use crate::limits::{Limits, Usage};
use crate::parser::parse_document;
use crate::printing::Json;
use crate::source::{Source, Sources, split_file_map};
use crate::tree::{Body, Decl};
use crate::value::{Arg, Env, Func, FuncId, Kind, PathId, SchemaId, UserFunction, Value};
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers of sources; they only tell the sources of several documents apart.
static NEXT_SOURCE: AtomicU32 = AtomicU32::new(0);

/// One or more sources as one document.
#[derive(Clone, Debug)]
pub struct Document {
    name: String,
    body: Body,
    sources: Sources,
}

/// What a document is evaluated with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'i> {
    /// Named arguments.
    pub args: &'i [(String, Json)],
    /// Names of profiles; the first has the highest priority. A name that ends in
    /// `?` may be missing.
    pub profiles: &'i [String],
    /// A schema the result must fit.
    pub schema: Option<&'i Document>,
    /// A value whose keys are names in the document.
    pub globals: Option<&'i Json>,
}

/// A finished evaluation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The value.
    pub value: Json,
    /// Lines written by `std.debug`.
    pub debug: Vec<String>,
    /// What it took.
    pub usage: Usage,
}

/// What an argument takes on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list.
    List,
    /// Anything else.
    Other,
}

/// An argument of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The comment above it.
    pub description: String,
    /// What it takes.
    pub kind: ArgKind,
    /// What the elements of a list are.
    pub item: ArgKind,
}

/// A profile of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The comment above it.
    pub description: String,
}

/// What a document takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Its arguments, in the order they are written.
    pub args: Vec<Argument>,
    /// Its profiles, in the order they are written.
    pub profiles: Vec<Profile>,
}

impl Document {
    /// Parses sources as one document. A source that is a file map stands for its
    /// files.
    ///
    /// # Errors
    /// At most one diagnostic per source.
    pub fn parse(sources: Vec<Source>, limits: &Limits) -> Result<Self, Vec<Diagnostic>> {
        let name = sources.first().map(|s| s.name.clone()).unwrap_or_default();
        let mut files = Vec::new();
        for source in sources {
            files.extend(split_file_map(source).map_err(|m| vec![Diagnostic::new(Code::File, m)])?);
        }
        let first = NEXT_SOURCE.fetch_add(files.len() as u32, Ordering::Relaxed);
        let mut table = Sources::starting_at(first % (u32::MAX / 2));
        let mut body = Body { broken: true, ..Body::default() };
        let mut faults: Vec<FaultBox> = Vec::new();
        for file in &files {
            let number = table.add(file);
            match parse_document(&file.text, number, limits.nesting) {
                Ok(parsed) => append(&mut body, parsed),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() {
            return Ok(Self { name, body, sources: table });
        }
        Err(faults.into_iter().map(|fault| fault.diagnose(&[&table])).collect())
    }

    /// Parses one text.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse_text(name: &str, text: &str, limits: &Limits) -> Result<Self, Vec<Diagnostic>> {
        Self::parse(vec![Source::new(name, text)], limits)
    }

    /// The name of the first source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The syntax tree.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The declarations of the document.
    #[must_use]
    pub fn decls(&self) -> &[Decl] {
        &self.body.decls
    }

    /// The sources that spans of the tree point into.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Evaluates the document.
    ///
    /// `clock` gives the time since any moment; it is read now and then.
    ///
    /// # Errors
    /// Why there is no value, a limit that was reached included.
    pub fn evaluate(
        &self,
        inputs: &Inputs<'_>,
        limits: &Limits,
        clock: Clock<'_>,
    ) -> Result<Outcome, Box<Diagnostic>> {
        self.with_machine(inputs.schema, limits, clock, |machine| {
            let value = self.run(machine, inputs)?;
            let value = match (inputs.schema, value) {
                (Some(schema), Some(value)) => {
                    machine.json_of(&value)?;
                    let schema = schema.as_schema(machine)?;
                    Some(machine.check(schema, value)?)
                }
                (_, value) => value,
            };
            let value = machine.document_json(value, &self.name)?;
            Ok(Outcome { value, debug: std::mem::take(&mut machine.debug), usage: machine.usage() })
        })
    }

    /// What the document takes.
    ///
    /// # Errors
    /// Why its arguments cannot be read.
    pub fn arguments(&self, limits: &Limits, clock: Clock<'_>) -> Result<Arguments, Box<Diagnostic>> {
        self.with_machine(None, limits, clock, |machine| {
            let func = self.function(machine, machine.builtins, false);
            let signature = machine.signature(func)?;
            let args = fields(machine, signature.args);
            let profiles = fields(machine, signature.profiles);
            Ok(Arguments {
                args,
                profiles: profiles
                    .into_iter()
                    .map(|p| Profile { name: p.name, description: p.description })
                    .collect(),
            })
        })
    }

    /// The full description of what the document takes.
    ///
    /// # Errors
    /// Why its arguments cannot be read.
    pub fn describe_arguments(&self, limits: &Limits, clock: Clock<'_>) -> Result<Json, Box<Diagnostic>> {
        self.with_machine(None, limits, clock, |machine| {
            let func = self.function(machine, machine.builtins, false);
            let signature = machine.signature(func)?;
            let profiles = fields(machine, signature.profiles);
            let profiles: Vec<_> = profiles.into_iter().map(|p| (p.name, p.description)).collect();
            machine.signature_description(signature.args, &profiles)
        })
    }

    /// The document as a schema, described.
    ///
    /// # Errors
    /// Why it is no schema.
    pub fn describe_schema(&self, limits: &Limits, clock: Clock<'_>) -> Result<Json, Box<Diagnostic>> {
        self.with_machine(None, limits, clock, |machine| {
            let schema = self.as_schema(machine)?;
            machine.schema_summary(schema)
        })
    }

    /// Runs `work` on a new machine and tells a fault in places of these sources.
    fn with_machine<'t, T>(
        &'t self,
        other: Option<&'t Document>,
        limits: &'t Limits,
        clock: Clock<'t>,
        work: impl FnOnce(&mut Machine<'t>) -> Result<T, FaultBox>,
    ) -> Result<T, Box<Diagnostic>> {
        let mut machine = Machine::new(limits, clock);
        work(&mut machine).map_err(|fault| {
            let mut sources = vec![&self.sources];
            sources.extend(other.map(|d| &d.sources));
            Box::new(fault.diagnose(&sources))
        })
    }

    fn function<'t>(
        &'t self,
        machine: &mut Machine<'t>,
        scope: crate::value::ScopeId,
        schema: bool,
    ) -> FuncId {
        let function = UserFunction { body: &self.body, returns: None, root: true };
        let env = Env { scope, schema, open: false, path: PathId(0) };
        let span = self.body.decls.first().map(|d| d.span).unwrap_or_default();
        machine.new_func(Func::User { function, env, span })
    }

    fn run<'t>(&'t self, machine: &mut Machine<'t>, inputs: &Inputs<'_>) -> Result<Option<Value>, FaultBox> {
        let scope = match inputs.globals {
            None => machine.builtins,
            Some(globals) => {
                let value = machine.value_of(globals)?;
                machine.new_scope(machine.builtins, crate::evaluation::ScopeKind::Value(value))?
            }
        };
        let func = self.function(machine, scope, false);
        let mut args = Vec::new();
        let mut named: Vec<&(String, Json)> = inputs.args.iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, value) in named {
            args.push(Arg::Named(name.as_str().into(), machine.value_of(value)?));
        }
        if !inputs.profiles.is_empty() {
            let names = inputs.profiles.iter().map(|p| Value::text(p.as_str())).collect();
            args.push(Arg::Named("profiles".into(), machine.new_list(names)?));
        }
        machine.call(&Value::Func(func), args, PathId(0))
    }

    fn as_schema<'t>(&'t self, machine: &mut Machine<'t>) -> Result<SchemaId, FaultBox> {
        let func = self.function(machine, machine.builtins, true);
        match machine.call(&Value::Func(func), Vec::new(), PathId(0))? {
            Some(Value::Schema(schema)) => Ok(schema),
            _ => {
                let message = format!("invalid schema {} yield no schema value", self.name);
                Err(Fault::new(Code::BadSchema, message))
            }
        }
    }
}

fn append(all: &mut Body, mut more: Body) {
    all.span = more.span;
    if let Some(first) = more.decls.first_mut() {
        first.comments.leading.splice(0..0, all.dangling.drain(..));
    } else {
        all.dangling.append(&mut more.dangling);
    }
    all.decls.append(&mut more.decls);
    all.dangling.append(&mut more.dangling);
}

fn fields(machine: &Machine<'_>, schema: SchemaId) -> Vec<Argument> {
    let schema = machine.schema(schema);
    let fields = schema.object.iter().flat_map(|o| &o.fields);
    fields
        .map(|field| {
            let inner = machine.schema(field.schema);
            let item = inner.list.iter().flat_map(|l| &l.valid).next();
            Argument {
                name: field.key.to_string(),
                description: field.description.clone(),
                kind: arg_kind(inner.kind),
                item: item.map_or(ArgKind::String, |id| arg_kind(machine.schema(*id).kind)),
            }
        })
        .collect()
}

fn arg_kind(kind: Kind) -> ArgKind {
    match kind {
        Kind::Bool => ArgKind::Bool,
        Kind::Number => ArgKind::Number,
        Kind::String => ArgKind::String,
        Kind::Array => ArgKind::List,
        _ => ArgKind::Other,
    }
}
