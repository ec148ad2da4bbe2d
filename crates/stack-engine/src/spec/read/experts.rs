//! The experts of a layer.

use super::Reader;
use super::keys::COUNT_MAX;
use crate::spec::row::RoutingKeys;
use crate::spec::{ExpertGroups, ExpertsSpec, Gating};
use crate::weights::LoadError;

impl Reader<'_> {
    pub(super) fn experts(&self, layer: usize) -> Result<ExpertsSpec, LoadError> {
        let count = self.required("expert_count")?;
        let used = self.per_layer("expert_used_count", layer)?.unwrap_or(0);
        if used == 0 || used > count || count > COUNT_MAX {
            return Err(self.wrong("expert_used_count", format!("{used} of {count} experts cannot be used")));
        }
        let router = format!("blk.{layer}.ffn_gate_inp.weight");
        if self.tensors.tensor(&router).is_some_and(|tensor| tensor.rows().unwrap_or(1) != count) {
            return Err(LoadError::new(router, format!("does not have the {count} rows of expert_count")));
        }
        let gating = match self.integer("expert_gating_func")?.unwrap_or(0) {
            0 => self.row.gating,
            1 => Gating::Softmax,
            2 => Gating::Sigmoid,
            3 => Gating::SoftmaxOfChosen,
            4 => Gating::SqrtSoftplus,
            other => return Err(self.wrong("expert_gating_func", format!("{other} is not a known function"))),
        };
        if self.row.routing_keys == RoutingKeys::None && gating != self.row.gating {
            let problem =
                format!("says {gating:?}, but experts of {} are gated otherwise", self.architecture);
            return Err(self.wrong("expert_gating_func", problem));
        }
        Ok(ExpertsSpec {
            count,
            used,
            activation: self.activation(layer)?,
            gating,
            normalize: match self.row.normalize_experts {
                Some(normalize) => normalize,
                None => self.flag("expert_weights_norm")?.unwrap_or(false),
            },
            scale: match self.row.routing_keys {
                RoutingKeys::GatingAndScale => self.positive("expert_weights_scale")?.unwrap_or(1.0),
                RoutingKeys::Gating | RoutingKeys::None => 1.0,
            },
            groups: self.groups(count)?,
            weights_first: self.row.weights_first,
            routed_early: self.row.routed_early,
            shared_suffix: self.row.shared_suffix,
            shared_scale: self.row.shared_scale,
        })
    }

    fn groups(&self, experts: usize) -> Result<Option<ExpertGroups>, LoadError> {
        match (self.integer("expert_group_count")?, self.integer("expert_group_used_count")?) {
            (Some(groups), Some(eligible)) if groups > 1 => {
                if !experts.is_multiple_of(groups)
                    || eligible == 0
                    || eligible > groups
                    || experts / groups < 2
                {
                    let problem = format!("{eligible} of {groups} groups do not fit {experts} experts");
                    return Err(self.wrong("expert_group_count", problem));
                }
                Ok(Some(ExpertGroups { count: groups, used: eligible }))
            }
            _ => Ok(None),
        }
    }
}
