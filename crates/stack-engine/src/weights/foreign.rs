//! What people give for a model that is none, recognised so that they learn what it is and what to do.

#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "names are in lower case here")]

use std::fmt;

use super::file::ModelFile;

/// What a file or folder is instead of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A few lines that stand for a file in a Git repository.
    LfsPointer,
    /// A page for browsers, or a server's error in XML.
    WebPage,
    /// JSON that is no part of a model, such as a server's error.
    Json,
    /// Some other text.
    Text,
    /// Nothing but zeros: a download that reserved its space and never filled it.
    Zeros,
    /// A compressed file or an archive.
    Archive,
    /// A file sealed as an age file.
    Sealed,
    /// A checkpoint of `PyTorch`, which is a pickle.
    PyTorch,
    /// A model of GGML from before GGUF.
    OldGgml,
    /// A saved session of llama.cpp.
    Session,
    /// An adapter to another model's weights.
    LoraAdapter,
    /// The part of a model that sees or hears.
    Projector,
    /// Statistics for quantizing a model.
    ImportanceMatrix,
    /// A vocabulary without weights.
    Vocabulary,
    /// One of the small files beside the weights.
    Companion,
    /// One `.safetensors` file, which says nothing of the model around its tensors.
    SafeTensors,
    /// A model of ONNX.
    Onnx,
    /// A model of TensorFlow, Keras or Flax.
    TensorFlow,
    /// A model for Core ML or `OpenVINO`.
    Compiled,
    /// An array of `NumPy` or a file of HDF5.
    Array,
    /// A program, perhaps with a model inside.
    Program,
    /// A recipe of Ollama for a model.
    Modelfile,
    /// A pipeline that makes images.
    Diffusion,
    /// The cache of the Hugging Face hub for one model.
    HubCache,
    /// The store of Ollama.
    OllamaStore,
}

impl Foreign {
    /// Recognises a file by its name and first bytes; a model of GGUF is not foreign.
    pub(super) fn file(name: &str, start: &[u8]) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
        if is_web_page(text) {
            return Some(Self::WebPage);
        }
        by_magic(&name, start).or_else(|| by_name(&name)).or_else(|| by_text(text))
    }

    /// Looks at a file that could not be read as a model.
    pub(super) fn recognise(file: &ModelFile) -> Option<Self> {
        let mut start = vec![0; file.len().min(START_BYTES) as usize];
        file.read_exact_at(&mut start, 0).ok()?;
        Self::file(&file.path().file_name()?.to_string_lossy(), &start)
    }

    /// Recognises a folder in which no model was found by the names in it; returns the name that tells.
    pub(super) fn folder(names: &[String]) -> Option<(Self, &str)> {
        let both = |one: &str, other: &str| {
            names.iter().any(|name| name == one) && names.iter().any(|name| name == other)
        };
        if both("refs", "snapshots") {
            return Some((Self::HubCache, "snapshots"));
        }
        if both("blobs", "manifests") {
            return Some((Self::OllamaStore, "manifests"));
        }
        // In the order in which they tell most.
        FOLDER_ORDER.iter().find_map(|wanted| {
            let found = names.iter().find(|name| by_name(&name.to_ascii_lowercase()) == Some(*wanted));
            found.map(|name| (*wanted, name.as_str()))
        })
    }
}

/// A sentence without its subject.
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LfsPointer => "is a Git LFS pointer, which only names the file that should be here",
            Self::WebPage => "is a web page, so the download went wrong",
            Self::Json => "is JSON, perhaps the error message of a server",
            Self::Text => "is text, perhaps the error message of a server",
            Self::Zeros => "begins with zeros only, so its download never finished",
            Self::Archive => "is a compressed file or an archive",
            Self::Sealed => "is sealed (age-encryption.org)",
            Self::PyTorch => "is a PyTorch checkpoint",
            Self::OldGgml => "is a GGML model from before GGUF",
            Self::Session => "is a saved session of llama.cpp, not a model",
            Self::LoraAdapter => "is a LoRA adapter, which changes another model and does not run by itself",
            Self::Projector => {
                "is the vision or audio part of a model (mmproj), which does not run by itself"
            }
            Self::ImportanceMatrix => "is an importance matrix (imatrix) for quantizing, not a model",
            Self::Vocabulary => "is a tokenizer without weights",
            Self::Companion => "is a small file that belongs beside a model's weights",
            Self::SafeTensors => "is a SafeTensors file, which runs only with the config.json beside it",
            Self::Onnx => "is an ONNX model",
            Self::TensorFlow => "is a TensorFlow, Keras or Flax model",
            Self::Compiled => "is a model compiled for Core ML, OpenVINO or TensorRT",
            Self::Array => "is an array of NumPy or HDF5",
            Self::Program => "is a program",
            Self::Modelfile => "is an Ollama Modelfile, which describes a model and does not hold one",
            Self::Diffusion => "is a pipeline that makes images",
            Self::HubCache => "is a cache of the Hugging Face hub; the model is in one of its snapshots",
            Self::OllamaStore => "is the store of Ollama",
        })
    }
}

