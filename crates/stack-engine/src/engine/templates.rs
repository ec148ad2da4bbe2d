//! Which chat templates a model answers with, and where they were found.

use std::fmt;

use crate::options::EngineOptions;
use crate::template::{ChatTemplate, TemplateError, builtin};
use crate::tokenizer::Tokenizer;
use crate::weights::{Files, LoadError, LoadErrorKind, WeightSource};

/// The chat templates of one model.
#[derive(Debug)]
pub struct ChatTemplates {
    usual: ChatTemplate,
    tool_use: Option<ChatTemplate>,
}

/// What was found when the chat templates of a model were looked for.
#[derive(Debug)]
pub struct FoundTemplates {
    /// The templates, or why there are none.
    pub usable: Result<ChatTemplates, NoTemplate>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Why a model has no chat template. Such a model still continues text and embeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTemplate {
    /// There is none.
    Absent,
    /// There is one that cannot be used.
    Broken {
        /// What is wrong with it.
        problem: String,
        /// Its source, if it could be read.
        source: Option<String>,
    },
}

impl ChatTemplates {
    /// Returns the template for a request, which may have tools.
    pub fn choose(&self, has_tools: bool) -> &ChatTemplate {
        self.tool_use.as_ref().filter(|_| has_tools).unwrap_or(&self.usual)
    }
}

impl From<ChatTemplate> for ChatTemplates {
    fn from(usual: ChatTemplate) -> Self {
        Self { usual, tool_use: None }
    }
}

impl fmt::Display for NoTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("has no chat template"),
            Self::Broken { problem, .. } => write!(f, "has no usable chat template: {problem}"),
        }
    }
}

impl EngineOptions {
    /// Finds the chat templates: given here, in the model's metadata, in files beside it, or built in for its
    /// architecture or `vocabulary`, which is asked only then.
    ///
    /// # Errors
    ///
    /// When the template that was given here cannot be used. Without one that came with the model, only chats fail.
    pub fn templates_for(
        &self,
        source: &dyn WeightSource,
        vocabulary: impl FnOnce() -> Option<Tokenizer>,
    ) -> Result<FoundTemplates, LoadError> {
        if let Some(given) = &self.template {
            let failed = |problem: &str| {
                LoadError::new("the given chat template", problem).of_kind(LoadErrorKind::Template)
            };
            if is_blank(given) {
                return Err(failed("is empty"));
            }
            let template = ChatTemplate::compile(given).map_err(|error| LoadError {
                source: Some(Box::new(error)),
                ..failed("cannot be compiled")
            })?;
            return Ok(FoundTemplates { usable: Ok(template.into()), warnings: Vec::new() });
        }
        let (usual, tool_use) = match (own_template(source), tool_use_template(source)) {
            (Ok(usual), Ok(tool_use)) => (usual, tool_use),
            (Err(error), _) | (_, Err(error)) => return Ok(FoundTemplates::broken(error.to_string(), None)),
        };
        let [usual, tool_use] =
            [usual, tool_use].map(|found| found.filter(|(_, template)| !is_blank(template)));
        match (usual, tool_use) {
            (None, None) => Ok(FoundTemplates::built_in(source, vocabulary)),
            (Some(usual), tool_use) => Ok(FoundTemplates::compiled(&usual, tool_use.as_ref())),
            (None, Some(only)) => Ok(FoundTemplates::compiled(&only, None)),
        }
    }
}

/// The chat template that a model brings along, and where it was found: in its metadata, or in a file beside it.
///
/// # Errors
///
/// When there is one that cannot be read.
pub fn own_template(source: &dyn WeightSource) -> Result<Option<(String, String)>, LoadError> {
    match source.metadata().text("tokenizer.chat_template")? {
        Some(stored) => Ok(Some(("the model's chat template".to_owned(), stored.to_owned()))),
        None => beside(source.files()),
    }
}

impl FoundTemplates {
    fn broken(problem: String, source: Option<String>) -> Self {
        let broken = NoTemplate::Broken { problem, source };
        let warnings = vec![format!("the model {broken}")];
        Self { usable: Err(broken), warnings }
    }

    /// Compiles templates that are given with their origins.
    fn compiled(usual: &(String, String), tool_use: Option<&(String, String)>) -> Self {
        let (origin, source) = usual;
        let usual = match ChatTemplate::compile(source) {
            Ok(template) => template,
            Err(error) => return Self::broken(problem(origin, &error), Some(source.clone())),
        };
        let mut warnings = Vec::new();
        let tool_use = tool_use.and_then(|(origin, source)| {
            let compiled = ChatTemplate::compile(source);
            compiled.map_err(|error| warnings.push(problem(origin, &error))).ok()
        });
        Self { usable: Ok(ChatTemplates { usual, tool_use }), warnings }
    }

