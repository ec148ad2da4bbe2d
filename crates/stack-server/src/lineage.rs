//! How the last answers came about, for as long as there is room.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use stack_chat::Tenant;
use stack_wire::native::LineageReport;

/// How the last answers came about. Tenants see their own.
#[derive(Default)]
pub(crate) struct Lineages(Mutex<VecDeque<(Tenant, LineageReport)>>);

impl Lineages {
    /// Keeps one; the oldest makes room.
    pub(crate) fn keep(&self, tenant: &Tenant, report: LineageReport) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((tenant.clone(), report));
    }

    /// Finds the last one of this name.
    pub(crate) fn find(&self, tenant: &Tenant, request_id: &str) -> Option<LineageReport> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            kept.iter().rev().find(|(whose, report)| whose == tenant && report.request_id == request_id);
        found.map(|(_, report)| report.clone())
    }
}

/// How many are kept.
const KEPT: usize = 1000;

#[cfg(test)]
mod tests {
    use stack_chat::LineageRecord;

    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_tenants_see_their_own() {
        let lineages = Lineages::default();
        let [ours, theirs] = ["a", "b"].map(Tenant::new);
        let report = |id: usize, created_s| LineageReport {
            request_id: id.to_string(),
            created_s,
            requested: None,
            record: LineageRecord::default(),
        };
        for id in 0..=KEPT {
            lineages.keep(&ours, report(id, 1));
        }
        assert!(lineages.find(&ours, "0").is_none() && lineages.find(&ours, "1").is_some());
        assert!(lineages.find(&theirs, "1").is_none());
        lineages.keep(&ours, report(7, 2));
        assert_eq!(lineages.find(&ours, "7").unwrap().created_s, 2, "the last of a name counts");
    }
}
