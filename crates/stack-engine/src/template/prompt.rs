//! From a conversation to the text of a prompt, without losing a word of it.
//!
//! ```text
//! messages ──▶ shadow ──▶ each form of it, rendered ──▶ the first that shows every word
//!     └────────────── that form of the messages, rendered ──▶ segments
//! ```

use std::collections::BTreeSet;

use jiff::Zoned;
use serde_json::{Map, Value as Json};
use stack_chat::{PromptEnd, Role, TemplateOptions, Unused};

use super::chat_template::ChatTemplate;
use super::conversation;
use super::ending::{self, Ending};
use super::error::TemplateError;
use super::forms::{Form, Silence, role, text};
use super::guard::ControlTexts;
use super::shadow::{Missing, Shadow, TextRole, nulls};
use super::variables::{self, Markers, RenderInput, Variables};
use crate::tokenizer::Segment;

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text, in pieces.
    pub segments: Vec<Segment<'static>>,
    /// What the template does not look at, sorted.
    pub unused: Vec<Unused>,
}

/// Variables rendered as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedJson {
    /// The text.
    pub text: String,
    /// What the template does not show, such as `messages[2].content`.
    pub lost: Vec<String>,
}

/// All that a template sees beside messages and the caller's variables.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) trusted: &'a Map<String, Json>,
    pub(super) control: &'a ControlTexts,
    pub(super) now: &'a Zoned,
    pub(super) ending: Ending,
    pub(super) markers: Markers,
}

/// How much a template may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Nothing that somebody said.
    Everything,
    /// Messages of the usual roles; and what it refuses, it refuses.
    AsItIs,
}

/// The form of a conversation in which a template is given it.
struct Choice {
    form: Form,
    silence: Silence,
    missing: Missing,
}

