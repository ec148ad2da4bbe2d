//! Prompts of a model whose tokens are bytes.

use stack_chat::{ChatRequest, Failure, Message, Prompt, Prompts, RenderedPrompt, TokenizeOptions};

/// Makes a token of each byte. 256 begins a text, and 257 ends one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScriptedPrompts;

impl Prompts for ScriptedPrompts {
    fn tokenize(&self, text: &str, options: TokenizeOptions) -> Result<Vec<u32>, Failure> {
        let begin = options.add_special.then_some(256);
        Ok(begin.into_iter().chain(text.bytes().map(u32::from)).collect())
    }

    fn piece(&self, token: u32) -> Result<&[u8], Failure> {
        match token {
            256 => Ok(b"<s>"),
            257 => Ok(b"</s>"),
            _ => match usize::try_from(token).ok().and_then(|token| BYTES.get(token..=token)) {
                Some(byte) => Ok(byte),
                None => {
                    Err(Failure::invalid("tokens", format!("token {token} is not in the vocabulary of 258")))
                }
            },
        }
    }

    fn render(&self, request: &ChatRequest) -> Result<RenderedPrompt, Failure> {
        let Prompt::Messages(messages) = &request.prompt else {
            return Err(Failure::unsupported("messages", "only conversations are scripted"));
        };
        let said = |message: &Message| {
            format!("{}: {}\n", message.role.as_str(), message.text().unwrap_or_default())
        };
        let text: String = messages.iter().map(said).collect();
        let tokens = self.tokenize(&text, TokenizeOptions::default())?;
        Ok(RenderedPrompt { text, tokens })
    }

    fn template(&self, has_tools: bool) -> Option<&str> {
        Some(if has_tools { "{{ tools }}{{ messages }}" } else { "{{ messages }}" })
    }

    fn bounds(&self) -> (Option<u32>, Option<u32>) {
        (Some(256), Some(257))
    }
}

const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0;
    while byte < bytes.len() {
        bytes[byte] = byte as u8;
        byte += 1;
    }
    bytes
};
