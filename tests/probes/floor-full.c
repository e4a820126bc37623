/* The least a set-uid login shell with namespaces of its own can do: the same mounts as a default jail has, a
 * supervisor and an init that wait, and nothing it should: no config, no checks, no walls, no log, no signals. What
 * jail-shell and bwrap cost with full isolation is measured against it. */
#include "probe.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ROOT "/srv/jails/ann"
#define SHELL "/bin/sh"

static void make_root(void)
{
	static const struct { const char *name; unsigned major, minor; } devices[] = {
		{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 },
		{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
	};
	umask(0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount(ROOT, ROOT, NULL, MS_BIND | MS_REC, NULL) ||
	    chdir(ROOT))
		die(ROOT);
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
	    mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755") || mkdir("dev/pts", 0755) ||
	    mkdir("dev/shm", 0755) ||
	    mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666") ||
	    mount("tmpfs", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, NULL) ||
	    mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL))
		die("mount");
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
		if (mknod(devices[i].name, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)))
			die(devices[i].name);
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		die("pivot_root");
}

static int wait_for(pid_t child)
{
	int status;
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char *environment[] = { "HOME=/", "PATH=/bin:/usr/bin", NULL };
	gid_t gid = getgid();
	uid_t uid = getuid();
	pid_t child;

	if (argc < 1)
		return PROBE_BROKEN;
	if (unshare(CLONE_NEWPID))
		die("unshare");
	child = fork();
	if (child)
		_exit(wait_for(child));
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS))
		die("unshare");
	make_root();
	child = fork();
	if (child)
		_exit(wait_for(child));
	if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		die("drop to the caller");
	argv[0] = argv[0][0] == '-' ? "-sh" : "sh";
	execve(SHELL, argv, environment);
	die(SHELL);
}