    fn built_in(source: &dyn WeightSource, vocabulary: impl FnOnce() -> Option<Tokenizer>) -> Self {
        let architecture = source.metadata().text("general.architecture").ok().flatten().unwrap_or_default();
        let tokenizer = vocabulary();
        let has_token =
            |token: &str| tokenizer.as_ref().is_some_and(|tokenizer| tokenizer.token_id(token).is_some());
        let Some(built_in) = builtin(architecture, has_token) else {
            return Self { usable: Err(NoTemplate::Absent), warnings: Vec::new() };
        };
        let template = ChatTemplate::compile(built_in.source).expect("templates of the program are valid");
        let warning = format!(
            "the model has no chat template; messages are written in {} format, whose tokens are in its \
             vocabulary (--template FILE gives another)",
            built_in.name
        );
        Self { usable: Ok(template.into()), warnings: vec![warning] }
    }
}

/// Says why the template of this origin cannot be used.
fn problem(origin: &str, error: &TemplateError) -> String {
    match error {
        TemplateError::Syntax { message, line: Some(line) } => {
            format!("{origin} is not valid in line {line}: {message}")
        }
        TemplateError::Syntax { message, line: None } => format!("{origin} is not valid: {message}"),
        other => format!("{origin}: {other}"),
    }
}

/// The template that a model brings along for requests with tools, and where it was found.
fn tool_use_template(source: &dyn WeightSource) -> Result<Option<(String, String)>, LoadError> {
    if let Some(stored) = source.metadata().text("tokenizer.chat_template.tool_use")? {
        return Ok(Some(("the model's chat template for tools".to_owned(), stored.to_owned())));
    }
    let files = source.files();
    if files.has_companion(TOOL_USE_JINJA) {
        return jinja(files, TOOL_USE_JINJA).map(Some);
    }
    if files.has_companion(JINJA) { Ok(None) } else { listed(files, "tool_use") }
}

/// A template in the model's folder: `chat_template.jinja`, or the `chat_template` of `tokenizer_config.json`.
pub(super) fn beside(files: &Files) -> Result<Option<(String, String)>, LoadError> {
    if files.has_companion(JINJA) { jinja(files, JINJA).map(Some) } else { listed(files, "default") }
}

fn jinja(files: &Files, name: &str) -> Result<(String, String), LoadError> {
    let subject = files.subject(name);
    match String::from_utf8(files.read(name)?) {
        Ok(text) => Ok((subject, text)),
        Err(_) => Err(LoadError::new(subject, "is not UTF-8")),
    }
}

/// The template of this name in `tokenizer_config.json`: older files list several, newer ones hold one.
fn listed(files: &Files, name: &str) -> Result<Option<(String, String)>, LoadError> {
    if !files.has_companion(TOKENIZER_CONFIG) {
        return Ok(None);
    }
    let subject = files.subject(TOKENIZER_CONFIG);
    let json: serde_json::Value = serde_json::from_slice(&files.read(TOKENIZER_CONFIG)?)
        .map_err(|error| LoadError::new(subject.as_str(), format!("is not JSON: {error}")))?;
    let template = match &json["chat_template"] {
        serde_json::Value::Array(named) => {
            named.iter().find(|entry| entry["name"] == name).map(|entry| &entry["template"])
        }
        only => Some(only).filter(|_| name == "default"),
    };
    Ok(template.and_then(|template| template.as_str()).map(|text| (subject, text.to_owned())))
}

fn is_blank(template: &str) -> bool {
    template.trim().is_empty()
}

