/* Makes a chosen system call of a program fail, and tells which calls a program made.
 *
 *   inject WHO errno NR[,ARG=VALUE…] ERRNO PATH ARGV0 [ARG…]
 *   inject WHO call NR[,ARG=VALUE…][,path=TEXT][,in=P][#N[+]] FAULT PATH ARGV0 [ARG…]
 *   inject WHO at P.K FAULT PATH ARGV0 [ARG…]
 *   inject WHO record PATH ARGV0 [ARG…]
 *   inject WHO sweep P.K:FAULT[,…] PATH ARGV0 [ARG…]
 *
 * WHO is UID:GID[,GROUP…] and, behind it, how the program is started: `@tty` as the leader of a session with a terminal
 * as standard input, like sshd's child; `@foreground` as a member of such a session, in its foreground, like su's.
 *
 * A TEXT that begins with * is how the path ends. errno: the kernel answers every such call itself. call: the Nth such call, with a + every one from there on, every one
 * without #N, of any process or, with in=P, of one. at: the Kth call of process P; processes are counted from 1 in the order in which they came.
 * record: none; the calls are listed on descriptor 9. sweep: a run for each point, output in blocks, see sweep_one();
 * 0.0:0 is an unharmed run. A fault is an errno, `kill`, `hold`: the call does not return, or `lie`: it is said to have succeeded and is
 * not done.
 *
 * A run is over when the last process that came of it is. Root starts it, so the filter needs no no_new_privs and a
 * set-uid bit keeps its effect; then it becomes the account and executes PATH. Calls are counted from the first
 * instruction of PATH. Those of probes (of this program before its exec, of report as the jail's shell) are let through
 * and not counted: see PROBE_CODE_END. */
#include "probe.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define KILL (-1)
#define LIE (-2)
#define HOLD (-3)
#define MAX_MATCHES 4
#define MAX_RULES 64
#define LISTING 9
#define MAX_PROCESSES 64
#define SLICE_MS 20
#define PATIENCE_S 10

struct match {
	int nr;
	int count;
	struct {
		int arg;
		uint32_t value;
	} args[MAX_MATCHES];
	char path[256];
	int process;
	long nth;
	int onward;
};

/* How a run is started. */
static enum { PLAIN, TTY, FOREGROUND } start = PLAIN;
static int master = -1, terminal = -1;

/* What to do to a run: nothing, or `error` at call `at` of a process, or at those that `match` describes. */
struct order {
	enum { RECORD, AT, CALL } kind;
	int process;
	long at;
	struct match match;
	int error;
};

struct outcome {
	int status;
	int ended;
	int timeout;
	long hits;
	int hit_nr;
};

/* A process of a run, and how many calls it has made. */
struct process {
	pid_t pid;
	long calls;
};

static int error_of(const char *text)
{
	if (!strcmp(text, "kill"))
		return KILL;
	if (!strcmp(text, "hold"))
		return HOLD;
	if (!strcmp(text, "lie"))
		return LIE;
	/* A fault that is none would let every call go on, and prove nothing. */
	char *end;
	long number = strtol(text, &end, 10);
	if (number < 0 || *end || end == text)
		errno = EINVAL, die(text);
	return number;
}

static struct match match_of(char *text)
{
	struct match match = { 0 };
	char *nth = strchr(text, '#');
	if (nth) {
		*nth = 0;
		char *end;
		match.nth = strtol(nth + 1, &end, 10);
		match.onward = *end == '+';
	}
	char *part = strtok(text, ",");
	match.nr = atoi(part);
	while ((part = strtok(NULL, ","))) {
		if (!strncmp(part, "path=", 5)) {
			snprintf(match.path, sizeof match.path, "%s", part + 5);
		} else if (!strncmp(part, "in=", 3)) {
			match.process = atoi(part + 3);
		} else if (match.count < MAX_MATCHES) {
			char *value = strchr(part, '=');
			if (!value)
				errno = EINVAL, die(part);
			match.args[match.count].arg = atoi(part);
			match.args[match.count++].value = strtoll(value + 1, NULL, 0);
		}
	}
	return match;
}

/* Installs a filter that lets probes pass and gives every other call `action`; with `match`, only calls that
 * match. Arguments are compared as the 32 bits that an int has. Returns the listener, if there is one. */
