//! What is asked.

use std::time::Duration;

use crate::{
    Json, Logprobs, Message, Money, Output, Routing, Sampling, Tenant, Thinking, Tier, Tool, ToolChoice,
};

/// What the model continues.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// A conversation, rendered by the model's chat template.
    Messages(Vec<Message>),
    /// Text, continued as it is. No chat template: control tokens count, and BOS is added where the vocabulary asks for it
    /// and the text does not begin with it.
    Text(String),
    /// Token ids, continued exactly as they are.
    Tokens(Vec<u32>),
    /// What stands between two texts, for models that were trained to fill such gaps.
    Infill(Infill),
}

/// A gap to be filled (fill in the middle, <https://arxiv.org/abs/2207.14255>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Infill {
    /// The text before the gap.
    pub prefix: String,
    /// The text behind it.
    pub suffix: String,
    /// How what fills it begins.
    pub beginning: String,
    /// Other files to look at, by name.
    pub context: Vec<(String, String)>,
}

/// Values that a chat template may look at, beside the messages and tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemplateOptions {
    /// Whether a reasoning model may think; `None` leaves it to the template.
    pub enable_thinking: Option<bool>,
    /// Further variables, by name.
    pub variables: Vec<(String, Json)>,
    /// Where the rendered text ends.
    pub end: PromptEnd,
}

/// Where the text of a rendered conversation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromptEnd {
    /// Inside the last message if it is the model's own, which then goes on; else where its answer begins.
    #[default]
    Auto,
    /// Inside the last message, which must be the model's own.
    Continue,
    /// Where a new message of the model begins, whoever spoke last.
    Answer,
    /// Behind the last message.
    Closed,
}

/// A part of a request that has no effect on this model: its chat template does not look at it, or the program that
/// runs it cannot honour it and the request is right without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unused {
    /// The tools.
    Tools,
    /// That calls of this tool follow its schema in every case.
    StrictTools,
    /// That tools are not called several at once.
    ParallelToolCalls,
    /// That a tool failed.
    ToolErrors,
    /// Whether the model may think.
    EnableThinking,
    /// The names of speakers.
    SpeakerNames,
    /// The reasoning of earlier turns.
    Reasoning,
    /// A variable, by its name.
    Variable(String),
    /// An option that the interface of a provider does not have, by its usual name.
    Option(String),
}

/// One request for one or more answers to the same prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// What is continued.
    pub prompt: Prompt,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it calls them.
    pub tool_choice: ToolChoice,
    /// Whether it may call several at once; `None` leaves it to the model.
    pub parallel_tool_calls: Option<bool>,
    /// What form the answer must have.
    pub output: Output,
    /// How much the model may think.
    pub thinking: Thinking,
    /// Values for the template.
    pub template: TemplateOptions,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The most tokens that each answer may have; `None` = what the context leaves.
    pub max_tokens: Option<u32>,
    /// Texts that end an answer and are not part of it.
    pub stop: Vec<String>,
    /// How many answers; at least 1.
    pub choices: u32,
    /// Whether the events carry log-probabilities.
    pub logprobs: Option<Logprobs>,
    /// Whether generation goes on after an end-of-generation token.
    pub ignore_eos: bool,
    /// What becomes of a prompt that does not fit.
    pub context_policy: ContextPolicy,
    /// Whether others may go first.
    pub priority: Priority,
    /// How long the caller waits for the whole answer, from its arrival on.
    pub deadline: Option<Duration>,
    /// Whose request it is: what was computed for one tenant is never reused for another, who could tell by the time
    /// that an answer takes what others have asked.
    pub tenant: Tenant,
    /// How far it may reach, where it says so itself; that lowers what the operator allows, and never raises it.
    pub tier: Option<Tier>,
    /// What the answer may cost; it is free where it is computed here.
    pub cost_max: Option<Money>,
    /// How it may be routed.
    pub routing: Routing,
}

/// What becomes of a prompt that does not fit into the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContextPolicy {
    /// It is refused.
    #[default]
    Error,
    /// Its oldest part is left out.
    Window,
    /// The part in its middle is left out.
    Middle,
}

/// Who goes first where not all can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// It may take as long as it takes.
    Batch,
}

impl ChatRequest {
    /// Makes a request with every option at its default.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            tools: Vec::new(),
            tool_choice: ToolChoice::default(),
            parallel_tool_calls: None,
            output: Output::default(),
            thinking: Thinking::default(),
            template: TemplateOptions::default(),
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
            choices: 1,
            logprobs: None,
            ignore_eos: false,
            context_policy: ContextPolicy::default(),
            priority: Priority::default(),
            deadline: None,
            tenant: Tenant::default(),
            tier: None,
            cost_max: None,
            routing: Routing::default(),
        }
    }

    /// Returns the tools that the model is shown: none if it must not call any.
    pub fn shown_tools(&self) -> &[Tool] {
        if self.tool_choice == ToolChoice::None { &[] } else { &self.tools }
    }

    /// Returns the values for the template, and among them what the request says of thinking, where they do not say it
    /// themselves.
    pub fn template_values(&self) -> TemplateOptions {
        let mut values = self.template.clone();
        let thinks = match self.thinking {
            Thinking::Off => Some(false),
            Thinking::Budget(_) => Some(true),
            Thinking::Default | Thinking::Effort(_) => None,
        };
        values.enable_thinking = values.enable_thinking.or(thinks);
        if let Some(effort) = self.thinking.effort() {
            values.variables.retain(|(name, _)| name != EFFORT);
            values.variables.push((EFFORT.to_owned(), Json(format!("\"{}\"", effort.as_str()))));
        }
        values
    }
}

/// The variable in which templates look for how hard the model is to think.
const EFFORT: &str = "reasoning_effort";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Effort;

    fn request(thinking: Thinking) -> ChatRequest {
        ChatRequest { thinking, ..ChatRequest::new(Prompt::Messages(Vec::new())) }
    }

    #[test]
    fn templates_are_told_how_much_the_model_may_think() {
        let effort = |word: &str| vec![(EFFORT.to_owned(), Json(format!("\"{word}\"")))];
        for (thinking, enable, variables) in [
            (Thinking::Default, None, Vec::new()),
            (Thinking::Off, Some(false), Vec::new()),
            (Thinking::Effort(Effort::Low), None, effort("low")),
            (Thinking::Budget(9000), Some(true), effort("high")),
        ] {
            let values = request(thinking).template_values();
            assert_eq!((values.enable_thinking, values.variables), (enable, variables), "{thinking:?}");
        }
        let mut said = request(Thinking::Off);
        said.template.enable_thinking = Some(true);
        assert_eq!(said.template_values().enable_thinking, Some(true));
    }

    #[test]
    fn a_model_that_must_not_call_tools_is_shown_none() {
        let tool = Tool { name: "f".into(), description: None, parameters: None, strict: false };
        let mut request = ChatRequest { tools: vec![tool], ..request(Thinking::Default) };
        assert_eq!(request.shown_tools().len(), 1);
        request.tool_choice = ToolChoice::None;
        assert_eq!(request.shown_tools(), []);
    }
}
