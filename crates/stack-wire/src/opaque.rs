//! What is opaque, on its way to a caller and back: what a provider alone can read, and marks for its cache.
//!
//! A caller keeps one text where its dialect has a place for a signature. It says whose it is, so that it finds back to the
//! provider that wrote it and to nobody else, whichever dialect the caller speaks. What a caller brings from elsewhere is
//! kept, too: it says nothing to a model that runs here, and is lost otherwise to whom it means something.

use serde_json::Value;
use stack_chat::{CacheMark, Failure, Opaque, Origin, Part};

use crate::fields::Fields;
use crate::provider::Family;

/// Writes what is opaque as the text that a caller keeps: `stack:PROVIDER/FAMILY/KIND:DATA`.
pub(crate) fn kept_text(opaque: &Opaque) -> String {
    let Opaque { origin: Origin { provider, family }, kind, data } = opaque;
    format!("{MARK}{provider}/{family}/{kind}:{data}")
}

/// Reads what a caller has kept for us; `None` if it is not from here.
pub(crate) fn kept(text: &str) -> Option<Opaque> {
    let (head, data) = text.strip_prefix(MARK)?.split_once(':')?;
    let mut words = head.split('/').map(str::to_owned);
    let (provider, family, kind) = (words.next()?, words.next()?, words.next()?);
    let origin = Origin { provider, family };
    words.next().is_none().then(|| Opaque { origin, kind, data: data.to_owned() })
}

/// Keeps what a caller brings that an interface calls `kind`. Where it is not from here, the request does not say which
/// provider of that interface wrote it.
pub(crate) fn opaque(family: Family, kind: &str, data: String) -> Part {
    Part::Opaque(kept(&data).unwrap_or_else(|| {
        let origin = Origin { provider: String::new(), family: family.as_str().to_owned() };
        Opaque { origin, kind: kind.to_owned(), data }
    }))
}

/// Takes `cache_control`, in which only the time to live says anything. A mark that is no object is refused, as its provider
/// would.
pub(crate) fn cache_mark(block: &mut Fields) -> Result<Option<Part>, Failure> {
    let Some(control) = block.object("cache_control")? else { return Ok(None) };
    let is_long = control.rest().get("ttl").and_then(Value::as_str) == Some("1h");
    Ok(Some(Part::CacheMark(if is_long { CacheMark::OneHour } else { CacheMark::FiveMinutes })))
}

/// No provider's own text begins like that.
const MARK: &str = "stack:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_keeps_comes_back_as_it_was_and_what_is_foreign_stays_so() {
        for data in ["", "c2ln", "a:b/c", "{\"id\":\"rs_1\"}"] {
            let origin = Origin { provider: "acme".to_owned(), family: "gemini".to_owned() };
            let opaque = Opaque { origin, kind: "thoughtSignature".to_owned(), data: data.to_owned() };
            assert_eq!(kept(&kept_text(&opaque)), Some(opaque));
        }
        for foreign in ["", "EqQB", "stack:", "stack:a:b", "stack:a/b:c", "stack:a/b/c/d:e", "Stack:a/b/c:d"]
        {
            assert_eq!(kept(foreign), None, "{foreign}");
            let Part::Opaque(part) = opaque(Family::Anthropic, "signature", foreign.to_owned()) else {
                panic!("{foreign} is kept");
            };
            assert_eq!((part.origin.provider.as_str(), part.data.as_str()), ("", foreign));
        }
    }
}
