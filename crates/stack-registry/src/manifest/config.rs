//! The configuration of a model, as the ModelPack specification shapes it.

use serde::Serialize;
use stack_seal::digest::Digest;

use super::FileFormat;
use crate::json;

/// The bytes of OCI's empty configuration.
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// What the configuration tells of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFacts {
    /// The name that its makers give it.
    pub name: Option<String>,
    /// The licence, as an SPDX expression or as upstream spells it.
    pub license: Option<String>,
    /// The format of the weights, such as `gguf`.
    pub format: Option<FileFormat>,
}

/// Writes a configuration. The same facts and files always become the same bytes.
pub fn model_config(facts: &ConfigFacts, files: &[Digest]) -> Vec<u8> {
    let document = Document {
        descriptor: About { name: facts.name.as_deref(), licenses: facts.license.as_slice() },
        modelfs: ModelFs { ty: "layers", diff_ids: files.iter().map(Digest::to_string).collect() },
        config: Shape { format: facts.format.map(FileFormat::name) },
    };
    json::to_bytes(&document)
}

#[derive(Serialize)]
struct Document<'a> {
    descriptor: About<'a>,
    modelfs: ModelFs,
    config: Shape<'a>,
}

#[derive(Serialize)]
struct About<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    licenses: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelFs {
    #[serde(rename = "type")]
    ty: &'static str,
    diff_ids: Vec<String>,
}

#[derive(Serialize)]
struct Shape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Descriptor;

    #[test]
    fn the_configuration_lists_its_files() {
        let facts = ConfigFacts { format: Some(FileFormat::Gguf), ..ConfigFacts::default() };
        let file = Descriptor::of("x", b"").digest;
        let text = String::from_utf8(model_config(&facts, &[file])).unwrap();
        let expected = format!(
            r#"{{"descriptor":{{}},"modelfs":{{"type":"layers","diffIds":["{file}"]}},"config":{{"format":"gguf"}}}}"#
        );
        assert_eq!(text, expected);
    }
}
