//! Why a chat can't begin, or go on.

use crate::home::HomeError;
use crate::net::TlsError;
use std::fmt;
use std::io;

/// Why a chat can't begin, or go on.
#[derive(Debug)]
pub enum ChatError {
    /// The terminal can't be used.
    Terminal(io::Error),
    /// The system does not say where data belong.
    NoDataFolder,
    /// The home can't be read or written any more.
    Home(HomeError),
    /// The connection can't be protected.
    Tls(TlsError),
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminal(error) => write!(f, "the terminal can't be used: {error}"),
            Self::NoDataFolder => {
                f.write_str("there is no folder for your data: set HOME, or name one with --home")
            }
            Self::Home(error) => write!(f, "the home can't be used any more: {error}"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChatError {}

impl From<HomeError> for ChatError {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}