fn by_magic(name: &str, start: &[u8]) -> Option<Foreign> {
    let has = |part: &[u8]| start.windows(part.len()).any(|window| window == part);
    Some(match start {
        [b'v', ..] if start.starts_with(b"version https://git-lfs") => Foreign::LfsPointer,
        [b'a', ..] if start.starts_with(b"age-encryption.org/") => Foreign::Sealed,
        [b'-', ..] if start.starts_with(b"-----BEGIN AGE ENCRYPTED FILE") => Foreign::Sealed,
        // Written as a number and as text.
        [b'l' | b'f', b'm', b'g', b'g', ..]
        | [b'g', b'g', b'm', b'l' | b'f', ..]
        | [b't', b'j', b'g', b'g', ..]
        | [b'g', b'g', b'j', b't', ..] => Foreign::OldGgml,
        [b'a', b'l', b'g', b'g', ..] | [b'g', b'g', b'l', b'a', ..] => Foreign::LoraAdapter,
        [b'n' | b'q', b's', b'g', b'g', ..] | [b'g', b'g', b's', b'n' | b'q', ..] => Foreign::Session,
        [b'P', b'K', 3, 4, ..] if is_pytorch(name) || has(b"/data.pkl") || has(b"/version") => {
            Foreign::PyTorch
        }
        // A pickle of protocol 2 to 5.
        [0x80, 2..=5, ..] => Foreign::PyTorch,
        [b'P', b'K', 3, 4, ..]
        | [0x1F, 0x8B, ..]
        | [0x28, 0xB5, 0x2F, 0xFD, ..]
        | [0xFD, b'7', b'z', b'X', b'Z', ..]
        | [b'7', b'z', 0xBC, 0xAF, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', ..]
        | [b'R', b'a', b'r', b'!', ..] => Foreign::Archive,
        _ if start.get(257..262) == Some(b"ustar") => Foreign::Archive,
        [0x89, b'H', b'D', b'F', ..] | [0x93, b'N', b'U', b'M', b'P', b'Y', ..] if name.ends_with(".h5") => {
            Foreign::TensorFlow
        }
        [0x89, b'H', b'D', b'F', ..] | [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Foreign::Array,
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Foreign::TensorFlow,
        [0x7F, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] | [b'#', b'!', ..] => Foreign::Program,
        [b'F', b'R', b'O', b'M', b' ', ..] => Foreign::Modelfile,
        // The model of SentencePiece and that of ONNX are messages of protocol buffers.
        [0x0A, ..] if has(b"<unk>") || has(b"<pad>") => Foreign::Vocabulary,
        [8, 1..=16, 0x12 | 0x1A | 0x3A, ..] => Foreign::Onnx,
        // A length below 4 GiB, and an object.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => {
            if name.contains("adapter") {
                Foreign::LoraAdapter
            } else {
                Foreign::SafeTensors
            }
        }
        [_, _, _, _, _, _, _, _, ..] if start.iter().all(|&byte| byte == 0) => Foreign::Zeros,
        _ => return None,
    })
}

fn by_name(name: &str) -> Option<Foreign> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    Some(match name {
        "model_index.json" => Foreign::Diffusion,
        "adapter_config.json" => Foreign::LoraAdapter,
        "modelfile" => Foreign::Modelfile,
        "vocab.json" | "vocab.txt" | "merges.txt" | "tokenizer.json" | "spiece.model" => Foreign::Vocabulary,
        _ if name.starts_with("adapter_model") => Foreign::LoraAdapter,
        _ if name.contains("mmproj") => Foreign::Projector,
        _ if name.contains("imatrix") => Foreign::ImportanceMatrix,
        _ if name.starts_with("ggml") && name.ends_with(".bin") => Foreign::OldGgml,
        _ if is_pytorch(name) => Foreign::PyTorch,
        _ if ends(&[".onnx", ".onnx_data", ".ort"]) || name == "onnx" => Foreign::Onnx,
        _ if ends(&[".h5", ".keras", ".tflite", ".msgpack", ".pb"]) => Foreign::TensorFlow,
        _ if ends(&[".mlmodel", ".mlpackage", ".mlmodelc", ".engine"]) => Foreign::Compiled,
        _ if name.starts_with("openvino_") => Foreign::Compiled,
        _ if ends(&[".npy", ".npz"]) => Foreign::Array,
        _ if ends(&[".tar", ".tgz", ".gz", ".zip", ".7z", ".zst", ".xz", ".bz2", ".rar"]) => Foreign::Archive,
        _ if ends(&[".age"]) => Foreign::Sealed,
        _ if ends(&["tokenizer.model", ".spm", ".bpe.model", ".tiktoken"]) => Foreign::Vocabulary,
        _ if ends(&[".index.json", "config.json", "tokens_map.json", ".jinja"]) => Foreign::Companion,
        _ => return None,
    })
}

