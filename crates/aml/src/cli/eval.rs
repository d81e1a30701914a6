//! `aml eval [flags] FILE [argument flags] [QUERY…]`

use super::flags::{Flags, Given};
use super::{Answer, Failure, Style, Surroundings, help, input};
use crate::diagnostics::did_you_mean;
use crate::document::{Document, Inputs};
use crate::printing::Json;
use crate::source::Source;

/// Flags before FILE.
struct Options<'a> {
    args_file: &'a str,
    print_args: bool,
    print_schema: bool,
    schema_file: Option<&'a str>,
    help: bool,
    file: Option<&'a str>,
    rest: &'a [String],
}

const FLAGS: [&str; 6] = ["args-file", "print-args", "print-schema", "schema-file", "plain", "json-errors"];

pub(super) fn run(
    args: &[String],
    surroundings: &mut Surroundings<'_>,
    style: &mut Style,
) -> Result<Answer, Failure> {
    let options = options(args, style)?;
    let Some(file) = options.file else {
        if options.help {
            return Ok(help());
        }
        return Err(Failure::usage(
            "requires at least 1 arg(s), only received 0",
            Some("name a FILE".into()),
        ));
    };
    let document = input::document(file, surroundings)?;
    let arguments = document.arguments(surroundings.limits, surroundings.clock)?;
    let flags = Flags::new(base_name(file), &arguments);
    let given = match flags.parse(options.rest, surroundings)? {
        Some(given) => given,
        None => return Ok(Answer { stdout: flags.usage(), ..Answer::default() }),
    };
    let args = merge(args_file(options.args_file, surroundings)?, &given);
    evaluate(&document, &options, &args, &given, surroundings)
}

fn base_name(file: &str) -> &str {
    file.trim_end_matches('/').rsplit('/').next().unwrap_or(file)
}

fn options<'a>(args: &'a [String], style: &mut Style) -> Result<Options<'a>, Failure> {
    let mut options = Options {
        args_file: ".args.acorn",
        print_args: false,
        print_schema: false,
        schema_file: None,
        help: false,
        file: None,
        rest: &[],
    };
    let mut index = 0;
    while let Some(arg) = args.get(index) {
        index += 1;
        let Some(flag) = arg.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            if arg == "-h" {
                options.help = true;
                continue;
            }
            let file = if arg == "--" { args.get(index).inspect(|_| index += 1) } else { Some(arg) };
            options.file = file.map(String::as_str);
            options.rest = &args[index.min(args.len())..];
            break;
        };
        let (name, attached) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let mut value = || {
            attached
                .or_else(|| {
                    args.get(index).map(|next| {
                        index += 1;
                        next.as_str()
                    })
                })
                .ok_or_else(|| Failure::usage(format!("flag needs an argument: --{name}"), None))
        };
        match name {
            "args-file" => options.args_file = value()?,
            "schema-file" => options.schema_file = Some(value()?),
            "print-args" => options.print_args = attached != Some("false"),
            "print-schema" => options.print_schema = attached != Some("false"),
            "plain" => *style = Style::Plain,
            "json-errors" => *style = Style::Json,
            "help" => options.help = true,
            _ => {
                let hint = did_you_mean(name, FLAGS)
                    .or_else(|| Some("flags for arguments of the file come after FILE".into()));
                return Err(Failure::usage(format!("unknown flag: --{name}"), hint));
            }
        }
    }
    Ok(options)
}

/// Arguments from the file that may hold them.
fn args_file(name: &str, surroundings: &mut Surroundings<'_>) -> Result<Vec<(String, Json)>, Failure> {
    if name.is_empty() || surroundings.files.read(name) == Err(crate::files::FileError::Missing) {
        return Ok(Vec::new());
    }
    let document = input::document(name, surroundings)?;
    match input::value(&document, surroundings)? {
        Json::Object(entries) => Ok(entries),
        _ => Err(Failure::file(format!("{name}: arguments must be an object"))),
    }
}

fn merge(mut args: Vec<(String, Json)>, given: &Given) -> Vec<(String, Json)> {
    for (name, value) in &given.args {
        args.retain(|(known, _)| known != name);
        args.push((name.clone(), value.clone()));
    }
    args
}

fn evaluate(
    document: &Document,
    options: &Options<'_>,
    args: &[(String, Json)],
    given: &Given,
    surroundings: &mut Surroundings<'_>,
) -> Result<Answer, Failure> {
    let (limits, clock) = (surroundings.limits, surroundings.clock);
    if options.print_args {
        return Ok(printed(&document.describe_arguments(limits, clock)?));
    }
    if options.print_schema {
        return Ok(printed(&document.describe_schema(limits, clock)?));
    }
    let schema = match options.schema_file {
        Some(name) => Some(input::document(name, surroundings)?),
        None => None,
    };
    let inputs = Inputs { args, profiles: &given.profiles, schema: schema.as_ref(), globals: None };
    let outcome = document.evaluate(&inputs, limits, clock)?;
    let mut answer = Answer::default();
    answer.stderr.extend(outcome.debug.iter().map(|line| format!("{line}\n")));
    if given.queries.is_empty() {
        answer.stdout = printed(&outcome.value).stdout;
    }
    for (index, query) in given.queries.iter().enumerate() {
        let source = Source::new(format!("query<{index}>"), query.clone());
        let query = Document::parse(vec![source], limits)?;
        let inputs = Inputs { globals: Some(&outcome.value), ..Inputs::default() };
        let result = query.evaluate(&inputs, limits, clock)?;
        answer.stdout.push_str(&printed(&result.value).stdout);
    }
    Ok(answer)
}

fn printed(value: &Json) -> Answer {
    Answer { stdout: value.pretty() + "\n", ..Answer::default() }
}
