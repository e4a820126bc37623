/* Tries to reach the outside of a jail, one small function for each way, and says what came of it. It looks for
 * nothing by itself: where its accomplice outside has something to reach, it is told. */
#include "walls.h"
#include <dirent.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/quota.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

/* What came of a try. With HELD, errno says how. ABSENT: there is nothing to reach on this kernel. */
enum result { REACHED, HELD, ABSENT };

/* As both sides know it; see `tell` of the accomplice. */
static pid_t victim;
static unsigned long memory;
static char terminal[64];
static struct { struct file_handle head; unsigned char bytes[MAX_HANDLE_SZ]; } handle;
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

static enum result dot_dot(void)
{
	return chdir("/") ? HELD : secret_above(AT_FDCWD);
}

/* The working directory that the session began with: nothing has changed it yet. */
static enum result kept_cwd(void)
{
	return secret_above(AT_FDCWD);
}

static enum result inherited_descriptor(void)
{
	for (int fd = 0; fd < 4096; fd++)
		if (secret_above(fd) == REACHED)
			return REACHED;
	return HELD;
}

static enum result absolute_path(void)
{
	return secret_at(AT_FDCWD, "/" SECRET);
}

static enum result double_chroot(void)
{
	const char *below = in(home, "below");
	try_root();
	if ((mkdir(below, 0700) && errno != EEXIST) || chdir("/") || chroot(below))
		return HELD;
	return secret_above(AT_FDCWD);
}

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

static int receive(enum way way, enum sent which)
{
	char byte, space[CMSG_SPACE(sizeof(int) * SENT)];
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	int fds[SENT], peer = peer_by(way);

	if (peer < 0)
		return -1;
	struct timeval limit = { .tv_sec = 1 };
	setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (recvmsg(peer, &message, 0) != 1)
		return -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(sizeof fds)) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(fds, CMSG_DATA(header), sizeof fds);
	return fds[which];
}

static int sent_root(void)
{
	return receive(PATH, SENT_ROOT);
}

static enum result fd_path_socket(void) { return secret_at(receive(PATH, SENT_ROOT), SECRET); }
static enum result fd_abstract_socket(void) { return secret_at(receive(ABSTRACT, SENT_ROOT), SECRET); }
static enum result fd_reverse_path(void) { return secret_at(receive(REVERSE_PATH, SENT_ROOT), SECRET); }
static enum result fd_reverse_abstract(void) { return secret_at(receive(REVERSE_ABSTRACT, SENT_ROOT), SECRET); }

static enum result fd_fchdir(void)
{
	int fd = sent_root();
	/* Whether the change is refused or the open: nothing can be opened. */
	return fd < 0 || fchdir(fd) ? HELD : secret_at(AT_FDCWD, SECRET);
}

static char *below_sent(int fd, const char *path)
{
	static char name[256];
	snprintf(name, sizeof name, "/proc/self/fd/%d/%s", fd, path);
	return name;
}

static enum result fd_by_proc(void)
{
	int fd = sent_root();
	return fd < 0 ? HELD : secret_at(AT_FDCWD, below_sent(fd, SECRET));
}

