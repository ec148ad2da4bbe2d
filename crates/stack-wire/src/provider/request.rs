//! A request as it leaves for a provider.

use stack_chat::{ChatRequest, Failure, Origin, Unused};

use super::{Header, Route};
use crate::Delivery;

/// A request as it leaves for a provider: all of it but the host and the key.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderRequest {
    /// The path, with its query.
    pub path: String,
    /// The headers, without the one that carries the key.
    pub headers: Vec<Header>,
    /// The body, a JSON object.
    pub body: String,
    /// What the provider is asked otherwise than this program was.
    pub changes: Vec<Change>,
    /// What of the request has no effect there.
    pub unused: Vec<Unused>,
    /// The seed, where the family has one; else 0.
    pub seed: u64,
    /// How the reply is asked to travel.
    pub delivery: Delivery,
}

/// Something that a provider is asked otherwise than this program was, because its interface has no other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An option that the interface does not have was left out.
    Dropped(&'static str),
    /// An option was brought within what the model takes.
    Adjusted(&'static str),
    /// Something stands at another place of the conversation.
    Moved(&'static str),
    /// The interface does not take an identifier as it is, so another one stands for it.
    Renamed(&'static str),
    /// What belongs to this other origin was left out, and with it the thought that it signs.
    OpaqueDropped(Origin),
    /// Something that the interface demands and the conversation lacks was put in its place.
    Emulated(&'static str),
}

impl ProviderRequest {
    /// Renders a request for the provider and the model of a route.
    ///
    /// # Errors
    ///
    /// Names the field that the family has no way to say.
    pub fn render(request: &ChatRequest, route: &Route, delivery: Delivery) -> Result<Self, Failure> {
        route.family.render(request, route, delivery)
    }
}
