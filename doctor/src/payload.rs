//! How a payload may have been altered, and back.

mod form;
mod json;
mod layout;
mod step;

pub(crate) use self::{
    form::unlike_stripe,
    json::is_cut_off,
    layout::{Space, look, rewritings},
    step::{Step, undo},
};
