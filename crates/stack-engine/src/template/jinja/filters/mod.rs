//! Filters: what stands behind `|`.

mod numbers;
mod pprint;
mod select;
mod sequences;
mod texts;
mod wordwrap;

use super::arguments::Args;
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::json;
use super::value::Value;

/// Returns whether there is a filter of this name.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Interpreter<'_> {
    /// Applies a filter.
    pub(super) fn filter(&mut self, name: &str, value: Value, args: Args) -> Outcome<Value> {
        self.budget.step()?;
        let from_caller = value.is_from_caller() || args.is_from_caller();
        let result = match name {
            "abs" => numbers::abs(&value, args),
            "attr" => sequences::attr(self, &value, args),
            "batch" => sequences::batch(self, &value, args),
            "capitalize" | "lower" | "title" | "upper" | "trim" | "center" | "string" | "striptags"
            | "wordcount" | "safe" | "escape" | "e" | "forceescape" | "replace" | "format" | "indent"
            | "truncate" | "urlencode" | "filesizeformat" | "xmlattr" => {
                texts::apply(self, name, &value, args)
            }
            "wordwrap" => wordwrap::wordwrap(self, &value, args),
            "count" | "length" => {
                let [] = args.unnamed(name, 0)?;
                self.length(&value).map(|length| Value::Int(length as i128))
            }
            "d" | "default" => {
                let [default, boolean] = args.bind(name, ["default_value", "boolean"], 0)?;
                let boolean = boolean.is_some_and(|boolean| boolean.is_true());
                let keeps = !value.is_undefined() && (!boolean || value.is_true());
                Ok(if keeps { value } else { default.unwrap_or_else(|| Value::text("")) })
            }
            "dictsort" => sequences::dictsort(self, &value, args),
            "first" => sequences::first(self, &value, args),
            "last" => sequences::last(&value, args),
            "float" => numbers::float(&value, args),
            "int" => numbers::int(&value, args),
            "round" => numbers::round(&value, args),
            "sum" => numbers::sum(self, &value, args),
            "groupby" => sequences::groupby(self, &value, args),
            "items" => sequences::items(&value, args),
            "join" => sequences::join(self, &value, args),
            "list" => {
                let [] = args.unnamed(name, 0)?;
                Value::list(self.collect(&value)?)
            }
            "min" => sequences::extreme(self, &value, args, false),
            "max" => sequences::extreme(self, &value, args, true),
            "map" => select::map(self, &value, args),
            "select" => select::select(self, &value, args, true, false),
            "reject" => select::select(self, &value, args, false, false),
            "selectattr" => select::select(self, &value, args, true, true),
            "rejectattr" => select::select(self, &value, args, false, true),
            "pprint" => pprint::pprint(self, &value, args),
            "reverse" => sequences::reverse(self, &value, args),
            "slice" => sequences::slice(self, &value, args),
            "sort" => sequences::sort(self, &value, args),
            "tojson" => json::tojson(self, &value, args),
            "unique" => sequences::unique(self, &value, args),
            _ => Err(Fault::failed(format!("there is no filter named {name:?}"))),
        };
        result.map(|result| result.with_caller(from_caller))
    }
}

const NAMES: [&str; 52] = [
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
    "wordwrap",
    "xmlattr",
];
