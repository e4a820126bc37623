//! Logins through each door that end inside a jail, and what is refused.

mod account_state;
mod clients;
mod commands;
mod commands_attacked;
mod commands_closed;
mod compare;
mod conformance;
mod doors;
mod empty_fields;
mod environment;
mod everyday;
mod exit_status;
mod hostile;
mod idle;
mod keys;
mod leftovers;
mod recording;
mod refusals;
mod roots;
mod served;
mod session_limit;
mod sessions;
mod sftp_only;
mod terminals;
mod transfers;
mod until;
