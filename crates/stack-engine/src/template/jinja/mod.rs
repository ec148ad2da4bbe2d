//! An interpreter of Jinja2's language, as far as a template that stands alone can use it.
//!
//! Templates are written against Python: `{{ 7 / 2 }}`, `'%s' % x` and `d.items()` are Python's division, formatting
//! and method. So values behave as those of Python behave in the sandbox that transformers sets up
//! (`ImmutableSandboxedEnvironment`): nothing changes a value, and attributes of Python's own are hidden. What differs
//! is listed in the book's page on templates.
//!
//! A template is a program of a stranger. Every step, copy and search is paid for from a [`budget`], depth is bounded
//! everywhere, and no input makes it panic.
//!
//! The modules, in reading order: [`lexer`], [`escape_sequences`], [`parser`], [`expressions`] and [`symbols`] make the tree
//! that [`ast`] describes; [`value`] and [`dict`] are what it computes with; [`interpreter`] runs statements, [`eval`]
//! evaluates expressions; the rest are the parts of the language, one each.

mod arguments;
mod ast;
mod attributes;
mod budget;
mod call;
mod compare;
mod dict;
mod escape_sequences;
mod eval;
mod expressions;
mod fault;
mod filters;
mod format_spec;
mod interpreter;
mod items;
mod joined;
mod json;
mod lexer;
mod loops;
mod markup;
mod numbers;
mod parser;
mod percent;
mod predicates;
mod show;
mod slice;
mod str_format;
mod stream;
mod strftime;
mod symbols;
#[cfg(test)]
mod tests;
mod text;
mod text_methods;
mod value;

pub(super) use interpreter::Input;
pub(super) use value::Value;

use super::error::TemplateError;

/// A compiled template.
#[derive(Debug)]
pub(super) struct Program {
    body: ast::Frame,
}

impl Program {
    /// Compiles a template.
    pub(super) fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(TemplateError::Exhausted(format!("it is longer than {SOURCE_BYTES_MAX} bytes")));
        }
        let tokens = lexer::tokens(source).map_err(fault::Fault::into_template_error)?;
        let body = parser::parse(tokens).map_err(fault::Fault::into_template_error)?;
        Ok(Self { body })
    }

    /// Renders the template.
    pub(super) fn render(&self, input: &Input<'_>) -> Result<String, TemplateError> {
        interpreter::render(&self.body, input).map_err(fault::Fault::into_template_error)
    }
}

/// The longest template.
const SOURCE_BYTES_MAX: usize = 1 << 20;