static enum result fd_list(void)
{
	int fd = openat(sent_root(), OUTSIDE, O_RDONLY | O_DIRECTORY);
	return did(fd);
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

static enum result fd_execute(void)
{
	int fd = sent_root(), status;
	pid_t child = fd < 0 ? -1 : fork();
	if (child < 0)
		return HELD;
	if (child == 0) {
		char *arguments[] = { "walls", "ids", NULL };
		syscall(SYS_execveat, fd, OUTSIDE "/walls", arguments, environ, 0);
		_exit(errno);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return held(0);
	return WEXITSTATUS(status) >= 200 ? REACHED : held(WEXITSTATUS(status));
}

static enum result fd_stat(void)
{
	struct stat found;
	return did(fstatat(sent_root(), SECRET, &found, 0));
}

static enum result fd_chmod(void) { return did(fchmodat(sent_root(), OUTSIDE "/chmod-me", 0640, 0)); }

static enum result fd_connect(void)
{
	int fd = sent_root();
	return fd < 0 ? HELD : did(connect_to(below_sent(fd, OUTSIDE "/socket"), false));
}

/* ---- signals ---- */

static enum result signal_kill(void) { return arrived(kill(victim, SIGNAL_KILL), SIGNAL_KILL); }
static enum result signal_all(void) { return arrived(kill(-1, SIGNAL_ALL), SIGNAL_ALL); }
static enum result signal_group(void) { return arrived(kill(-victim, SIGNAL_GROUP), SIGNAL_GROUP); }

static enum result signal_tgkill(void)
{
	return arrived(syscall(SYS_tgkill, victim, victim, SIGNAL_TGKILL), SIGNAL_TGKILL);
}

static enum result signal_queue(void)
{
	return arrived(sigqueue(victim, SIGNAL_SIGQUEUE, (union sigval){ 0 }), SIGNAL_SIGQUEUE);
}

static enum result signal_pidfd(void)
{
	int fd = syscall(SYS_pidfd_open, victim, 0);
	return fd < 0 ? HELD : arrived(syscall(SYS_pidfd_send_signal, fd, SIGNAL_PIDFD, NULL, 0), SIGNAL_PIDFD);
}

static enum result signal_sent_pidfd(void)
{
	int fd = receive(PATH, SENT_VICTIM);
	if (fd < 0)
		return HELD;
	return arrived(syscall(SYS_pidfd_send_signal, fd, SIGNAL_PASSED_PIDFD, NULL, 0), SIGNAL_PASSED_PIDFD);
}

static enum result signal_owner(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || fcntl(ends[0], F_SETSIG, SIGNAL_OWNER) ||
	    fcntl(ends[0], F_SETOWN, victim) || fcntl(ends[0], F_SETFL, O_ASYNC))
		return HELD;
	return arrived(write(ends[1], "x", 1), SIGNAL_OWNER);
}

/* ---- priorities and limits ---- */

static enum result nice_one(void) { return did(setpriority(PRIO_PROCESS, victim, NICE_OF_ONE)); }
static enum result nice_group(void) { return did(setpriority(PRIO_PGRP, victim, NICE_OF_ONE)); }

static enum result nice_user(void)
{
	return setpriority(PRIO_USER, getuid(), NICE_OF_ALL) ? HELD : told("nice-14");
}

static enum result limit(void)
{
	struct rlimit old;
	return did(prlimit(victim, RLIMIT_CORE, NULL, &old) || prlimit(victim, RLIMIT_CORE, &old, NULL) ? -1 : 0);
}

static enum result affinity(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return did(sched_setaffinity(victim, sizeof set, &set));
}

static enum result scheduler(void)
{
	struct sched_param none = { 0 };
	return did(sched_setscheduler(victim, SCHED_BATCH, &none));
}

/* IOPRIO_WHO_PROCESS, best effort 7: ioprio_set(2). */
static enum result io_priority(void) { return did(syscall(SYS_ioprio_set, 1, victim, 2 << 13 | 7)); }

/* ---- other processes ---- */

static enum result trace(void) { return did(ptrace(PTRACE_SEIZE, victim, NULL, NULL)); }

static enum result read_memory(void)
{
	char text[8] = "";
	struct iovec here = { text, 7 }, there = { (void *)memory, 7 };
	if (process_vm_readv(victim, &here, 1, &there, 1, 0) < 0)
		return HELD;
	return has(!strcmp(text, SECRET_TEXT));
}

static enum result write_memory(void)
{
	struct iovec here = { "written", 8 }, there = { (void *)memory, 8 };
	return process_vm_writev(victim, &here, 1, &there, 1, 0) < 0 ? HELD : told("memory");
}

static enum result take_descriptor(void)
{
	int fd = syscall(SYS_pidfd_open, victim, 0);
	return fd < 0 ? HELD : is_secret(syscall(SYS_pidfd_getfd, fd, 50, 0));
}

static enum result take_descriptor_of_sent(void)
{
	int fd = receive(PATH, SENT_VICTIM);
	return fd < 0 ? HELD : is_secret(syscall(SYS_pidfd_getfd, fd, 50, 0));
}

/* KCMP_VM is 1: kcmp(2). */
static enum result compare(void) { return did(syscall(SYS_kcmp, getpid(), victim, 1, 0, 0)); }
static enum result robust_list(void)
{
	void *head;
	size_t length;
	return did(syscall(SYS_get_robust_list, victim, &head, &length));
}

/* ---- /proc ---- */

static const char *of_victim(const char *what)
{
	static char path[128];
	snprintf(path, sizeof path, "/proc/%d/%s", victim, what);
	return path;
}

static enum result proc_root(void) { return secret_at(AT_FDCWD, of_victim("root/" SECRET)); }
static enum result proc_cwd(void) { return did(open(of_victim("cwd/."), O_RDONLY | O_DIRECTORY)); }
static enum result proc_fd(void) { return secret_at(AT_FDCWD, of_victim("fd/50")); }
static enum result proc_environ(void) { return did(open(of_victim("environ"), O_RDONLY)); }
static enum result proc_maps(void) { return did(open(of_victim("maps"), O_RDONLY)); }
static enum result proc_command_line(void) { return did(open(of_victim("cmdline"), O_RDONLY)); }

static enum result proc_memory(void)
{
	char text[8] = "";
	int fd = open(of_victim("mem"), O_RDWR);
	return fd < 0 || pread(fd, text, 7, memory) < 0 ? HELD : has(!strcmp(text, SECRET_TEXT));
}

static enum result proc_oom_score(void)
{
	int fd = open(of_victim("oom_score_adj"), O_WRONLY);
	return fd < 0 ? HELD : did(write(fd, "500", 3));
}

static enum result proc_list(void)
{
	char wanted[16];
	DIR *proc = opendir("/proc");
	if (!proc)
		return HELD;
	snprintf(wanted, sizeof wanted, "%d", victim);
	for (struct dirent *entry; (entry = readdir(proc));)
		if (!strcmp(entry->d_name, wanted))
			return REACHED;
	return held(0);
}

static enum result sysctl_write(void)
{
	try_root();
	return did(open("/proc/sys/kernel/core_pattern", O_WRONLY));
}

static enum result sysrq(void)
{
	try_root();
	if (access("/proc/sysrq-trigger", F_OK))
		return ABSENT;
	return did(open("/proc/sysrq-trigger", O_WRONLY));
}

/* ---- System V, POSIX queues, shared memory, terminals ---- */

static enum result ipc_memory(void)
{
	int id = shmget(IPC_KEY(getuid()), 0, 0);
	char *found = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	return found == (void *)-1 ? HELD : has(!strcmp(found, SECRET_TEXT));
}

static enum result ipc_messages(void)
{
	struct { long type; char text[8]; } message = { 1, "x" };
	int id = msgget(IPC_KEY(getuid()), 0);
	return id < 0 ? HELD : did(msgsnd(id, &message, 1, IPC_NOWAIT));
}

static enum result ipc_semaphore(void)
{
	int id = semget(IPC_KEY(getuid()), 0, 0);
	return id < 0 ? HELD : did(semctl(id, 0, GETVAL));
}

static enum result posix_queue(void)
{
	char name[32];
	snprintf(name, sizeof name, QUEUE, getuid());
	return did(mq_open(name, O_RDWR));
}

static enum result shared_memory_file(void)
{
	char name[32];
	snprintf(name, sizeof name, "/dev/shm/walls-%d", getuid());
	return secret_at(AT_FDCWD, name);
}

static enum result host_terminal(void)
{
	int fd = open(terminal, O_RDWR | O_NOCTTY);
	return fd < 0 || write(fd, "x\n", 2) < 0 ? HELD : told("terminal");
}

/* ---- keys: numbers by keyctl(2) ---- */

enum { PROCESS_KEYRING = -2, SESSION_KEYRING = -3, USER_KEYRING = -4 };
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

static enum result key_session(void) { return key_in(SESSION_KEYRING, "walls-session"); }

static enum result key_request(void)
{
	return did(syscall(SYS_request_key, "user", "walls-session", NULL, SESSION_KEYRING));
}

static enum result key_add(void)
{
	return did(syscall(SYS_add_key, "user", "walls-planted", "x", 1, USER_KEYRING));
}

static enum result key_list(void)
{
	char line[512];
	FILE *keys = fopen("/proc/keys", "r");
	if (!keys)
		return HELD;
	while (fgets(line, sizeof line, keys))
		if (strstr(line, "walls-user") || strstr(line, "walls-session"))
			return REACHED;
	return held(0);
}

/* ---- sockets ---- */

static enum result abstract_stream(void) { return did(connect_to("fds", true)); }

static enum result abstract_datagram(void)
{
	struct sockaddr_un address;
	socklen_t length = address_of(&address, "datagram", true);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	return sendto(fd, "x", 1, 0, (struct sockaddr *)&address, length) < 0 ? HELD : told("datagram");
}

static enum result loopback(void)
{
	struct sockaddr_in address = loopback_address();
	return did(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
}

static enum result sock_diag(void) { return did(socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)); }
static enum result vsock(void) { return did(socket(AF_VSOCK, SOCK_STREAM, 0)); }
static enum result crypto_socket(void) { return did(socket(AF_ALG, SOCK_SEQPACKET, 0)); }

static enum result packet_socket(void)
{
	try_root();
	return did(socket(AF_PACKET, SOCK_RAW, 0));
}

static enum result raw_socket(void)
{
	try_root();
	return did(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static enum result other_netlink(void)
{
	int why = EPROTONOSUPPORT;
	for (int protocol = 1; protocol < 32; protocol++) {
		if (protocol != NETLINK_SOCK_DIAG && socket(AF_NETLINK, SOCK_RAW, protocol) >= 0)
			return REACHED;
		why = errno;
	}
	return held(why);
}

static enum result odd_families(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET };
	for (int family = 0; family < 64; family++) {
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
			continue;
		for (int type = 0; type < 5; type++)
			if (socket(family, types[type], 0) >= 0)
				return REACHED;
	}
	return held(EAFNOSUPPORT);
}

static enum result odd_pair(void)
{
	int ends[2];
	return did(socketpair(AF_TIPC, SOCK_STREAM, 0, ends));
}

/* A socket of a family that socket(2) refuses, asked for by io_uring_setup(2). */
static enum result ring_socket(void)
{
	struct io_uring_params ring = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &ring);
	if (fd < 0)
		return HELD;
	char *queue = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
	struct io_uring_sqe *entry = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (queue == MAP_FAILED || entry == MAP_FAILED || !(ring.features & IORING_FEAT_SINGLE_MMAP))
		return HELD;
	*entry = (struct io_uring_sqe){
		.opcode = IORING_OP_SOCKET, .fd = AF_NETLINK, .off = SOCK_RAW, .len = NETLINK_SOCK_DIAG,
	};
	*(unsigned *)(queue + ring.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(queue + ring.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return HELD;
	int done = ((struct io_uring_cqe *)(queue + ring.cq_off.cqes))->res;
	return done < 0 ? held(-done) : REACHED;
}

/* ---- namespaces ---- */

static enum result unshare_user(void) { return did(unshare(CLONE_NEWUSER)); }

static enum result unshare_others(void)
{
	static const int flags[] = {
		CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME,
	};
	try_root();
	for (int i = 0; i < 7; i++)
		if (!unshare(flags[i]))
			return REACHED;
	return HELD;
}

static enum result clone_user(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	return did(child);
}

static enum result clone3_user(void)
{
	struct clone_args wanted = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	long child = syscall(SYS_clone3, &wanted, sizeof wanted);
	if (child == 0)
		_exit(0);
	return did(child);
}

static enum result set_namespace(void)
{
	int fd = receive(PATH, SENT_MOUNTS);
	try_root();
	return fd < 0 || setns(fd, CLONE_NEWNS) ? HELD : secret_at(AT_FDCWD, "/" SECRET);
}

static enum result set_namespace_of_pidfd(void)
{
	int fd = receive(PATH, SENT_VICTIM);
	try_root();
	return fd < 0 || setns(fd, CLONE_NEWNS) ? HELD : secret_at(AT_FDCWD, "/" SECRET);
}

/* ---- calls that lead into the kernel ---- */

static enum result load_program(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
	try_root();
	return did(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}

/* UFFD_USER_MODE_ONLY is 1. */
static enum result fault_descriptor(void) { return did(syscall(SYS_userfaultfd, 1)); }

static enum result perf(void)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1, .exclude_hv = 1,
	};
	return did(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

static enum result file_handle(void)
{
	int mount = open(shared, O_RDONLY | O_DIRECTORY);
	if (!handle.head.handle_bytes)
		return ABSENT;
	try_root();
	return is_secret(open_by_handle_at(mount, &handle.head, O_RDONLY));
}

static enum result mount_tmpfs(void)
{
	try_root();
	mkdir(in(home, "mount"), 0700);
	if (mount("none", in(home, "mount"), "tmpfs", 0, NULL))
		return HELD;
	umount2(in(home, "mount"), MNT_DETACH);
	return REACHED;
}

static enum result unmount(void) { return looked(umount2("/nothing-here", 0)); }
static enum result change_root(void) { try_root(); return did(chroot(".")); }
static enum result pivot(void) { try_root(); return looked(syscall(SYS_pivot_root, "/nothing-here", "/")); }
static enum result tree_descriptor(void) { return did(syscall(SYS_open_tree, AT_FDCWD, "/", 0)); }
static enum result tree_clone(void) { try_root(); return did(syscall(SYS_open_tree, AT_FDCWD, "/", 1)); }
static enum result tree_attributes(void) { return looked(syscall(467, -1, "", 0, NULL, 0)); }
static enum result move_a_mount(void) { try_root(); return looked(syscall(SYS_move_mount, -1, "", -1, "", 0)); }
static enum result open_file_system(void) { try_root(); return did(syscall(SYS_fsopen, "tmpfs", 0)); }
static enum result configure_file_system(void) { return looked(syscall(SYS_fsconfig, -1, 0, NULL, NULL, 0)); }
static enum result mount_file_system(void) { try_root(); return looked(syscall(SYS_fsmount, -1, 0, 0)); }
static enum result pick_file_system(void) { try_root(); return looked(syscall(SYS_fspick, -1, "", 0)); }

static enum result mount_attributes(void)
{
	struct { unsigned long set, clear, propagation, userns; } none = { 0 };
	try_root();
	return looked(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &none, sizeof none));
}

static enum result watch_all(void) { try_root(); return did(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)); }
static enum result watch_own(void) { return did(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, 0)); }
static enum result persona(void) { return did(personality(READ_IMPLIES_EXEC)); }
/* Flags that no kernel knows: refused after the right to call was looked at. */
static enum result kexec(void) { try_root(); return looked(syscall(SYS_kexec_load, 0, 0, NULL, 0xffffUL)); }
static enum result kexec_file(void) { try_root(); return looked(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, ~0UL)); }
static enum result module_load(void) { try_root(); return looked(syscall(SYS_init_module, NULL, 0, "")); }
static enum result module_file(void) { try_root(); return looked(syscall(SYS_finit_module, -1, "", 0)); }
static enum result module_remove(void) { try_root(); return looked(syscall(SYS_delete_module, "no", O_NONBLOCK)); }
static enum result quota(void) { return looked(syscall(SYS_quotactl, QCMD(Q_SYNC, 0), NULL, 0, NULL)); }
static enum result quota_fd(void) { return looked(syscall(SYS_quotactl_fd, -1, QCMD(Q_SYNC, 0), 0, NULL)); }
static enum result swap_on(void) { try_root(); return looked(syscall(SYS_swapon, "/nothing-here", 0)); }
static enum result swap_off(void) { try_root(); return looked(syscall(SYS_swapoff, "/nothing-here")); }
static enum result accounting(void) { try_root(); return looked(syscall(SYS_acct, "/nothing-here")); }
static enum result restart(void) { try_root(); return looked(syscall(SYS_reboot, 0, 0, 0, NULL)); }
static enum result clock_set(void) { try_root(); return looked(syscall(SYS_settimeofday, NULL, NULL)); }

