//! What holds a session inside its jail: the view, the walls, the units of the host, and every step of the way in failing.

mod cgroup;
mod deadline;
mod devices;
mod fault;
mod mounts;
mod neighbours;
mod old_kernels;
mod priorities;
mod privilege;
mod services;
mod units;
mod view_property;
mod views;
mod walls;
