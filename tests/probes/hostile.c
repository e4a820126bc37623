/* Starts a program the way someone would who wants it to fail badly.
 *
 *   hostile [MODIFIER…] -- PATH [ARGV0 [ARG…]]
 *
 * Modifiers are done in the order given; those marked * decide how the program is started and stay behind to
 * print `end=exit:N` or `end=signal:N` for every start.
 *
 *   close:FD            closes a descriptor
 *   fd:FD:KIND          puts a directory, a pidfd … there: see open_kind()
 *   many:COUNT          COUNT descriptors from 3 on, one of them the root directory
 *   high:FD             the root directory at FD, then a limit of 16 descriptors
 *   limit:NAME:N        soft and hard limit
 *   env:ENTRY           one entry as it stands; env-clear, env-hostile, env-huge
 *   block, ignore, pending      all signals; ignore:NUMBER one
 *   alarm, itimer       a timer that fires in a minute; three that fire each millisecond
 *   cwd:PATH, cwd-deleted, umask:OCTAL, personality:HEX, nice:N
 *   nnp, userns:UID     no_new_privs; a user namespace in which the caller is UID
 *   become:UID:GID[,…]  from root; before it drop:CAPABILITY (from the bounding set, by number), securebits:HEX and
 *                       inheritable (every capability)
 *   share               leaves a process that shares the working directory and root and keeps moving
 *   traced*             traces the program, as its parent
 *   stopped*            stops and continues it all the time
 *   killed:N*           N starts, each killed at another moment of its first milliseconds
 *   storm:N*            N starts at once */
#include "probe.h"

#include <linux/capability.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#define MAX_ENTRIES 20000

extern char **environ;

static char *entries[MAX_ENTRIES + 1];
static int nentries;

static enum { PLAIN, TRACED, STOPPED, KILLED, STORM } start = PLAIN;
static int rounds;

static void add(char *entry)
{
	if (nentries < MAX_ENTRIES)
		entries[nentries++] = entry;
}

static int open_kind(const char *kind)
{
	int pair[2];
	sigset_t set;
	sigemptyset(&set);
	if (!strcmp(kind, "directory"))
		return open("/", O_RDONLY | O_DIRECTORY);
	if (!strcmp(kind, "path"))
		return open("/etc/passwd", O_PATH);
	if (!strcmp(kind, "path-null"))
		return open("/dev/null", O_PATH);
	if (!strcmp(kind, "path-directory"))
		return open("/", O_PATH | O_DIRECTORY);
	if (!strcmp(kind, "pidfd"))
		return syscall(SYS_pidfd_open, getpid(), 0);
	if (!strcmp(kind, "netns"))
		return open("/proc/self/ns/net", O_RDONLY);
	if (!strcmp(kind, "mntns"))
		return open("/proc/self/ns/mnt", O_RDONLY);
	if (!strcmp(kind, "eventfd"))
		return eventfd(0, 0);
	if (!strcmp(kind, "epoll"))
		return epoll_create1(0);
	if (!strcmp(kind, "signalfd"))
		return signalfd(-1, &set, 0);
	if (!strcmp(kind, "timerfd"))
		return timerfd_create(CLOCK_MONOTONIC, 0);
	if (!strcmp(kind, "inotify"))
		return inotify_init1(0);
	if (!strcmp(kind, "memfd"))
		return memfd_create("memory", 0);
	if (!strcmp(kind, "master"))
		return posix_openpt(O_RDWR | O_NOCTTY);
	if (!strcmp(kind, "slave")) {
		int master = posix_openpt(O_RDWR | O_NOCTTY);
		return grantpt(master) || unlockpt(master) ? -1 : open(ptsname(master), O_RDWR | O_NOCTTY);
	}
	if (!strcmp(kind, "proc"))
		return open("/proc/self/status", O_RDONLY);
	if (!strcmp(kind, "sysfs"))
		return open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	if (!strcmp(kind, "cgroup"))
		return open("/sys/fs/cgroup/cgroup.procs", O_RDONLY);
	if (!strcmp(kind, "mqueue"))
		return mq_open("/hostile", O_RDWR | O_CREAT, 0600, NULL);
	if (!strcmp(kind, "fuse"))
		return open("/dev/fuse", O_RDWR);
	if (!strcmp(kind, "file"))
		return open("/tmp", O_RDWR | O_TMPFILE, 0600);
	if (!strcmp(kind, "null"))
		return open("/dev/null", O_RDWR);
	if (!strcmp(kind, "pipe"))
		return pipe(pair) ? -1 : pair[0];
	if (!strcmp(kind, "socket"))
		return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -1 : pair[0];
	errno = EINVAL;
	return -1;
}

