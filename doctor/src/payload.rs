//! How a payload may have been altered, and back.

mod json;
mod layout;
mod step;

pub(crate) use self::{
    json::is_cut_off,
    layout::{Space, look, rewritings},
    step::{Step, undo},
};
