//! What all handlers share.

use std::sync::Arc;
use std::time::Instant;

use stack_chat::Failure;

use crate::Models;
use crate::activity::Activity;
use crate::auth::Grant;
use crate::auth::rates::Rates;
use crate::error::ApiError;
use crate::ids::Ids;
use crate::lineage::Lineages;
use crate::metrics::Metrics;
use crate::models::unknown_model;
use crate::options::Options;
use crate::stored::StoredResponses;

/// The state behind every route of one router.
pub(crate) struct Server {
    pub(crate) models: Arc<Models>,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    /// What a request may do that needs no key.
    pub(crate) operator: Arc<Grant>,
    /// What the keys have taken.
    pub(crate) rates: Arc<Rates>,
    pub(crate) ids: Ids,
    pub(crate) activity: Arc<Activity>,
    stored: Option<Arc<StoredResponses>>,
    /// How the last answers came about.
    pub(crate) lineages: Lineages,
}

impl Server {
    /// Starts with every number at zero.
    pub(crate) fn new(models: Arc<Models>, options: Options) -> Self {
        Self {
            stored: StoredResponses::new(options.stored_responses_max),
            models,
            options,
            metrics: Arc::default(),
            operator: Arc::new(Grant::operator()),
            rates: Arc::new(Rates::new(Instant::now())),
            ids: Ids::default(),
            activity: Arc::default(),
            lineages: Lineages::default(),
        }
    }

    /// The responses that the conversations of a tenant may go on from, if any are kept.
    pub(crate) fn stored(&self, grant: &Grant) -> Option<Arc<StoredResponses>> {
        self.stored.as_ref().map(|all| all.of(&grant.tenant))
    }

    /// Refuses a request whose key is not for the model that it means, by a route where the only model answers to every name
    /// if `any_model`. Such a key does not tell which others there are.
    pub(crate) async fn permit(
        &self,
        grant: &Grant,
        asked: Option<&str>,
        any_model: bool,
    ) -> Result<(), ApiError> {
        if grant.covers_all() {
            return Ok(());
        }
        // An alias is a name like any other: who may ask for it gets what it means.
        if let (Some(alias), Some(name)) = (self.models.alias(asked, any_model), asked) {
            return if grant.covers(&alias.id) { Ok(()) } else { Err(Grant::excludes(name).into()) };
        }
        match (self.models.meant(asked, any_model).await, asked) {
            (Ok(meant), _) if grant.covers(meant.id()) => Ok(()),
            (Err(_), Some(name)) if grant.covers(name) => {
                let shown: String = name.chars().take(64).collect();
                Err(unknown_model(format!(
                    "there is no model {shown:?}; GET /v1/models lists those there are"
                ))
                .into())
            }
            (_, Some(name)) => Err(Grant::excludes(name).into()),
            (_, None) => {
                let message = "`model` is required: GET /v1/models lists those that the API key is for";
                Err(Failure::invalid("model", message).into())
            }
        }
    }
}