impl ChatTemplate {
    /// Renders a conversation so that all of its text is shown.
    ///
    /// Where the template fails on it, or leaves out what somebody said, forms are tried that mean the same: developer
    /// messages as system messages, system messages as one or within the user message behind them, one call per
    /// message, and other ways to write content that says nothing. Reasoning of earlier turns may be left out, as
    /// models are trained to do without.
    ///
    /// # Errors
    ///
    /// What the template said about the conversation as it was given, or which message it does not show.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, TemplateError> {
        let mut messages = conversation::messages(input.messages)?;
        let ending = Ending::of(&mut messages, input.options.end)?;
        let Variables { trusted, caller } = Variables::new(input)?;
        let markers = Markers::choose(self.source(), &caller, &messages)?;
        let scene = Scene { trusted: &trusted, control: input.control, now: input.now, ending, markers };
        let choice = self.choose(&messages, &caller, &scene, Rule::Everything)?;
        let unused = self.unused(&choice.missing, input.options, &caller, &scene);
        let text = self.write(choice.apply(&messages), &caller, &scene, Some(markers.guard))?;
        Ok(Rendered { segments: input.control.cut(&text, markers.guard), unused })
    }

    /// Renders a conversation to one text.
    ///
    /// # Errors
    ///
    /// As [`ChatTemplate::render`].
    pub fn render_text(&self, input: &RenderInput<'_>) -> Result<String, TemplateError> {
        Ok(self.render(input)?.segments.into_iter().map(|segment| segment.text).collect())
    }

    /// Renders variables as [`ChatTemplate::render_json`] does, in the form that shows most of the messages.
    ///
    /// A last message of the assistant is continued unless `add_generation_prompt` is given.
    ///
    /// # Errors
    ///
    /// What the template said, or which message of an unusual role it does not show.
    pub fn render_whole(
        &self,
        mut given: Map<String, Json>,
        now: &Zoned,
    ) -> Result<RenderedJson, TemplateError> {
        let flag = |value: Option<Json>| value.as_ref().and_then(Json::as_bool);
        let prompts = flag(given.remove("add_generation_prompt"));
        let end = match (flag(given.remove("continue_final_message")), prompts) {
            (Some(true), _) => PromptEnd::Continue,
            (_, Some(false)) => PromptEnd::Closed,
            (Some(false), _) => PromptEnd::Answer,
            (None, _) => PromptEnd::Auto,
        };
        let mut trusted = variables::defaults();
        trusted.extend(given);
        let mut messages = match trusted.shift_remove("messages") {
            Some(Json::Array(messages)) => messages,
            _ => Vec::new(),
        };
        self.adapt(&mut messages)?;
        let ending = Ending::of(&mut messages, end)?;
        let caller = Map::from_iter(trusted.shift_remove_entry("tools"));
        let markers = Markers::choose(self.source(), &trusted, &messages)?;
        let scene = Scene { trusted: &trusted, control: &ControlTexts::default(), now, ending, markers };
        let choice = self.choose(&messages, &caller, &scene, Rule::AsItIs)?;
        let lost: BTreeSet<String> = choice.missing.said().map(|part| field(&messages, part)).collect();
        let text = self.write(choice.apply(&messages), &caller, &scene, None)?;
        Ok(RenderedJson { text, lost: lost.into_iter().collect() })
    }

    /// Finds the first form of a conversation of which the template shows everything.
    fn choose(
        &self,
        messages: &[Json],
        caller: &Map<String, Json>,
        scene: &Scene<'_>,
        rule: Rule,
    ) -> Result<Choice, TemplateError> {
        let shadow = Shadow::of(messages, caller.get("tools").unwrap_or(&Json::Null));
        let mut shadowed = caller.clone();
        shadowed.insert("tools".into(), shadow.tools.clone());
        let mut first = None;
        let forms = Form::all(messages, self.knows_developer())
            .filter(|form| rule == Rule::Everything || !form.has_calls_as_text());
        let forms = forms.filter_map(|form| Some((form, form.apply(&shadow.messages)?)));
        for (form, written) in forms.take(FORMS_MAX) {
            let mut best: Option<(usize, Choice)> = None;
            let mut lossy = None;
            let mut failed = None;
            for &silence in Silence::all(&written) {
                let mut written = written.clone();
                silence.apply(&mut written);
                match self.write(written, &shadowed, scene, None) {
                    Ok(text) => {
                        let choice = Choice { form, silence, missing: shadow.missing_in(&text) };
                        let nulls = nulls(&text);
                        if choice.missing.said().next().is_some() {
                            lossy.get_or_insert(choice);
                        } else if best.as_ref().is_none_or(|(fewest, _)| nulls < *fewest) {
                            best = Some((nulls, choice));
                        }
                    }
                    Err(error @ TemplateError::Raised(_)) if first.is_none() && rule == Rule::AsItIs => {
                        return Err(error);
                    }
                    Err(
                        error @ (TemplateError::Raised(_)
                        | TemplateError::Failed { .. }
                        | TemplateError::Message { .. }),
                    ) => {
                        failed.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            if let Some((_, choice)) = best {
                return Ok(choice);
            }
            // One that fails on null may still lose what stands beside it: the loss is what to report.
            let outcome = lossy.map(Ok).or(failed.map(Err));
            first = first.or(outcome);
        }
        match first.expect("every conversation has a first form") {
            Ok(choice) => {
                let counts = |part: &TextRole| rule == Rule::Everything || is_unusual(messages, *part);
                let refused = choice.missing.said().find(counts);
                match refused.map(|part| not_shown(messages, part)) {
                    Some(error) => Err(error),
                    None => Ok(choice),
                }
            }
            Err(error) => self.choose_by_text(messages, caller, scene).ok_or(error),
        }
    }

    /// Finds a form that is rendered as it is although its shadow is refused: the template looks at what is said.
    fn choose_by_text(
        &self,
        messages: &[Json],
        caller: &Map<String, Json>,
        scene: &Scene<'_>,
    ) -> Option<Choice> {
        let form = Form::all(messages, self.knows_developer()).next()?;
        let shadow = Shadow::of(messages, &Json::Null);
        let mut called = messages.to_vec();
        for (message, shadow) in called.iter_mut().zip(&shadow.messages) {
            if let Some(calls) = shadow.get("tool_calls") {
                message["tool_calls"] = calls.clone();
            }
        }
        let written = form.apply(&called)?;
        Silence::all(&written).iter().find_map(|&silence| {
            let mut written = written.clone();
            silence.apply(&mut written);
            let rendered = self.write(written, caller, scene, None).ok()?;
            let is_shown = |message: &Json| {
                text(message).is_none_or(|text| {
                    let quoted = Json::from(text.trim()).to_string();
                    rendered.contains(text.trim()) || rendered.contains(quoted.trim_matches('"'))
                })
            };
            // What the model said itself may be left out in part, such as its reasoning, but not its calls.
            let asked = messages.iter().filter(|message| role(message) != "assistant");
            let lost_call = |part| matches!(part, TextRole::Call(_));
            let all = asked.into_iter().all(is_shown) && !shadow.missing_in(&rendered).said().any(lost_call);
            all.then(|| Choice { form, silence, missing: Missing::default() })
        })
    }

    /// Writes one form of a conversation.
    pub(super) fn write(
        &self,
        mut messages: Vec<Json>,
        caller: &Map<String, Json>,
        scene: &Scene<'_>,
        guard: Option<char>,
    ) -> Result<String, TemplateError> {
        let last = messages.len().saturating_sub(1);
        if let (Ending::Inside, Some(message)) = (scene.ending, messages.last_mut()) {
            ending::mark(message, scene.markers.end);
        }
        self.wrap(&mut messages);
        self.quote(&mut messages);
        let mut caller = caller.clone();
        caller.insert("messages".into(), messages.into());
        let mut trusted = scene.trusted.clone();
        trusted.insert("add_generation_prompt".into(), (scene.ending == Ending::Answer).into());
        let text =
            self.interpret(|| variables::context(&trusted, &caller, guard, scene.control, scene.now))?;
        if scene.ending == Ending::Inside { ending::cut(text, scene.markers.end, last) } else { Ok(text) }
    }

    /// Lists what the template does not look at.
    fn unused(
        &self,
        missing: &Missing,
        options: &TemplateOptions,
        caller: &Map<String, Json>,
        scene: &Scene<'_>,
    ) -> Vec<Unused> {
        let mut unused = BTreeSet::new();
        unused.extend(missing.tools().then_some(Unused::Tools));
        unused.extend(missing.names().then_some(Unused::SpeakerNames));
        unused.extend((missing.all_reasoning() && !self.shows_reasoning(scene)).then_some(Unused::Reasoning));
        let is_unused = |name: &str| caller.get(name).is_some_and(|value| !self.looks_at(name, value, scene));
        unused.extend(
            (options.enable_thinking.is_some() && is_unused("enable_thinking"))
                .then_some(Unused::EnableThinking),
        );
        let names = options.variables.iter().map(|(name, _)| name);
        let names = names.filter(|name| *name != "enable_thinking" && is_unused(name));
        unused.extend(names.cloned().map(Unused::Variable));
        unused.into_iter().collect()
    }
}

impl Choice {
    /// Writes the messages in this form.
    fn apply(&self, messages: &[Json]) -> Vec<Json> {
        let mut written = self.form.apply(messages).unwrap_or_else(|| messages.to_vec());
        self.silence.apply(&mut written);
        written
    }
}

/// Whether a part is in a message whose role is none that every model knows.
fn is_unusual(messages: &[Json], part: TextRole) -> bool {
    matches!(part, TextRole::Content(index) if matches!(Role::from(role(&messages[index])), Role::Other(_)))
}

/// Names a part that a template does not show.
fn field(messages: &[Json], part: TextRole) -> String {
    match part {
        TextRole::Content(index) => match Role::from(role(&messages[index])) {
            Role::Tool | Role::Other(_) => format!("messages[{index}].role"),
            Role::System | Role::Developer | Role::User | Role::Assistant => {
                format!("messages[{index}].content")
            }
        },
        TextRole::Call(index) => format!("messages[{index}].tool_calls"),
        TextRole::Name | TextRole::Reasoning | TextRole::Tool => "messages".to_owned(),
    }
}

/// Makes the error about a part that a template does not show.
fn not_shown(messages: &[Json], part: TextRole) -> TemplateError {
    let field = field(messages, part);
    let problem = match part {
        TextRole::Content(index) if field.ends_with("role") => {
            let role: String = role(&messages[index]).chars().take(ROLE_CHARS_MAX).collect();
            let way_out = if role == "tool" {
                "it was not made for tools"
            } else {
                "use system, user, assistant or tool"
            };
            format!("the chat template of this model shows no message of the role {role:?}; {way_out}")
        }
        TextRole::Call(_) => {
            format!("the chat template of this model does not show `{field}`; it was not made for tool calls")
        }
        _ => format!(
            "the chat template of this model does not show `{field}` where it stands in the conversation"
        ),
    };
    TemplateError::Message { field, problem }
}

/// Forms that are tried of one conversation. Each takes as long as rendering it; those that help come early.
const FORMS_MAX: usize = 48;
/// As much of a role as a message repeats.
const ROLE_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests;
