//! NO SECURITY. The proofs of the curriculum, and the range as a running program, in one binary.

mod corpus;
mod pages;
mod proofs;
mod quiet;
mod running;
