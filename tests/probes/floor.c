/* The least a set-uid chroot login shell can do, and nothing it should: no config, no checks, no log. What
 * jail-shell costs is measured against it. */
#include "probe.h"

#define ROOT "/srv/jails/ann"
#define SHELL "/bin/sh"

int main(int argc, char **argv)
{
	char *environment[] = { "HOME=/", "PATH=/bin:/usr/bin", NULL };
	gid_t gid = getgid();
	uid_t uid = getuid();

	if (argc < 1)
		return PROBE_BROKEN;
	if (chdir(ROOT) || chroot("."))
		die(ROOT);
	if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		die("drop to the caller");
	argv[0] = argv[0][0] == '-' ? "-sh" : "sh";
	execve(SHELL, argv, environment);
	die(SHELL);
}