/* A clock that nobody can set. */
static enum result clock_set_by_id(void)
{
	return looked(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &(struct timespec){ 0 }));
}

/* The size of the kernel's log: syslog(2). */
static enum result kernel_log(void) { try_root(); return did(syscall(SYS_syslog, 10, NULL, 0)); }

static enum result host_name(void)
{
	struct utsname now;
	uname(&now);
	try_root();
	return did(sethostname(now.nodename, strlen(now.nodename)));
}

#ifdef __x86_64__
static enum result segments(void) { return did(syscall(SYS_modify_ldt, 0, &(char[16]){ 0 }, 16)); }
static enum result ports_all(void) { try_root(); return did(syscall(SYS_iopl, 3)); }
static enum result ports_some(void) { try_root(); return did(syscall(SYS_ioperm, 0x80, 1, 1)); }

/* ---- other ways to call: the 32-bit entry, whose pointers lie low because this program does ---- */

static long call_by_int80(long number, long first, long second, long third)
{
	long rc;
	__asm__ volatile("int $0x80" : "=a"(rc) : "0"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	if (rc < 0 && rc > -4096) {
		errno = -rc;
		return -1;
	}
	return rc;
}

/* Numbers of i386: getpid, unshare, ioctl, socket. */
static enum result int80(void) { return did(call_by_int80(20, 0, 0, 0)); }
static enum result int80_unshare(void) { return did(call_by_int80(310, CLONE_NEWUSER, 0, 0)); }
static enum result int80_socket(void) { return did(call_by_int80(359, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)); }
static enum result x32(void) { return did(syscall(0x40000000 | SYS_getpid)); }
static enum result x32_unshare(void) { return did(syscall(0x40000000 | SYS_unshare, CLONE_NEWUSER)); }

static enum result type_by_int80(void)
{
	static char key = 'x';
	return did(call_by_int80(54, 0, TIOCSTI, (long)&key));
}
#else
static enum result nothing(void) { return held(ENOSYS), ABSENT; }
#define segments nothing
#define ports_all nothing
#define ports_some nothing
#define int80 nothing
#define int80_unshare nothing
#define int80_socket nothing
#define x32 nothing
#define x32_unshare nothing
#define type_by_int80 nothing
#endif

/* ---- the terminal ---- */

/* Where standard input is no terminal there is nothing to type into. */
static enum result terminal_call(unsigned long request)
{
	char argument[8] = "x";
	return isatty(0) ? looked(syscall(SYS_ioctl, 0, request, argument)) : ABSENT;
}

static enum result type(void) { return terminal_call(TIOCSTI); }
static enum result type_high_bits(void) { return terminal_call(TIOCSTI | 1UL << 32); }
static enum result type_all_high_bits(void) { return terminal_call(TIOCSTI | 0xffffffffUL << 32); }
static enum result console(void) { return terminal_call(TIOCLINUX); }
static enum result console_high_bits(void) { return terminal_call(TIOCLINUX | 1UL << 32); }
static enum result line_discipline(void) { return terminal_call(TIOCSETD); }

/* ---- privileges ---- */

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

static enum result make_device(void)
{
	try_root();
	return did(mknod(in(home, "made-device"), S_IFCHR | 0600, makedev(1, 5)));
}

static enum result regain_uid(void) { return did(setresuid(0, 0, 0)); }
static enum result regain_uid_by_setuid(void) { return did(setuid(0)); }
static enum result regain_gid(void) { return did(setresgid(0, 0, 0)); }

static enum result regain_groups(void)
{
	gid_t root = 0;
	try_root();
	return did(setgroups(1, &root));
}

static enum result groups_left(void)
{
	gid_t groups[64];
	int count = getgroups(64, groups);
	while (count-- > 0)
		if (groups[count] == 0)
			return REACHED;
	return has(getgid() == 0 || getegid() == 0);
}

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

static enum result capabilities_left(void)
{
	for (int number = 0; number < 64; number++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) == 1)
			return REACHED;
	return has(any_capability());
}

