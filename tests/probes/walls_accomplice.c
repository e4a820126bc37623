/* The accomplice of the wall probes: a process of the jailed user's uid outside every jail. It offers what a jailed
 * process must not be able to use, and tells what has reached it by files in a directory that both sides see.
 *
 * walls_accomplice SHARED HOME: SHARED and the jail's HOME as paths outside. Goes to the background once all is there,
 * and prints its pid. */
#include "walls.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>

static const char *shared, *home;
static char secret_in_memory[16];
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

/* The process that is signalled, slowed and read. */
__attribute__((noreturn)) static void be_victim(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	for (int number = SIGRTMIN + 1; number <= SIGRTMIN + 7; number++)
		sigaction(number, &action, NULL);
	sigaction(SIGURG, &action, NULL);
	setpgid(0, 0);
	/* For pidfd_getfd. */
	int fd = open("/" SECRET, O_RDONLY);
	if (fd < 0 || dup2(fd, 50) != 50)
		die(SECRET);
	for (bool told[65] = { false }, nice[20] = { false };; usleep(4000)) {
		char name[16];
		for (int number = 1; number < 65; number++)
			if (seen[number] && !told[number]) {
				told[number] = true;
				snprintf(name, sizeof name, "%d", number);
				got(name);
			}
		int value = getpriority(PRIO_PROCESS, 0);
		if (value > 0 && value < 20 && !nice[value]) {
			nice[value] = true;
			snprintf(name, sizeof name, "nice-%d", value);
			got(name);
		}
		if (!strcmp(secret_in_memory, "written")) {
			got("memory");
			strcpy(secret_in_memory, SECRET_TEXT);
		}
	}
}

static void send_descriptors(int to, const int fds[SENT])
{
	char byte = 'x', space[CMSG_SPACE(sizeof(int) * SENT)] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * SENT);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * SENT);
	/* A peer that has gone needs none. */
	if (sendmsg(to, &message, MSG_NOSIGNAL) < 0)
		return;
}

static void make_ipc(void)
{
	char name[32];
	int id = shmget(IPC_KEY(getuid()), 4096, IPC_CREAT | 0600);
	char *memory = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (memory == (void *)-1)
		die("shm");
	strcpy(memory, SECRET_TEXT);
	if (msgget(IPC_KEY(getuid()), IPC_CREAT | 0600) < 0)
		die("msgget");
	if (semget(IPC_KEY(getuid()), 1, IPC_CREAT | 0600) < 0)
		die("semget");
	snprintf(name, sizeof name, QUEUE, getuid());
	if (mq_open(name, O_CREAT | O_RDWR, 0600, NULL) < 0 && errno != ENOSYS)
		die("mq_open");
	snprintf(name, sizeof name, "/dev/shm/walls-%d", getuid());
	write_text(name, SECRET_TEXT);
	/* KEY_SPEC_USER_KEYRING is -4: keyctl(2). */
	if (syscall(SYS_add_key, "user", "walls-user", SECRET_TEXT, sizeof SECRET_TEXT, -4) < 0 && errno != ENOSYS)
		die("add_key");
}

static int open_terminal(char *name, size_t length)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, length))
		die("pty");
	return master;
}

/* Writes what the other side has to know in order to try: numbers are no secret, they can be guessed. */
static void tell(pid_t victim, const char *terminal)
{
	struct { struct file_handle head; unsigned char bytes[MAX_HANDLE_SZ]; } handle = { 0 };
	char target[512], text[1024];
	int mount, length;

	handle.head.handle_bytes = MAX_HANDLE_SZ;
	/* Of the same file system as what both sides see, and not below it. */
	snprintf(target, sizeof target, "%s/../../secret", shared);
	if (name_to_handle_at(AT_FDCWD, target, &handle.head, &mount, 0))
		handle.head.handle_bytes = 0;
	length = snprintf(text, sizeof text, "%d %lx %s %d %u ", victim, (unsigned long)secret_in_memory, terminal,
			  handle.head.handle_type, handle.head.handle_bytes);
	for (unsigned i = 0; i < handle.head.handle_bytes; i++)
		length += snprintf(text + length, sizeof text - length, "%02x", handle.bytes[i]);
	write_text(in(shared, "info.new"), text);
	snprintf(target, sizeof target, "%s/info", shared);
	if (rename(in(shared, "info.new"), target))
		die("info");
}

static int listen_tcp(void)
{
	struct sockaddr_in address = loopback_address();
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16))
		die("tcp");
	return fd;
}

/* Connects to a socket that the jailed side listens at, once it does, and sends there. */
static void call_back(const char *name, bool abstract, const int fds[SENT])
{
	struct pollfd peer = { .fd = connect_to(name, abstract), .events = POLLIN };
	if (peer.fd < 0)
		return;
	send_descriptors(peer.fd, fds);
	poll(&peer, 1, 500);
	close(peer.fd);
}

__attribute__((noreturn)) static void serve(int terminal, const int fds[SENT])
{
	char reverse[512], work[512], moved[64], bytes[64];
	struct pollfd sources[] = {
		{ .fd = listen_at(SOCK_STREAM, in(shared, "fds.sock"), false), .events = POLLIN },
		{ .fd = listen_at(SOCK_STREAM, "fds", true), .events = POLLIN },
		{ .fd = listen_at(SOCK_DGRAM, "datagram", true), .events = POLLIN },
		{ .fd = terminal, .events = POLLIN },
		{ .fd = listen_tcp(), .events = POLLIN },
		{ .fd = listen_at(SOCK_STREAM, "/" OUTSIDE "/socket", false), .events = POLLIN },
	};
	snprintf(reverse, sizeof reverse, "%s/reverse.sock", shared);
	snprintf(work, sizeof work, "%s/moved-out", home);
	snprintf(moved, sizeof moved, "/" OUTSIDE "/moved-out");
	for (int i = 0; i < 6; i++)
		if (sources[i].fd < 0)
			die("listen");
	write_text(in(shared, "ready"), "");
	for (;; poll(sources, 6, 4)) {
		for (int i = 0; i < 6; i++) {
			if (i == 2 || i == 3) {
				if (read(sources[i].fd, bytes, (sources[i].revents & POLLIN) ? sizeof bytes : 0) > 0)
					got(i == 2 ? "datagram" : "terminal");
			} else if (sources[i].revents & POLLIN) {
				int peer = accept(sources[i].fd, NULL, NULL);
				if (i < 2)
					send_descriptors(peer, fds);
				close(peer);
			}
		}
		call_back(reverse, false, fds);
		call_back("reverse", true, fds);
		if (!access(in(shared, "move-me"), F_OK)) {
			unlink(in(shared, "move-me"));
			write_text(in(shared, "moved"), rename(work, moved) ? strerror(errno) : "");
		}
	}
}

int main(int argc, char **argv)
{
	char terminal[64];
	int fds[SENT];

	if (argc != 3)
		return PROBE_BROKEN;
	shared = argv[1];
	home = argv[2];
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
	strcpy(secret_in_memory, SECRET_TEXT);
	make_ipc();
	int master = open_terminal(terminal, sizeof terminal);
	/* Held open here, or reading the other end fails until somebody opens it. */
	if (open(terminal, O_RDWR | O_NOCTTY) < 0)
		die(terminal);
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
	fds[SENT_ROOT] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[SENT_MOUNTS] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	fds[SENT_VICTIM] = syscall(SYS_pidfd_open, victim, 0);
	for (int i = 0; i < SENT; i++)
		if (fds[i] < 0)
			die("descriptors to send");
	tell(victim, terminal);
	dup2(null, 2);
	serve(master, fds);
}
