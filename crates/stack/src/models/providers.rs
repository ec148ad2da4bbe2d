//! The models of providers and the aliases, as the configuration describes them.

use std::sync::Arc;

use stack_chat::{ChatModel, Failure, Tier};
use stack_gateway::Adapters;
use stack_gateway::privacy::{EgressGate, EgressLog, EgressPolicy};
use stack_gateway::provider::{Provider, ProviderKey, ProviderOptions};
use stack_gateway::route::Aliases;
use stack_gateway::routed::{Gateway, RoutedModel};
use stack_server::{Providers, Served};
use stack_trust::home::Home;

use crate::config::ProviderSection;
use crate::error::{CommandError, Kind};
use crate::home::secrets;
use crate::process::machine;

/// The providers behind one gate, and the aliases.
pub(crate) struct ConfiguredProviders {
    gate: Arc<EgressGate>,
    gateway: Arc<Gateway>,
    /// The models that the configuration lists, and that may be asked.
    listed: Vec<Arc<Served>>,
}

impl ConfiguredProviders {
    /// Makes them; none is contacted.
    ///
    /// # Errors
    ///
    /// When the key of one of them is not there, or is none.
    pub(crate) fn new(
        sections: &[ProviderSection],
        aliases: Aliases,
        home: &Home,
        policy: EgressPolicy,
        log: EgressLog,
        adapters: &Adapters,
    ) -> Result<Self, CommandError> {
        let gate = Arc::new(EgressGate::new(policy, log));
        let seed = machine::seed()?;
        let provider = |section: &ProviderSection| {
            let mut options = section.options();
            options.key = key(section, home)?;
            options.adapters = adapters.clone();
            Ok(Provider::new(options, Arc::clone(&gate), machine::now_s, seed))
        };
        let providers = sections.iter().map(provider).collect::<Result<Vec<_>, CommandError>>()?;
        let gateway = Gateway::new(providers, aliases, gate.policy().tier);
        let mut listed = Vec::new();
        for provider in gateway.providers().iter().filter(|provider| provider.class().is_ok()) {
            let ProviderOptions { name, models, .. } = provider.options();
            let found = |model: &String| gateway.provider_model(&format!("{name}/{model}")).map(served);
            listed.extend(models.iter().filter_map(found));
        }
        Ok(Self { gate, gateway, listed })
    }

    /// Returns what routes requests.
    pub(crate) fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Says of each provider whether it may be asked.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.gateway.providers().iter().map(|provider| {
            let name = &provider.options().name;
            match provider.class() {
                Ok(class) => format!("provider {name} at {} ({})", provider.options().base, class.name()),
                Err(denied) => format!("provider {name} is not asked: {denied}"),
            }
        })
    }
}

impl Providers for ConfiguredProviders {
    fn list(&self) -> Vec<Arc<Served>> {
        self.listed.clone()
    }

    fn find(&self, name: &str) -> Option<Arc<Served>> {
        self.gateway.provider_model(name).map(served)
    }

    fn alias(&self, name: &str, is_here: bool) -> Option<Arc<Served>> {
        self.gateway.alias(name, is_here).map(served)
    }

    fn stand_in(&self, alias: &str) -> Option<String> {
        self.gateway.engine_stand_in(alias)
    }

    fn suggest(&self, name: &str) -> Vec<String> {
        self.gateway.suggestions(name)
    }

    fn tier(&self) -> Tier {
        self.gateway.ceiling()
    }

    fn admit_tier(&self, asked: Tier) -> Result<(), Failure> {
        let Err(denied) = self.gate.policy().effective(Some(asked)) else { return Ok(()) };
        let (gate, noted) = (Arc::clone(&self.gate), denied.clone());
        // It is written where that holds nobody up.
        drop(tokio::task::spawn_blocking(move || gate.deny_tier(asked, &noted)));
        Err(denied.into())
    }
}

fn served(model: RoutedModel) -> Arc<Served> {
    let card = model.card().clone();
    let id = card.id.clone();
    Arc::new(Served {
        id,
        card,
        chat: Some(Arc::new(model)),
        embedder: None,
        reranker: None,
        prompts: None,
        held: None,
    })
}

fn key(section: &ProviderSection, home: &Home) -> Result<Option<ProviderKey>, CommandError> {
    let Some(name) = section.key.as_ref().map(|key| &key.value) else { return Ok(None) };
    let text = secrets::find(home, name)?.ok_or_else(|| {
        let message = format!("the key of the provider {} is not there", section.name);
        let name = name.as_str();
        CommandError::new(Kind::Missing, message).reason("no-secret").hint(format!(
            "put it into the variable {name}, or into the file secrets/{name} of the home, readable by its owner alone"
        ))
    })?;
    let key = ProviderKey::new(&text).ok_or_else(|| {
        let message = format!("the key of the provider {} has characters that no key has", section.name);
        CommandError::new(Kind::Malformed, message).reason("no-secret")
    })?;
    Ok(Some(key))
}
