/* What the two sides of the wall probes share: `walls` inside a jail, `walls_accomplice` outside, both of one uid. */
#ifndef WALLS_H
#define WALLS_H

#include "probe.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A file of the host's, and a directory there that is the user's: relative, for look-ups by a descriptor of "/". */
#define SECRET "etc/walls-secret"
#define SECRET_TEXT "outside"
#define OUTSIDE "srv/walls"

/* A signal of its own, so that it can't be taken for another. SIGURG is ignored by whoever does not catch it, and goes to
 * everybody. */
#define SIGNAL_OWNER (SIGRTMIN + 1)
#define SIGNAL_ALL SIGURG
#define NICE_OF_ALL 14

/* Gives the address of a path socket, or of an abstract one of this user's with `abstract`. */
__attribute__((unused)) static socklen_t address_of(struct sockaddr_un *address, const char *name, bool abstract)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (!abstract) {
		snprintf(address->sun_path, sizeof address->sun_path, "%s", name);
		return sizeof *address;
	}
	int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "walls-%d-%s", getuid(), name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + length;
}

__attribute__((unused)) static int listen_at(int type, const char *name, bool abstract)
{
	struct sockaddr_un address;
	socklen_t length = address_of(&address, name, abstract);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, length) || (type == SOCK_STREAM && listen(fd, 64))) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

__attribute__((unused)) static int connect_to(const char *name, bool abstract)
{
	struct sockaddr_un address;
	socklen_t length = address_of(&address, name, abstract);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, length)) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

#endif
