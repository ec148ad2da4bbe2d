//! What all handlers share.

use std::sync::Arc;

use crate::Models;
use crate::activity::Activity;
use crate::ids::Ids;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::stored::StoredResponses;

/// The state behind every route of one router.
pub(crate) struct Server {
    pub(crate) models: Arc<Models>,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ids: Ids,
    pub(crate) activity: Arc<Activity>,
    /// The responses that conversations may go on from, if any are kept.
    pub(crate) stored: Option<Arc<StoredResponses>>,
}

impl Server {
    /// Starts with every number at zero.
    pub(crate) fn new(models: Arc<Models>, options: Options) -> Self {
        Self {
            stored: StoredResponses::new(options.stored_responses_max),
            models,
            options,
            metrics: Arc::default(),
            ids: Ids::default(),
            activity: Arc::default(),
        }
    }
}
