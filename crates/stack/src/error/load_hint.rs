//! What to do about a model that cannot be loaded, by the sort of trouble.

use stack_engine::weights::{Foreign, LoadErrorKind};

use crate::error::Kind;

/// Returns the exit code's kind and the way out.
pub(crate) fn load_hint(kind: LoadErrorKind) -> (Kind, &'static str) {
    match kind {
        LoadErrorKind::Damaged => (
            Kind::Malformed,
            "the file is damaged or incomplete: download it again with `stack pull --update`, or from its original source",
        ),
        LoadErrorKind::NotFound => (
            Kind::Missing,
            "MODEL is the path of a GGUF file, or of a folder with config.json and model.safetensors",
        ),
        LoadErrorKind::FileMissing => (
            Kind::Missing,
            "put the missing file beside the others, or fetch the whole model with `stack pull`",
        ),
        LoadErrorKind::NoModel => (
            Kind::Malformed,
            "give the path of a GGUF file, or of a folder with config.json and model.safetensors",
        ),
        LoadErrorKind::Ambiguous => {
            (Kind::Malformed, "give the path of one of the files instead of the folder")
        }
        LoadErrorKind::Foreign(foreign) => (Kind::Malformed, way_out(foreign)),
        LoadErrorKind::Empty => {
            (Kind::Malformed, "its download never began or the disk was full: fetch it again")
        }
        LoadErrorKind::UnknownArchitecture => (
            Kind::Malformed,
            "`stack show MODEL` says what is in it; the book lists the architectures that run",
        ),
        LoadErrorKind::UnknownQuantization => {
            (Kind::Malformed, "take the model in another quantization, or its weights in F32, F16 or BF16")
        }
        LoadErrorKind::Unfit => {
            (Kind::Malformed, "convert or fetch the model again; `stack show MODEL` says what is in it")
        }
        LoadErrorKind::Vocabulary => {
            (Kind::Malformed, "fetch the model's tokenizer files again; `stack logits` runs it on token ids")
        }
        LoadErrorKind::Template => {
            (Kind::Malformed, "give another chat template with --template FILE, or none with --raw")
        }
        LoadErrorKind::Device => (Kind::Machine, "`stack doctor` describes the machine"),
        LoadErrorKind::Draft => {
            (Kind::Usage, "give a smaller model of the same family with --draft, or leave it out")
        }
    }
}

fn way_out(foreign: Foreign) -> &'static str {
    match foreign {
        Foreign::LfsPointer => {
            "`git lfs pull` in its folder fetches the file, and `stack pull hf://OWNER/NAME` the whole model"
        }
        Foreign::WebPage => {
            "fetch the file itself, not the page about it: `stack pull hf://OWNER/NAME` knows where it is"
        }
        Foreign::Json | Foreign::Text => "read what it says, and fetch the model again",
        Foreign::Zeros => "fetch it again",
        Foreign::Archive => "unpack it and give the path of the GGUF file or the folder inside",
        Foreign::Sealed => "`stack decrypt` opens it; `stack run` does so itself with the key at hand",
        Foreign::PyTorch => {
            "take the model as GGUF or SafeTensors; PyTorch checkpoints are programs and are not run here"
        }
        Foreign::OldGgml => {
            "take the model as GGUF, or convert the original with llama.cpp's convert_hf_to_gguf.py"
        }
        Foreign::Session => "give the path of the model that the session belongs to",
        Foreign::LoraAdapter => {
            "merge it into its base model, for instance with PEFT's merge_and_unload, and give the merged model"
        }
        Foreign::Projector => "give the path of the language model that it belongs to",
        Foreign::ImportanceMatrix => "give the path of the model that was quantized with it",
        Foreign::Vocabulary => "fetch the weights too: `stack pull hf://OWNER/NAME` gets the whole model",
        Foreign::Companion | Foreign::SafeTensors => "give the path of the folder that it lies in",
        Foreign::Onnx | Foreign::TensorFlow | Foreign::Compiled | Foreign::Array => {
            "take the model as GGUF or SafeTensors"
        }
        Foreign::Program => {
            "give the path of a model; a llamafile is a zip archive with the GGUF file inside"
        }
        Foreign::Modelfile => "give the path or the name that stands behind FROM in it",
        Foreign::Diffusion => "language models and text encoders run here, models for images do not",
        Foreign::HubCache => {
            "give the path of a folder in snapshots, or take the model over with `stack adopt`"
        }
        Foreign::OllamaStore => "`stack adopt` takes models over from it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_missing_and_the_rest_malformed() {
        for kind in [LoadErrorKind::NotFound, LoadErrorKind::FileMissing] {
            assert_eq!(load_hint(kind).0, Kind::Missing);
        }
        for kind in [LoadErrorKind::Damaged, LoadErrorKind::Foreign(Foreign::WebPage), LoadErrorKind::Unfit] {
            assert_eq!(load_hint(kind).0, Kind::Malformed);
        }
    }

    #[test]
    fn show_is_suggested_only_where_it_can_say_something() {
        for kind in [
            LoadErrorKind::Damaged,
            LoadErrorKind::FileMissing,
            LoadErrorKind::NoModel,
            LoadErrorKind::Empty,
            LoadErrorKind::Foreign(Foreign::LfsPointer),
        ] {
            assert!(!load_hint(kind).1.contains("stack show"), "{kind:?}");
        }
    }
}