static void put(int fd, int at)
{
	if (fd < 0)
		die("open a descriptor");
	if (fd != at && dup2(fd, at) < 0)
		die("dup2");
	if (fd != at)
		close(fd);
}

static void limit(const char *name, rlim_t value)
{
	static const char *const names[] = { "cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile",
		"memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime" };
	for (int which = 0; which < 16; which++) {
		if (strcmp(names[which], name))
			continue;
		struct rlimit both = { value, value };
		if (setrlimit(which, &both))
			die(name);
		return;
	}
	errno = EINVAL, die(name);
}

/* As far as the hard limit lets it: the usual soft one is 1024. */
static void raise_descriptors(void)
{
	struct rlimit both;
	if (getrlimit(RLIMIT_NOFILE, &both))
		die("getrlimit");
	both.rlim_cur = both.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &both))
		die("setrlimit");
}

static void env_hostile(void)
{
	static char *const list[] = { "LD_PRELOAD=/tmp/evil.so", "LD_LIBRARY_PATH=/tmp", "LD_AUDIT=/tmp/evil.so",
		"LD_DEBUG=all", "LD_DEBUG_OUTPUT=/tmp/debug", "LD_PROFILE=libc.so.6", "LD_ORIGIN_PATH=/tmp",
		"LD_DYNAMIC_WEAK=1", "LD_BIND_NOW=1", "LD_SHOW_AUXV=1",
		"GLIBC_TUNABLES=glibc.malloc.check=3:glibc.malloc.mxfast=glibc.malloc.mxfast=A",
		"MALLOC_CHECK_=3", "MALLOC_TRACE=/tmp/trace", "LOCPATH=/tmp", "NLSPATH=/tmp/%N", "I18NPATH=/tmp",
		"GCONV_PATH=/tmp", "GETCONF_DIR=/tmp", "HOSTALIASES=/tmp/hosts", "LOCALDOMAIN=evil",
		"RES_OPTIONS=debug", "RESOLV_HOST_CONF=/etc/shadow", "NIS_PATH=/tmp", "TZDIR=/tmp", "TMPDIR=/tmp/x",
		"BASH_ENV=/tmp/evil", "ENV=/tmp/evil", "IFS=/", "PS4=$(touch /tmp/evil)", "SHELLOPTS=xtrace",
		"BASHOPTS=extdebug", "BASH_FUNC_ls%%=() { touch /tmp/evil; }", "PROMPT_COMMAND=touch /tmp/evil",
		"CDPATH=/", "PYTHONPATH=/tmp", "PERL5LIB=/tmp", "RUBYLIB=/tmp", "NODE_OPTIONS=--require /tmp/evil",
		"RUST_BACKTRACE=full", "RUST_LOG=trace", "RUST_MIN_STACK=1",
		"TERMINFO=/tmp", "TERMINFO_DIRS=/tmp", "TERMCAP=/tmp/termcap", "TERMPATH=/tmp",
		"TERM=../../tmp/evil", "LANG=../../tmp/evil", "LC_ALL=/tmp/evil", "LANGUAGE=../..:/tmp",
		"TZ=:/etc/shadow", "TZ=\033]0;evil\a", "LC_TIME=a\nb",
		"HOME=/etc", "USER=root", "LOGNAME=root", "SHELL=/tmp/evil", "PATH=/tmp:.", "PWD=/tmp", "OLDPWD=/",
		"PATH=/tmp/second", "HOME=/root", "LD_PRELOAD=/tmp/second.so",
		"=", "=value", "", "NOEQUALS", "LC_ALL", "TERM", "=TERM=x", "A B=c", "\377\376=\377", "TERM =x",
		"LC_\001=x", "LC_*=x", "LC_ALL=\xc2\x9b" "31m", NULL };
	for (char *const *entry = list; *entry; entry++)
		add(*entry);
}

