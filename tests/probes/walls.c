/* Tries to reach the outside of a jail, as the probes of `jailctl check --attack` do (jailctl/src/attack), which the tests
 * run beside these. Here is what those must not do: what changes the outside where a wall is missing (files, signals that
 * arrive, priorities, a key), what needs files of root's to be planted in the home, and what needs a helper outside with
 * files of its own, the accomplice. It looks for nothing by itself: where there is something to reach, it is told. */
#include "walls.h"
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* What came of a try. With HELD, errno says how. ABSENT: there is nothing to reach on this kernel. */
enum result { REACHED, HELD, ABSENT };

/* As both sides know it; see `tell` of the accomplice. */
static pid_t victim;
static const char *shared, *home;

static enum result held(int why)
{
	errno = why;
	return HELD;
}

/* Reached when the call succeeds. */
static enum result did(long rc)
{
	return rc < 0 ? HELD : REACHED;
}

/* Reached when the kernel has looked at the arguments, which are harmless and mostly wrong. */
static enum result looked(long rc)
{
	if (rc >= 0)
		return REACHED;
	return errno == EPERM || errno == EACCES || errno == ENOSYS ? HELD : REACHED;
}

static enum result has(bool what)
{
	return what ? REACHED : held(0);
}

/* Becomes root where anything was left that allows it. */
static void try_root(void)
{
	if (setresuid(0, 0, 0) == 0 && setresgid(0, 0, 0))
		die("setresgid");
}

static const char *in(const char *directory, const char *name)
{
	static char path[2][512];
	static int which;
	which = !which;
	snprintf(path[which], sizeof path[which], "%s/%s", directory, name);
	return path[which];
}

/* Waits for what the accomplice tells by a file. */
static enum result told(const char *what)
{
	char name[64];
	snprintf(name, sizeof name, "got-%s", what);
	for (int round = 0; round < 20; round++, usleep(5000))
		if (!access(in(shared, name), F_OK))
			return REACHED;
	return held(0);
}

static enum result arrived(long rc, int number)
{
	char name[16];
	if (rc < 0)
		return HELD;
	snprintf(name, sizeof name, "%d", number);
	return told(name);
}

static enum result is_secret(int fd)
{
	char text[sizeof SECRET_TEXT] = "";
	if (fd < 0)
		return HELD;
	return has(pread(fd, text, sizeof text - 1, 0) > 0 && !strcmp(text, SECRET_TEXT));
}

static enum result secret_at(int directory, const char *path)
{
	return is_secret(openat(directory, path, O_RDONLY));
}

/* Looks for the secret from a directory upwards. */
static enum result secret_above(int directory)
{
	char path[256] = SECRET;
	for (int level = 0; level < 24; level++) {
		if (secret_at(directory, path) == REACHED)
			return REACHED;
		memmove(path + 3, path, strlen(path) + 1);
		memcpy(path, "../", 3);
	}
	return HELD;
}

/* ---- out of the root ---- */

static enum result moved_out(void)
{
	char why[64] = "";
	if (mkdir(in(home, "moved-out"), 0700) || chdir(in(home, "moved-out")))
		return HELD;
	close(open(in(shared, "move-me"), O_CREAT | O_WRONLY, 0600));
	for (int round = 0; round < 100 && access(in(shared, "moved"), F_OK); round++)
		usleep(5000);
	int fd = open(in(shared, "moved"), O_RDONLY);
	if (fd < 0 || read(fd, why, sizeof why) != 0) {
		errno = EXDEV;
		return ABSENT;
	}
	return secret_above(AT_FDCWD);
}

/* ---- descriptors sent by the accomplice ---- */

enum way { PATH, ABSTRACT, REVERSE_PATH, REVERSE_ABSTRACT };

