//! What callers bring along that says nothing to a model that runs here: what a provider alone can read, and marks for its
//! cache. It is kept, because it is lost otherwise to whom it means something. A mark that is no object is refused, as its
//! provider would.

use serde_json::Value;
use stack_chat::{CacheMark, Failure, Opaque, Origin, Part};

use crate::fields::Fields;
use crate::provider::Family;

/// Keeps what an interface calls `kind`. Which provider of that interface wrote it, a request does not say.
pub(crate) fn opaque(family: Family, kind: &str, data: String) -> Part {
    let origin = Origin { provider: String::new(), family: family.as_str().to_owned() };
    Part::Opaque(Opaque { origin, kind: kind.to_owned(), data })
}

/// Takes `cache_control`, in which only the time to live says anything.
pub(crate) fn cache_mark(block: &mut Fields) -> Result<Option<Part>, Failure> {
    let Some(control) = block.object("cache_control")? else { return Ok(None) };
    let is_long = control.rest().get("ttl").and_then(Value::as_str) == Some("1h");
    Ok(Some(Part::CacheMark(if is_long { CacheMark::OneHour } else { CacheMark::FiveMinutes })))
}