/// Whether checkpoints of `PyTorch` are called so.
fn is_pytorch(name: &str) -> bool {
    [".pth", ".pt", ".ckpt", ".pkl"].iter().any(|ending| name.ends_with(ending))
        || name.starts_with("pytorch_model") && name.ends_with(".bin")
        || name.starts_with("model") && name.ends_with(".bin")
        || name == "training_args.bin"
}

fn is_web_page(text: &[u8]) -> bool {
    let begins = |start: &[u8]| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    [&b"<!doctype"[..], b"<html", b"<head", b"<body", b"<?xml", b"<!--", b"<error"].into_iter().any(begins)
}

/// Whether a text begins as JSON does. A word in brackets begins other formats, such as TOML.
fn is_json(text: &str) -> bool {
    text.starts_with('{')
        || text.strip_prefix('[').is_some_and(|rest| {
            rest.trim_start().starts_with(|c: char| matches!(c, '{' | '[' | ']' | '"' | '-' | '0'..='9'))
        })
}

fn by_text(bytes: &[u8]) -> Option<Foreign> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if text.len() < TEXT_BYTES_MIN || text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        None
    } else if is_json(text) {
        Some(Foreign::Json)
    } else {
        Some(Foreign::Text)
    }
}

/// What a folder is, if several names in it say something.
const FOLDER_ORDER: [Foreign; 14] = [
    Foreign::Diffusion,
    Foreign::LoraAdapter,
    Foreign::PyTorch,
    Foreign::OldGgml,
    Foreign::Sealed,
    Foreign::Archive,
    Foreign::Onnx,
    Foreign::TensorFlow,
    Foreign::Compiled,
    Foreign::Array,
    Foreign::Projector,
    Foreign::ImportanceMatrix,
    Foreign::Modelfile,
    Foreign::Vocabulary,
];

/// Enough of a file to recognise it by.
const START_BYTES: u64 = 512;

