//! The two Python models under Foster.
