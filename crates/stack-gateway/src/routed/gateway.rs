//! The providers, the aliases and the models of this process, and the way from a text to an answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use stack_chat::{Ability, ChatModel, ChatRequest, Class, Commit, Failure, Tier};
use stack_wire::provider::Family;

use super::engine::{EngineModels, EngineState};
use super::facts::facts;
use super::leg::{Leg, Who};
use super::memory::RouteMemory;
use super::model::RoutedModel;
use super::walk::Walk;
use crate::RetryOptions;
use crate::provider::{Provider, ProviderModel};
use crate::queue::{Queue, QueueLimits};
use crate::route::{
    Aliases, Candidate, CircuitRefusal, Decision, EngineModel, Facts, Meaning, Names, Need, ProviderNames,
    Standing, Target, resolve, route,
};

/// The providers, the aliases and the models of this process.
pub struct Gateway {
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) aliases: Aliases,
    pub(super) ceiling: Tier,
    pub(super) memory: Arc<RouteMemory>,
    engine: OnceLock<Arc<dyn EngineModels>>,
    /// Tells requests from one another.
    requests: AtomicU64,
}

impl Gateway {
    /// Makes one in which no request may reach further than `ceiling`. Nobody is contacted.
    pub fn new(providers: Vec<Arc<Provider>>, aliases: Aliases, ceiling: Tier) -> Arc<Self> {
        Arc::new(Self {
            providers,
            aliases,
            ceiling,
            memory: Arc::default(),
            engine: OnceLock::new(),
            requests: AtomicU64::new(0),
        })
    }

    /// Lets the models of this process be candidates. Who has them is told once.
    pub fn lend_engine(&self, models: Arc<dyn EngineModels>) {
        // A second one would be another process.
        let _already = self.engine.set(models);
    }

    /// Returns the aliases.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// Returns the providers.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// Returns how far requests may reach.
    pub fn ceiling(&self) -> Tier {
        self.ceiling
    }

    /// Finds what a text means, if that is an alias. `is_here` tells whether a model of this process has the name, which goes
    /// before an alias that the program brings.
    pub fn alias(self: &Arc<Self>, text: &str, is_here: bool) -> Option<RoutedModel> {
        let found = self.aliases.find(text).filter(|alias| !(is_here && alias.is_built_in));
        found.map(|_| RoutedModel::alias(Arc::clone(self), text))
    }

    /// Finds the model of a provider that a text means: `PROVIDER/MODEL`, `PROVIDER:MODEL`, or a name as the models of exactly
    /// one provider have it.
    pub fn provider_model(self: &Arc<Self>, text: &str) -> Option<RoutedModel> {
        let names = Names { engine: Vec::new(), ..self.names() };
        let Meaning::Model(Target::Provider { name, model }) = resolve(text, &Aliases::default(), &names)
        else {
            return None;
        };
        let card = self.find(&name, &model)?.card().clone();
        Some(RoutedModel::provider(Arc::clone(self), card))
    }

    /// Finds the model of this process that stands for an alias where no other can: for embeddings, tokens and templates.
    pub fn engine_stand_in(&self, text: &str) -> Option<String> {
        let (names, _) = self.everybody();
        let alias = self.aliases.find(text)?;
        let candidates = Candidate::of_alias(alias, &self.aliases, &names);
        candidates.into_iter().find_map(|candidate| match candidate.target {
            Target::Engine(id) => Some(id),
            Target::Provider { .. } | Target::Missing { .. } => None,
        })
    }

    /// Names what a text may have been meant to be.
    pub fn suggestions(&self, text: &str) -> Vec<String> {
        match resolve(text, &self.aliases, &self.everybody().0) {
            Meaning::Unknown(near) => near,
            Meaning::Alias(_) | Meaning::Model(_) => Vec::new(),
        }
    }

