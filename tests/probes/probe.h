/* What the probes share. Each of them is one static program without position independence: it needs nothing
 * of the root it runs in, and its code lies below PROBE_CODE_END, which is how inject tells the calls of a
 * probe from those of the program under test. */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_CODE_END 0x10000000UL
#define MAX_GROUPS 64

/* Status of a probe that could not do its own part: no status of jail-shell or of a shell. */
#define PROBE_BROKEN 99

__attribute__((noreturn, unused)) static void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	_exit(PROBE_BROKEN);
}

struct account {
	uid_t uid;
	gid_t gid;
	gid_t groups[MAX_GROUPS];
	int ngroups;
};

/* Parses UID:GID[,GROUP…]; the gid is always among the groups, as login leaves it. */
__attribute__((unused)) static struct account account_of(const char *text)
{
	struct account account = { 0 };
	char *end;
	account.uid = strtoul(text, &end, 10);
	if (*end != ':')
		errno = EINVAL, die(text);
	account.gid = strtoul(end + 1, &end, 10);
	account.groups[account.ngroups++] = account.gid;
	while (*end == ',' && account.ngroups < MAX_GROUPS)
		account.groups[account.ngroups++] = strtoul(end + 1, &end, 10);
	if (*end)
		errno = EINVAL, die(text);
	return account;
}

__attribute__((unused)) static void become(const struct account *account)
{
	if (setgroups(account->ngroups, account->groups))
		die("setgroups");
	if (setresgid(account->gid, account->gid, account->gid))
		die("setresgid");
	if (setresuid(account->uid, account->uid, account->uid))
		die("setresuid");
}

#endif