static int peer_by(enum way way)
{
	if (way == PATH)
		return connect_to(in(shared, "fds.sock"), false);
	if (way == ABSTRACT)
		return connect_to("fds", true);
	const char *name = way == REVERSE_PATH ? in(shared, "reverse.sock") : "reverse";
	int listener = listen_at(SOCK_STREAM, name, way == REVERSE_ABSTRACT);
	if (listener < 0)
		return -1;
	struct pollfd source = { .fd = listener, .events = POLLIN };
	int peer = poll(&source, 1, 300) == 1 ? accept(listener, NULL, NULL) : (errno = ETIMEDOUT, -1);
	int why = errno;
	close(listener);
	if (way == REVERSE_PATH)
		unlink(name);
	errno = why;
	return peer;
}

/* Gives the host's "/". */
static int receive(enum way way)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	int fd, peer = peer_by(way);

	if (peer < 0)
		return -1;
	struct timeval limit = { .tv_sec = 1 };
	setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (recvmsg(peer, &message, 0) != 1)
		return -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(sizeof fd)) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

static int sent_root(void)
{
	return receive(PATH);
}

static enum result fd_abstract_socket(void) { return secret_at(receive(ABSTRACT), SECRET); }
static enum result fd_reverse_path(void) { return secret_at(receive(REVERSE_PATH), SECRET); }
static enum result fd_reverse_abstract(void) { return secret_at(receive(REVERSE_ABSTRACT), SECRET); }

static char *below_sent(int fd, const char *path)
{
	static char name[256];
	snprintf(name, sizeof name, "/proc/self/fd/%d/%s", fd, path);
	return name;
}

static enum result fd_create(void) { return did(openat(sent_root(), OUTSIDE "/created", O_CREAT | O_WRONLY, 0600)); }
static enum result fd_mkdir(void) { return did(mkdirat(sent_root(), OUTSIDE "/made", 0700)); }
static enum result fd_unlink(void) { return did(unlinkat(sent_root(), OUTSIDE "/unlink-me", 0)); }
static enum result fd_symlink(void) { return did(symlinkat("/", sent_root(), OUTSIDE "/symlink")); }
static enum result fd_mkfifo(void) { return did(mkfifoat(sent_root(), OUTSIDE "/fifo", 0600)); }

static enum result fd_truncate(void)
{
	int fd = sent_root();
	return fd < 0 ? HELD : did(truncate(below_sent(fd, OUTSIDE "/truncate-me"), 0));
}

static enum result fd_rename(void)
{
	int fd = sent_root();
	close(open(in(home, "rename-me"), O_CREAT | O_WRONLY, 0600));
	return fd < 0 ? HELD : did(renameat(AT_FDCWD, in(home, "rename-me"), fd, OUTSIDE "/renamed"));
}

static enum result fd_link(void)
{
	int fd = sent_root();
	return fd < 0 ? HELD : did(linkat(fd, OUTSIDE "/link-me", AT_FDCWD, in(home, "linked-from-outside"), 0));
}

static enum result fd_chmod(void) { return did(fchmodat(sent_root(), OUTSIDE "/chmod-me", 0640, 0)); }

static enum result fd_connect(void)
{
	int fd = sent_root();
	return fd < 0 ? HELD : did(connect_to(below_sent(fd, OUTSIDE "/socket"), false));
}

/* ---- signals ---- */

static enum result signal_all(void) { return arrived(kill(-1, SIGNAL_ALL), SIGNAL_ALL); }

static enum result signal_owner(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || fcntl(ends[0], F_SETSIG, SIGNAL_OWNER) ||
	    fcntl(ends[0], F_SETOWN, victim) || fcntl(ends[0], F_SETFL, O_ASYNC))
		return HELD;
	return arrived(write(ends[1], "x", 1), SIGNAL_OWNER);
}

/* ---- priorities ---- */

static enum result nice_user(void)
{
	return setpriority(PRIO_USER, getuid(), NICE_OF_ALL) ? HELD : told("nice-14");
}

/* ---- keys: numbers by keyctl(2) ---- */

enum { PROCESS_KEYRING = -2, USER_KEYRING = -4 };
enum { KEYCTL_LINK_ = 8, KEYCTL_SEARCH_ = 10, KEYCTL_READ_ = 11 };