    /// Decides about a request without asking anybody.
    ///
    /// # Errors
    ///
    /// When the text means nothing that is known; the suggestions are part of the answer.
    pub fn decide(&self, text: &str, facts: &Facts) -> Result<Decision, Vec<String>> {
        let (names, engine) = self.everybody();
        let now = Instant::now();
        let (alias, candidates) = match resolve(text, &self.aliases, &names) {
            Meaning::Alias(alias) => (Some(alias), Candidate::of_alias(alias, &self.aliases, &names)),
            Meaning::Model(target) => (None, vec![Candidate::only(target)]),
            Meaning::Unknown(near) => return Err(near),
        };
        let standings = candidates.into_iter().map(|candidate| {
            let mut standing = self.standing(&candidate.target, &engine, now);
            if alias.is_none() && matches!(candidate.target, Target::Provider { .. }) {
                // One that is asked by name is asked: what may not leave is refused, and written down, where it would leave.
                standing.disabled = None;
            }
            (candidate, standing)
        });
        Ok(route(facts, alias, standings.collect(), now))
    }

    /// Prepares a request.
    pub(super) fn walk(&self, text: &str, request: ChatRequest) -> Result<Walk, Failure> {
        let facts = facts(&request, self.ceiling);
        let decision = self.decide(text, &facts).map_err(|_near| {
            let message = format!("the model {text:?} is not there any more");
            Failure::new(stack_chat::FailureKind::ModelUnknown, message)
        })?;
        let alias = decision.alias.as_ref().and_then(|_| self.aliases.find(text));
        request.routing.record.note(|lineage| {
            lineage.alias = decision.alias.as_ref().map(|_| text.to_owned());
            lineage.tier = Some(decision.tier);
            lineage.variant.clone_from(&decision.variant);
            let considered = decision.considered.iter();
            lineage.considered =
                considered.map(|one| (one.candidate.target.name(), one.verdict.text())).collect();
        });
        if let Some(failure) = decision.refusal(text) {
            return Err(failure);
        }
        let legs = decision.asked().filter_map(|candidate| self.leg(candidate)).collect();
        let commit =
            request.routing.commit.or(alias.map(|alias| alias.commit)).unwrap_or(Commit::FirstOutput);
        let only = match (&decision.alias, decision.asked().next()) {
            (None, Some(Candidate { target: Target::Provider { name, .. }, .. })) => self.provider(name),
            _ => None,
        };
        let options = only.map(|provider| provider.options());
        // The operator's word about one provider counts where it alone is asked.
        let tier = alias.map(|_| decision.tier).or(request.tier);
        Ok(Walk {
            legs,
            request: ChatRequest { tier, ..request },
            commit,
            tokens: facts.tokens,
            memory: Arc::clone(&self.memory),
            retries: options.map_or_else(RetryOptions::default, |options| options.retries.clone()),
            total: options.map_or(TOTAL, |options| options.timeouts.total),
            unique: self.requests.fetch_add(1, Ordering::Relaxed).to_string(),
        })
    }

    /// Finds the model of a provider that would be asked first.
    pub(super) fn first_provider(&self, text: &str, request: &ChatRequest) -> Option<ProviderModel> {
        let decision = self.decide(text, &facts(request, self.ceiling)).ok()?;
        match &decision.asked().next()?.target {
            Target::Provider { name, model } => self.find(name, model),
            Target::Engine(_) | Target::Missing { .. } => None,
        }
    }

    fn leg(&self, candidate: &Candidate) -> Option<Leg> {
        let who = match &candidate.target {
            Target::Engine(id) => Who::Engine { models: Arc::clone(self.engine.get()?), id: id.clone() },
            Target::Provider { name, model } => Who::Provider(self.find(name, model)?),
            Target::Missing { .. } => return None,
        };
        let context = match &candidate.target {
            Target::Engine(id) => self.engine_states().iter().find(|one| one.id == *id).and_then(context),
            Target::Provider { .. } | Target::Missing { .. } => None,
        };
        Some(Leg { route: candidate.target.name(), who, tier: candidate.tier, context })
    }

