//! What can be wrong with a spec, each thing with a name of its own.

use std::error::Error;
use std::fmt;

/// What is wrong with a spec, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecFault {
    /// Where in the file, as a JSON Pointer; empty if it is about all of it.
    pub pointer: String,
    /// The rule that it breaks.
    pub rule: Rule,
}

/// A rule that every spec keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A file has at most 64 KiB.
    TooLarge,
    /// A file is JSON, and nests no deeper than others.
    NotJson(String),
    /// No key is there that nobody reads.
    UnknownKey(String),
    /// A key that must be there is there.
    Missing(&'static str),
    /// A value is of its kind.
    WrongType(&'static str),
    /// The language has one version.
    SpecVersion,
    /// A provider has a name as in the configuration.
    BadProvider,
    /// Versions count from 1.
    BadVersion,
    /// There is such a family.
    UnknownFamily(String),
    /// There is such an operation.
    UnknownOp(String),
    /// An operation stands where it makes sense.
    OpNotHere(&'static str),
    /// A spec has at most 128 operations.
    TooManyOps,
    /// A list has no more entries than anybody needs.
    TooMany(&'static str),
    /// An address is a JSON Pointer.
    BadPointer(&'static str),
    /// An address has at most four `*`.
    TooManyStars,
    /// Two addresses pair up by their `*`.
    StarsDiffer,
    /// A single place is addressed without `*`.
    StarNotHere,
    /// What is renamed stays in its object.
    RenameElsewhere,
    /// What is taken away is a field: without a place of a list, all behind it would move.
    RemovesItem,
    /// An operation changes something.
    NoChange,
    /// Which model is asked and whether as a stream, no spec decides, nor who is said to have answered.
    ReadOnly,
    /// What people and models said, no spec touches.
    ReadOnlyText,
    /// Replies of Ollama say whether somebody else answered, so nothing else may be read in their place.
    FamilyStays,
    /// A guard says something.
    EmptyGuard,
    /// Which family is asked depends on the model and the stream alone.
    GuardNotHere,
    /// A pattern is short, and has letters and `*`.
    BadGlob,
    /// A header is not one that carries credentials, names hosts or frames the message.
    DeniedHeader(String),
    /// A header has a name and a value that can be sent.
    BadHeader,
    /// A path leads nowhere else.
    BadPath(&'static str),
    /// A number has a bound, and the lower one is not above the upper one.
    BadBounds,
    /// A term of a count is `+` or `-` and an address.
    BadTerm,
    /// There is such a reason to end.
    UnknownReason(String),
    /// There is such a kind of failure, and providers can mean it.
    UnknownKind(String),
    /// A phrase has 8 to 80 characters.
    BadPhrase,
    /// A phrase tells kinds of refusal apart, and nothing that decides whether to try again.
    PhraseKind,
    /// A row says what it is about, once.
    BadRow,
    /// A status is one of an error.
    BadStatus,
    /// The text after the last event is short.
    BadSentinel,
    /// Nobody waits longer than ten seconds for a count.
    BadLinger,
    /// A spec has an example.
    NoExample,
    /// An example is there.
    UnknownExample(String),
    /// An example can be read.
    BadExample(String),
    /// An example gives what it gave when it was recorded.
    ExampleFailed(String),
}

impl SpecFault {
    pub(super) fn new(pointer: impl Into<String>, rule: Rule) -> Self {
        Self { pointer: pointer.into(), rule }
    }
}

impl Rule {
    /// Returns its name, for machines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NotJson(_) => "not-json",
            Self::UnknownKey(_) => "unknown-key",
            Self::Missing(_) => "missing",
            Self::WrongType(_) => "wrong-type",
            Self::SpecVersion => "spec-version",
            Self::BadProvider => "bad-provider",
            Self::BadVersion => "bad-version",
            Self::UnknownFamily(_) => "unknown-family",
            Self::UnknownOp(_) => "unknown-op",
            Self::OpNotHere(_) => "op-not-here",
            Self::TooManyOps => "too-many-ops",
            Self::TooMany(_) => "too-many",
            Self::BadPointer(_) => "bad-pointer",
            Self::TooManyStars => "too-many-stars",
            Self::StarsDiffer => "stars-differ",
            Self::StarNotHere => "star-not-here",
            Self::RenameElsewhere => "rename-elsewhere",
            Self::RemovesItem => "removes-item",
            Self::NoChange => "no-change",
            Self::ReadOnly => "read-only",
            Self::ReadOnlyText => "read-only-text",
            Self::FamilyStays => "family-stays",
            Self::EmptyGuard => "empty-guard",
            Self::GuardNotHere => "guard-not-here",
            Self::BadGlob => "bad-glob",
            Self::DeniedHeader(_) => "denied-header",
            Self::BadHeader => "bad-header",
            Self::BadPath(_) => "bad-path",
            Self::BadBounds => "bad-bounds",
            Self::BadTerm => "bad-term",
            Self::UnknownReason(_) => "unknown-reason",
            Self::UnknownKind(_) => "unknown-kind",
            Self::BadPhrase => "bad-phrase",
            Self::PhraseKind => "phrase-kind",
            Self::BadRow => "bad-row",
            Self::BadStatus => "bad-status",
            Self::BadSentinel => "bad-sentinel",
            Self::BadLinger => "bad-linger",
            Self::NoExample => "no-example",
            Self::UnknownExample(_) => "unknown-example",
            Self::BadExample(_) => "bad-example",
            Self::ExampleFailed(_) => "example-failed",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it is larger than 64 KiB"),
            Self::NotJson(why) => write!(f, "it is not JSON: {why}"),
            Self::UnknownKey(key) => write!(f, "the key {key:?} is unknown"),
            Self::Missing(key) => write!(f, "the key {key:?} is missing"),
            Self::WrongType(expected) => write!(f, "expected {expected}"),
            Self::SpecVersion => f.write_str("expected 1, the only version of the language"),
            Self::BadProvider => f.write_str("a provider has 1 to 32 of the characters a-z, 0-9, _, - and ."),
            Self::BadVersion => f.write_str("expected a version from 1 to 999999"),
            Self::UnknownFamily(name) => {
                write!(
                    f,
                    "there is no family {name:?}; expected openai_chat, openai_responses, anthropic, gemini or ollama"
                )
            }
            Self::UnknownOp(name) => write!(f, "there is no operation {name:?}"),
            Self::OpNotHere(op) => write!(f, "{op} changes requests and nothing else"),
            Self::TooManyOps => f.write_str("there are more than 128 operations"),
            Self::TooMany(what) => write!(f, "there are more {what} than anybody needs"),
            Self::BadPointer(why) => write!(f, "this is no JSON Pointer: {why}"),
            Self::TooManyStars => f.write_str("an address has at most 4 `*`"),
            Self::StarsDiffer => {
                f.write_str("the addresses have different numbers of `*`, so they do not pair up")
            }
            Self::StarNotHere => f.write_str("this addresses one place, so it has no `*`"),
            Self::RenameElsewhere => {
                f.write_str("what is renamed stays in its object; `move` takes it elsewhere")
            }
            Self::RemovesItem => f.write_str("only fields are taken away, so the address ends with a name"),
            Self::NoChange => f.write_str("this would change nothing"),
            Self::ReadOnly => f.write_str(
                "/model and /stream of requests, /remote_host and /remote_model of replies are read-only",
            ),
            Self::FamilyStays => {
                f.write_str("Ollama says who answered, so no other family is read in its place")
            }
            Self::ReadOnlyText => f.write_str("texts of messages are read-only"),
            Self::EmptyGuard => f.write_str("the guard says nothing"),
            Self::GuardNotHere => {
                f.write_str("which family is asked may depend on `model` and `stream` alone")
            }
            Self::BadGlob => {
                f.write_str("a pattern has 1 to 128 printable characters, at most 8 of them `*`")
            }
            Self::DeniedHeader(name) => {
                write!(
                    f,
                    "the header {name} carries credentials, names hosts or frames the message: no spec sets it"
                )
            }
            Self::BadHeader => {
                f.write_str("a header has a lower-case name and a value of at most 256 printable characters")
            }
            Self::BadPath(why) => write!(f, "this is no path: {why}"),
            Self::BadBounds => f.write_str("expected `min`, `max` or both, the lower one first"),
            Self::BadTerm => {
                f.write_str("expected `+` or `-` and a JSON Pointer, such as \"+/usage/prompt_tokens\"")
            }
            Self::UnknownReason(name) => {
                write!(
                    f,
                    "there is no reason {name:?}; expected stop, tool_calls, length, content_filter or paused"
                )
            }
            Self::UnknownKind(name) => write!(f, "no provider can mean the failure {name:?}"),
            Self::BadPhrase => f.write_str("a phrase has 8 to 80 characters"),
            Self::PhraseKind => f.write_str("a phrase only tells kinds of refusal apart"),
            Self::BadRow => {
                f.write_str("expected a `status`, or one of `at` and `header` with one of `is` and `has`")
            }
            Self::BadStatus => f.write_str("expected a status from 400 to 599"),
            Self::BadSentinel => f.write_str("expected 1 to 64 printable characters"),
            Self::BadLinger => f.write_str("expected at most 10000 milliseconds"),
            Self::NoExample => f.write_str("a spec names at least one recorded example, which must pass"),
            Self::UnknownExample(name) => write!(f, "there is no recording {name:?}"),
            Self::BadExample(why) => write!(f, "the recording cannot be read: {why}"),
            Self::ExampleFailed(why) => write!(f, "the recording gives something else: {why}"),
        }
    }
}

impl fmt::Display for SpecFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, rule } = self;
        if pointer.is_empty() { write!(f, "{rule}") } else { write!(f, "{pointer}: {rule}") }
    }
}

impl Error for SpecFault {}
