/* Tells what a process was started with, one key=value a line. Put in place of the jail's shell it shows the
 * walls from inside: as `-report`, or as `report -c COMMAND`, which it does not run. A file /report that it may
 * write gets a copy, for logins whose standard output leads nowhere. As `report -c stay` it tells nothing, says that it
 * is there, and stays until its standard input ends: it answers each byte. */
#include "probe.h"

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

extern char **environ;

static char *text;
static size_t used, room;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int n = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (used + n + 1 > room) {
		room = (used + n + 1) * 2 + 65536;
		text = realloc(text, room);
		if (!text)
			die("realloc");
	}
	va_start(list, format);
	used += vsnprintf(text + used, room - used, format, list);
	va_end(list);
}

static void say_escaped(const char *key, const char *value)
{
	say("%s=", key);
	for (; *value; value++) {
		if (*value < ' ' || *value > '~' || *value == '\\')
			say("\\x%02x", (unsigned char)*value);
		else
			say("%c", *value);
	}
	say("\n");
}

/* First, before this program opens or maps anything: 0 to 2 may be all there is, and nobody says where the
 * others are. All numbers up to 65535 are tried whatever the limit, which may have been lowered behind one. */
static void descriptors(void)
{
	const int last = 1 << 16;
	for (int fd = 0; fd < last; fd++) {
		int flags = fcntl(fd, F_GETFD);
		if (flags < 0)
			continue;
		struct stat stat = { 0 };
		const char *kind = "other";
		if (fstat(fd, &stat))
			kind = "unknown";
		else if (S_ISREG(stat.st_mode))
			kind = "file";
		else if (S_ISDIR(stat.st_mode))
			kind = "directory";
		else if (S_ISCHR(stat.st_mode))
			kind = isatty(fd) ? "tty" : "character";
		else if (S_ISFIFO(stat.st_mode))
			kind = "pipe";
		else if (S_ISSOCK(stat.st_mode))
			kind = "socket";
		int status = fcntl(fd, F_GETFL);
		say("fd.%d=%s access=%d nonblock=%d rdev=%lx\n", fd, kind, status & (O_ACCMODE | O_PATH),
		    !!(status & O_NONBLOCK), (unsigned long)stat.st_rdev);
	}
}

static void identity(void)
{
	uid_t r, e, s;
	getresuid(&r, &e, &s);
	say("uid=%u %u %u %u\n", r, e, s, setfsuid(-1));
	gid_t rg, eg, sg;
	getresgid(&rg, &eg, &sg);
	say("gid=%u %u %u %u\n", rg, eg, sg, setfsgid(-1));

	static gid_t groups[65536];
	int n = getgroups(65536, groups);
	say("groups=");
	for (int i = 0; i < n; i++)
		say("%s%u", i ? " " : "", groups[i]);
	say("\n");
}

static void capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { 0 };
	if (syscall(SYS_capget, &header, sets))
		say("capget=%s\n", strerror(errno));
	say("cap.effective=%08x%08x\n", sets[1].effective, sets[0].effective);
	say("cap.permitted=%08x%08x\n", sets[1].permitted, sets[0].permitted);
	say("cap.inheritable=%08x%08x\n", sets[1].inheritable, sets[0].inheritable);
	unsigned long long bounding = 0, ambient = 0;
	for (int cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			bounding |= 1ULL << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			ambient |= 1ULL << cap;
	}
	say("cap.bounding=%016llx\n", bounding);
	say("cap.ambient=%016llx\n", ambient);
	say("securebits=%#x\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	say("no_new_privs=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	say("dumpable=%d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	say("keepcaps=%d\n", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	int death = -1, reaper = -1;
	prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
	say("pdeathsig=%d\nsubreaper=%d\n", death, reaper);
}

static void place(void)
{
	mode_t mask = umask(0);
	umask(mask);
	say("umask=%03o\n", mask);
	char cwd[4096] = "";
	/* Not the library's getcwd: it hides the kernel's "(unreachable)". */
	if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0)
		say("cwd.error=%s\n", strerror(errno));
	else
		say_escaped("cwd", cwd);
	struct stat stat_of;
	if (!stat("/", &stat_of))
		say("root=%lx:%lu\n", (unsigned long)stat_of.st_dev, (unsigned long)stat_of.st_ino);
	if (!stat("/..", &stat_of))
		say("above=%lx:%lu\n", (unsigned long)stat_of.st_dev, (unsigned long)stat_of.st_ino);
	say("personality=%#x\n", personality(0xffffffff));
	say("session=%d\ngroup=%d\npid=%d\nparent=%d\n", getsid(0) == getpid(), getpgrp() == getpid(), getpid(),
	    getppid());
	say("tty=%d\n", isatty(0));
	say("nice=%d\nscheduler=%d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
	long ring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	char about[256] = "";
	if (ring > 0)
		syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, about, sizeof about);
	say("keyring=%ld\n", ring);
	say_escaped("keyring.about", about);
}

