//! Encryption: the age v1 format, readable by any age tool.
//!
//! ```text
//! age-encryption.org/v1                      header: who can open it
//! -> X25519 <ephemeral share>                  the file key, wrapped for one recipient
//! <wrapped file key>
//! --- <HMAC of the header under the file key>
//! <nonce> <chunk> <chunk> …                  payload: 64 KiB of plain bytes and a tag each
//! ```
//!
//! Chunks are independent, so that files are sealed and opened on all cores, in spans of four chunks, and in constant
//! memory. The last chunk is opened first: a file that was cut at its end fails before any work is done.
//!
//! Every recipient knows the file key and can therefore make another payload that opens as well. Tags say that nobody
//! else touched the file, never who wrote it; that is what the root in a signed statement is for.

mod argon2id;
pub mod armor;
pub mod bech32;
mod file_key;
mod header;
mod identity;
mod open;
mod passphrase;
mod payload;
mod seal;
mod stanza;
mod stream;
mod x25519;

pub use file_key::FileKey;
pub use header::{Header, HeaderError, is_sealed};
pub use identity::{Identity, Recipients};
pub use open::{OpenError, UnlockedFile, open_bytes};
pub use passphrase::Passphrase;
pub use payload::PayloadError;
pub use seal::{Sealing, add_recipients, rekey, seal_bytes};
pub use stream::SealingWriter;
pub use x25519::{KeyTextError, X25519Identity, X25519Recipient};

pub(crate) use argon2id::{Cost, open_identity_file, seal_identity_file};

/// Is told the bytes that each span adds. An error ends the work, and is the work's error.
pub type Progress<'a> = dyn Fn(u64) -> std::io::Result<()> + Sync + 'a;

/// A source of secure random bytes, which fills what it is given.
pub type Random<'a> = dyn FnMut(&mut [u8]) + 'a;
