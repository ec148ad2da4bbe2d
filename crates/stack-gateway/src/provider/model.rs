//! A model at a provider, as everybody who asks models sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::{
    Ability, ChatModel, ChatRequest, Class, EventStream, Failure, FailureKind, ModelCard, Unused,
};
use stack_wire::Delivery;
use stack_wire::provider::{Change, ProviderRequest, Route};

use super::Provider;
use super::call::Call;
use super::driven::Driven;
use crate::routed::Walk;

/// A model at a provider.
#[derive(Clone, Debug)]
pub struct ProviderModel {
    provider: Arc<Provider>,
    name: String,
    card: ModelCard,
}

impl ProviderModel {
    pub(super) fn new(provider: &Arc<Provider>, model: &str) -> Self {
        let name = &provider.options().name;
        let card = ModelCard {
            id: format!("{name}/{model}"),
            abilities: vec![Ability::Chats, Ability::Calls],
            provider: Some(name.clone()),
            // One that is never asked here has no class of its own; it is called what it would take to ask it.
            class: provider.class().unwrap_or(Class::Public),
            ..ModelCard::default()
        };
        Self { provider: Arc::clone(provider), name: model.to_owned(), card }
    }

    /// Begins one attempt, which is over at `ends`. The provider is always asked for a stream, so that silence is noticed,
    /// whatever the caller gets.
    pub(crate) fn attempt(
        &self,
        request: &ChatRequest,
        patience: Option<Duration>,
        ends: Instant,
    ) -> Result<EventStream, Failure> {
        // Its adapter is the one that is in force now, for the reply, too.
        let route = self.route();
        let call = Call {
            provider: Arc::clone(&self.provider),
            request: self.render(request, &route)?,
            route,
            tier: request.tier,
            thinks: request.thinking.effort().is_some(),
            patience,
            ends,
        };
        Ok(Box::pin(Driven::new(|outlet| call.answer(outlet))))
    }

    /// Returns the provider.
    pub(crate) fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    /// Returns its name there.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn route(&self) -> Route {
        self.provider.options().route(&self.name)
    }

    /// Renders a request. What the provider is not asked, because it has no such option, is said to the caller.
    fn render(&self, request: &ChatRequest, route: &Route) -> Result<ProviderRequest, Failure> {
        if request.cost_max.is_some() {
            let message =
                format!("nobody here knows what {} charges, so `cost_max` cannot be kept", self.card.id);
            let failure = Failure::new(FailureKind::PriceUnknown, message);
            return Err(Failure { field: Some("cost_max".to_owned()), ..failure });
        }
        let delivery = Delivery::Stream { include_usage: true };
        let mut rendered = ProviderRequest::render(request, route, delivery)?;
        for change in &rendered.changes {
            if let Change::Dropped(option) = change {
                rendered.unused.push(Unused::Option((*option).to_owned()));
            }
        }
        Ok(rendered)
    }
}

impl ChatModel for ProviderModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Tries this model alone, and again where that makes sense and nobody has seen any of the answer.
    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        // What cannot be asked at all is said at once.
        self.render(&request, &self.route())?;
        Ok(Walk::alone(self.clone(), request).begin())
    }

    /// Four bytes of JSON a token, more or less: providers that count would have to be sent the prompt.
    fn estimate(&self, request: &ChatRequest) -> Option<Result<u32, Failure>> {
        let rendered = self.render(request, &self.route());
        Some(rendered.map(|request| u32::try_from(request.body.len() / BYTES_PER_TOKEN).unwrap_or(u32::MAX)))
    }
}

const BYTES_PER_TOKEN: usize = 4;