    pub(super) fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.options().name == name)
    }

    fn find(&self, provider: &str, model: &str) -> Option<ProviderModel> {
        self.provider(provider)?.model(model)
    }

    fn engine_states(&self) -> Vec<EngineState> {
        self.engine.get().map(|engine| engine.list()).unwrap_or_default()
    }

    fn everybody(&self) -> (Names, Vec<EngineState>) {
        let states = self.engine_states();
        let engine = states.iter().map(|state| {
            let able = |ability| state.card.as_ref().is_some_and(|card| card.abilities.contains(&ability));
            EngineModel {
                id: state.id.clone(),
                // What is not in memory yet is asked, and tells.
                chats: state.card.is_none() || able(Ability::Chats) || able(Ability::Completes),
                parameters: state.card.as_ref().map_or(0, |card| card.parameters),
                thinks: able(Ability::Thinks),
            }
        });
        (Names { engine: engine.collect(), ..self.names() }, states)
    }

    fn names(&self) -> Names {
        let providers = self.providers.iter().map(|provider| {
            let options = provider.options();
            ProviderNames {
                name: options.name.clone(),
                kind: options.kind,
                models: options.models.clone(),
                is_loopback: provider.class() == Ok(Class::Loopback),
            }
        });
        Names { engine: Vec::new(), providers: providers.collect() }
    }

    fn standing(&self, target: &Target, engine: &[EngineState], now: Instant) -> Standing {
        match target {
            Target::Missing { why, .. } => disabled(why.clone()),
            Target::Engine(id) => match engine.iter().find(|state| state.id == *id) {
                Some(state) => engine_standing(state),
                None if self.engine.get().is_none() => disabled("no model runs here".to_owned()),
                // It may lie in the store.
                None => Standing::new(Class::InProcess),
            },
            Target::Provider { name, model } => self.provider_standing(name, model, now),
        }
    }

    fn provider_standing(&self, name: &str, model: &str, now: Instant) -> Standing {
        let Some(provider) = self.provider(name) else {
            return disabled(format!("no provider is called {name}"));
        };
        if provider.model(model).is_none() {
            return disabled(format!("the operator does not list it among the models of {name}"));
        }
        let (class, denied) = match provider.class() {
            Ok(class) => (class, None),
            Err(denied) => (Class::Public, Some(denied.to_string())),
        };
        let [of_provider, of_model] = provider.report(model, now);
        let circuit = [of_provider, of_model].into_iter().filter(|report| !report.admits());
        let facts = self.memory.facts(&target_name(name, model));
        Standing {
            disabled: denied,
            lacks: lacks(provider.options().family()),
            // Of two, the one that stays open longer counts; one that is held open has no end.
            circuit: circuit.map(|report| report.probe_in).reduce(longer).map(|wait| CircuitRefusal { wait }),
            cooldown: facts.cooldown,
            queue: Queue { depth: facts.depth, limits: QueueLimits::default() },
            first_output: facts.first_output,
            ..Standing::new(class)
        }
    }
}

fn target_name(provider: &str, model: &str) -> String {
    format!("{provider}/{model}")
}

fn longer(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    Some(one?.max(other?))
}

fn disabled(why: String) -> Standing {
    Standing { disabled: Some(why), ..Standing::new(Class::InProcess) }
}

fn context(state: &EngineState) -> Option<u32> {
    state.card.as_ref().map(|card| card.context).filter(|context| *context > 0)
}

fn engine_standing(state: &EngineState) -> Standing {
    let can = |ability| state.card.as_ref().is_none_or(|card| card.abilities.contains(&ability));
    let lacks = [(Need::Tools, Ability::Calls), (Need::Thinking, Ability::Thinks)];
    let lacks = lacks.into_iter().filter(|(_, ability)| !can(*ability)).map(|(need, _)| need);
    Standing {
        lacks: lacks.chain([Need::Media]).collect(),
        context: context(state),
        queue: Queue { depth: state.depth, limits: QueueLimits::default() },
        ..Standing::new(Class::InProcess)
    }
}

/// What a family's interface has no words for.
fn lacks(family: Family) -> Vec<Need> {
    let beyond = [Need::Choices, Need::RawPrompt];
    match family {
        Family::OpenaiResponses => vec![Need::Choices, Need::RawPrompt, Need::Stop],
        Family::OpenaiChat | Family::Anthropic | Family::Gemini | Family::Ollama => beyond.to_vec(),
    }
}

/// How long a request may take until its last attempt has begun to answer.
const TOTAL: Duration = Duration::from_mins(10);