static enum result bounding_set_left(void)
{
	for (int number = 0; number < 64; number++)
		if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1)
			return REACHED;
	return held(0);
}

static enum result regain_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { { .effective = 1 << CAP_SYS_CHROOT, .permitted = 1 << CAP_SYS_CHROOT } };
	return did(syscall(SYS_capset, &header, sets));
}

static enum result raise_ambient(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		die("capget");
	sets[0].inheritable = sets[0].permitted;
	if (syscall(SYS_capset, &header, sets))
		return HELD;
	return did(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0, 0));
}

/* SECBIT_NOROOT and SECBIT_NO_SETUID_FIXUP, both locked. */
static enum result securebits_open(void) { return has((prctl(PR_GET_SECUREBITS) & 0xf) != 0xf); }
static enum result new_privileges(void) { return has(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0); }

/* ---- controls: what a probe needs, so that "held" is never for want of it ---- */

static enum result control_path(void) { return did(receive(PATH, SENT_ROOT)); }
static enum result control_reverse(void) { return did(receive(REVERSE_PATH, SENT_ROOT)); }
static enum result control_terminal(void) { return has(isatty(0)); }
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
	/* First: it looks at the working directory that the session began with. */
	{ "root", "kept working directory", kept_cwd },
	{ "control", "descriptor by path socket", control_path },
	{ "control", "descriptor by reverse path socket", control_reverse },
	{ "control", "a terminal", control_terminal },
	{ "control", "/proc", control_proc },
	{ "control", "planted programs run", control_planted },
	{ "root", "absolute path", absolute_path },
	{ "root", "..", dot_dot },
	{ "root", "inherited descriptor", inherited_descriptor },
	{ "root", "double chroot", double_chroot },
	{ "root", "directory moved out of the root", moved_out },
	{ "descriptors", "by path socket, openat", fd_path_socket },
	{ "descriptors", "by abstract socket, openat", fd_abstract_socket },
	{ "descriptors", "by reverse path socket, openat", fd_reverse_path },
	{ "descriptors", "by reverse abstract socket, openat", fd_reverse_abstract },
	{ "descriptors", "fchdir and open", fd_fchdir },
	{ "descriptors", "/proc/self/fd/N", fd_by_proc },
	{ "descriptors", "list", fd_list },
	{ "descriptors", "create", fd_create },
	{ "descriptors", "mkdir", fd_mkdir },
	{ "descriptors", "symlink", fd_symlink },
	{ "descriptors", "mkfifo", fd_mkfifo },
	{ "descriptors", "unlink", fd_unlink },
	{ "descriptors", "truncate", fd_truncate },
	{ "descriptors", "rename to outside", fd_rename },
	{ "descriptors", "link from outside", fd_link },
	{ "descriptors", "execute", fd_execute },
	{ "descriptors", "stat", fd_stat },
	{ "descriptors", "chmod", fd_chmod },
	{ "descriptors", "connect to a path socket", fd_connect },
	{ "signals", "kill", signal_kill },
	{ "signals", "kill(-1)", signal_all },
	{ "signals", "kill a group", signal_group },
	{ "signals", "tgkill", signal_tgkill },
	{ "signals", "sigqueue", signal_queue },
	{ "signals", "pidfd_send_signal", signal_pidfd },
	{ "signals", "pidfd_send_signal, pidfd received", signal_sent_pidfd },
	{ "signals", "F_SETOWN", signal_owner },
	{ "priorities", "setpriority", nice_one },
	{ "priorities", "setpriority of a group", nice_group },
	{ "priorities", "setpriority of a user", nice_user },
	{ "priorities", "prlimit", limit },
	{ "priorities", "sched_setaffinity", affinity },
	{ "priorities", "sched_setscheduler", scheduler },
	{ "priorities", "ioprio_set", io_priority },
	{ "processes", "ptrace", trace },
	{ "processes", "process_vm_readv", read_memory },
	{ "processes", "process_vm_writev", write_memory },
	{ "processes", "pidfd_getfd", take_descriptor },
	{ "processes", "pidfd_getfd, pidfd received", take_descriptor_of_sent },
	{ "processes", "kcmp", compare },
	{ "processes", "get_robust_list", robust_list },
	{ "proc", "/proc/PID/root", proc_root },
	{ "proc", "/proc/PID/cwd", proc_cwd },
	{ "proc", "/proc/PID/fd", proc_fd },
	{ "proc", "/proc/PID/environ", proc_environ },
	{ "proc", "/proc/PID/maps", proc_maps },
	{ "proc", "/proc/PID/mem", proc_memory },
	{ "proc", "/proc/PID/cmdline", proc_command_line },
	{ "proc", "/proc/PID/oom_score_adj", proc_oom_score },
	{ "proc", "/proc lists PID", proc_list },
	{ "proc", "/proc/sys, to write", sysctl_write },
	{ "proc", "/proc/sysrq-trigger", sysrq },
	{ "ipc", "shmat", ipc_memory },
	{ "ipc", "msgsnd", ipc_messages },
	{ "ipc", "semctl", ipc_semaphore },
	{ "ipc", "mq_open", posix_queue },
	{ "ipc", "/dev/shm", shared_memory_file },
	{ "ipc", "/dev/pts of the host", host_terminal },
	{ "keys", "user keyring", key_user },
	{ "keys", "session keyring", key_session },
	{ "keys", "request_key", key_request },
	{ "keys", "add_key", key_add },
	{ "keys", "/proc/keys", key_list },
	{ "sockets", "abstract stream", abstract_stream },
	{ "sockets", "abstract datagram", abstract_datagram },
	{ "sockets", "TCP to a port of the host", loopback },
	{ "sockets", "sock_diag", sock_diag },
	{ "sockets", "other netlink", other_netlink },
	{ "sockets", "vsock", vsock },
	{ "sockets", "crypto (AF_ALG)", crypto_socket },
	{ "sockets", "packet", packet_socket },
	{ "sockets", "raw", raw_socket },
	{ "sockets", "odd families", odd_families },
	{ "sockets", "odd socketpair", odd_pair },
	{ "sockets", "socket by io_uring", ring_socket },
	{ "namespaces", "unshare, user", unshare_user },
	{ "namespaces", "unshare, others", unshare_others },
	{ "namespaces", "clone, user", clone_user },
	{ "namespaces", "clone3, user", clone3_user },
	{ "namespaces", "setns", set_namespace },
	{ "namespaces", "setns by pidfd", set_namespace_of_pidfd },
	{ "kernel", "bpf", load_program },
	{ "kernel", "userfaultfd", fault_descriptor },
	{ "kernel", "perf_event_open", perf },
	{ "kernel", "open_by_handle_at", file_handle },
	{ "kernel", "mount", mount_tmpfs },
	{ "kernel", "umount2", unmount },
	{ "kernel", "chroot", change_root },
	{ "kernel", "pivot_root", pivot },
	{ "kernel", "open_tree", tree_descriptor },
	{ "kernel", "open_tree, clone", tree_clone },
	{ "kernel", "open_tree_attr", tree_attributes },
	{ "kernel", "move_mount", move_a_mount },
	{ "kernel", "mount_setattr", mount_attributes },
	{ "kernel", "fsopen", open_file_system },
	{ "kernel", "fsconfig", configure_file_system },
	{ "kernel", "fsmount", mount_file_system },
	{ "kernel", "fspick", pick_file_system },
	{ "kernel", "fanotify_init", watch_all },
	{ "kernel", "fanotify_init, unprivileged", watch_own },
	{ "kernel", "personality", persona },
	{ "kernel", "kexec_load", kexec },
	{ "kernel", "kexec_file_load", kexec_file },
	{ "kernel", "init_module", module_load },
	{ "kernel", "finit_module", module_file },
	{ "kernel", "delete_module", module_remove },
	{ "kernel", "quotactl", quota },
	{ "kernel", "quotactl_fd", quota_fd },
	{ "kernel", "swapon", swap_on },
	{ "kernel", "swapoff", swap_off },
	{ "kernel", "acct", accounting },
	{ "kernel", "reboot", restart },
	{ "kernel", "settimeofday", clock_set },
	{ "kernel", "clock_settime", clock_set_by_id },
	{ "kernel", "syslog", kernel_log },
	{ "kernel", "sethostname", host_name },
	{ "kernel", "modify_ldt", segments },
	{ "kernel", "iopl", ports_all },
	{ "kernel", "ioperm", ports_some },
	{ "entries", "int80", int80 },
	{ "entries", "int80, unshare", int80_unshare },
	{ "entries", "int80, sock_diag", int80_socket },
	{ "entries", "x32", x32 },
	{ "entries", "x32, unshare", x32_unshare },
	{ "terminal", "TIOCSTI", type },
	{ "terminal", "TIOCSTI, a high bit", type_high_bits },
	{ "terminal", "TIOCSTI, all high bits", type_all_high_bits },
	{ "terminal", "TIOCSTI by int80", type_by_int80 },
	{ "terminal", "TIOCLINUX", console },
	{ "terminal", "TIOCLINUX, a high bit", console_high_bits },
	{ "terminal", "TIOCSETD", line_discipline },
	{ "programs", "set-uid", set_uid_program },
	{ "programs", "set-gid", set_gid_program },
	{ "programs", "set-uid, hard-linked", linked_program },
	{ "programs", "file capability", capable_program },
	{ "programs", "device that root has planted", planted_device },
	{ "programs", "mknod", make_device },
	{ "privileges", "setresuid", regain_uid },
	{ "privileges", "setuid", regain_uid_by_setuid },
	{ "privileges", "setresgid", regain_gid },
	{ "privileges", "setgroups", regain_groups },
	{ "privileges", "left-over groups", groups_left },
	{ "privileges", "left-over capabilities", capabilities_left },
	{ "privileges", "left-over bounding set", bounding_set_left },
	{ "privileges", "capset", regain_capabilities },
	{ "privileges", "ambient capability", raise_ambient },
	{ "privileges", "securebits not locked", securebits_open },
	{ "privileges", "no_new_privs not set", new_privileges },
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
		/* SIGSEGV: a kernel without the 32-bit entry. */
		const char *word = number == SIGSYS ? "held" : number == SIGSEGV ? "absent" : "broken";
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
	unsigned length;
	if (!info || fscanf(info, "%d %lx %63s %d %u ", &victim, &memory, terminal, &handle.head.handle_type, &length) != 5)
		die("info");
	handle.head.handle_bytes = length;
	for (unsigned i = 0, byte; i < length && i < MAX_HANDLE_SZ && fscanf(info, "%2x", &byte) == 1; i++)
		handle.bytes[i] = byte;
	fclose(info);
	for (size_t i = 0; i < sizeof PROBES / sizeof *PROBES; i++)
		run(&PROBES[i]);
	printf("DONE\n");
	return 0;
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

