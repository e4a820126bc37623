//! The documents, the packages, the sources and the sandbox itself.

mod documents;
mod fuzz;
mod how_to;
mod install;
mod layers;
mod mandatory;
mod manual;
mod package;
mod peers;
mod pictures;
mod rpm;
mod sandbox;
mod tutorial;