static enum result key_in(int keyring, const char *name)
{
	char text[16] = "";
	long key = syscall(SYS_keyctl, KEYCTL_SEARCH_, keyring, "user", name, 0);
	return key < 0 || syscall(SYS_keyctl, KEYCTL_READ_, key, text, sizeof text - 1) < 0 ? HELD : REACHED;
}

/* A key can be read by who possesses it: what is linked to the process's own keyring. */
static enum result key_user(void)
{
	if (syscall(SYS_keyctl, KEYCTL_LINK_, USER_KEYRING, PROCESS_KEYRING) < 0)
		return HELD;
	return key_in(PROCESS_KEYRING, "walls-user");
}

static enum result key_list(void)
{
	char line[512];
	FILE *keys = fopen("/proc/keys", "r");
	if (!keys)
		return HELD;
	while (fgets(line, sizeof line, keys))
		if (strstr(line, "walls-user"))
			return REACHED;
	return held(0);
}

/* ---- calls that lead into the kernel ---- */

static enum result restart(void) { try_root(); return looked(syscall(SYS_reboot, 0, 0, 0, NULL)); }

/* ---- programs ---- */

/* Runs what root has planted; 200 and above tell what it had, see `ids`. */
static enum result planted(const char *name, int wanted)
{
	const char *path = in(home, name);
	int status;
	pid_t child = access(path, F_OK) ? -1 : fork();
	if (child < 0)
		return HELD;
	if (child == 0) {
		execl(path, "walls", "ids", NULL);
		_exit(errno);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return held(0);
	return WEXITSTATUS(status) == wanted ? REACHED : held(WEXITSTATUS(status) < 200 ? WEXITSTATUS(status) : 0);
}

static enum result set_uid_program(void) { return planted("set-uid", 201); }
static enum result set_gid_program(void) { return planted("set-gid", 202); }
static enum result linked_program(void) { return planted("linked", 201); }
static enum result capable_program(void) { return planted("capable", 203); }
static enum result planted_device(void) { return did(open(in(home, "device"), O_RDONLY)); }

static bool any_capability(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		die("capget");
	for (int i = 0; i < 2; i++)
		if (sets[i].effective | sets[i].permitted | sets[i].inheritable)
			return true;
	return false;
}

/* ---- controls: what a probe needs, so that "held" is never for want of it ---- */

static enum result control_path(void) { return did(receive(PATH)); }
static enum result control_reverse(void) { return did(receive(REVERSE_PATH)); }
static enum result control_proc(void) { return did(open("/proc/self/status", O_RDONLY)); }

static enum result control_planted(void)
{
	/* Not the one with a capability: with an empty bounding set that is EPERM. */
	const char *const names[] = { "set-uid", "set-gid", "linked" };
	for (int i = 0; i < 3; i++)
		if (planted(names[i], 200) == HELD && errno)
			return HELD;
	return did(access(in(home, "device"), F_OK));
}

/* ---- the table: line of THREATS.md, name, function ---- */

static const struct probe {
	const char *threat, *name;
	enum result (*run)(void);
} PROBES[] = {
	{ "control", "descriptor by path socket", control_path },
	{ "control", "descriptor by reverse path socket", control_reverse },
	{ "control", "/proc", control_proc },
	{ "control", "planted programs run", control_planted },
	{ "root", "directory moved out of the root", moved_out },
	{ "descriptors", "by abstract socket, openat", fd_abstract_socket },
	{ "descriptors", "by reverse path socket, openat", fd_reverse_path },
	{ "descriptors", "by reverse abstract socket, openat", fd_reverse_abstract },
	{ "descriptors", "create", fd_create },
	{ "descriptors", "mkdir", fd_mkdir },
	{ "descriptors", "symlink", fd_symlink },
	{ "descriptors", "mkfifo", fd_mkfifo },
	{ "descriptors", "unlink", fd_unlink },
	{ "descriptors", "truncate", fd_truncate },
	{ "descriptors", "rename to outside", fd_rename },
	{ "descriptors", "link from outside", fd_link },
	{ "descriptors", "chmod", fd_chmod },
	{ "descriptors", "connect to a path socket", fd_connect },
	{ "signals", "kill(-1)", signal_all },
	{ "signals", "F_SETOWN", signal_owner },
	{ "priorities", "setpriority of a user", nice_user },
	{ "keys", "user keyring", key_user },
	{ "keys", "/proc/keys", key_list },
	{ "kernel", "reboot", restart },
	{ "programs", "set-uid", set_uid_program },
	{ "programs", "set-gid", set_gid_program },
	{ "programs", "set-uid, hard-linked", linked_program },
	{ "programs", "file capability", capable_program },
	{ "programs", "device that root has planted", planted_device },
};

/* Each probe is a process of its own: what one changes, or dies of, does not matter to the next. */
static void run(const struct probe *probe)
{
	static const char *const WORDS[] = { "reached", "held", "absent" };
	int ends[2], status;
	char said[64] = "";

	fflush(stdout);
	if (pipe(ends))
		die("pipe");
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(5);
		errno = 0;
		enum result result = probe->run();
		int why = errno;
		dprintf(ends[1], "%s\t%s", WORDS[result], result == REACHED || !why ? "" : strerrorname_np(why));
		_exit(0);
	}
	close(ends[1]);
	waitpid(child, &status, 0);
	if (read(ends[0], said, sizeof said - 1) <= 0) {
		int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		const char *word = number == SIGSYS ? "held" : "broken";
		snprintf(said, sizeof said, "%s\tSIG%s", word, number ? sigabbrev_np(number) : "?");
	}
	close(ends[0]);
	printf("PROBE\t%s\t%s\t%s\n", probe->threat, probe->name, said);
}

