//! The interpreter, set up as templates of the field expect it.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value, filters};

use super::error::{Refusal, TemplateError, from_interpreter};
use super::instrument::instrument;
use super::{json, meter, methods};

/// The variable that holds the marker of [`super::guard`].
pub(super) const MARKER_VARIABLE: &str = "__marker";
/// The name under which the one template is known to the interpreter.
pub(super) const TEMPLATE_NAME: &str = "template";

/// Compiles a template into an environment of its own.
pub(super) fn compile(source: &str) -> Result<Environment<'static>, TemplateError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(TemplateError::Exhausted(format!("it is longer than {SOURCE_BYTES_MAX} bytes")));
    }
    let metered = instrument(&without_generation_tags(source))?;
    let mut environment = environment().map_err(|error| from_interpreter(&error))?;
    environment.add_template_owned(TEMPLATE_NAME, metered).map_err(|error| from_interpreter(&error))?;
    Ok(environment)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // Its reports would show the metered source, and values of any size.
    environment.set_debug(false);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_formatter(|out, state, value| {
        // An output that refuses text is full.
        meter::print(state, value, out)
    });
    environment.set_unknown_method_callback(methods::call);
    environment.add_function("raise_exception", raise_exception);
    // Both print values without a bound on their length.
    environment.remove_global("debug");
    environment.remove_filter("pprint");
    // In Python, what is undefined iterates and `None` does not.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("string", meter::string);
    environment.add_filter("join", join);
    environment.add_filter("replace", methods::replace);
    environment.add_filter("format", |state: &mut State, format: &str, args: Rest<Value>| {
        methods::format(state, minijinja::formatting::FormatStyle::Printf, format, &args)
    });
    environment.add_filter("indent", indent);
    environment.add_filter("batch", |state: &State, value: Value, count: usize, fill: Option<Value>| {
        filters::batch(state, value, within(count)?, fill)
    });
    environment.add_filter("slice", |state: &State, value: Value, count: usize, fill: Option<Value>| {
        filters::slice(state, value, within(count)?, fill)
    });
    environment.add_filter("sum", sum);
    environment.add_filter("__operand", meter::operand);
    environment.add_filter("__sliced", meter::sliced);
    environment.add_filter("__compared", meter::compared);
    environment.add_filter("__searched", meter::searched);
    environment.add_filter("__concatenated", meter::concatenated);
    environment.add_filter("__factor", meter::factor);
    environment.add_filter("__written", |state: &mut State, bytes: usize| meter::written(state, bytes));
    Ok(environment)
}

/// Removes `{% generation %}` and its end, which mark text for training and do not change it.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(open) = rest.find("{%") {
        let (before, tag) = rest.split_at(open);
        out.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let word = tag[2..end.max(2)].trim_end_matches("%}").trim_matches('-').trim();
        if !matches!(word, "generation" | "endgeneration") {
            out.push_str(&tag[..2]);
            rest = &tag[2..];
            continue;
        }
        rest = &tag[end..];
    }
    out.push_str(rest);
    out
}

fn raise_exception(message: &Value) -> Result<Value, Error> {
    let message = message.to_string();
    Err(Error::new(ErrorKind::InvalidOperation, "the template raised an exception")
        .with_source(Refusal(message)))
}

#[expect(clippy::needless_pass_by_value, reason = "the interpreter hands arguments over by value")]
fn join(state: &mut State, value: &Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let separator = argument(&positional, &kwargs, 0, "d")?.unwrap_or_else(|| Value::from(""));
    let attribute = argument(&positional, &kwargs, 1, "attribute")?;
    kwargs.assert_all_used()?;
    let separator = meter::string(state, &separator)?;
    methods::join(state, &separator, &attributes(value, attribute)?)
}

#[expect(clippy::needless_pass_by_value, reason = "the interpreter hands arguments over by value")]
fn indent(state: &mut State, text: &str, positional: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let width = argument(&positional, &kwargs, 0, "width")?;
    let first = argument(&positional, &kwargs, 1, "first")?.is_some_and(|value| value.is_true());
    let blank = argument(&positional, &kwargs, 2, "blank")?.is_some_and(|value| value.is_true());
    kwargs.assert_all_used()?;
    let prefix = match width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(prefix) => prefix.to_owned(),
            None => " ".repeat(within(usize::try_from(width)?)?),
        },
    };
    let lines = text.split('\n').count();
    let length = lines.saturating_mul(prefix.len()).saturating_add(text.len());
    meter::charge(state, length)?;
    if length > meter::OUTPUT_BYTES_MAX {
        return Err(meter::too_long());
    }
    let mut out = String::with_capacity(length);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if (index > 0 || first) && (blank || !line.is_empty()) {
            out.push_str(&prefix);
        }
        out.push_str(line);
    }
    Ok(out)
}

