//! What becomes of a request before it leaves.

use std::borrow::Cow;

use serde_json::Value;

use super::op::{Act, Guard, Scope};
use super::pointer::TooManyMatches;
use super::protected::PathTemplate;
use super::stage::{Notes, Stage};
use crate::provider::Family;

/// The operations on requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestMap {
    /// Which family is asked instead, the first that fits.
    pub(super) families: Vec<(Guard, Family)>,
    /// What becomes of path and headers.
    pub(super) head: Vec<(Guard, HeadAct)>,
    /// What becomes of the body.
    pub(super) body: Stage,
}

/// A change of a request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeadAct {
    SetHeader(String, String),
    DropHeader(String),
    SetPath(PathTemplate),
}

/// A name of a header and its value.
pub type Header = (Cow<'static, str>, Cow<'static, str>);

/// A request that is about to leave.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::provider) struct Outgoing {
    pub(in crate::provider) path: String,
    pub(in crate::provider) headers: Vec<Header>,
    pub(in crate::provider) body: Value,
    /// Options that were left out.
    pub(in crate::provider) dropped: Vec<String>,
}

impl RequestMap {
    /// Returns the family that is asked in place of the spec's own.
    pub(super) fn family(&self, scope: Scope<'_>) -> Option<Family> {
        self.families.iter().find(|(guard, _)| guard.admits(scope)).map(|(_, family)| *family)
    }

    /// Applies all operations: those on the head see the body as the codec made it.
    pub(super) fn apply(
        &self,
        outgoing: &mut Outgoing,
        scope: Scope<'_>,
        notes: &mut Notes,
    ) -> Result<(), TooManyMatches> {
        for (guard, act) in &self.head {
            if guard.holds(&outgoing.body, scope) {
                act.apply(outgoing, scope);
            }
        }
        if self.body.ops.is_empty() {
            return Ok(());
        }
        self.body.apply(&mut outgoing.body, scope, notes)?;
        for (place, op) in self.body.ops.iter().enumerate() {
            if let Act::Drop { at } = &op.act
                && Stage::has_changed(notes, place)
            {
                outgoing.dropped.push(at.to_string().trim_start_matches('/').replace('/', "."));
            }
        }
        Ok(())
    }
}

impl HeadAct {
    fn apply(&self, outgoing: &mut Outgoing, scope: Scope<'_>) {
        match self {
            Self::SetHeader(name, value) => set_header(&mut outgoing.headers, name, value),
            Self::DropHeader(name) => outgoing.headers.retain(|(known, _)| known != name),
            Self::SetPath(path) => outgoing.path = path.render(scope.model),
        }
    }
}

/// Sets a header in place of one of the same name.
pub(super) fn set_header(headers: &mut Vec<Header>, name: &str, value: &str) {
    headers.retain(|(known, _)| known != name);
    headers.push((Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned())));
}
