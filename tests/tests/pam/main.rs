//! Sessions and accounts behind PAM.

mod both_doors;
mod pam;
mod pam_account;
mod pam_closed;
mod pam_create;
mod pam_environment;
mod pam_guest;
mod pam_password;
mod pam_record;
mod pam_transfers;
mod pam_trust;
mod pam_walls;
mod session_limit;
mod until;
