//! Models as signed, encrypted, content-addressed artifacts.