static int run_all(const char *given_shared, const char *given_home)
{
	shared = given_shared;
	home = given_home;
	FILE *info = fopen(in(shared, "info"), "r");
	if (!info || fscanf(info, "%d", &victim) != 1)
		die("info");
	fclose(info);
	for (size_t i = 0; i < sizeof PROBES / sizeof *PROBES; i++)
		run(&PROBES[i]);
	printf("DONE\n");
	return fflush(stdout);
}

/* ---- other ways to be called ---- */

/* Tells by its status what a program got that root has planted. */
static int ids(void)
{
	if (geteuid() == 0)
		return 201;
	if (getegid() == 0)
		return 202;
	return any_capability() ? 203 : 200;
}

/* A chroot in which everything is wrong that can be: the working directory stays outside, root stays as saved user ID,
 * root's group and the capabilities stay, and what was open stays open. */
static void be_careless(const char *root, const char *text)
{
	struct account account = account_of(text);
	gid_t groups[] = { account.gid, 0 };

	if (chroot(root) || setgroups(2, groups) || setresgid(account.gid, account.gid, 0) ||
	    setresuid(account.uid, account.uid, 0) || prctl(PR_SET_DUMPABLE, 1))
		die("careless");
}

int main(int argc, char **argv)
{
	/* For what kill(-1) and the like send to everybody. */
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "ids"))
		return ids();
	/* ABI of Landlock: landlock_create_ruleset(2). */
	if (argc == 2 && !strcmp(argv[1], "landlock"))
		return printf("%ld\n", syscall(444, NULL, 0, 1)) < 0;
	if (argc == 4 && !strcmp(argv[1], "probe"))
		return run_all(argv[2], argv[3]);
	if (argc > 6 && !strcmp(argv[1], "careless")) {
		be_careless(argv[2], argv[3]);
		run_all(argv[4], argv[5]);
		execv(argv[6], argv + 6);
		die(argv[6]);
	}
	fprintf(stderr, "usage: walls probe SHARED HOME | careless ROOT UID:GID SHARED HOME PROGRAM ARGV… | "
			"ids | landlock\n");
	return PROBE_BROKEN;
}
