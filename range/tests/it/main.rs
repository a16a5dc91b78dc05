//! NO SECURITY. The proofs of the curriculum, in one binary.

mod proofs;
mod quiet;