static int filter(const struct match *match, uint32_t action, unsigned flags)
{
	struct sock_filter rules[MAX_RULES];
	int n = 0;
	const unsigned ip = offsetof(struct seccomp_data, instruction_pointer);

	rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4);
	rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip);
	rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, PROBE_CODE_END, 1, 0);
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (match) {
		rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
		rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, match->nr, 1, 0);
		rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		for (int i = 0; i < match->count; i++) {
			rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				offsetof(struct seccomp_data, args) + 8 * match->args[i].arg);
			rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
				match->args[i].value, 1, 0);
			rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		}
	}
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);

	struct sock_fprog program = { n, rules };
	int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0)
		die("seccomp, which needs root");
	return listener;
}

/* Which argument of a call is a path; -1 when none is. */
static int path_argument(int nr)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open: case SYS_stat: case SYS_lstat: case SYS_access: case SYS_readlink:
#endif
	case SYS_execve: case SYS_chdir: case SYS_chroot: case SYS_statfs: case SYS_mount:
		return 0;
	case SYS_openat: case SYS_openat2: case SYS_execveat: case SYS_statx: case SYS_faccessat:
	case SYS_newfstatat: case SYS_readlinkat: case SYS_faccessat2: case SYS_mkdirat: case SYS_mknodat:
	case SYS_fsopen: case SYS_open_tree:
		return 1;
	case SYS_move_mount:
		return 3;
	case SYS_symlinkat:
		return 2;
	default:
		return -1;
	}
}

static void path_of(const struct seccomp_notif *call, char *path, size_t size)
{
	int arg = path_argument(call->data.nr);
	path[0] = 0;
	if (arg < 0)
		return;
	/* A string may end at the end of a mapping, and goes on in the next page otherwise: so page by page. */
	unsigned long from = call->data.args[arg];
	size_t got = 0;
	while (got < size - 1 && memchr(path, 0, got) == NULL) {
		size_t want = 4096 - (from + got) % 4096;
		if (want > size - 1 - got)
			want = size - 1 - got;
		struct iovec to = { path + got, want }, source = { (void *)(from + got), want };
		ssize_t n = process_vm_readv(call->pid, &to, 1, &source, 1, 0);
		if (n <= 0)
			break;
		got += n;
	}
	path[got] = 0;
}

static int matches(const struct match *match, const struct seccomp_notif *call, const char *path, int process)
{
	if (call->data.nr != match->nr || (match->process && match->process != process))
		return 0;
	for (int i = 0; i < match->count; i++)
		if ((uint32_t)call->data.args[match->args[i].arg] != match->args[i].value)
			return 0;
	if (*match->path != '*')
		return !match->path[0] || !strcmp(match->path, path);
	size_t end = strlen(match->path + 1), length = strlen(path);
	return length >= end && !strcmp(match->path + 1, path + length - end);
}

static void list_call(FILE *listing, int process, long index, const struct seccomp_notif *call, const char *path)
{
	fprintf(listing, "%d.%ld nr=%d args=%llx,%llx,%llx,%llx,%llx,%llx path=", process, index, call->data.nr,
		call->data.args[0], call->data.args[1], call->data.args[2], call->data.args[3], call->data.args[4],
		call->data.args[5]);
	for (; *path; path++)
		fputc(*path < ' ' || *path > '~' ? '?' : *path, listing);
	fputc('\n', listing);
}