static void env_huge(void)
{
	enum { SIZE = 1000, COUNT = 1100 };
	for (int i = 0; i < COUNT; i++) {
		char *entry = malloc(SIZE);
		if (!entry)
			die("malloc");
		int n = snprintf(entry, SIZE, "LC_%d=", i);
		memset(entry + n, 'x', SIZE - n);
		entry[SIZE - 1] = 0;
		add(entry);
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void user_namespace(unsigned inside)
{
	char map[64];
	unsigned outside = getuid();
	if (unshare(CLONE_NEWUSER))
		die("unshare");
	snprintf(map, sizeof map, "%u %u 1\n", inside, outside);
	write_file("/proc/self/uid_map", map);
}

/* Nobody waits for the process that stays: it ends by itself. */
static void share(void)
{
	pid_t child = syscall(SYS_clone, CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child < 0)
		die("clone");
	if (child)
		return;
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	time_t end = time(NULL) + 3;
	while (time(NULL) < end) {
		if (chdir("/tmp") || chdir("/"))
			break;
		umask(0);
	}
	_exit(0);
}

static void inherit_everything(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		die("capget");
	for (int i = 0; i < 2; i++)
		sets[i].inheritable = sets[i].permitted;
	if (syscall(SYS_capset, &header, sets))
		die("capset");
}

static void every_signal(void (*handler)(int))
{
	for (int number = 1; number <= 64; number++)
		signal(number, handler);
}

static void block_every_signal(void)
{
	unsigned long all = ~0UL;
	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8))
		die("rt_sigprocmask");
}

static void itimers(void)
{
	struct itimerval soon = { { 0, 1000 }, { 0, 1000 } };
	for (int which = 0; which < 3; which++)
		if (setitimer(which, &soon, NULL))
			die("setitimer");
}

/* Does one modifier; returns whether there is such a one. */
static int modify(const char *name, char *value)
{
	char *second = value ? strchr(value, ':') : NULL;
	if (!strcmp(name, "close"))
		close(atoi(value));
	else if (!strcmp(name, "fd") && second)
		put(open_kind(second + 1), atoi(value));
	else if (!strcmp(name, "many"))
		for (int i = 0; i < atoi(value); i++)
			put(open_kind(i == atoi(value) / 2 ? "directory" : "null"), 3 + i);
	else if (!strcmp(name, "high")) {
		raise_descriptors();
		put(open_kind("directory"), atoi(value));
		limit("nofile", 16);
	} else if (!strcmp(name, "limit") && second) {
		*second = 0;
		limit(value, strtoull(second + 1, NULL, 10));
	} else if (!strcmp(name, "env"))
		add(value);
	else if (!strcmp(name, "env-clear"))
		nentries = 0;
	else if (!strcmp(name, "env-hostile"))
		env_hostile();
	else if (!strcmp(name, "env-huge"))
		env_huge();
	else if (!strcmp(name, "block"))
		block_every_signal();
	else if (!strcmp(name, "ignore") && value)
		signal(atoi(value), SIG_IGN);
	else if (!strcmp(name, "ignore"))
		every_signal(SIG_IGN);
	else if (!strcmp(name, "pending")) {
		block_every_signal();
		for (int number = 1; number <= 64; number++)
			if (number != SIGKILL && number != SIGSTOP)
				syscall(SYS_tgkill, getpid(), getpid(), number);
	} else if (!strcmp(name, "alarm"))
		alarm(60);
	else if (!strcmp(name, "itimer"))
		itimers();
	else if (!strcmp(name, "cwd")) {
		if (chdir(value))
			die(value);
	} else if (!strcmp(name, "cwd-deleted")) {
		char directory[] = "/tmp/hostileXXXXXX";
		if (!mkdtemp(directory) || chdir(directory) || rmdir(directory))
			die(directory);
	} else if (!strcmp(name, "umask"))
		umask(strtol(value, NULL, 8));
	else if (!strcmp(name, "personality"))
		personality(strtoul(value, NULL, 16));
	else if (!strcmp(name, "nice")) {
		if (setpriority(PRIO_PROCESS, 0, atoi(value)))
			die("setpriority");
	} else if (!strcmp(name, "nnp")) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			die("no_new_privs");
	} else if (!strcmp(name, "userns"))
		user_namespace(atoi(value));
	else if (!strcmp(name, "become")) {
		struct account account = account_of(value);
		become(&account);
		/* A normal user's process: its /proc is its own. */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	} else if (!strcmp(name, "drop")) {
		if (prctl(PR_CAPBSET_DROP, atoi(value), 0, 0, 0))
			die("drop a capability");
	} else if (!strcmp(name, "securebits")) {
		if (prctl(PR_SET_SECUREBITS, strtoul(value, NULL, 16), 0, 0, 0))
			die("securebits");
	} else if (!strcmp(name, "inheritable"))
		inherit_everything();
	else if (!strcmp(name, "share"))
		share();
	else if (!strcmp(name, "traced"))
		start = TRACED;
	else if (!strcmp(name, "stopped"))
		start = STOPPED;
	else if (!strcmp(name, "killed"))
		start = KILLED, rounds = atoi(value);
	else if (!strcmp(name, "storm"))
		start = STORM, rounds = atoi(value);
	else
		return 0;
	return 1;
}

