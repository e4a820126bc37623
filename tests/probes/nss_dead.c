/* A service of NSS that knows one group of one user. It is down while /run/nss-is-down exists, as nslcd's or sssd's module is
 * when their daemon is, and takes its time while /run/nss-is-slow does; and it knows nothing where a variable is set, as that of systemd obeys SYSTEMD_ONLY_USERDB. */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum nss_status _nss_dead_initgroups_dyn(const char *user, gid_t skip, long *start, long *size, gid_t **groups,
					 long limit, int *errnop)
{
	(void)limit;
	if (access("/run/nss-is-slow", F_OK) == 0)
		sleep(7);
	if (access("/run/nss-is-down", F_OK) == 0) {
		*errnop = ECONNREFUSED;
		return NSS_STATUS_UNAVAIL;
	}
	if (strcmp(user, "ann") != 0 || skip == 4242 || getenv("NSS_KNOWS_NOTHING"))
		return NSS_STATUS_NOTFOUND;
	if (*start >= *size)
		return NSS_STATUS_TRYAGAIN;
	(*groups)[(*start)++] = 4242;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_dead_getgrgid_r(gid_t gid, struct group *group, char *buffer, size_t length, int *errnop)
{
	static char *nobody[] = { NULL };
	if (access("/run/nss-is-down", F_OK) == 0) {
		*errnop = ECONNREFUSED;
		return NSS_STATUS_UNAVAIL;
	}
	if (gid != 4242 || getenv("NSS_KNOWS_NOTHING"))
		return NSS_STATUS_NOTFOUND;
	if (length < 16) {
		*errnop = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	strcpy(buffer, "remote");
	group->gr_name = buffer;
	group->gr_passwd = buffer + 6;
	group->gr_gid = gid;
	group->gr_mem = nobody;
	return NSS_STATUS_SUCCESS;
}
