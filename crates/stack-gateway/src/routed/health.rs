//! How the providers are doing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::{Failure, FailureKind};

use super::gateway::Gateway;
use crate::provider::Provider;

/// How a provider is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderStatus {
    /// It answers.
    Healthy,
    /// It answers some of its models, or failed lately.
    Degraded,
    /// It is loading a model.
    Loading,
    /// It is not asked, or does not answer.
    Unreachable,
    /// Nobody has asked it yet.
    Unknown,
}

/// A provider, and how it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderHealth {
    /// The provider.
    pub name: String,
    /// How it is doing.
    pub status: ProviderStatus,
    /// How long its answers take lately, or how long it took when it was asked now.
    pub latency: Option<Duration>,
    /// What went wrong last, if that was the last thing: the kind, and a sentence without any secret.
    pub last_error: Option<(&'static str, String)>,
}

impl ProviderStatus {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Loading => "loading",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

impl Gateway {
    /// Says of each provider how it is doing, by what its last requests showed. Nobody is asked.
    pub fn health(&self) -> Vec<ProviderHealth> {
        self.providers.iter().map(|provider| self.health_of(provider)).collect()
    }

    /// Asks each provider whether it lives, all at once, for something that costs nothing.
    pub async fn probe(&self) -> Vec<ProviderHealth> {
        let probes: Vec<_> = self
            .providers
            .iter()
            .map(|provider| {
                let provider = Arc::clone(provider);
                tokio::spawn(async move { provider.probe().await })
            })
            .collect();
        let mut told = Vec::new();
        for (provider, probe) in self.providers.iter().zip(probes) {
            let answer = probe.await.unwrap_or_else(|_| Err(Failure::internal("the probe panicked")));
            told.push(self.probed(provider, answer));
        }
        told
    }

    fn probed(&self, provider: &Provider, answer: Result<Duration, Failure>) -> ProviderHealth {
        let name = provider.options().name.clone();
        match answer {
            Ok(took) => {
                let now = self.health_of(provider);
                // It lives; what failed may be a model of it.
                let status = match now.status {
                    ProviderStatus::Unknown | ProviderStatus::Unreachable => ProviderStatus::Healthy,
                    status => status,
                };
                ProviderHealth { status, latency: Some(took), ..now }
            }
            Err(failure) => {
                let status = match failure.kind {
                    FailureKind::Loading => ProviderStatus::Loading,
                    FailureKind::ProviderRateLimited | FailureKind::Overloaded => ProviderStatus::Degraded,
                    _ => ProviderStatus::Unreachable,
                };
                let last_error = Some((failure.kind.as_str(), failure.message));
                ProviderHealth { name, status, latency: None, last_error }
            }
        }
    }

    fn health_of(&self, provider: &Provider) -> ProviderHealth {
        let name = provider.options().name.clone();
        if let Err(denied) = provider.class() {
            let last_error = Some((FailureKind::PrivacyBlocked.as_str(), denied.to_string()));
            return ProviderHealth { name, status: ProviderStatus::Unreachable, latency: None, last_error };
        }
        let (last, latency) = self.memory.last(&name);
        let [of_provider, _] = provider.report("", Instant::now());
        let failure = last.as_ref().and_then(|last| last.failure.clone());
        let status = match (&last, &failure) {
            _ if !of_provider.admits() => ProviderStatus::Unreachable,
            (None, _) => ProviderStatus::Unknown,
            (Some(_), None) => ProviderStatus::Healthy,
            (Some(_), Some((FailureKind::Loading, _))) => ProviderStatus::Loading,
            (Some(_), Some((FailureKind::ConnectionFailed | FailureKind::AuthFailed, _))) => {
                ProviderStatus::Unreachable
            }
            (Some(_), Some(_)) => ProviderStatus::Degraded,
        };
        let last_error = failure.map(|(kind, message)| (kind.as_str(), message));
        ProviderHealth { name, status, latency, last_error }
    }
}
