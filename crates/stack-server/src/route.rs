//! One row of the router's table: what it needs of a key, and what web pages may do with it.

use std::sync::Arc;

use axum::routing::{MethodFilter, MethodRouter};

use crate::auth::{Scope, Scopes};
use crate::server::Server;

/// One method on one path.
pub(crate) struct Route {
    pub(crate) method: MethodFilter,
    pub(crate) path: &'static str,
    /// Whether it exists below `/v1` as well.
    pub(crate) versioned: bool,
    pub(crate) access: Access,
    pub(crate) pages: Pages,
    pub(crate) answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
}

/// What a request needs where keys are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: supervisors ask without a key.
    Open,
    /// A key, whatever it allows.
    AnyKey,
    /// A key with one of these scopes.
    OneOf(&'static [Scope]),
    /// A key for asking models, against whose limits it counts.
    Inference,
}

impl Access {
    /// Names the scopes that would do, where none of those is among `scopes`.
    pub(crate) fn missing(self, scopes: Scopes) -> Option<String> {
        let needed = match self {
            Self::Open | Self::AnyKey => return None,
            Self::OneOf(needed) => needed,
            Self::Inference => &[Scope::Infer],
        };
        let names = || needed.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(" or ");
        (!needed.iter().any(|&scope| scopes.allow(scope))).then(names)
    }
}

/// What web pages of other origins may do with a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Those that the operator lets in may use it.
    MayUse,
    /// None may use it, whatever their origin: it changes something.
    Refused,
}

/// A route that looks something up.
pub(crate) const fn reads(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route {
        method: MethodFilter::GET,
        path,
        versioned: true,
        access: Access::OneOf(&[Scope::Read]),
        pages: Pages::MayUse,
        answer,
    }
}

/// A route that asks a model.
pub(crate) const fn infers(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route {
        method: MethodFilter::POST,
        path,
        versioned: true,
        access: Access::Inference,
        pages: Pages::MayUse,
        answer,
    }
}

/// A route that changes something for everybody.
pub(crate) const fn changes(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route {
        method: MethodFilter::POST,
        path,
        versioned: true,
        access: Access::OneOf(&[Scope::Operate]),
        pages: Pages::Refused,
        answer,
    }
}

/// A route that removes something.
pub(crate) const fn deletes(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route { method: MethodFilter::DELETE, ..changes(path, answer) }
}

impl Route {
    /// Takes the route out of `/v1`, for what is no part of OpenAI's interface.
    pub(crate) const fn unversioned(self) -> Self {
        Self { versioned: false, ..self }
    }

    /// Lets whoever asks models use it, too: it tells what they can ask.
    pub(crate) const fn for_callers(self) -> Self {
        Self { access: Access::OneOf(&[Scope::Infer, Scope::Read]), ..self }
    }

    /// Lets whoever asks models use it, and nobody else, without counting it: it belongs to what they have asked.
    pub(crate) const fn for_asking(self) -> Self {
        Self { access: Access::OneOf(&[Scope::Infer]), ..self }
    }

    /// Counts it against the limits of a key like a request that asks a model: it may load one.
    pub(crate) const fn counted(self) -> Self {
        Self { access: Access::Inference, ..self }
    }

    /// Asks for a key, and for nothing that it allows.
    pub(crate) const fn for_any_key(self) -> Self {
        Self { access: Access::AnyKey, ..self }
    }

    /// Asks for no key.
    pub(crate) const fn open(self) -> Self {
        Self { access: Access::Open, ..self }
    }

    fn is_at(&self, pattern: &str) -> bool {
        let unversioned = pattern.strip_prefix("/v1").filter(|_| self.versioned);
        self.path == pattern || Some(self.path) == unversioned
    }
}

/// Tells what pages may do with `method` on the path that the router matched, and what it takes besides. What only leads to
/// a 404 or a 405 changes nothing, so pages may see that answer; a path that is not in the table is closed to them. None of
/// these is open: who has no key learns nothing, not even which routes there are.
pub(crate) fn terms_of(
    routes: &[Route],
    pattern: Option<&str>,
    method: Option<MethodFilter>,
) -> (Pages, Access) {
    let Some(pattern) = pattern else { return (Pages::MayUse, Access::AnyKey) };
    // The router answers HEAD where it answers GET.
    let method = method.map(|method| if method == MethodFilter::HEAD { MethodFilter::GET } else { method });
    let mut at_path = routes.iter().filter(|route| route.is_at(pattern)).peekable();
    if at_path.peek().is_none() {
        return (Pages::Refused, Access::AnyKey);
    }
    at_path
        .find(|route| Some(route.method) == method)
        .map_or((Pages::MayUse, Access::AnyKey), |route| (route.pages, route.access))
}
