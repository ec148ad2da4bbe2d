//! Wire formats: JSON and server-sent events, to and from stack-chat.
