/* What the two sides of the wall probes share: `walls` inside a jail, `walls_accomplice` outside, both of one uid. */
#ifndef WALLS_H
#define WALLS_H

#include "probe.h"
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A file of the host's, and a directory there that is the user's: relative, for look-ups by a descriptor of "/". */
#define SECRET "etc/walls-secret"
#define SECRET_TEXT "outside"
#define OUTSIDE "srv/walls"

/* What the accomplice sends, by sockets of the unix family: TCP carries no descriptors. Its "/", its mount
 * namespace, the victim as a pidfd. */
enum sent { SENT_ROOT, SENT_MOUNTS, SENT_VICTIM, SENT };

#define PORT 4711
#define QUEUE "/walls-%d"
#define IPC_KEY(uid) (0x77000000 + (uid))

/* Signals of the probes, each its own, so that one can't be taken for another. SIGURG is ignored by whoever does
 * not catch it, and goes to everybody. */
#define SIGNAL_KILL (SIGRTMIN + 1)
#define SIGNAL_TGKILL (SIGRTMIN + 2)
#define SIGNAL_SIGQUEUE (SIGRTMIN + 3)
#define SIGNAL_PIDFD (SIGRTMIN + 4)
#define SIGNAL_PASSED_PIDFD (SIGRTMIN + 5)
#define SIGNAL_OWNER (SIGRTMIN + 6)
#define SIGNAL_GROUP (SIGRTMIN + 7)
#define SIGNAL_ALL SIGURG
#define NICE_OF_ONE 13
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

__attribute__((unused)) static struct sockaddr_in loopback_address(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
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
