//! The contract of [`Topics`], as a suite that every ground's topics pass. Tests only.
