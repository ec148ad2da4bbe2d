//! One row of the router's table, and what web pages may do with it.

use std::sync::Arc;

use axum::routing::{MethodFilter, MethodRouter};

use crate::server::Server;

/// One method on one path.
pub(crate) struct Route {
    pub(crate) method: MethodFilter,
    pub(crate) path: &'static str,
    /// Whether it exists below `/v1` as well.
    pub(crate) versioned: bool,
    pub(crate) pages: Pages,
    pub(crate) answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
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
    Route { method: MethodFilter::GET, path, versioned: true, pages: Pages::MayUse, answer }
}

/// A route that asks a model.
pub(crate) const fn infers(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route { method: MethodFilter::POST, path, versioned: true, pages: Pages::MayUse, answer }
}

/// A route that changes something for everybody.
pub(crate) const fn changes(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route { method: MethodFilter::POST, path, versioned: true, pages: Pages::Refused, answer }
}

/// A route that removes something.
pub(crate) const fn deletes(
    path: &'static str,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
) -> Route {
    Route { method: MethodFilter::DELETE, path, versioned: true, pages: Pages::Refused, answer }
}

impl Route {
    /// Takes the route out of `/v1`, for what is no part of OpenAI's interface.
    pub(crate) const fn unversioned(self) -> Self {
        Self { versioned: false, ..self }
    }

    fn is_at(&self, pattern: &str) -> bool {
        let unversioned = pattern.strip_prefix("/v1").filter(|_| self.versioned);
        self.path == pattern || Some(self.path) == unversioned
    }
}

/// Tells what pages may do with `method` on the path that the router matched. What only leads to a 404 or a 405
/// changes nothing, so pages may see that answer; a path that is not in the table is closed to them.
pub(crate) fn pages(routes: &[Route], pattern: Option<&str>, method: Option<MethodFilter>) -> Pages {
    let Some(pattern) = pattern else { return Pages::MayUse };
    // The router answers HEAD where it answers GET.
    let method = method.map(|method| if method == MethodFilter::HEAD { MethodFilter::GET } else { method });
    let mut at_path = routes.iter().filter(|route| route.is_at(pattern)).peekable();
    if at_path.peek().is_none() {
        return Pages::Refused;
    }
    at_path.find(|route| Some(route.method) == method).map_or(Pages::MayUse, |route| route.pages)
}
