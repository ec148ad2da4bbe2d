//! What a text means, as a model like any other.

use std::sync::Arc;

use stack_chat::{Ability, ChatModel, ChatRequest, Class, EventStream, Failure, ModelCard};

use super::gateway::Gateway;

/// What a text means: an alias, or one model of a provider. Who answers is decided with each request.
pub struct RoutedModel {
    gateway: Arc<Gateway>,
    text: String,
    card: ModelCard,
}

impl RoutedModel {
    /// What an alias means.
    pub(super) fn alias(gateway: Arc<Gateway>, text: &str) -> Self {
        let card = ModelCard {
            id: text.to_owned(),
            abilities: vec![Ability::Chats, Ability::Calls],
            class: Class::InProcess,
            ..ModelCard::default()
        };
        Self { gateway, text: text.to_owned(), card }
    }

    /// One model of a provider.
    pub(super) fn provider(gateway: Arc<Gateway>, card: ModelCard) -> Self {
        Self { gateway, text: card.id.clone(), card }
    }
}

impl ChatModel for RoutedModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        Ok(self.gateway.walk(&self.text, request)?.begin())
    }

    /// Asks the model that would be asked first, where that is one of a provider.
    fn estimate(&self, request: &ChatRequest) -> Option<Result<u32, Failure>> {
        self.gateway.first_provider(&self.text, request)?.estimate(request)
    }
}
