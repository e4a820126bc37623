/* The accomplice of the wall probes: a process of the jailed user's uid outside every jail. It offers what a jailed
 * process must not be able to use, and tells what has reached it by files in a directory that both sides see.
 *
 * walls_accomplice SHARED HOME: SHARED and the jail's HOME as paths outside. Goes to the background once all is there,
 * and prints its pid. */
#include "walls.h"
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *shared, *home;
static volatile sig_atomic_t seen[65];

static char *in(const char *directory, const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd))
		die(path);
}

/* Tells the other side that something of its doing has arrived. */
static void got(const char *what)
{
	char name[64];
	snprintf(name, sizeof name, "got-%s", what);
	write_text(in(shared, name), "");
}

static void on_signal(int number)
{
	seen[number] = 1;
}

/* The process that is signalled and slowed. */
__attribute__((noreturn)) static void be_victim(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGNAL_OWNER, &action, NULL);
	sigaction(SIGNAL_ALL, &action, NULL);
	setpgid(0, 0);
	for (bool told[65] = { false }, slowed = false;; usleep(4000)) {
		char name[16];
		for (int number = 1; number < 65; number++)
			if (seen[number] && !told[number]) {
				told[number] = true;
				snprintf(name, sizeof name, "%d", number);
				got(name);
			}
		if (!slowed && getpriority(PRIO_PROCESS, 0) == NICE_OF_ALL) {
			slowed = true;
			got("nice-14");
		}
	}
}

static void send_root(int to)
{
	static int root = -1;
	char byte = 'x', space[CMSG_SPACE(sizeof root)] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (root < 0 && (root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die("/");
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof root);
	memcpy(CMSG_DATA(header), &root, sizeof root);
	/* A peer that has gone needs none. */
	if (sendmsg(to, &message, MSG_NOSIGNAL) < 0)
		return;
}

/* Writes what the other side has to know in order to try: a number is no secret, it can be guessed. */
static void tell(pid_t victim)
{
	char target[512], text[16];

	snprintf(text, sizeof text, "%d", victim);
	write_text(in(shared, "info.new"), text);
	snprintf(target, sizeof target, "%s/info", shared);
	if (rename(in(shared, "info.new"), target))
		die("info");
}

/* Connects to a socket that the jailed side listens at, once it does, and sends there. */
static void call_back(const char *name, bool abstract)
{
	struct pollfd peer = { .fd = connect_to(name, abstract), .events = POLLIN };
	if (peer.fd < 0)
		return;
	send_root(peer.fd);
	poll(&peer, 1, 500);
	close(peer.fd);
}

__attribute__((noreturn)) static void serve(void)
{
	char reverse[512], work[512], moved[64];
	struct pollfd sources[] = {
		{ .fd = listen_at(SOCK_STREAM, in(shared, "fds.sock"), false), .events = POLLIN },
		{ .fd = listen_at(SOCK_STREAM, "fds", true), .events = POLLIN },
		{ .fd = listen_at(SOCK_STREAM, "/" OUTSIDE "/socket", false), .events = POLLIN },
	};
	snprintf(reverse, sizeof reverse, "%s/reverse.sock", shared);
	snprintf(work, sizeof work, "%s/moved-out", home);
	snprintf(moved, sizeof moved, "/" OUTSIDE "/moved-out");
	for (int i = 0; i < 3; i++)
		if (sources[i].fd < 0)
			die("listen");
	write_text(in(shared, "ready"), "");
	for (;; poll(sources, 3, 4)) {
		for (int i = 0; i < 3; i++) {
			if (!(sources[i].revents & POLLIN))
				continue;
			int peer = accept(sources[i].fd, NULL, NULL);
			if (i < 2)
				send_root(peer);
			close(peer);
		}
		call_back(reverse, false);
		call_back("reverse", true);
		if (!access(in(shared, "move-me"), F_OK)) {
			unlink(in(shared, "move-me"));
			write_text(in(shared, "moved"), rename(work, moved) ? strerror(errno) : "");
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return PROBE_BROKEN;
	shared = argv[1];
	home = argv[2];
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
	/* KEY_SPEC_USER_KEYRING is -4: keyctl(2). */
	if (syscall(SYS_add_key, "user", "walls-user", SECRET_TEXT, sizeof SECRET_TEXT, -4) < 0 && errno != ENOSYS)
		die("add_key");
	int null = open("/dev/null", O_RDWR), out = dup(1);
	dup2(null, 0), dup2(null, 1);

	pid_t server = fork();
	if (server > 0) {
		while (access(in(shared, "ready"), F_OK))
			if (waitpid(server, NULL, WNOHANG) || usleep(2000))
				return PROBE_BROKEN;
		dprintf(out, "%d\n", server);
		return 0;
	}
	close(out);
	setsid();
	pid_t victim = fork();
	if (victim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Whoever started us waits for the end of our output. */
		dup2(null, 2);
		be_victim();
	}
	tell(victim);
	dup2(null, 2);
	serve();
}