const JINJA: &str = "chat_template.jinja";
const TOOL_USE_JINJA: &str = "additional_chat_templates/tool_use.jinja";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use stack_testkit::GgufBuilder;

    use super::*;
    use crate::load;

    /// What is found for a model, as the sources of its two templates.
    fn found(path: &Path) -> (Result<[String; 2], NoTemplate>, Vec<String>) {
        let source = load::open(Files::at(path).unwrap()).unwrap();
        let vocabulary = || Tokenizer::read(&*source).unwrap();
        let found = EngineOptions::default().templates_for(&*source, vocabulary).unwrap();
        let sources = found
            .usable
            .map(|templates| [false, true].map(|tools| templates.choose(tools).source().to_owned()));
        (sources, found.warnings)
    }

    fn gguf(change: impl Fn(GgufBuilder) -> GgufBuilder) -> (Result<[String; 2], NoTemplate>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        fs::write(&path, change(GgufBuilder::new("llama")).build()).unwrap();
        found(&path)
    }

    fn vocabulary(model: GgufBuilder, tokens: &[&str]) -> GgufBuilder {
        let kinds = vec![3; tokens.len()];
        model
            .text("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", tokens)
            .i32s("tokenizer.ggml.token_type", &kinds)
            .f32s("tokenizer.ggml.scores", &vec![0.0; tokens.len()])
    }

    fn texts(usual: &str, tool_use: &str) -> [String; 2] {
        [usual.to_owned(), tool_use.to_owned()]
    }

    #[test]
    fn the_template_for_tools_is_chosen_when_there_are_tools() {
        let key = "tokenizer.chat_template";
        let both = gguf(|model| {
            model
                .strings("tokenizer.chat_templates", &["tool_use"])
                .text(key, "A")
                .text("tokenizer.chat_template.tool_use", "B")
        });
        assert_eq!(both.0, Ok(texts("A", "B")));
        assert_eq!(gguf(|model| model.text(key, "A")).0, Ok(texts("A", "A")));
        assert_eq!(gguf(|model| model.text("tokenizer.chat_template.tool_use", "B")).0, Ok(texts("B", "B")));
        let broken = gguf(|model| model.text(key, "A").text("tokenizer.chat_template.tool_use", "{% for %}"));
        assert_eq!(broken.0, Ok(texts("A", "A")));
        assert!(broken.1[0].contains("for tools") && broken.1[0].contains("line 1"), "{:?}", broken.1);
    }

    #[test]
    fn a_folder_names_its_templates_in_a_list_or_in_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m.gguf"), GgufBuilder::new("llama").build()).unwrap();
        let beside = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(found(folder.path()).0, Err(NoTemplate::Absent));
        beside(
            "tokenizer_config.json",
            r#"{"chat_template": [{"name": "tool_use", "template": "A"}, {"name": "default", "template": "B"}]}"#,
        );
        assert_eq!(found(folder.path()).0, Ok(texts("B", "A")));
        beside("chat_template.jinja", "C");
        assert_eq!(found(folder.path()).0, Ok(texts("C", "C")));
        fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
        beside("additional_chat_templates/tool_use.jinja", "D");
        assert_eq!(found(folder.path()).0, Ok(texts("C", "D")));
    }

    #[test]
    fn an_empty_template_counts_as_none() {
        for empty in ["", " \n"] {
            assert_eq!(gguf(|model| model.text("tokenizer.chat_template", empty)).0, Err(NoTemplate::Absent));
            let tokens = ["<unk>", "<|im_start|>", "<|im_end|>"];
            let chatml =
                gguf(|model| vocabulary(model, &tokens).text("tokenizer.chat_template", empty)).0.unwrap();
            assert!(chatml[0].contains("<|im_start|>"));
        }
        let given = EngineOptions { template: Some(" ".into()), ..EngineOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        fs::write(&path, GgufBuilder::new("llama").text("tokenizer.chat_template", "A").build()).unwrap();
        let source = load::open(Files::at(&path).unwrap()).unwrap();
        let error = given.templates_for(&*source, || None).unwrap_err();
        assert_eq!((error.subject.as_str(), error.problem.as_str()), ("the given chat template", "is empty"));
    }

    #[test]
    fn without_a_template_chatml_is_used_where_the_vocabulary_has_it() {
        let tokens = ["<unk>", "<|im_start|>", "<|im_end|>"];
        let (sources, warnings) = gguf(|model| vocabulary(model, &tokens));
        assert!(sources.unwrap()[0].contains("<|im_start|>"));
        assert!(warnings[0].contains("ChatML") && warnings[0].contains("--template"), "{warnings:?}");
        assert_eq!(gguf(|model| vocabulary(model, &tokens[..2])), (Err(NoTemplate::Absent), Vec::new()));
    }

    #[test]
    fn a_template_that_does_not_compile_is_kept_with_the_reason() {
        let (sources, warnings) = gguf(|model| model.text("tokenizer.chat_template", "a\n{% for %}"));
        let Err(NoTemplate::Broken { problem, source }) = sources else { panic!("{sources:?}") };
        assert!(problem.contains("line 2"), "{problem}");
        assert_eq!(source.as_deref(), Some("a\n{% for %}"));
        assert!(warnings[0].contains("no usable chat template"), "{warnings:?}");
    }
}