/// Fewer bytes may be anything.
const TEXT_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_what_they_begin_with() {
        let tar = [&[b'x'; 257][..], b"ustar\0"].concat();
        let torch = b"PK\x03\x04\0\0\0\0\0\0\0\0archive/data.pkl";
        let cases: [(&[u8], Foreign); 31] = [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", Foreign::LfsPointer),
            (b"<!DOCTYPE html><html>", Foreign::WebPage),
            (b"\xEF\xBB\xBF\n <HTML lang=en>", Foreign::WebPage),
            (b"<?xml version=\"1.0\"?><Error>AccessDenied", Foreign::WebPage),
            (b"{\"error\":\"Repository not found\"}", Foreign::Json),
            (b"[package]\nname = \"something that is no model\"\n", Foreign::Text),
            (b"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", Foreign::Json),
            (b"Invalid username or password.", Foreign::Text),
            (&[0; 64], Foreign::Zeros),
            (b"\x1F\x8B\x08\0", Foreign::Archive),
            (b"PK\x03\x04\x14\0\0\0model.gguf", Foreign::Archive),
            (b"\x28\xB5\x2F\xFD", Foreign::Archive),
            (b"\xFD7zXZ\0", Foreign::Archive),
            (&tar, Foreign::Archive),
            (b"age-encryption.org/v1\n-> X25519", Foreign::Sealed),
            (b"-----BEGIN AGE ENCRYPTED FILE-----", Foreign::Sealed),
            (torch, Foreign::PyTorch),
            (b"\x80\x02\x8A\x0Al\xFC\x9C", Foreign::PyTorch),
            (b"tjgg\x03\0\0\0", Foreign::OldGgml),
            (b"ggjt\x03\0\0\0", Foreign::OldGgml),
            (b"lmgg\x00\x7D\0\0", Foreign::OldGgml),
            (b"algg\x01\0\0\0", Foreign::LoraAdapter),
            (b"nsgg\x01\0\0\0", Foreign::Session),
            (b"\n\x0E\n\x05<unk>\x15\0\0\0\0\x18\x02", Foreign::Vocabulary),
            (b"\x08\x07\x12\x07pytorch\x1A\x05", Foreign::Onnx),
            (b"\x1C\0\0\0TFL3\x14\0", Foreign::TensorFlow),
            (b"\x93NUMPY\x01\0", Foreign::Array),
            (b"\x40\x01\0\0\0\0\0\0{\"__metadata__\"", Foreign::SafeTensors),
            (b"MZqFpD='\n", Foreign::Program),
            (b"FROM ./model.gguf\n", Foreign::Modelfile),
            (b"\x7FELF\x02\x01", Foreign::Program),
        ];
        for (start, expected) in cases {
            assert_eq!(
                Foreign::file("m.gguf", start),
                Some(expected),
                "{:?}",
                String::from_utf8_lossy(start)
            );
        }
        for start in [&b"GGUF\x03\0\0\0"[..], b"", b"GG", b"\xDE\xAD\xBE\xEF\xDE\xAD\xBE\xEF"] {
            assert_eq!(Foreign::file("m.gguf", start), None, "{start:?}");
        }
    }

    #[test]
    fn files_whose_bytes_say_little_are_recognised_by_their_names() {
        let cases = [
            ("tokenizer.model", Foreign::Vocabulary),
            ("tokenizer.json", Foreign::Vocabulary),
            ("config.json", Foreign::Companion),
            ("model.safetensors.index.json", Foreign::Companion),
            ("pytorch_model.bin", Foreign::PyTorch),
            ("consolidated.00.pth", Foreign::PyTorch),
            ("model.onnx", Foreign::Onnx),
            ("model-imatrix.dat", Foreign::ImportanceMatrix),
            ("tf_model.h5", Foreign::TensorFlow),
        ];
        for (name, expected) in cases {
            assert_eq!(Foreign::file(name, b"\xDE\xAD\xBE\xEF\xDE\xAD\xBE\xEF"), Some(expected), "{name}");
        }
        let adapter = b"\x40\x01\0\0\0\0\0\0{\"base\"";
        assert_eq!(Foreign::file("adapter_model.safetensors", adapter), Some(Foreign::LoraAdapter));
    }

    #[test]
    fn folders_are_recognised_by_the_name_that_tells_most() {
        let cases: [(&[&str], Option<Foreign>); 10] = [
            (&["README.md", "tokenizer.model"], Some(Foreign::Vocabulary)),
            (&["pytorch_model.bin", "tokenizer.json"], Some(Foreign::PyTorch)),
            (
                &["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"],
                Some(Foreign::LoraAdapter),
            ),
            (&["consolidated.00.pth", "params.json", "tokenizer.model"], Some(Foreign::PyTorch)),
            (&["mmproj-model-f16.gguf"], Some(Foreign::Projector)),
            (&["model_index.json", "unet", "vae"], Some(Foreign::Diffusion)),
            (&["blobs", "refs", "snapshots"], Some(Foreign::HubCache)),
            (&["blobs", "manifests"], Some(Foreign::OllamaStore)),
            (&["onnx", "README.md"], Some(Foreign::Onnx)),
            (&["README.md"], None),
        ];
        for (names, expected) in cases {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(Foreign::folder(&names).map(|(foreign, _)| foreign), expected, "{names:?}");
        }
    }
}
