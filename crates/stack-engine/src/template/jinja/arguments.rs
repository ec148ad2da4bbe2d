//! The arguments of a call.

use std::sync::Arc;

use super::fault::{Fault, Outcome};
use super::value::{Str, Value};

/// The arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(Arc<str>, Value)>,
}

impl Args {
    /// Returns whether a text of a caller may be in the arguments.
    pub(super) fn is_from_caller(&self) -> bool {
        let named = self.named.iter().map(|(_, value)| value);
        self.positional.iter().chain(named).any(Value::is_from_caller)
    }

    /// Brings the arguments into the order of the parameters, of which the first few are required.
    pub(super) fn bind<const N: usize>(
        self,
        function: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Outcome<[Option<Value>; N]> {
        if self.positional.len() > N {
            return Err(Fault::failed(format!("{function} takes at most {N} arguments")));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            let at = parameters.iter().position(|parameter| *parameter == &*name);
            let at = at.ok_or_else(|| Fault::failed(format!("{function} has no argument {name:?}")))?;
            if bound[at].replace(value).is_some() {
                return Err(Fault::failed(format!("{function} is given {name:?} twice")));
            }
        }
        if let Some(missing) = bound[..required].iter().position(Option::is_none) {
            return Err(Fault::failed(format!("{function} needs the argument {:?}", parameters[missing])));
        }
        Ok(bound)
    }

    /// Returns the arguments of a function that knows no names.
    pub(super) fn unnamed<const N: usize>(
        self,
        function: &str,
        required: usize,
    ) -> Outcome<[Option<Value>; N]> {
        if let Some((name, _)) = self.named.first() {
            return Err(Fault::failed(format!("{function} takes no argument by name, as {name:?} is")));
        }
        self.bind(function, [""; N], required)
    }
}

/// Returns an integer.
pub(super) fn int(value: &Value) -> Outcome<i128> {
    value.as_int().ok_or_else(|| value.refuse("is no integer"))
}

/// Returns an integer, or a default if there is none.
pub(super) fn int_or(value: Option<&Value>, default: i128) -> Outcome<i128> {
    value.map_or(Ok(default), int)
}

/// Returns a text.
pub(super) fn text(value: &Value) -> Outcome<&Str> {
    value.as_text().ok_or_else(|| value.refuse("is no text"))
}

/// Returns an integer as a count; negative ones count as nothing.
pub(super) fn count(value: i128) -> usize {
    usize::try_from(value.max(0)).unwrap_or(usize::MAX)
}
