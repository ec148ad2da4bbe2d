//! How a model writes its replies.

/// How one family of models writes reasoning and calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyFormat {
    /// What encloses reasoning; `None` if the model does not reason.
    pub reasoning: Option<Tags>,
    /// Tags around the text of an answer, which are not part of it.
    pub content: Option<Tags>,
    /// How calls are written.
    pub calls: CallFormat,
    /// How the messages begin that a reply consists of; `None` if it is one text with tags in it.
    pub messages: Option<MessageFormat>,
}

/// How a reply is written that is a row of messages, whose heads say what each holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFormat {
    /// The harmony format of gpt-oss: channels between control tokens.
    Harmony,
    /// That of functionary 3.2: the first line is the recipient.
    Recipients,
}

impl ReplyFormat {
    /// Whether models that write so think before they answer.
    pub fn reasons(&self) -> bool {
        self.messages == Some(MessageFormat::Harmony) || self.reasoning.is_some()
    }
}

/// A pair of texts that enclose something. They are compared without the white space at their ends, because models are
/// not exact about it; grammars write them as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// What stands in front; may be empty.
    pub open: String,
    /// What stands behind; may be empty.
    pub close: String,
}

/// How calls of tools are written: `section.open (call.open … call.close separator)* section.close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFormat {
    /// Around all calls of a reply.
    pub section: Tags,
    /// Around each call.
    pub call: Tags,
    /// Between two calls; `None` if a reply holds one call at most.
    pub separator: Option<String>,
    /// What is written inside.
    pub shape: CallShape,
}

/// What is written between the tags of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallShape {
    /// A JSON object that holds name and arguments under these keys, as Hermes, Qwen, Llama and Mistral write it.
    Object {
        /// The key of the tool's name.
        name: String,
        /// The key of the arguments, an object.
        arguments: String,
        /// The key of the call's identifier, where it has one.
        id: Option<String>,
    },
    /// The name, then the arguments as a JSON object: DeepSeek, Mistral since v11, Kimi.
    Named {
        /// Between the name (and the identifier) and the arguments.
        separator: String,
        /// How the identifier is written.
        id: IdStyle,
    },
    /// Each argument between tags of its own: GLM, Qwen3-Coder, MiniMax. Strings are written as they are, other values
    /// as JSON.
    Tagged {
        /// Behind the name.
        after_name: String,
        /// Around the name of an argument.
        key: Tags,
        /// Around its value.
        value: Tags,
    },
    /// Arguments as literals of a programming language, `NAME(key='text', other=2)`: LFM2, Gemma.
    Literal {
        /// Around all arguments, such as `(` and `)`.
        arguments: Tags,
        /// Between a key and its value.
        assign: String,
        /// Around texts.
        quote: String,
        /// Between two arguments.
        separator: String,
    },
}

/// Where a call that is named outside of its arguments has its identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IdStyle {
    /// It has none.
    #[default]
    Absent,
    /// Behind the name, after this text.
    AfterName(String),
    /// Around the name: `functions.NAME:0`.
    AroundName,
}

impl Default for CallFormat {
    /// The format of Hermes, which most models have seen, whatever their template says.
    fn default() -> Self {
        Self {
            section: Tags::default(),
            call: Tags::new("<tool_call>\n", "\n</tool_call>"),
            separator: Some("\n".to_owned()),
            shape: CallShape::Object { name: "name".to_owned(), arguments: "arguments".to_owned(), id: None },
        }
    }
}

impl Tags {
    /// Makes a pair.
    pub fn new(open: impl Into<String>, close: impl Into<String>) -> Self {
        Self { open: open.into(), close: close.into() }
    }
}

impl ReplyFormat {
    /// Whether a text that a control token spells is part of the format, so that the parser must see it.
    pub fn has_marker(&self, text: &str) -> bool {
        self.messages == Some(MessageFormat::Harmony) || self.markers().any(|marker| marker.contains(text))
    }

    /// Lists the texts by which the parts of a reply are recognised.
    fn markers(&self) -> impl Iterator<Item = &str> {
        let tags = [
            self.reasoning.as_ref(),
            self.content.as_ref(),
            Some(&self.calls.section),
            Some(&self.calls.call),
        ];
        let around = tags.into_iter().flatten().flat_map(|tags| [tags.open.as_str(), &tags.close]);
        around.chain(self.calls.separator.as_deref()).chain(self.calls.shape.markers())
    }
}

impl CallFormat {
    /// All that stands in front of what the first call says.
    pub(super) fn opening(&self) -> String {
        format!("{} {}", self.section.open, self.call.open)
    }

    /// The tags whose closing text ends a call: those of the section where calls have none.
    pub(super) fn closing(&self) -> &Tags {
        if self.call.close.trim().is_empty() { &self.section } else { &self.call }
    }

    /// The text with which the first call begins, without white space at its ends; empty if calls are bare JSON.
    pub(super) fn opener(&self) -> &str {
        let section = self.section.open.trim();
        if section.is_empty() { self.call.open.trim() } else { section }
    }
}

impl CallShape {
    fn markers(&self) -> impl Iterator<Item = &str> {
        let texts: Vec<&str> = match self {
            Self::Object { .. } => Vec::new(),
            Self::Named { separator, id: IdStyle::AfterName(before) } => vec![separator, before],
            Self::Named { separator, .. } => vec![separator],
            Self::Tagged { after_name, key, value } => {
                vec![after_name, &key.open, &key.close, &value.open, &value.close]
            }
            Self::Literal { arguments, assign, quote, separator } => {
                vec![&arguments.open, &arguments.close, assign, quote, separator]
            }
        };
        texts.into_iter()
    }
}