#[expect(clippy::needless_pass_by_value, reason = "the interpreter hands arguments over by value")]
fn sum(state: &State, value: &Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let attribute = argument(&positional, &kwargs, 0, "attribute")?;
    let start = argument(&positional, &kwargs, 1, "start")?;
    kwargs.assert_all_used()?;
    let items = attributes(value, attribute)?;
    if items.try_iter()?.any(|item| !item.is_number()) {
        return Err(Error::new(ErrorKind::InvalidOperation, "sum adds numbers only"));
    }
    filters::sum(state, items, None, start, std::iter::empty::<(&str, Value)>().collect())
}

/// Returns an argument that may be given by place or by name.
fn argument(positional: &[Value], kwargs: &Kwargs, index: usize, name: &str) -> Result<Option<Value>, Error> {
    match positional.get(index) {
        Some(value) => Ok(Some(value.clone())),
        None => kwargs.get(name),
    }
}

/// Replaces items by one of their attributes, if one is named.
fn attributes(items: &Value, attribute: Option<Value>) -> Result<Value, Error> {
    match attribute {
        None => Ok(items.clone()),
        Some(attribute) => {
            let items: Result<Vec<Value>, Error> =
                items.try_iter()?.map(|item| item.get_item(&attribute)).collect();
            items.map(Value::from)
        }
    }
}

fn within(count: usize) -> Result<usize, Error> {
    if count > COUNT_MAX {
        return Err(meter::spent_error("it asks a filter for too many items"));
    }
    Ok(count)
}

/// Instructions that one rendering may take; a conversation of a thousand messages with tools takes a tenth.
const FUEL: u64 = 5_000_000;
/// How deep macros and loops may call each other; the interpreter counts a macro as four.
const RECURSION_MAX: usize = 500;
/// The longest template.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// The largest count that a filter may be given.
const COUNT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value as Json};

    use super::*;
    use crate::template::ChatTemplate;

    fn render(template: &str, variables: Map<String, Json>) -> Result<String, TemplateError> {
        ChatTemplate::compile(template)?.render_json(variables, &jiff::Zoned::default())
    }

    #[test]
    fn templates_render_as_in_python() {
        let cases: Json = serde_json::from_str(include_str!("../../tests/data/jinja2.json")).unwrap();
        let variables = cases["variables"].as_object().unwrap();
        let mut wrong = Vec::new();
        for case in cases["cases"].as_array().unwrap() {
            let rendered = render(case["template"].as_str().unwrap(), variables.clone());
            if rendered.as_deref().ok() != case["text"].as_str() {
                wrong.push(format!("{}\n  gives {rendered:?}\n  not   {}", case["template"], case["text"]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_raised_exception_arrives_as_it_was_said() {
        let template =
            "{% macro check(x) %}{{ raise_exception('no ' ~ x) }}{% endmacro %}a{{ check('tools') }}";
        assert_eq!(render(template, Map::new()), Err(TemplateError::Raised("no tools".into())));
    }

    #[test]
    fn errors_name_the_line() {
        for (template, line, word) in [
            ("a\n{{ x.y.z }}", 2, "undefined"),
            ("a\nb\n{{ 'x'.nothing() }}", 3, "nothing"),
            ("\n{{ [].append(1) }}", 2, "append"),
            ("{{ 1 + 'a' }}", 1, "+"),
            ("\n\n{{ x | nofilter }}", 3, "nofilter"),
            ("{{ 'long text that is metered' ~ (1 / 0) }}", 1, "/"),
        ] {
            match render(template, Map::new()) {
                Err(TemplateError::Failed { message, line: Some(at) }) => {
                    assert!(at == line && message.contains(word), "{template}: {message} in line {at}");
                }
                other => panic!("{template}: {other:?}"),
            }
        }
        for template in ["\n{% if %}", "\n{{ 'a' ~ }}", "\n{% endfor %}", "\n{{ (1 }}"] {
            match ChatTemplate::compile(template) {
                Err(TemplateError::Syntax { line, .. }) => assert_eq!(line, Some(2), "{template}"),
                other => panic!("{template}: {other:?}"),
            }
        }
    }

    #[test]
    fn generation_tags_leave_no_trace() {
        let source =
            "a{% generation %}b{%- endgeneration -%}\nc{% if true %}d{% endif %}{%- generation -%} e";
        assert_eq!(without_generation_tags(source), "ab\nc{% if true %}d{% endif %} e");
        assert_eq!(without_generation_tags("{% gen"), "{% gen");
    }
}