static void signals(void)
{
	/* The kernel's own calls: the library's hide signals 32 and 33 from us. */
	unsigned long blocked = 0, pending = 0, ignored = 0, handled = 0;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, 8);
	syscall(SYS_rt_sigpending, &pending, 8);
	for (int number = 1; number <= 64; number++) {
		struct {
			void *handler;
			unsigned long flags, restorer, mask;
		} action = { 0 };
		if (syscall(SYS_rt_sigaction, number, NULL, &action, 8))
			continue;
		if (action.handler == SIG_IGN)
			ignored |= 1UL << (number - 1);
		else if (action.handler != SIG_DFL)
			handled |= 1UL << (number - 1);
	}
	say("sig.blocked=%016lx\nsig.pending=%016lx\nsig.ignored=%016lx\nsig.handled=%016lx\n", blocked, pending,
	    ignored, handled);
	for (int which = 0; which < 3; which++) {
		struct itimerval timer = { 0 };
		getitimer(which, &timer);
		say("timer.%d=%d\n", which, timer.it_value.tv_sec || timer.it_value.tv_usec
			|| timer.it_interval.tv_sec || timer.it_interval.tv_usec);
	}
}

static void limits(void)
{
	static const char *const names[] = { "cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile",
		"memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime" };
	for (int which = 0; which < 16; which++) {
		struct rlimit limit = { 0 };
		getrlimit(which, &limit);
		say("limit.%s=%lld %lld\n", names[which], (long long)limit.rlim_cur, (long long)limit.rlim_max);
	}
}

/* What nothing else tells: the walls that were put up by others, and the world they stand around. */
static void walls(void)
{
	static const char *const lines[] = { "NoNewPrivs:", "Seccomp:", "Seccomp_filters:", "Speculation_Store_Bypass:",
		"SpeculationIndirectBranch:", "THP_enabled:", "Cpus_allowed:", "Mems_allowed:" };
	char line[4096];
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof line, status)) {
		for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
			if (strncmp(line, lines[i], strlen(lines[i])))
				continue;
			char *value = strchr(line, '\t') + 1;
			value[strcspn(value, "\n")] = 0;
			say("status.%.*s=%s\n", (int)strlen(lines[i]) - 1, lines[i], value);
		}
	}
	static const char *const files[] = { "cgroup", "oom_score_adj", "timerslack_ns", "loginuid" };
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/self/%s", files[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
		line[n < 0 ? 0 : n] = 0;
		say_escaped(files[i], line);
	}
	ssize_t n = readlink("/proc/self/ns/pid", line, sizeof line - 1);
	line[n < 0 ? 0 : n] = 0;
	say_escaped("world", line);
}

static int stay(void)
{
	char byte;
	if (write(1, "STAYS\n", 6) != 6)
		return 1;
	while (read(0, &byte, 1) == 1)
		if (write(1, "HERE\n", 5) != 5)
			return 1;
	return 0;
}

static void deliver(int fd)
{
	for (size_t done = 0; done < used;) {
		ssize_t n = write(fd, text + done, used - done);
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			done += n;
	}
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[2], "stay"))
		return stay();
	descriptors();
	signals();
	identity();
	capabilities();
	place();
	limits();
	walls();
	say("argc=%d\n", argc);
	for (int i = 0; i < argc; i++) {
		char key[32];
		snprintf(key, sizeof key, "argv.%d", i);
		say_escaped(key, argv[i]);
	}
	for (char **entry = environ; *entry; entry++)
		say_escaped("env", *entry);
	say("RAN\n");
	/* Nobody may read what 1 leads to; the copy is written all the same. */
	signal(SIGPIPE, SIG_IGN);
	deliver(1);
	int copy = open("/report", O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK);
	if (copy >= 0)
		deliver(copy);
	return 0;
}
