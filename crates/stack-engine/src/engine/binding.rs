//! What a request demands of the form of its answer, and how that is kept.

use stack_chat::{ChatRequest, Failure, Output, Prompt, Tool, ToolChoice};

use super::answer::{Binding, Reply};
use super::model::Model;
use crate::grammar::{Constraint, GrammarCompiler, GrammarError};
use crate::reply::{CallRule, ReplyFormat, ReplyParser, opened_grammar, reply_grammar};

/// How the answers to one request are read and bound.
pub(super) struct Rules {
    pub(super) reply: Option<Reply>,
    pub(super) binding: Binding,
}

/// Works out the rules of a request whose prompt ends with `end`.
///
/// # Errors
///
/// Names the field whose schema or grammar cannot be used.
pub(super) fn rules(model: &Model, request: &ChatRequest, end: &str) -> Result<Rules, Failure> {
    let tools = request.shown_tools();
    let reply = match (&request.prompt, &model.prompts) {
        (Prompt::Messages(_), Ok(prompts)) => {
            let format = prompts.reply_format(!tools.is_empty());
            let reads = !tools.is_empty() || format.reasoning.is_some() || format.messages.is_some();
            reads.then(|| Reply {
                parser: ReplyParser::new(format.clone(), tools, end),
                format,
                calls_max: if request.parallel_tool_calls == Some(false) { 1 } else { usize::MAX },
            })
        }
        // Nothing stands between the caller and the model.
        (Prompt::Messages(_) | Prompt::Text(_) | Prompt::Tokens(_) | Prompt::Infill(_), _) => None,
    };
    let is_reasoning = reply.as_ref().is_some_and(|reply| reply.parser.is_reasoning());
    let binding = match (&reply, called(request, tools)?) {
        (Some(reply), Some(called)) => {
            Binding::Bound(must_call(model, &reply.format, &called, request, is_reasoning)?)
        }
        (Some(reply), None) if !tools.is_empty() && request.output == Output::Text => {
            may_call(model, &reply.format, tools)?
        }
        (Some(reply), None) if !tools.is_empty() => {
            Binding::Bound(call_or_answer(model, &reply.format, tools, request, is_reasoning)?)
        }
        _ => match output(model, request)? {
            None => Binding::Free,
            Some(constraint) if is_reasoning => Binding::AfterReasoning(constraint),
            Some(constraint) => Binding::Bound(constraint),
        },
    };
    Ok(Rules { reply, binding })
}

/// Whether an answer without a call is none.
pub(super) fn must_call_tools(request: &ChatRequest) -> bool {
    matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_))
}

/// Lists the tools of which the answer must call one; `None` if it need not.
fn called<'a>(request: &ChatRequest, tools: &'a [Tool]) -> Result<Option<Vec<&'a Tool>>, Failure> {
    match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => Ok(None),
        ToolChoice::Required if tools.is_empty() => {
            Err(Failure::invalid("tool_choice", "a call is required, but there are no tools"))
        }
        ToolChoice::Required => Ok(Some(tools.iter().collect())),
        ToolChoice::Named(name) => match tools.iter().find(|tool| tool.name == *name) {
            Some(tool) => Ok(Some(vec![tool])),
            None => Err(Failure::invalid("tool_choice", format!("there is no tool {name:?}"))),
        },
    }
}

fn must_call(
    model: &Model,
    format: &ReplyFormat,
    tools: &[&Tool],
    request: &ChatRequest,
    is_reasoning: bool,
) -> Result<Constraint, Failure> {
    let grammars =
        model.grammars().map_err(|error| refusal("tool_choice", "a call cannot be bound", &error))?;
    // A choice that names a tool asks for one call of it.
    let is_named = matches!(request.tool_choice, ToolChoice::Named(_));
    let is_parallel = !is_named && request.parallel_tool_calls != Some(false);
    let rule = CallRule { is_parallel, is_reasoning, answer: None };
    let source = reply_grammar(format, tools, rule, &|text| grammars.lark_text(text));
    grammars.lark(&source).map_err(|error| tool_at_fault(grammars, format, tools, &error))
}

/// Binds calls where they begin. What is no strict wish is dropped if it cannot be kept.
fn may_call(model: &Model, format: &ReplyFormat, tools: &[Tool]) -> Result<Binding, Failure> {
    let is_strict = tools.iter().any(|tool| tool.strict);
    let all: Vec<&Tool> = tools.iter().collect();
    let grammars = match model.grammars() {
        Ok(grammars) => grammars,
        Err(error) if is_strict => return Err(refusal("tools", "calls cannot be bound", &error)),
        Err(_) => return Ok(Binding::Free),
    };
    match grammars.lark(&opened_grammar(format, &all, &|text| grammars.lark_text(text))) {
        Ok(call) => Ok(Binding::InCalls { call, now: None, is_tried: false }),
        Err(error) if is_strict => Err(tool_at_fault(grammars, format, &all, &error)),
        Err(_) => Ok(Binding::Free),
    }
}

/// Binds an answer that either calls tools or has the form that was asked for.
fn call_or_answer(
    model: &Model,
    format: &ReplyFormat,
    tools: &[Tool],
    request: &ChatRequest,
    is_reasoning: bool,
) -> Result<Constraint, Failure> {
    let schema = match &request.output {
        Output::Json => r#"{"type": "object"}"#,
        Output::Schema(schema) => schema.schema.0.as_str(),
        Output::Text | Output::Grammar(_) => {
            let message =
                "a grammar and tools cannot be combined; leave one out, or set `tool_choice` to \"none\"";
            return Err(Failure::unsupported("grammar", message));
        }
    };
    // The schema must be right by itself, so that an error is about it.
    output(model, request)?;
    let all: Vec<&Tool> = tools.iter().collect();
    let grammars = model.grammars().map_err(|error| refusal("tools", "calls cannot be bound", &error))?;
    let is_parallel = request.parallel_tool_calls != Some(false);
    let rule = CallRule { is_parallel, is_reasoning, answer: Some(schema) };
    let either = reply_grammar(format, &all, rule, &|text| grammars.lark_text(text));
    grammars.lark(&either).map_err(|error| tool_at_fault(grammars, format, &all, &error))
}

fn output(model: &Model, request: &ChatRequest) -> Result<Option<Constraint>, Failure> {
    let (field, what) = match &request.output {
        Output::Text => return Ok(None),
        Output::Json | Output::Schema(_) => ("response_format", "the schema cannot be used"),
        Output::Grammar(_) => ("grammar", "the grammar cannot be used"),
    };
    let bound = model.grammars().and_then(|grammars| grammars.output(&request.output));
    bound.map_err(|error| refusal(field, what, &error))
}

/// Finds the tool whose schema cannot be used.
fn tool_at_fault(
    grammars: &GrammarCompiler,
    format: &ReplyFormat,
    tools: &[&Tool],
    error: &GrammarError,
) -> Failure {
    let alone = tools.iter().enumerate().find_map(|(index, tool)| {
        let source = opened_grammar(format, &[tool], &|text| grammars.lark_text(text));
        Some((index, tool, grammars.lark(&source).err()?))
    });
    match alone {
        Some((index, tool, error)) => {
            let what = format!("the parameters of {:?} cannot be used", tool.name);
            refusal(&format!("tools[{index}].function.parameters"), &what, &error)
        }
        None => refusal("tools", "calls cannot be bound", error),
    }
}

fn refusal(field: &str, what: &str, error: &GrammarError) -> Failure {
    Failure::invalid(field, format!("{what}: {error}"))
}