/* A caller that leaks whatever a caller can: "/" as a descriptor, a session keyring with a key in it, and a terminal
 * of its own as standard input. */
static int leak(char **program)
{
	int root = open("/", O_RDONLY | O_DIRECTORY), master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	char name[64];

	if (root < 0 || dup2(root, 100) != 100)
		die("/");
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, sizeof name))
		die("pty");
	if (syscall(SYS_keyctl, 1, "walls") < 0 ||
	    syscall(SYS_add_key, "user", "walls-session", SECRET_TEXT, sizeof SECRET_TEXT, SESSION_KEYRING) < 0)
		if (errno != ENOSYS)
			die("session keyring");
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		setsid();
		int slave = open(name, O_RDWR);
		if (slave < 0 || dup2(slave, 0) != 0 || ioctl(0, TIOCSCTTY, 0) < 0)
			die(name);
		close(slave);
		execv(program[0], program + 1);
		die(program[0]);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
	if (argc > 3 && !strcmp(argv[1], "leak"))
		return leak(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "probe"))
		return run_all(argv[2], argv[3]);
	if (argc == 6 && !strcmp(argv[1], "careless")) {
		be_careless(argv[2], argv[3]);
		return run_all(argv[4], argv[5]);
	}
	fprintf(stderr, "usage: walls probe SHARED HOME | careless ROOT UID:GID SHARED HOME | "
			"leak PROGRAM ARGV… | ids | landlock\n");
	return PROBE_BROKEN;
}
