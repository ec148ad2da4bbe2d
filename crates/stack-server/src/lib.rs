//! HTTP in front of any ChatModel.
