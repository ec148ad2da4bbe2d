//! Chat templates: from a conversation to the text that a model continues.
//!
//! A template is a Jinja2 program that came with the model, written for Python, and it is as trustworthy as the file
//! that it came in. It runs metered: instructions, bytes touched, output and nesting have limits, so that the worst it
//! can do is to fail. What callers write cannot become a control token, whatever the template does with it
//! ([`guard`]).
//!
//! The modules, in reading order: [`chat_template`] compiles and interprets; [`prompt`] renders a conversation so that
//! none of its text is lost, with the help of [`shadow`], [`forms`], [`ending`] and [`effect`]; [`conversation`] and
//! [`variables`] shape what templates see; [`guard`] parts caller text from control texts; [`jinja`] is the interpreter.

mod builtin;
mod chat_template;
pub(crate) mod conversation;
mod effect;
mod ending;
mod error;
mod forms;
mod guard;
mod jinja;
mod prompt;
mod shadow;
mod variables;

pub use builtin::{CHATML, builtin};
pub use chat_template::ChatTemplate;
pub use error::TemplateError;
pub use guard::ControlTexts;
pub use prompt::{Rendered, RenderedJson};
pub use variables::RenderInput;