/* Answers one call: with the fault, or by letting the kernel do it. */
static void answer(int listener, const struct seccomp_notif *call, int error, struct outcome *outcome)
{
	if (error == KILL) {
		kill(call->pid, SIGKILL);
		return;
	}
	if (error == HOLD)
		return;
	struct seccomp_notif_resp reply = {
		.id = call->id,
		.error = error == LIE ? 0 : -error,
		.flags = error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};
	/* ENOENT: the caller was killed while it waited. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) && errno != ENOENT)
		outcome->timeout = 1;
}

/* The number of the process, from 1, with another call counted; 0 when there are too many. */
static int count_call(struct process *processes, pid_t pid)
{
	for (int i = 0; i < MAX_PROCESSES; i++) {
		if (processes[i].pid && processes[i].pid != pid)
			continue;
		processes[i].pid = pid;
		processes[i].calls++;
		return i + 1;
	}
	return 0;
}

/* Returns when nobody is left whom the filter holds: that is the end of every process of the run. */
static void supervise(int listener, pid_t child, const struct order *order, FILE *listing, struct outcome *outcome)
{
	struct process processes[MAX_PROCESSES] = { 0 };
	long matched = 0;
	time_t quiet = time(NULL);
	for (;;) {
		struct pollfd poll_of = { listener, POLLIN, 0 };
		int n = poll(&poll_of, 1, SLICE_MS);
		/* Reaped here, too: before Linux 6.11 a filter holds a process until it is reaped. */
		if (!outcome->ended && waitpid(child, &outcome->status, WNOHANG) == child)
			outcome->ended = 1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0) {
			if (time(NULL) - quiet <= PATIENCE_S)
				continue;
			outcome->timeout = 1;
			for (int i = 0; i < MAX_PROCESSES && processes[i].pid; i++)
				if (processes[i].pid != child || !outcome->ended)
					kill(processes[i].pid, SIGKILL);
			return;
		}
		if (!(poll_of.revents & POLLIN))
			return;
		quiet = time(NULL);
		struct seccomp_notif call = { 0 };
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
			continue;
		char path[256];
		path_of(&call, path, sizeof path);
		int process = count_call(processes, call.pid);
		long index = process ? processes[process - 1].calls : 0;
		if (listing)
			list_call(listing, process, index, &call, path);
		int hit = 0;
		if (order->kind == AT)
			hit = process == order->process && index == order->at;
		else if (order->kind == CALL && matches(&order->match, &call, path, process)) {
			matched++;
			hit = matched == order->match.nth || !order->match.nth ||
			      (order->match.onward && matched > order->match.nth);
		}
		if (hit) {
			outcome->hits++;
			outcome->hit_nr = call.data.nr;
		}
		answer(listener, &call, hit ? order->error : 0, outcome);
	}
}

/* Its other end stays open in this program: a terminal without one hangs up. */
static void make_terminal(void)
{
	int unlocked = 0;
	if (master >= 0)
		close(master);
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked))
		die("/dev/ptmx");
}

/* Makes the terminal that of this process's session. */
static int take_terminal(void)
{
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0)
		die("TIOCGPTPEER");
	/* Fails where this process leads a session already. */
	setsid();
	if (ioctl(slave, TIOCSCTTY, 0))
		die("TIOCSCTTY");
	return slave;
}

static void block_background_output(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(how, &set, NULL);
}

/* Makes this process the leader of a session with a terminal, or puts its group back into the foreground. */
static void prepare_foreground(void)
{
	if (terminal < 0) {
		make_terminal();
		terminal = take_terminal();
	}
	block_background_output(SIG_BLOCK);
	if (tcsetpgrp(terminal, getpgrp()))
		die("tcsetpgrp");
	block_background_output(SIG_UNBLOCK);
}

/* Runs the program once. The child shares the table of descriptors until its exec, so the listener it gets is
 * here as well, and its number comes over a shared page: past the filter it needs no other call. */
static struct outcome run(const struct account *account, const struct order *order, char **command, int out, int err,
	FILE *listing)
{
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	if (start == FOREGROUND)
		prepare_foreground();
	else if (start == TTY)
		make_terminal();
	pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child < 0)
		die("clone");
	if (!child) {
		/* Dies with the supervisor, as a listener without one would hang it. The exec of a set-uid
		 * program clears this, and from there on the kernel answers ENOSYS. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int listener = filter(NULL, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
		*shared = listener;
		while (*shared == listener)
			usleep(50);
		/* Its own table from here: the next calls must not move the supervisor's descriptors. */
		if (syscall(SYS_unshare, CLONE_FILES))
			die("unshare");
		if ((out >= 0 && dup2(out, 1) < 0) || (err >= 0 && dup2(err, 2) < 0))
			die("dup2");
		int input = start == TTY ? take_terminal() : start == FOREGROUND ? terminal : 0;
		if (input && dup2(input, 0) < 0)
			die("dup2");
		if (syscall(SYS_close_range, 3, ~0U, 0))
			die("close_range");
		become(account);
		execv(command[0], command + 1);
		die(command[0]);
	}
	while (!*shared) {
		int status;
		if (waitpid(child, &status, WNOHANG) == child)
			errno = ECHILD, die("the filter was not installed");
		usleep(50);
	}
	int listener = *shared;
	*shared = -1;

	struct outcome outcome = { 0 };
	supervise(listener, child, order, listing, &outcome);
	if (!outcome.ended && waitpid(child, &outcome.status, 0) != child)
		die("waitpid");
	close(listener);
	munmap((void *)shared, 4096);
	return outcome;
}

