/* oldkernel ABI PROGRAM ARGV…: runs a program, and all that it starts, on a kernel that says it has this Landlock ABI;
 * "none" and "off" stand for one that was built without and for one that has it switched off.
 *
 * A filter without no_new_privs hands the question for the version to this process, which gives the answer; with 0
 * and errno the filter answers by itself. What programs then ask for is what a kernel of that ABI knows, and the kernel
 * at hand enforces that and nothing else. Root only. */
#include "probe.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */
#define SLICE_MS 50

static int install(unsigned action, unsigned flags)
{
	/* Only the question for the version is caught: it has no attribute, and flags of 1. */
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VERSION, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof rules / sizeof *rules, rules };
	int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0)
		die("seccomp, which needs root");
	return listener;
}

static int errno_of(const char *abi)
{
	return !strcmp(abi, "none") ? ENOSYS : !strcmp(abi, "off") ? EOPNOTSUPP : 0;
}

/* Answers until nobody is left whom the filter holds, which a daemon can be for long after the program. */
static void answer(int listener, int abi, pid_t child, int *status)
{
	int ended = 0;
	for (;;) {
		struct pollfd poll_of = { listener, POLLIN, 0 };
		int n = poll(&poll_of, 1, SLICE_MS);
		if (!ended && waitpid(child, status, WNOHANG) == child) {
			ended = 1;
			/* Whoever waits for the program goes on, and this process stays for what it has left behind. */
			pid_t keeper = fork();
			if (keeper)
				return;
			setsid();
			int null = open("/dev/null", O_RDWR);
			for (int fd = 0; fd < 3; fd++)
				dup2(null, fd);
		}
		if (n <= 0)
			continue;
		if (!(poll_of.revents & POLLIN)) {
			/* Nobody is left; before Linux 6.11 that is after the program was reaped. */
			if (ended)
				_exit(0);
			waitpid(child, status, 0);
			return;
		}
		struct seccomp_notif call = { 0 };
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
			continue;
		struct seccomp_notif_resp reply = { .id = call.id, .val = abi };
		/* ENOENT: the caller was killed while it waited. */
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) && errno != ENOENT)
			die("answer");
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errno = EINVAL, die("usage: oldkernel ABI PROGRAM ARGV…");
	int error = errno_of(argv[1]);
	if (error) {
		install(SECCOMP_RET_ERRNO | error, 0);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	/* The table of descriptors is shared until the exec, so that the listener is here as well. */
	pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child < 0)
		die("clone");
	if (!child) {
		int listener = install(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
		*shared = listener;
		while (*shared == listener)
			usleep(50);
		if (syscall(SYS_unshare, CLONE_FILES))
			die("unshare");
		close(listener);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	while (!*shared)
		usleep(50);
	int listener = *shared, status = 0;
	*shared = -1;
	answer(listener, atoi(argv[1]), child, &status);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
