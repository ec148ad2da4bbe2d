//! Digests, keys, signatures, sealed streams and what is verified.