static void copy_lines(int fd, const char *mark)
{
	FILE *file = fdopen(fd, "r");
	if (!file)
		die("fdopen");
	rewind(file);
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	while ((n = getline(&line, &size, file)) > 0)
		printf("%s%s%s", mark, line, line[n - 1] == '\n' ? "" : "\n");
	free(line);
	fclose(file);
}

static int parse_point(char *text, struct order *order)
{
	char *end;
	order->kind = AT;
	order->process = strtol(text, &end, 10);
	if (*end != '.')
		return 0;
	order->at = strtol(end + 1, &end, 10);
	if (!*end)
		return 1;
	if (*end != ':')
		return 0;
	order->error = error_of(end + 1);
	return 1;
}

/* Prints a line `@ p=P k=K error=E nr=NR end=exit:N|signal:N|timeout:N` and after it what the login wrote, each line of
 * standard output behind `>`, each of standard error behind `!`. A login without a call K is unharmed: error 0, number
 * -1. */
static void sweep_one(const struct account *account, const struct order *order, char **command)
{
	int out = memfd_create("out", 0), err = memfd_create("err", 0);
	struct outcome outcome = run(account, order, command, out, err, NULL);
	int exited = WIFEXITED(outcome.status);
	printf("@ p=%d k=%ld error=%d nr=%d end=%s:%d\n", order->process, order->at,
	       outcome.hits ? order->error : 0, outcome.hits ? outcome.hit_nr : -1,
	       outcome.timeout ? "timeout" : exited ? "exit" : "signal",
	       exited ? WEXITSTATUS(outcome.status) : WTERMSIG(outcome.status));
	copy_lines(out, ">");
	copy_lines(err, "!");
}

static void sweep(const struct account *account, char *points, char **command)
{
	for (char *point = strtok(points, ","); point; point = strtok(NULL, ",")) {
		struct order order = { 0 };
		if (!parse_point(point, &order))
			errno = EINVAL, die(point);
		sweep_one(account, &order, command);
	}
}

/* Ends as the program under test ended. */
static int end_as(const struct outcome *outcome)
{
	if (outcome->timeout) {
		fprintf(stderr, "probe: the program hangs\n");
		return PROBE_BROKEN;
	}
	if (WIFSIGNALED(outcome->status)) {
		signal(WTERMSIG(outcome->status), SIG_DFL);
		raise(WTERMSIG(outcome->status));
	}
	return WEXITSTATUS(outcome->status);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		errno = EINVAL, die("usage");
	char *way = strchr(argv[1], '@');
	if (way) {
		*way++ = 0;
		start = !strcmp(way, "tty") ? TTY : FOREGROUND;
	}
	struct account account = account_of(argv[1]);
	const char *mode = argv[2];

	if (!strcmp(mode, "errno") && argc >= 7) {
		struct match match = match_of(argv[3]);
		filter(&match, SECCOMP_RET_ERRNO | (error_of(argv[4]) & SECCOMP_RET_DATA), 0);
		become(&account);
		execv(argv[5], argv + 6);
		die(argv[5]);
	}
	if (!strcmp(mode, "sweep") && argc >= 6) {
		sweep(&account, argv[3], argv + 4);
		return 0;
	}

	struct order order = { .kind = RECORD };
	char **command = argv + 3;
	FILE *listing = NULL;
	if (!strcmp(mode, "record")) {
		listing = fdopen(LISTING, "w");
		if (!listing)
			die("descriptor 9 for the list of calls");
	} else if (argc >= 7 && (!strcmp(mode, "at") || !strcmp(mode, "call"))) {
		order.kind = CALL;
		if (*mode == 'c')
			order.match = match_of(argv[3]);
		else if (!parse_point(argv[3], &order))
			errno = EINVAL, die(argv[3]);
		order.error = error_of(argv[4]);
		command = argv + 5;
	} else {
		errno = EINVAL, die(mode);
	}
	struct outcome outcome = run(&account, &order, command, -1, -1, listing);
	if (listing)
		fflush(listing);
	else if (!outcome.hits) {
		/* A row that hits nothing proves nothing. */
		fprintf(stderr, "probe: no call to fail\n");
		return PROBE_BROKEN;
	}
	return end_as(&outcome);
}