static pid_t fork_program(char **command)
{
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child)
		return child;
	if (start == TRACED && ptrace(PTRACE_TRACEME, 0, 0, 0))
		die("ptrace");
	execve(command[0], command + 1, environ);
	die(command[0]);
}

static void print_end(int status)
{
	if (WIFEXITED(status))
		printf("end=exit:%d\n", WEXITSTATUS(status));
	else
		printf("end=signal:%d\n", WTERMSIG(status));
	fflush(stdout);
}

static void trace(char **command)
{
	int status;
	pid_t child = fork_program(command);
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		int number = WSTOPSIG(status);
		ptrace(PTRACE_CONT, child, 0, number == SIGTRAP ? 0 : number);
	}
	print_end(status);
}

static void stop_and_continue(char **command)
{
	int status;
	pid_t child = fork_program(command);
	while (waitpid(child, &status, WNOHANG) == 0) {
		kill(child, SIGSTOP);
		usleep(50);
		kill(child, SIGCONT);
		usleep(50);
	}
	print_end(status);
}

static void kill_at_moments(char **command)
{
	int status;
	for (int i = 0; i < rounds; i++) {
		pid_t child = fork_program(command);
		usleep(i * 4000 / rounds);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		print_end(status);
	}
}

static void storm(char **command)
{
	int status;
	for (int i = 0; i < rounds; i++)
		fork_program(command);
	for (int i = 0; i < rounds; i++)
		if (wait(&status) > 0)
			print_end(status);
}

int main(int argc, char **argv)
{
	int i = 1;
	for (char **entry = environ; *entry; entry++)
		add(*entry);
	for (; i < argc && strcmp(argv[i], "--"); i++) {
		char *value = strchr(argv[i], ':');
		if (value)
			*value++ = 0;
		if (!modify(argv[i], value))
			errno = EINVAL, die(argv[i]);
	}
	if (i + 1 >= argc)
		errno = EINVAL, die("usage");
	char **command = argv + i + 1;
	environ = entries;

	switch (start) {
	case PLAIN:
		execve(command[0], command + 1, environ);
		die(command[0]);
	case TRACED:
		trace(command);
		break;
	case STOPPED:
		stop_and_continue(command);
		break;
	case KILLED:
		kill_at_moments(command);
		break;
	case STORM:
		storm(command);
		break;
	}
	return 0;
}
